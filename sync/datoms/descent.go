package datoms

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// descent is one reading of a tree: it finds the leaves, one after another in
// the order of the tree, and reads them for whoever asks.
type descent struct {
	*Reader
	record graph.Held
	tree   graph.Tree
	rg     Range
	do     func(leafJob) error
	inner  memory    // to read inner nodes, one after another
	leaves sync.Pool // of *memory
	whole  bool      // all leaves are wanted
	found  atomic.Int64
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
	read *datahike.Leaf // of a root, which was read to learn that it is a leaf
}

func newDescent(r *Reader, record graph.Held, tree graph.Tree, rg Range) *descent {
	d := &descent{Reader: r, record: record, tree: tree, rg: rg}
	d.whole = rg.From == nil && rg.To == nil && rg.Skip == 0
	d.inner.leaf.Keyed = rg.From != nil || rg.To != nil
	d.leaves.New = func() any { return new(memory) }
	return d
}

// leavesTo calls do with the leaves that are wanted.
func (d *descent) leavesTo(ctx context.Context, do func(leafJob) error) error {
	d.do = do
	var n graph.Node
	var slots datahike.Slots
	var err error
	if d.tree.Inline != nil {
		n, slots, err = d.Dialect.ReadInlineNode(&d.inner.leaf, d.record.ID, d.record.Data, d.tree.Name)
	} else {
		n, slots, err = d.node(ctx, &d.inner, d.tree.Ref)
	}
	if err != nil {
		return err
	}
	if n.Level == graph.Leaf {
		return d.each([]leafJob{{ref: d.tree.Ref, read: &d.inner.leaf}})
	}
	return d.below(ctx, d.tree.Ref.ID, n, slots)
}

// node reads the node at ref.
func (d *descent) node(ctx context.Context, m *memory, ref graph.Ref) (n graph.Node, slots datahike.Slots, err error) {
	m.data, err = d.Get(ctx, ref.ID, m.data)
	if err != nil {
		return n, nil, fmt.Errorf("failed to read %s: %w", ref.ID, err)
	}
	n, slots, err = d.Dialect.ReadNode(&m.leaf, ref, m.data)
	if err == nil && ref.Level != graph.Root && n.Level != ref.Level {
		err = fmt.Errorf("%s: %w: a node of level %d stands where one of level %d should be", ref.ID, graph.ErrCorrupt, n.Level, ref.Level)
	}
	return n, slots, err
}

// below finds what is beneath the inner node that was read last.
func (d *descent) below(ctx context.Context, id graph.ID, n graph.Node, slots datahike.Slots) error {
	for i := range slots {
		if i >= len(n.Children) {
			return fmt.Errorf("%s: %w: edits are pending for child %d of %d", id, graph.ErrCorrupt, i, len(n.Children))
		}
	}
	from, to, err := d.wanted(n, slots)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	var jobs []leafJob
	for i := from; i < to; i++ {
		ref := n.Children[i]
		var slot *datahike.Slot
		if s, ok := slots[i]; ok {
			slot = &s
		}
		if ref.Level == graph.Leaf {
			jobs = append(jobs, leafJob{ref: ref, slot: slot})
			continue
		}
		child, own, err := d.node(ctx, &d.inner, ref)
		if err != nil {
			return err
		}
		if slot != nil {
			own = slot.Below
		}
		if err := d.below(ctx, ref.ID, child, own); err != nil {
			return err
		}
	}
	return d.each(jobs)
}

// each hands leaves over, but for those to be passed over.
func (d *descent) each(jobs []leafJob) error {
	skip := min(d.rg.Skip, int64(len(jobs)))
	d.rg.Skip -= skip
	for _, job := range jobs[skip:] {
		if err := d.do(job); err != nil {
			return err
		}
	}
	return nil
}

// wanted tells which children of the inner node that was read last may have
// datoms of the range: those from one to before another.
func (d *descent) wanted(n graph.Node, slots datahike.Slots) (from, to int, err error) {
	if !d.inner.leaf.Keyed {
		return 0, len(n.Children), nil
	}
	var key []byte
	for i := range n.Children {
		key, err = d.largest(key[:0], i, slots)
		if err != nil {
			return 0, 0, err
		}
		if len(key) == 0 {
			continue // it is not known, so anything may be there
		}
		if from == i && bytes.Compare(key, d.rg.From[:min(len(key), len(d.rg.From))]) < 0 {
			from = i + 1
		}
		if d.rg.To != nil && bytes.Compare(key, d.rg.To) >= 0 {
			return from, i + 1, nil
		}
	}
	return from, len(n.Children), nil
}

// largest appends what is certain of the largest key beneath child i: its
// entity and attribute, see [datahike.Leaf.Keyed].
func (d *descent) largest(dst []byte, i int, slots datahike.Slots) ([]byte, error) {
	if s, ok := slots[i]; ok {
		if s.MaxKey == nil {
			return dst, nil
		}
		return datom.AppendPrefix(dst, indexOf(d.tree.Name), &s.MaxKey.E, s.MaxKey.A), nil
	}
	a, err := d.inner.leaf.Attr(i)
	e := d.inner.leaf.Datom(i).E
	return datom.AppendPrefix(dst, indexOf(d.tree.Name), &e, a), err
}

// part reads a leaf into m, and sorts it if that is wanted.
func (d *descent) part(ctx context.Context, m *memory, job leafJob, sorted bool) (Part, error) {
	p := Part{Leaf: job.read}
	if p.Leaf == nil {
		if _, _, err := d.node(ctx, m, job.ref); err != nil {
			return p, err
		}
		p.Leaf = &m.leaf
	}
	if job.slot == nil {
		return p, nil
	}
	err := p.edit(job.slot, temporal(d.tree.Name))
	if err == nil && sorted {
		err = p.sort(indexOf(d.tree.Name))
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", job.ref.ID, err)
	}
	return p, err
}

// with lends memory for a leaf.
func (d *descent) with(fn func(*memory) error) error {
	m, _ := d.leaves.Get().(*memory)
	defer d.leaves.Put(m)
	return fn(m)
}

// named adds the tree to an error.
// complete compares how many datoms were found with what the root states, where
// all were to be found: a live leaf has no checksum.
func (d *descent) complete() error {
	if n := d.found.Load(); d.whole && d.tree.Count >= 0 && n != d.tree.Count {
		return d.named(fmt.Errorf("%w: the leaves have %d datoms, the root states %d", graph.ErrCorrupt, n, d.tree.Count))
	}
	return nil
}

func (d *descent) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("index :%s: %w", d.tree.Name, err)
}
