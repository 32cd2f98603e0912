package view

import (
	"context"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/datoms"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
)

// Unsorted is a view that hands over its datoms faster when no order is asked
// of it.
type Unsorted interface {
	// Unsorted calls fn with the current datoms, or with those of history, in
	// no order and from many goroutines, until fn returns an error, which it
	// returns. fn keeps nothing of the slice.
	Unsorted(ctx context.Context, history bool, fn func([]datom.Datom) error) error
}

// unsortedBatch is how many datoms are handed over at a time.
const unsortedBatch = 1024

// Each calls fn with the datoms of a view, as Unsorted does if v does that, and
// else in the order of EAVT from one goroutine.
func Each(ctx context.Context, v View, history bool, fn func([]datom.Datom) error) error {
	if u, ok := As[Unsorted](v); ok {
		return u.Unsorted(ctx, history, fn)
	}
	some := make([]datom.Datom, 0, unsortedBatch)
	err := v.Scan(ctx, datom.Query{History: history}, func(d datom.Datom) error {
		if some = append(some, d); len(some) < unsortedBatch {
			return nil
		}
		err := fn(some)
		some = some[:0]
		return err
	})
	if err == nil && len(some) > 0 {
		err = fn(some)
	}
	return err
}

// Unsorted implements the interface of that name: it reads the leaves of :eavt,
// and for history those of :temporal-eavt.
func (v *DatahikeView) Unsorted(ctx context.Context, history bool, fn func([]datom.Datom) error) error {
	var kept datahike.AttrSet
	if history {
		if !v.info.History {
			return v.Scan(ctx, datom.Query{History: true}, nil) // which says so
		}
		if err := v.unsorted(ctx, "temporal-eavt", nil, fn); err != nil {
			return err
		}
		kept = v.kept
	}
	return v.unsorted(ctx, "eavt", kept, fn)
}

// unsorted reads a tree; of some attributes only, if these are given.
func (v *DatahikeView) unsorted(ctx context.Context, name string, attrs datahike.AttrSet, fn func([]datom.Datom) error) error {
	tree, ok := v.trees[name]
	if !ok {
		return nil
	}
	return v.reader.Each(ctx, v.head, tree, func(p datoms.Part) error {
		some := make([]datom.Datom, 0, p.Len())
		for i := range p.Len() {
			d, err := p.Fact(i)
			if err != nil {
				return err
			}
			if attrs == nil || attrs[d.A] {
				d.A = v.Attribute(d.A)
				some = append(some, d)
			}
		}
		return fn(some)
	})
}
