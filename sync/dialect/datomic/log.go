package datomic

import (
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// logEntry is a child of a log's root or dir, and the t of its first
// transaction.
type logEntry struct {
	t  int64
	id graph.ID
}

// readLogDirs reads a log's root or dir. In a new database it is empty.
func readLogDirs(r *fressian.Reader) (entries []logEntry, err error) {
	err = r.ReadList(func(int) error {
		at := r.Offset()
		tag, n, err := r.ReadStruct()
		if err != nil {
			return err
		}
		if tag != tagLogDir || n != logDirFields {
			return unsupported("unknown tag %q of %d fields at offset %d where a dir of the log should be", tag, n, at)
		}
		t, err := r.ReadInt()
		if err != nil {
			return err
		}
		u, err := readUUID(r, len(entries))
		entries = append(entries, logEntry{t, uuidID(u)})
		return err
	})
	return entries, err
}

// txn is what is said of a transaction in a leaf of the log or in the tail:
// {:id uuid, :t t, :data [datum …]}.
type txn struct {
	Transaction
	datoms int64
}

// readTransactions reads a leaf of the log, or the tail.
func readTransactions(r *fressian.Reader, fn func(txn) error) error {
	return r.ReadList(func(int) error {
		tx, err := readTransaction(r)
		if err != nil {
			return err
		}
		return fn(tx)
	})
}

func readTransaction(r *fressian.Reader) (tx txn, err error) {
	tx.Transaction, err = readEntry(r, func() error {
		tx.datoms++
		return r.Skip()
	})
	return tx, err
}

// readEntry reads {:id uuid, :t t, :data [datum …]}; datum is called before each
// datum, which it reads.
func readEntry(r *fressian.Reader, datum func() error) (tx Transaction, err error) {
	at, data := r.Offset(), false
	tx.T = -1
	err = r.ReadMap(func(key any) (err error) {
		switch key {
		case fressian.Keyword{Name: "id"}:
			var u fressian.UUID
			var ok bool
			if u, ok, err = r.ReadUUID(); ok {
				tx.ID = hasch.String(u)
			}
		case fressian.Keyword{Name: "t"}:
			tx.T, err = r.ReadInt()
		case fressian.Keyword{Name: "data"}:
			data = true
			err = r.ReadList(func(int) error { return datum() })
		default:
			err = r.Skip()
		}
		return err
	})
	if err == nil && (tx.T < 0 || !data) {
		err = corrupt("a transaction at offset %d has no t or no data", at)
	}
	return tx, err
}

// openList begins the tail.
const openList = 0xee

// readTail reads the transactions of the tail: a list without an end.
func readTail(tail []byte, fn func(txn) error) error {
	if len(tail) == 0 || tail[0] != openList {
		return corrupt("the tail of the log does not begin with an open list")
	}
	r := fressian.NewReader(tail)
	err := readTransactions(r, fn)
	if err == nil && r.Len() > 0 {
		err = corrupt("the tail of the log ends at offset %d of %d", r.Offset(), len(tail))
	}
	return err
}

func checkTail(tail []byte) error {
	return describe("tail of the log", readTail(tail, func(txn) error { return nil }))
}
