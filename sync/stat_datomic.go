package dbsync

import (
	"cmp"
	"context"
	"fmt"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/storage"
)

// statDatomic looks at a Datomic database where it lies. It is reported like a
// Datahike database with one branch: its name, with its last transaction in
// place of a commit.
func statDatomic(ctx context.Context, st storage.Storage) (*StatReport, error) {
	v, err := st.Pin(ctx)
	if err != nil {
		return nil, err
	}
	s := &datomicStat{stat: stat{decoder: datomic.New(), at: st, all: spill.NewSorter()}, get: st.Get, workers: st.Workers(), value: v}
	ids, err := s.walk(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = ids.Close() }()
	if s.listed, err = spill.NewTable(sizesOf(ctx, st, ids)); err != nil {
		return nil, err
	}
	defer func() { _ = s.listed.Close() }()
	return s.look(ctx, cmp.Or(st.Database(), firstName(v.DatabaseID)), ids)
}

// sizesOf makes lines of a list, with sizes, of lines "id TAB kind".
func sizesOf(ctx context.Context, st storage.Storage, ids *spill.Table) snapshot.Lines {
	unsized := func(yield func(string, error) bool) {
		for line, err := range ids.All() {
			if !yield(line+"\t-\t-", err) {
				return
			}
		}
	}
	return filled(unsized, func(some []graph.Entry) error {
		wanted := make([]graph.ID, len(some))
		for i, e := range some {
			wanted[i] = e.ID
		}
		sizes, err := st.Sizes(ctx, wanted)
		for i, e := range some {
			size, ok := sizes[e.ID]
			if err == nil && !ok {
				err = fmt.Errorf("%s: %s: %w", st, e.ID, graph.ErrNotFound)
			}
			some[i].Size = size
		}
		return err
	})
}

// statDatomicPoint looks at a point of a backup.
func statDatomicPoint(ctx context.Context, place *snapshot.Place, m *snapshot.Manifest) (*StatReport, error) {
	v, err := pointValue(ctx, place, m)
	if err != nil {
		return nil, err
	}
	if isNative(m) {
		st, err := storage.OpenBackup(ctx, place.F, m.T)
		if err != nil {
			return nil, err
		}
		rep, err := statDatomic(ctx, st)
		if rep != nil {
			rep.Point = m.Point
		}
		return rep, err
	}
	closure, err := place.Closure(ctx, m)
	if err != nil {
		return nil, err
	}
	defer func() { _ = closure.Close() }()
	s := &datomicStat{
		stat: stat{decoder: datomic.New(), at: place, all: spill.NewSorter(), listed: closure},
		get:  place.Segments(m, closure).Get, workers: fs.GetConfig(ctx).Checkers, value: v,
	}
	ids, err := s.walk(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = ids.Close() }()
	rep, err := s.look(ctx, m.Name, ids)
	if err != nil {
		return nil, err
	}
	rep.Point = m.Point
	rep.Growth, err = growth(ctx, place, m)
	return rep, err
}

// datomicStat is one look at a value.
type datomicStat struct {
	stat
	get     datomic.Get
	workers int
	value   *datomic.Value
}

// walker reads inner nodes alone.
func (s *datomicStat) walker() *descent.Walker {
	return &descent.Walker{
		Decoder: s.decoder, Workers: s.workers, Known: func(graph.ID) (bool, error) { return true, nil },
		Read: func(ctx context.Context, ref graph.Ref) ([]byte, error) { return s.get(ctx, ref.ID) },
	}
}

// walk returns a line "id TAB kind" for each segment.
func (s *datomicStat) walk(ctx context.Context) (*spill.Table, error) {
	reached := spill.NewSorter()
	defer reached.Close()
	w := s.walker()
	w.Visit = kinds{reached}.Visit
	if err := w.Diff(ctx, s.value.Trees(), nil); err != nil {
		return nil, err
	}
	return spill.NewTable(reached.Sorted())
}

func (s *datomicStat) look(ctx context.Context, name string, ids *spill.Table) (*StatReport, error) {
	defer s.all.Close()
	d := datomic.New()
	last, err := d.Last(ctx, s.get, s.value)
	if err != nil {
		return nil, err
	}
	root, err := s.value.EncodeRoot()
	if err != nil {
		return nil, err
	}
	rep := &StatReport{}
	rep.Heads.count([]graph.Held{{Data: []byte(s.value.DatabaseID)}, {Data: root}})
	b := BranchStat{Branch: name, Commit: last.ID, MaxTx: last.T, Trees: []TreeStat{}}
	if err := s.count(&b, ids.All()); err != nil {
		return nil, err
	}
	data, err := s.get(ctx, s.value.Index)
	if err != nil {
		return nil, err
	}
	trees, err := d.Indexes(s.value.Index, data)
	if err != nil {
		return nil, err
	}
	for _, t := range append(trees, s.value.Trees()[1]) {
		ts, err := s.tree(ctx, s.walker(), t, 0)
		if err != nil {
			return nil, err
		}
		b.Trees = append(b.Trees, ts)
	}
	rep.Branches = []BranchStat{b}
	return rep, s.whole(rep)
}
