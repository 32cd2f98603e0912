package view

import (
	"context"
	"errors"
	"io"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// AsOf is a view of the database as it was after a transaction (see
// datom.Datom.Tx), of what v still knows of that time: the values of attributes
// without history are those of now, where they are older than that.
func AsOf(v View, tx, t int64) View { return &asOf{v, tx, t} }

type asOf struct {
	View
	tx, t int64
}

// Info implements View. How many datoms there were is not known.
func (v *asOf) Info() Info {
	i := v.View.Info()
	i.MaxTx, i.T, i.Datoms, i.MaxE = v.tx, v.t, -1, -1
	return i
}

// Scan implements View.
func (v *asOf) Scan(ctx context.Context, q datom.Query, fn func(datom.Datom) error) error {
	if q.AsOf == 0 || q.AsOf > v.tx {
		q.AsOf = v.tx
	}
	return v.View.Scan(ctx, q, fn)
}

// Log implements View.
func (v *asOf) Log(ctx context.Context, from, to int64, fn func(Transaction) error) error {
	if to == 0 || to > v.tx {
		to = v.tx
	}
	return v.View.Log(ctx, from, to, fn)
}

// Object implements Objects as far as v does: objects never change.
func (v *asOf) Object(ctx context.Context, ref fressian.UUID) (io.ReadCloser, error) {
	if o, ok := As[Objects](v.View); ok {
		return o.Object(ctx, ref)
	}
	return nil, graph.ErrNotFound
}

// Opened is a view with what it was opened from: objects, if not nil, and more
// to close.
func Opened(v View, objects Objects, more func() error) View { return &opened{v, objects, more} }

type opened struct {
	View
	objects Objects
	more    func() error
}

// Close implements View.
func (v *opened) Close() error { return errors.Join(v.View.Close(), v.more()) }

// As is what a view is or was opened from, if that is a T. It does not look
// through AsOf: what it returns has all that the view has.
func As[T any](v View) (t T, ok bool) {
	for {
		if t, ok = v.(T); ok {
			return t, true
		}
		o, is := v.(*opened)
		if !is {
			return t, false
		}
		if t, ok = o.objects.(T); ok {
			return t, true
		}
		v = o.View
	}
}

// AtAnyTime is As, through AsOf too: for what is the same at all times, such as
// a database's settings.
func AtAnyTime[T any](v View) (t T, ok bool) {
	for {
		if t, ok = As[T](v); ok {
			return t, true
		}
		a, is := As[*asOf](v)
		if !is {
			return t, false
		}
		v = a.View
	}
}
