package datoms

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/rclone-datom/rclone-datom/sync/datom"
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

// Part is the datoms of one leaf: those of its object that are still there,
// and those that an inner node holds for it.
type Part struct {
	// Leaf has the former.
	*datahike.Leaf
	// Pending are the latter.
	Pending []datom.Datom
}

// Len is how many datoms there are.
func (p Part) Len() int { return p.Leaf.Len() + len(p.Pending) }

// Fact returns datom i. They are in no order if any are pending.
func (p Part) Fact(i int) (datom.Datom, error) {
	if n := p.Leaf.Len(); i >= n {
		return p.Pending[i-n], nil
	}
	return p.Leaf.Fact(i)
}

// Each calls fn with the datoms of a tree, leaf by leaf, in no order and from
// many goroutines. A Part is valid until fn returns. record is the head or
// commit that names the tree, whose bytes have the root if that is inline.
//
// Every node must be where its parent says, at the level below it, and every
// leaf have as many datoms as its pending edits state. The errors name the
// object.
func (r *Reader) Each(ctx context.Context, record graph.Held, tree graph.Tree, fn func(Part) error) error {
	w := &treeReader{Reader: r, temporal: temporal(tree.Name)}
	w.leaves.New = func() any { return new(memory) }
	err := pool.Run(ctx, r.Workers, func(do func(leafJob) error) error {
		w.do = do
		return w.root(ctx, record, tree, fn)
	}, func(ctx context.Context, job leafJob) error {
		return w.leaf(ctx, job, fn)
	})
	if err != nil {
		return fmt.Errorf("index :%s: %w", tree.Name, err)
	}
	return nil
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

// treeReader is one reading of a tree.
type treeReader struct {
	*Reader
	temporal bool
	leaves   sync.Pool // of *memory
	do       func(leafJob) error
	inner    memory // to read inner nodes, one after another
}

// memory is what one node after another is read into.
type memory struct {
	leaf datahike.Leaf
	data []byte
}

// leafJob is a leaf and its pending edits, if it has any.
type leafJob struct {
	ref  graph.Ref
	slot *datahike.Slot
}

func (w *treeReader) root(ctx context.Context, record graph.Held, tree graph.Tree, fn func(Part) error) error {
	var n graph.Node
	var slots datahike.Slots
	var err error
	if tree.Inline != nil {
		n, slots, err = w.Dialect.ReadInlineNode(&w.inner.leaf, record.ID, record.Data, tree.Name)
	} else {
		n, slots, err = w.node(ctx, &w.inner, tree.Ref)
	}
	if err != nil {
		return err
	}
	if n.Level == graph.Leaf {
		return fn(Part{Leaf: &w.inner.leaf})
	}
	return w.below(ctx, tree.Ref.ID, n, slots)
}

// node reads the node at ref.
func (w *treeReader) node(ctx context.Context, m *memory, ref graph.Ref) (n graph.Node, slots datahike.Slots, err error) {
	m.data, err = w.Get(ctx, ref.ID, m.data)
	if err != nil {
		return n, nil, fmt.Errorf("failed to read %s: %w", ref.ID, err)
	}
	n, slots, err = w.Dialect.ReadNode(&m.leaf, ref, m.data)
	if err == nil && ref.Level != graph.Root && n.Level != ref.Level {
		err = fmt.Errorf("%s: %w: a node of level %d stands where one of level %d should be", ref.ID, graph.ErrCorrupt, n.Level, ref.Level)
	}
	return n, slots, err
}

// below reads what is beneath an inner node.
func (w *treeReader) below(ctx context.Context, id graph.ID, n graph.Node, slots datahike.Slots) error {
	for i := range slots {
		if i >= len(n.Children) {
			return fmt.Errorf("%s: %w: edits are pending for child %d of %d", id, graph.ErrCorrupt, i, len(n.Children))
		}
	}
	for i, ref := range n.Children {
		var slot *datahike.Slot
		if s, ok := slots[i]; ok {
			slot = &s
		}
		if ref.Level == graph.Leaf {
			if err := w.do(leafJob{ref, slot}); err != nil {
				return err
			}
			continue
		}
		child, own, err := w.node(ctx, &w.inner, ref)
		if err != nil {
			return err
		}
		if slot != nil {
			own = slot.Below
		}
		if err := w.below(ctx, ref.ID, child, own); err != nil {
			return err
		}
	}
	return nil
}

func (w *treeReader) leaf(ctx context.Context, job leafJob, fn func(Part) error) error {
	m, _ := w.leaves.Get().(*memory)
	defer w.leaves.Put(m)
	if _, _, err := w.node(ctx, m, job.ref); err != nil {
		return err
	}
	p := Part{Leaf: &m.leaf}
	if job.slot != nil {
		if err := p.edit(job.slot, w.temporal); err != nil {
			return fmt.Errorf("%s: %w", job.ref.ID, err)
		}
	}
	return fn(p)
}
