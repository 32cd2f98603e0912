package datomic

import (
	"context"
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Get reads a segment; graph.ErrNotFound where there is none.
type Get = func(ctx context.Context, id graph.ID) ([]byte, error)

// Transaction names a transaction.
type Transaction struct {
	// T is its number in the database's time. The newest one's is the basis t.
	T int64
	// ID is its own uuid in the log; empty if nothing was transacted yet.
	ID string
}

// Last returns the newest transaction of a value: that of the tail, else of
// the log. In a new database, whose log is empty, T is what the indexes have.
func (d *Dialect) Last(ctx context.Context, get Get, v *Value) (Transaction, error) {
	last, found := Transaction{}, false
	keep := func(tx txn) error {
		last, found = tx.Transaction, true
		return nil
	}
	if err := readTail(v.Tail, keep); err != nil || found {
		return last, describe("tail of the log", err)
	}
	id, level := v.Log, LogLevel
	for ; level > graph.Leaf; level-- {
		entries, err := d.logDirs(ctx, get, id)
		if err != nil {
			return last, err
		}
		if len(entries) == 0 {
			return d.basis(ctx, get, v)
		}
		id = entries[len(entries)-1].id
	}
	return last, d.logLeaf(ctx, get, id, keep)
}

// At returns the transaction with exactly that t. graph.ErrNotFound is matched
// if the log has none. It reads three segments at most.
func (d *Dialect) At(ctx context.Context, get Get, v *Value, t int64) (Transaction, error) {
	at, found := Transaction{}, false
	pick := func(tx txn) error {
		if tx.T == t {
			at, found = tx.Transaction, true
		}
		return nil
	}
	if err := readTail(v.Tail, pick); err != nil || found {
		return at, describe("tail of the log", err)
	}
	none := fmt.Errorf("the log of %s has no transaction %d: %w", v.DatabaseID, t, graph.ErrNotFound)
	id, level := v.Log, LogLevel
	for ; level > graph.Leaf; level-- {
		entries, err := d.logDirs(ctx, get, id)
		if err != nil {
			return at, err
		}
		id = ""
		for _, e := range entries {
			if e.t <= t {
				id = e.id
			}
		}
		if id == "" {
			return at, none
		}
	}
	if err := d.logLeaf(ctx, get, id, pick); err != nil || found {
		return at, err
	}
	return at, none
}

// logDirs reads the root or a dir of the log.
func (d *Dialect) logDirs(ctx context.Context, get Get, id graph.ID) (entries []logEntry, err error) {
	err = d.get(ctx, get, id, func(o *opener) (err error) {
		if entries, err = readLogDirs(&o.r); err == nil {
			err = end(&o.r)
		}
		return err
	})
	return entries, err
}

// logLeaf reads a leaf of the log.
func (d *Dialect) logLeaf(ctx context.Context, get Get, id graph.ID, fn func(txn) error) error {
	return d.get(ctx, get, id, func(o *opener) (err error) {
		if err = readTransactions(&o.r, fn); err == nil {
			err = end(&o.r)
		}
		return err
	})
}

// basis reads what the indexes say that they have.
func (d *Dialect) basis(ctx context.Context, get Get, v *Value) (tx Transaction, err error) {
	err = d.get(ctx, get, v.Index, func(o *opener) (err error) {
		_, tx.T, err = readTop(&o.r)
		return err
	})
	return tx, err
}

func (d *Dialect) get(ctx context.Context, get Get, id graph.ID, fn func(o *opener) error) error {
	data, err := get(ctx, id)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	return d.opened(id, data, fn)
}
