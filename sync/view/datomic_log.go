package view

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Log implements View. The datoms with which Datomic creates a database are of
// no transaction.
func (v *DatomicView) Log(ctx context.Context, from, to int64, fn func(Transaction) error) error {
	return v.walkLog(ctx, datomic.T(from), upTo(to), func(tx *datomic.Logged) error {
		t := Transaction{Tx: datomic.TxEntity(tx.T), T: tx.T, ID: tx.ID, Datoms: make([]datom.Datom, len(tx.Datoms))}
		slices.SortStableFunc(tx.Datoms, func(a, b datomic.Datom) int { return byEntity(&a, &b, t.Tx) })
		for i := range tx.Datoms {
			var err error
			if t.Datoms[i], err = v.named(&tx.Datoms[i]); err != nil {
				return err
			}
		}
		return fn(t)
	})
}

// byEntity orders the datoms of a transaction: its time, then by entity,
// attribute and value, retractions first.
func byEntity(a, b *datomic.Datom, tx int64) int {

	if x, y := a.E == tx && a.A == datomic.TxInstant, b.E == tx && b.A == datomic.TxInstant; x != y {
		if x {
			return -1
		}
		return 1
	}
	if c := datomic.CompareFact(datom.EAVT, a, b); c != 0 || a.Added == b.Added {
		return c
	}
	if b.Added {
		return -1
	}
	return 1
}

// walkLog calls fn with the transactions from one t to another.
func (v *DatomicView) walkLog(ctx context.Context, from, to int64, fn func(*datomic.Logged) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	l := &logReader{v: v, from: from, to: to, root: v.value.Log}
	leaves := ahead[graph.ID, []datomic.Logged]{jobs: l.next, do: l.read, depth: v.depth, wg: &wg}
	last := int64(-1)
	each := func(txs []datomic.Logged) error {
		for i := range txs {
			tx := &txs[i]
			if tx.T <= last {
				return fmt.Errorf("%w: transaction %d follows %d in the log", graph.ErrCorrupt, tx.T, last)
			}
			last = tx.T
			if tx.T < from || tx.T > to {
				continue
			}
			if err := fn(tx); err != nil {
				return err
			}
		}
		return nil
	}
	for {
		txs, ok, err := leaves.next(ctx)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := each(txs); err != nil {
			return err
		}
	}
	tail, err := v.value.Transactions()
	if err != nil {
		return err
	}
	return each(tail)
}

// logReader finds the leaves of the log between two t.
type logReader struct {
	v            *DatomicView
	from, to     int64
	root         graph.ID // "" once it was read
	dirs, leaves []datomic.LogEntry
}

// next returns the next leaf to read.
func (l *logReader) next(ctx context.Context) (id graph.ID, ok bool, err error) {
	if l.root != "" {
		l.dirs, err = l.children(ctx, l.root)
		l.root = ""
	}
	for err == nil && len(l.leaves) == 0 && len(l.dirs) > 0 {
		l.leaves, err = l.children(ctx, l.dirs[0].ID)
		l.dirs = l.dirs[1:]
	}
	if err != nil || len(l.leaves) == 0 {
		return "", false, err
	}
	id, l.leaves = l.leaves[0].ID, l.leaves[1:]
	return id, true, nil
}

// children returns the children that may have transactions which are wanted.
func (l *logReader) children(ctx context.Context, id graph.ID) (wanted []datomic.LogEntry, err error) {
	data, err := l.v.get(ctx, id)
	if err != nil {
		return nil, err
	}
	children, err := l.v.dialect.LogChildren(id, data)
	for i, c := range children {
		if c.T > l.to && i > 0 || i+1 < len(children) && children[i+1].T <= l.from {
			continue
		}
		wanted = append(wanted, c)
	}
	return wanted, err
}

func (l *logReader) read(ctx context.Context, id graph.ID) ([]datomic.Logged, error) {
	data, err := l.v.get(ctx, id)
	if err != nil {
		return nil, err
	}
	return l.v.dialect.LogLeaf(id, data)
}
