package dbsync

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// txInstant is when a transaction was made.
var txInstant = fressian.Keyword{NS: "db", Name: "txInstant"}

// fromT is the transaction that a number means: its entity, or its t.
func fromT(kind view.Kind, t int64) int64 {
	switch {
	case kind == view.Datomic && t < 1<<42:
		return datomic.TxEntity(t)
	case kind == view.Datahike && t < view.DatahikeTx0:
		return view.DatahikeTx0 + t
	}
	return t
}

// numberOf is the number of a transaction, which may be written t1708 as points of
// Datomic are named. It is never taken for a time, as rclone takes numbers for
// ages in seconds.
func numberOf(text string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimPrefix(text, "t"), 10, 64)
	return n, err == nil && n >= 0
}

// asOf is a view as of a transaction or a time, which at names.
func asOf(ctx context.Context, v view.View, at string) (view.View, error) {
	past, err := asOfTx(ctx, v, at)
	if err != nil {
		_ = v.Close() // the first error tells more
		return nil, err
	}
	return past, nil
}

func asOfTx(ctx context.Context, v view.View, at string) (view.View, error) {
	info := v.Info()
	if n, ok := numberOf(at); ok {
		tx := fromT(info.Kind, n)
		if tx > info.MaxTx {
			return nil, fserrors.NoRetryError(fmt.Errorf("transaction %s is not there yet: the newest is %d", at, info.T))
		}
		return pastOf(v, tx), nil
	}
	t, err := fs.ParseTime(at)
	if err != nil {
		return nil, fserrors.NoRetryError(fmt.Errorf("--at %s is no transaction and no time: a database that is no backup has no points", at))
	}
	tx := int64(0)
	err = v.Scan(ctx, datom.Query{Index: datom.AEVT, Attr: &txInstant}, func(d datom.Datom) error {
		if ms, ok := d.V.(fressian.Inst); ok && int64(ms) <= t.UnixMilli() {
			tx = max(tx, d.E)
		}
		return nil
	})
	if err == nil && tx == 0 {
		err = fserrors.NoRetryError(fmt.Errorf("the database knows of no transaction before %s: without history Datahike keeps no times", at))
	}
	if err != nil {
		return nil, err
	}
	return pastOf(v, tx), nil
}

func pastOf(v view.View, tx int64) view.View {
	if tx == v.Info().MaxTx {
		return v
	}
	t := datomic.T(tx)
	if v.Info().Kind == view.Datahike {
		t = tx - view.DatahikeTx0
	}
	return view.AsOf(v, tx, t)
}
