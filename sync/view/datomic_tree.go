package view

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// treeReader reads the datoms of one tree that a span wants, leaf by leaf.
type treeReader struct {
	v            *DatomicView
	s            *span
	root         graph.ID // "" once it was read
	dirs, leaves []bounded
	ahead        ahead[bounded, leaf]
	last         *leaf
}

type leaf struct {
	id     graph.ID
	datoms []datomic.Datom
}

func (v *DatomicView) tree(root graph.ID, s *span, wg *sync.WaitGroup) *treeReader {
	t := &treeReader{v: v, s: s, root: root}
	t.ahead = ahead[bounded, leaf]{jobs: t.next, do: t.read, depth: v.depth, wg: wg}
	return t
}

// next returns the next leaf to read.
func (t *treeReader) next(ctx context.Context) (child bounded, ok bool, err error) {
	if t.root != "" {
		t.dirs, err = t.children(ctx, graph.Ref{ID: t.root, Level: datomic.IndexLevel - 1}, nil)
		t.root = ""
	}
	for err == nil && len(t.leaves) == 0 && len(t.dirs) > 0 {
		dir := t.dirs[0]
		t.dirs = t.dirs[1:]
		t.leaves, err = t.children(ctx, graph.Ref{ID: dir.ID, Level: 1}, dir.upper)
	}
	if err != nil || len(t.leaves) == 0 {
		return child, false, err
	}
	child, t.leaves = t.leaves[0], t.leaves[1:]
	return child, true, nil
}

func (t *treeReader) children(ctx context.Context, ref graph.Ref, upper *datomic.Datom) ([]bounded, error) {
	data, err := t.v.get(ctx, ref.ID)
	if err != nil {
		return nil, err
	}
	children, err := t.v.dialect.Children(ref, data)
	if err != nil {
		return nil, err
	}
	for i := 1; i < len(children); i++ {
		if datomic.CompareFact(t.s.index, &children[i-1].Key, &children[i].Key) > 0 {
			return nil, fmt.Errorf("%s: %w: its children %d and %d are not in the order of %s", ref.ID, graph.ErrCorrupt, i-1, i, t.s.index)
		}
	}
	return t.s.pick(children, upper), nil
}

// read reads a leaf, whose datoms must be in order.
func (t *treeReader) read(ctx context.Context, child bounded) (leaf, error) {
	data, err := t.v.get(ctx, child.ID)
	if err != nil {
		return leaf{}, err
	}
	datoms, err := t.v.dialect.Leaf(child.ID, data)
	if err != nil {
		return leaf{}, err
	}
	if child.Offset > len(datoms) || child.Count > len(datoms)-child.Offset {
		return leaf{}, fmt.Errorf("%s: %w: a leaf of %d datoms, of which its dir wants %d from %d on",
			child.ID, graph.ErrCorrupt, len(datoms), child.Count, child.Offset)
	}
	datoms = datoms[child.Offset : child.Offset+child.Count]
	return leaf{child.ID, datoms}, t.check(child.ID, datoms)
}

// check makes sure that the datoms of a leaf are in order. Datomic takes NaN
// for equal to every number and has it anywhere: it is put into place.
func (t *treeReader) check(id graph.ID, datoms []datomic.Datom) error {
	for i := 1; i < len(datoms); i++ {
		if datomic.Compare(t.s.index, &datoms[i-1], &datoms[i]) <= 0 {
			continue
		}
		if !slices.ContainsFunc(datoms, hasNaN) {
			return fmt.Errorf("%s: %w: its datoms %d and %d are not in the order of %s: entity %d, attribute %d",
				id, graph.ErrCorrupt, i-1, i, t.s.index, datoms[i].E, datoms[i].A)
		}
		slices.SortStableFunc(datoms, func(a, b datomic.Datom) int { return datomic.Compare(t.s.index, &a, &b) })
		return nil
	}
	return nil
}

func hasNaN(d datomic.Datom) bool {
	switch x := d.V.(type) {
	case float64:
		return math.IsNaN(x)
	case float32:
		return math.IsNaN(float64(x))
	}
	return false
}

// pull returns the next datoms, and none at the end.
func (t *treeReader) pull(ctx context.Context) ([]datomic.Datom, error) {
	for {
		l, ok, err := t.ahead.next(ctx)
		if !ok || err != nil {
			return nil, err
		}
		if err := t.follows(&l); err != nil {
			return nil, err
		}
		t.last = &l
		if datoms := t.s.trim(l.datoms); len(datoms) > 0 {
			return datoms, nil
		}
	}
}

// follows makes sure that a leaf comes after the one before it.
func (t *treeReader) follows(l *leaf) error {
	if t.last == nil || len(t.last.datoms) == 0 {
		return nil
	}
	last, first := &t.last.datoms[len(t.last.datoms)-1], &l.datoms[0]
	switch {
	case datomic.Compare(t.s.index, last, first) <= 0:
		return nil
	case t.s.index == datom.AVET && last.A == first.A && (hasNaN(*last) || slices.ContainsFunc(l.datoms, hasNaN)):
		return fmt.Errorf("%s: %w: attribute %d has NaN among its values, which leaves AVET without an order: use another index",
			l.id, graph.ErrUnsupported, first.A)
	}
	return fmt.Errorf("%s: %w: it begins before the leaf %s ends, in %s", l.id, graph.ErrCorrupt, t.last.id, t.s.index)
}
