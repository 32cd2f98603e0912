package datoms

import (
	"context"
	"sync/atomic"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
)

// Reader reads the datoms of index trees, all pending edits made. Memory is
// that of Workers leaves and of the inner nodes on one path.
type Reader struct {
	Dialect *datahike.Dialect
	// Get returns a segment, perhaps in the memory of buf. It is called from
	// many goroutines.
	Get func(ctx context.Context, id graph.ID, buf []byte) ([]byte, error)
	// Workers is how many leaves are read at a time; 0 means 1.
	Workers int
}

// Each calls fn with the datoms of a tree, leaf by leaf, in no order and from
// many goroutines. A Part is valid until fn returns. record is the head or
// commit that names the tree, whose bytes have the root if that is inline.
//
// Every node must be where its parent says, at the level below it, and every
// leaf have as many datoms as its pending edits state. The errors name the
// object.
func (r *Reader) Each(ctx context.Context, record graph.Held, tree graph.Tree, fn func(Part) error) error {
	d := newDescent(r, record, tree, Range{})
	return d.named(pool.Run(ctx, r.Workers, func(do func(leafJob) error) error {
		return d.leavesTo(ctx, do)
	}, func(ctx context.Context, job leafJob) error {
		return d.with(func(m *memory) error {
			p, err := d.part(ctx, m, job, false)
			if err != nil {
				return err
			}
			return fn(p)
		})
	}))
}

// Count returns how many datoms a tree has.
func (r *Reader) Count(ctx context.Context, record graph.Held, tree graph.Tree) (int64, error) {
	var n atomic.Int64
	err := r.Each(ctx, record, tree, func(p Part) error {
		n.Add(int64(p.Len()))
		return nil
	})
	return n.Load(), err
}
