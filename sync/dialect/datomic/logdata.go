package datomic

import (
	"fmt"
	"math"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Logged is a transaction of the log.
type Logged struct {
	Transaction
	// Datoms are in the order in which they were transacted.
	Datoms []Datom
}

// LogEntry is a child of the log's root or of one of its dirs.
type LogEntry struct {
	// T is not greater than that of the first transaction beneath.
	T  int64
	ID graph.ID
}

// LogChildren returns the children of the log's root or of a dir, oldest first.
// In a new database a dir has none.
func (d *Dialect) LogChildren(id graph.ID, data []byte) (children []LogEntry, err error) {
	err = d.opened(id, data, func(o *opener) error {
		entries, err := readLogDirs(&o.r)
		if err != nil {
			return err
		}
		for i, e := range entries {
			if i > 0 && e.t < entries[i-1].t {
				return corrupt("transaction %d follows %d in a dir of the log", e.t, entries[i-1].t)
			}
			children = append(children, LogEntry{e.t, e.id})
		}
		return end(&o.r)
	})
	return children, err
}

// LogLeaf returns the transactions of a leaf of the log, oldest first.
func (d *Dialect) LogLeaf(id graph.ID, data []byte) (txs []Logged, err error) {
	err = d.opened(id, data, func(o *opener) error {
		if txs, err = readLog(&o.r); err != nil {
			return err
		}
		return end(&o.r)
	})
	return txs, err
}

// Transactions returns the transactions of the tail, oldest first.
func (v *Value) Transactions() ([]Logged, error) {
	if err := checkTail(v.Tail); err != nil {
		return nil, err
	}
	txs, err := readLog(fressian.NewReader(v.Tail))
	return txs, describe("tail of the log", err)
}

// readLog reads a list of transactions, which must ascend.
func readLog(r *fressian.Reader) (txs []Logged, err error) {
	err = r.ReadList(func(i int) error {
		tx, err := readLogged(r)
		if err == nil && i > 0 && tx.T <= txs[i-1].T {
			err = corrupt("transaction %d follows %d in the log", tx.T, txs[i-1].T)
		}
		txs = append(txs, tx)
		return err
	})
	return txs, err
}

func readLogged(r *fressian.Reader) (tx Logged, err error) {
	tx.Transaction, err = readEntry(r, func() error {
		d, err := readDatum(r)
		tx.Datoms = append(tx.Datoms, d)
		return err
	})
	return tx, err
}

const (
	tagDatum    = "datum" // added, partition, number, attribute, value, t
	datumFields = 6
)

// readDatum reads a datom of the log.
func readDatum(r *fressian.Reader) (d Datom, err error) {
	at := r.Offset()
	tag, n, err := r.ReadStruct()
	if err != nil {
		return d, err
	}
	if tag != tagDatum || n != datumFields {
		return d, unsupported("unknown tag %q of %d fields at offset %d where a datom of the log should be", tag, n, at)
	}
	added, err := r.Read()
	if err != nil {
		return d, err
	}
	var ok bool
	if d.Added, ok = added.(bool); !ok {
		return d, corrupt("a datom at offset %d begins with %T", at, added)
	}
	if err := readPlace(r, &d); err != nil {
		return d, err
	}
	if d.V, err = r.Read(); err != nil {
		return d, err
	}
	if err := checkValue(d.V); err != nil {
		return d, datumError(&d, err)
	}
	d.T, err = r.ReadInt()
	return d, err
}

// readPlace reads the entity, in two parts, and the attribute of a datom.
func readPlace(r *fressian.Reader, d *Datom) (err error) {
	at := r.Offset()
	var numbers [3]int64
	for i, limit := range []int64{maxPartition, maxNumber, math.MaxInt32} {
		if numbers[i], err = r.ReadInt(); err != nil {
			return err
		}
		if numbers[i] < 0 || numbers[i] > limit {
			return corrupt("a datom at offset %d of which partition, entity and attribute begin with %d", at, numbers[:i+1])
		}
	}
	d.E, d.A = numbers[0]<<partitionBits|numbers[1], int32(numbers[2])
	return nil
}

// datumError says which datom an error is about.
func datumError(d *Datom, err error) error {
	return fmt.Errorf("entity %d, attribute %d: %w", d.E, d.A, err)
}
