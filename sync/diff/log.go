package diff

import (
	"context"
	"errors"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// excise takes facts out of a Datomic database without a trace in the log.
var excise = fressian.Keyword{NS: "db", Name: "excise"}

// log reads the log between two values of a Datomic database. The database may
// have been restored and gone another way since the older one, or facts may
// have been excised: then the log does not tell how the values differ.
func (d *comparison) log(ctx context.Context) (*facts, error) {
	all := newFacts()
	older, newer := d.from, d.to
	if all.backwards = older.Info().MaxTx > newer.Info().MaxTx; all.backwards {
		older, newer = newer, older
	}
	err := d.between(ctx, older, newer, all)
	if err != nil {
		all.close()
		return nil, err
	}
	return all, nil
}

func (d *comparison) between(ctx context.Context, older, newer view.View, all *facts) error {
	first, last := older.Info().MaxTx, newer.Info().MaxTx
	was, err := transaction(ctx, older, first)
	if err != nil {
		return err
	}
	is, err := transaction(ctx, newer, first)
	if err != nil {
		return err
	}
	if was.ID == "" || was.ID != is.ID || len(was.Datoms) != len(is.Datoms) {
		return errOtherwise
	}
	if first == last {
		return nil
	}
	return newer.Log(ctx, first+1, last, func(tx view.Transaction) error {
		for _, f := range tx.Datoms {
			if f.A == excise {
				return errOtherwise
			}
			if err := all.add(f, inLog); err != nil {
				return err
			}
		}
		return nil
	})
}

// errFound ends a look into the log.
var errFound = errors.New("found")

// transaction is one of a view's log, or an empty one.
func transaction(ctx context.Context, v view.View, id int64) (found view.Transaction, err error) {
	err = v.Log(ctx, id, id, func(tx view.Transaction) error {
		found = tx
		return errFound
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return found, err
}
