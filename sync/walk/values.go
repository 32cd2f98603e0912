package walk

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// Schemas tells which attributes of a schema have values that are objects of
// their own. A database has few schemas, so all are remembered.
type Schemas struct {
	Dialect *datahike.Dialect
	Read    descent.Reader

	mu    sync.Mutex
	known map[graph.ID]datahike.AttrSet
}

// StoreRefs returns the attributes by a schema blob's id.
func (s *Schemas) StoreRefs(ctx context.Context, id graph.ID) (datahike.AttrSet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if attrs, ok := s.known[id]; ok {
		return attrs, nil
	}
	data, err := s.Read(ctx, graph.Ref{ID: id, Level: graph.Schema})
	if err != nil {
		return nil, err
	}
	attrs, err := s.Dialect.StoreRefAttrs(id, data)
	if err != nil {
		return nil, err
	}
	if s.known == nil {
		s.known = map[graph.ID]datahike.AttrSet{}
	}
	s.known[id] = attrs
	return attrs, nil
}

// StoreRefsOf returns a record's.
func (s *Schemas) StoreRefsOf(ctx context.Context, rec *datahike.Record) (datahike.AttrSet, error) {
	if rec.SchemaID == "" {
		return rec.StoreRefs, nil
	}
	return s.StoreRefs(ctx, rec.SchemaID)
}

// value is a database value: what a walk needs to know of a record.
type value struct {
	trees []graph.Tree
	// refs are the attributes of type store-ref.
	refs datahike.AttrSet
	// inline are the objects to which datoms in inline roots refer.
	inline []graph.ID
}

// valueOf reads what the record's own bytes do not tell.
func (w *Walk) valueOf(ctx context.Context, id graph.ID, rec *datahike.Record, data []byte) (value, error) {
	v := value{trees: rec.Graph.Trees}
	var err error
	if v.refs, err = w.Schemas.StoreRefsOf(ctx, rec); err != nil {
		return v, w.tolerate(graph.Ref{ID: rec.SchemaID, Level: graph.Schema}, err)
	}
	for _, t := range attributeTrees([]value{v}) {
		if len(v.refs) == 0 || t.Inline == nil {
			continue
		}
		ids, err := w.Dialect.InlineStoreRefs(id, data, t.Name, v.refs)
		if err != nil {
			return v, err
		}
		v.inline = append(v.inline, ids...)
	}
	return v, nil
}

// tolerate reports an error to whoever wants to go on, or returns it.
func (w *Walk) tolerate(ref graph.Ref, err error) error {
	if w.Walker.Tolerate == nil {
		return err
	}
	w.Walker.Tolerate(ref, err)
	return nil
}

func treesOf(values []value) (trees []graph.Tree) {
	for _, v := range values {
		trees = append(trees, v.trees...)
	}
	return trees
}

// attributeTrees are the indexes in which a store-ref's values are looked for,
// as Datahike's own collector does it.
func attributeTrees(values []value) (trees []graph.Tree) {
	for _, t := range treesOf(values) {
		if t.Name == "aevt" || t.Name == "temporal-aevt" {
			trees = append(trees, t)
		}
	}
	return trees
}

// diff visits what the wanted values reach and the others do not: nodes and
// schema blobs, then the objects that datoms refer to.
func (w *Walk) diff(ctx context.Context, v Visitor, wants, haves []value) error {
	w.Walker.Visit = v.Visit
	if err := w.Walker.Diff(ctx, treesOf(wants), treesOf(haves)); err != nil {
		return err
	}
	refs := datahike.AttrSet{}
	for _, want := range wants {
		maps.Copy(refs, want.refs)
	}
	if len(refs) == 0 {
		return nil
	}
	for _, have := range haves {
		for a := range refs {
			if !have.refs[a] {
				haves = nil // the attribute is new: nobody has looked at its datoms
			}
		}
	}
	return w.diffStoreRefs(ctx, v, refs, wants, haves)
}

// diffStoreRefs compares the leaves that differ, on both sides: most objects
// that a rewritten leaf refers to are had.
func (w *Walk) diffStoreRefs(ctx context.Context, v Visitor, refs datahike.AttrSet, wants, haves []value) error {
	wanted, had := spill.NewSorter(), spill.NewSorter()
	defer wanted.Close()
	defer had.Close()
	collect := func(s *spill.Sorter, ref graph.Ref, data []byte) error {
		ids, err := w.Dialect.StoreRefs(ref, data, refs)
		addAll(s, ids)
		return err
	}
	leaves := w.leafWalker()
	leaves.Visit = func(_ context.Context, ref graph.Ref, data []byte) error { return collect(wanted, ref, data) }
	leaves.Release = func(ref graph.Ref) error {
		if ref.Level != graph.Leaf {
			return nil
		}
		data, err := leaves.ReadOld(ctx, ref)
		if errors.Is(err, graph.ErrNotFound) {
			return nil // then its objects are looked for once more
		}
		if err != nil {
			return err
		}
		return collect(had, ref, data)
	}
	if err := leaves.Diff(ctx, attributeTrees(wants), attributeTrees(haves)); err != nil {
		return err
	}
	for _, want := range wants {
		addAll(wanted, want.inline)
	}
	for _, have := range haves {
		addAll(had, have.inline)
	}
	return w.visitStoreRefs(ctx, v, wanted, had)
}

// leafWalker reads every leaf that differs; what is Known says nothing of the
// objects that it refers to.
func (w *Walk) leafWalker() *descent.Walker {
	if w.leaves == nil {
		w.leaves = &descent.Walker{
			Decoder: w.Walker.Decoder, Read: w.Walker.Read, ReadOld: w.Walker.ReadOld,
			Tolerate: w.Walker.Tolerate, Workers: w.Walker.Workers, Beside: true,
		}
		if w.leaves.ReadOld == nil {
			w.leaves.ReadOld = w.leaves.Read
		}
	}
	return w.leaves
}

func addAll(s *spill.Sorter, ids []graph.ID) {
	for _, id := range ids {
		s.Add(string(id))
	}
}

func (w *Walk) visitStoreRefs(ctx context.Context, v Visitor, wanted, had *spill.Sorter) error {
	old, err := spill.NewTable(had.Sorted())
	if err != nil {
		return err
	}
	defer func() { _ = old.Close() }()
	return pool.Run(ctx, w.Walker.Workers, func(send func(graph.ID) error) error {
		for id, err := range wanted.Sorted() {
			if err != nil {
				return err
			}
			if _, ok, err := old.Get(id); ok || err != nil {
				if err != nil {
					return err
				}
				continue
			}
			if err := send(graph.ID(id)); err != nil {
				return err
			}
		}
		return nil
	}, func(ctx context.Context, id graph.ID) error {
		return v.Visit(ctx, graph.Ref{ID: id, Level: graph.Value}, nil)
	})
}
