package diff

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/datoms"
	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// trees reads the nodes of :eavt that only one of two values of a Datahike
// database has. A node is what its object says and the edits that are pending
// for it in those above: the same object with other edits is another node. So
// the id of a child for which some are pending has them in it, from where the
// child is read.
func (d *comparison) trees(ctx context.Context) (*facts, error) {
	from, ok1 := view.As[*view.DatahikeView](d.from)
	to, ok2 := view.As[*view.DatahikeView](d.to)
	if !ok1 || !ok2 || from.Record().Config.OnlineGC || to.Record().Config.OnlineGC {
		return nil, errOtherwise // in place of a freed node another may lie
	}
	all := newFacts()
	t := &treeDiff{dialect: to.Reader().Dialect, all: all}
	t.leaves.New = func() any { return new(datahike.Leaf) }
	if err := t.run(ctx, from, to); err != nil {
		all.close()
		return nil, fmt.Errorf("index :eavt: %w", err)
	}
	return all, nil
}

// treeDiff is the walk over two trees.
type treeDiff struct {
	dialect *datahike.Dialect
	all     *facts
	leaves  sync.Pool // of *datahike.Leaf
}

func (t *treeDiff) run(ctx context.Context, from, to *view.DatahikeView) error {
	haves, err := t.tree(from, inFrom)
	if err != nil {
		return err
	}
	wants, err := t.tree(to, inTo)
	if err != nil {
		return err
	}
	readOld := nodesOf(from.Reader())
	w := &descent.Walker{
		Decoder: t,
		Read:    nodesOf(to.Reader()),
		ReadOld: readOld,
		Visit: func(_ context.Context, ref graph.Ref, data []byte) error {
			return t.leaf(ref, data, inTo)
		},
		Release: func(ref graph.Ref) error {
			if ref.Level != graph.Leaf {
				return nil
			}
			data, err := readOld(ctx, ref)
			if err != nil {
				return err
			}
			return t.leaf(ref, data, inFrom)
		},
		Workers: from.Reader().Workers,
	}
	return w.Diff(ctx, wants, haves)
}

// nodesOf reads the object of a node.
func nodesOf(r *datoms.Reader) descent.Reader {
	return func(ctx context.Context, ref graph.Ref) ([]byte, error) {
		id, _, _ := cutEdits(ref.ID)
		data, err := r.Get(ctx, id, nil)
		if err != nil {
			return nil, fmt.Errorf("failed to read %s: %w", id, err)
		}
		return data, nil
	}
}

// tree is :eavt of a value, if it has one. A leaf that lies in the record is
// read at once.
func (t *treeDiff) tree(v *view.DatahikeView, from side) ([]graph.Tree, error) {
	tree, ok := v.Tree(string(datom.EAVT))
	if !ok || tree.Inline == nil {
		if !ok {
			return nil, nil
		}
		return []graph.Tree{tree}, nil
	}
	var l datahike.Leaf
	n, slots, err := v.Reader().Dialect.ReadInlineNode(&l, v.Head().ID, v.Head().Data, tree.Name)
	if err != nil {
		return nil, err
	}
	if n.Level == graph.Leaf {
		return nil, t.add(&l, nil, from)
	}
	if err := withEdits(&n, slots); err != nil {
		return nil, fmt.Errorf("%s: %w", v.Head().ID, err)
	}
	tree.Inline, tree.Ref.ID = &n, graph.ID(fmt.Sprintf("root %d", from)) // equal roots have equal children
	return []graph.Tree{tree}, nil
}

// Decode implements descent.Decoder: the children of a node are named with
// their edits.
func (t *treeDiff) Decode(ref graph.Ref, data []byte) (graph.Node, error) {
	id, edits, edited := cutEdits(ref.ID)
	if ref.Level == graph.Leaf {
		return graph.Node{Level: graph.Leaf}, nil // Visit reads it
	}
	l, _ := t.leaves.Get().(*datahike.Leaf)
	defer t.leaves.Put(l)
	n, slots, err := t.dialect.ReadNode(l, graph.Ref{ID: id, Level: ref.Level}, data)
	if err != nil || n.Level == graph.Leaf {
		return n, err
	}
	if edited {
		own, err := parseEdits(edits)
		if err != nil {
			return n, err
		}
		slots = own.Below
	}
	if err := withEdits(&n, slots); err != nil {
		return n, fmt.Errorf("%s: %w", id, err)
	}
	return n, nil
}

// leaf takes the datoms of a leaf, all edits made.
func (t *treeDiff) leaf(ref graph.Ref, data []byte, from side) error {
	if ref.Level != graph.Leaf {
		return nil
	}
	id, edits, edited := cutEdits(ref.ID)
	l, _ := t.leaves.Get().(*datahike.Leaf)
	defer t.leaves.Put(l)
	if err := t.dialect.ReadLeaf(l, graph.Ref{ID: id, Level: graph.Leaf}, data); err != nil {
		return err
	}
	var slot *datahike.Slot
	if edited {
		var err error
		if slot, err = parseEdits(edits); err != nil {
			return err
		}
	}
	if err := t.add(l, slot, from); err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	return nil
}

// add takes datoms: those of a leaf that are neither absent nor replaced, and
// those present.
func (t *treeDiff) add(l *datahike.Leaf, slot *datahike.Slot, from side) error {
	edited, err := editedKeys(slot)
	if err != nil {
		return err
	}
	kept := int64(0)
	for i := range l.Len() {
		f, err := l.Fact(i)
		if err != nil {
			return err
		}
		if slot != nil {
			key, err := datoms.AppendKey(nil, datom.EAVT, f)
			if err != nil {
				return err
			}
			if edited[string(key[:len(key)-1])] {
				continue
			}
		}
		kept++
		if err := t.all.add(f, from); err != nil {
			return err
		}
	}
	if slot == nil {
		return nil
	}
	for _, f := range slot.Present {
		if err := t.all.add(f, from); err != nil {
			return err
		}
	}
	if n := kept + int64(len(slot.Present)); n != slot.Count {
		return fmt.Errorf("%w: it has %d datoms, and %d are stated, with its pending edits made", graph.ErrCorrupt, n, slot.Count)
	}
	return nil
}

// editedKeys are the datoms that edits speak of, as the order of a current
// index has them: it does not look at whether they were added.
func editedKeys(slot *datahike.Slot) (map[string]bool, error) {
	if slot == nil {
		return nil, nil
	}
	keys := map[string]bool{}
	for _, list := range [][]datom.Datom{slot.Absent, slot.Present} {
		for _, f := range list {
			key, err := datoms.AppendKey(nil, datom.EAVT, f)
			if err != nil {
				return nil, err
			}
			keys[string(key[:len(key)-1])] = true
		}
	}
	return keys, nil
}

// cutEdits takes the edits from the id of a node.
func cutEdits(id graph.ID) (object graph.ID, edits string, edited bool) {
	name, edits, edited := strings.Cut(string(id), "\x00")
	return graph.ID(name), edits, edited
}
