package walk_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/rclone/rclone/backend/local"

	"github.com/rclone-datom/rclone-datom/fstest/forge"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/walk"
)

// seen records what a walk hands over.
type seen struct {
	mu      sync.Mutex
	nodes   []graph.ID
	commits []graph.ID
	batches int
	fail    error
}

func (s *seen) Visit(_ context.Context, ref graph.Ref, _ []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes = append(s.nodes, ref.ID)
	return s.fail
}

func (s *seen) Finish(_ context.Context, records []walk.Record) error {
	s.batches++
	for _, r := range records {
		s.commits = append(s.commits, r.ID)
	}
	return nil
}

func (s *seen) Abandon() error { return nil }

// history is a database of one index, whose commits each have the leaves
// that a test names; leaves and inner nodes that do not change are shared.
type history struct {
	*forge.Store
	t      *testing.T
	leaf   map[string]fressian.UUID
	inner  map[string]fressian.UUID
	commit map[string]fressian.UUID
	tx     int64
}

func newHistory(t *testing.T) *history {
	return &history{
		Store: forge.New(t), t: t,
		leaf: map[string]fressian.UUID{}, inner: map[string]fressian.UUID{}, commit: map[string]fressian.UUID{},
	}
}

func once(m map[string]fressian.UUID, name string, make func() fressian.UUID) fressian.UUID {
	if _, ok := m[name]; !ok {
		m[name] = make()
	}
	return m[name]
}

// add commits a tree of two inner nodes over two leaves each, "ab" and "cd".
func (h *history) add(name, left, right string, parents ...string) fressian.Map {
	node := func(leaves string) fressian.UUID {
		return once(h.inner, leaves, func() fressian.UUID {
			var kids []fressian.UUID
			for _, l := range leaves {
				kids = append(kids, once(h.leaf, string(l), func() fressian.UUID { return h.Leaf(1) }))
			}
			return h.Branch(1, len(kids), kids...)
		})
	}
	root := once(h.inner, left+right, func() fressian.UUID { return h.Branch(2, 4, node(left), node(right)) })
	id := once(h.commit, name, h.UUID)
	h.tx++
	var of []any
	for _, p := range parents {
		of = append(of, h.commit[p])
	}
	rec := h.Record(id, h.tx, nil, map[string]fressian.Tagged{"eavt": forge.Index(root, 4)}, of...)
	h.Commit(id, rec)
	return rec
}

func (h *history) ids(names ...string) []graph.ID {
	var ids []graph.ID
	for _, n := range names {
		for _, m := range []map[string]fressian.UUID{h.leaf, h.inner, h.commit} {
			if u, ok := m[n]; ok {
				ids = append(ids, datahike.AddressID(u))
			}
		}
	}
	slices.Sort(ids)
	return ids
}

func (h *history) reading(s *seen) *walk.Reading {
	f, err := fs.NewFs(h.t.Context(), h.Dir)
	require.NoError(h.t, err)
	r := walk.NewReading(datahike.New(""), store.New(f, ""), 2)
	h.t.Cleanup(r.Close)
	r.Begin = func(context.Context) walk.Visitor { return s }
	return r
}

// hold reads the heads.
func (h *history) hold() []datahike.Branch {
	f, err := fs.NewFs(h.t.Context(), h.Dir)
	require.NoError(h.t, err)
	heads, err := datahike.New("").Hold(h.t.Context(), store.New(f, "").Get, "")
	require.NoError(h.t, err)
	return heads.Branches
}

// since walks what the heads reach and the commits in bases do not.
func (h *history) since(s *seen, bases ...string) error {
	r := h.reading(s)
	r.Old = func(ctx context.Context, id graph.ID) (*datahike.Record, []byte, error) {
		_, data, err := r.History.Load(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		rec, err := r.Dialect.Record(id, data)
		return rec, data, err
	}
	r.History.LoadOld = func(ctx context.Context, id graph.ID) (graph.Record, error) {
		rec, _, err := r.History.Load(ctx, id)
		return rec, err
	}
	branches := h.hold()
	commits, err := r.History.Since(h.t.Context(), walk.Entries(branches), h.ids(bases...), 1<<29+1)
	require.NoError(h.t, err)
	return r.All(h.t.Context(), branches, commits)
}

func sorted(ids []graph.ID) []graph.ID { slices.Sort(ids); return ids }

// TestEachCommitAgainstItsParents: what a commit shares with its parent is
// not met again, however many commits are walked together.
func TestEachCommitAgainstItsParents(t *testing.T) {
	for _, tc := range []struct {
		name  string
		build func(h *history) fressian.Map
		nodes []string
	}{
		{"one commit", func(h *history) fressian.Map {
			return h.add("c1", "ax", "cd", "c0")
		}, []string{"x", "ax", "axcd"}},
		{"an index that stands still, then changes", func(h *history) fressian.Map {
			h.add("c1", "ab", "cd", "c0")
			return h.add("c2", "ax", "cd", "c1")
		}, []string{"x", "ax", "axcd"}},
		{"changes in different places", func(h *history) fressian.Map {
			h.add("c1", "ax", "cd", "c0")
			return h.add("c2", "ax", "cy", "c1")
		}, []string{"x", "ax", "axcd", "y", "cy", "axcy"}},
		{"two branches and a merge", func(h *history) fressian.Map {
			h.add("c1", "ax", "cd", "c0")
			h.add("c2", "ab", "cy", "c0")
			return h.add("c3", "ax", "cy", "c1", "c2")
		}, []string{"x", "ax", "axcd", "y", "cy", "abcy", "axcy"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHistory(t)
			h.add("c0", "ab", "cd")
			h.Head("db", tc.build(h))
			h.Branches("db")
			s := &seen{}
			require.NoError(t, h.since(s, "c0"))
			assert.Equal(t, h.ids(tc.nodes...), sorted(s.nodes))
		})
	}
}

// TestOrder: commits come parents first, every one once, and so do nodes.
func TestOrder(t *testing.T) {
	h := newHistory(t)
	h.add("c0", "ab", "cd")
	want := h.ids("c0")
	names := []string{"c0"}
	for i := range 150 { // several batches
		name := fmt.Sprint("commit", i)
		leaf := string(rune(0x4000 + i))
		h.add(name, "a"+leaf, "cd", names[len(names)-1])
		names = append(names, name)
		want = append(want, h.ids(name)...)
	}
	h.Head("db", h.add("last", "az", "cd", names[len(names)-1]))
	want = append(want, h.ids("last")...)
	h.Branches("db")
	s := &seen{}
	require.NoError(t, h.reading(s).Heads(t.Context(), h.hold()))
	assert.Equal(t, want, s.commits)
	assert.Equal(t, 4, s.batches, "three batches of commits, and the heads")
	assert.Equal(t, len(h.leaf)+len(h.inner), len(s.nodes))
	assert.Len(t, slices.Compact(sorted(s.nodes)), len(h.leaf)+len(h.inner))
}

// TestPruned: a commit whose parents are gone is walked in whole.
func TestPruned(t *testing.T) {
	h := newHistory(t)
	id := h.UUID()
	h.commit["gone"] = id
	h.Head("db", h.add("c1", "ab", "cd", "gone"))
	h.Branches("db")
	s := &seen{}
	require.NoError(t, h.reading(s).Heads(t.Context(), h.hold()))
	assert.Equal(t, h.ids("c1"), s.commits)
	assert.Equal(t, h.ids("a", "b", "c", "d", "ab", "cd", "abcd"), sorted(s.nodes))
}

// TestTogether walks heads that keep no commits against those before.
func TestTogether(t *testing.T) {
	h := newHistory(t)
	was := h.add("c0", "ab", "cd")
	h.Head("db", was)
	h.Branches("db")
	before := h.hold()
	h.Head("db", h.add("c1", "ax", "cd"))
	s := &seen{}
	r := h.reading(s)
	var released []graph.ID
	r.Walker.Release = func(ref graph.Ref) error { released = append(released, ref.ID); return nil }
	commits, err := r.History.Since(t.Context(), nil, nil, 0)
	require.NoError(t, err)
	r.Walker.Workers = 1
	require.NoError(t, r.Together(t.Context(), h.hold(), before, commits))
	assert.Equal(t, h.ids("x", "ax", "axcd"), sorted(s.nodes))
	assert.Equal(t, h.ids("b", "ab", "abcd"), sorted(released))
}

// failing is a visitor whose own failure is the reason why a walk ends.
type failing struct {
	seen
	own error
}

func (f *failing) Abandon() error { return f.own }

func TestVisitorFails(t *testing.T) {
	h := newHistory(t)
	h.Head("db", h.add("c0", "ab", "cd"))
	h.Branches("db")
	first, own := errors.New("seen by the walk"), errors.New("the visitor's own")
	for _, want := range []error{first, own} {
		f := &failing{seen: seen{fail: first}}
		if want == own {
			f.own = own
		}
		r := h.reading(nil)
		r.Begin = func(context.Context) walk.Visitor { return f }
		require.ErrorIs(t, r.Heads(t.Context(), h.hold()), want)
		assert.Zero(t, f.batches)
	}
}

func TestEmptyFileIsAbsent(t *testing.T) {
	h := newHistory(t)
	h.Head("db", h.add("c0", "ab", "cd"))
	h.Branches("db")
	h.Write(string(h.ids("c")[0]), nil)
	s := &seen{}
	err := h.reading(s).Heads(t.Context(), h.hold())
	require.ErrorIs(t, err, graph.ErrNotFound)
	require.ErrorContains(t, err, string(h.ids("c")[0]))
}

func TestCollect(t *testing.T) {
	h := newHistory(t)
	h.Head("db", h.add("c0", "ab", "cd"))
	h.Branches("db")
	ids := spill.NewSorter()
	r := h.reading(nil)
	r.Begin = func(context.Context) walk.Visitor { return walk.Collect{IDs: ids} }
	require.NoError(t, r.Heads(t.Context(), h.hold()))
	var got []graph.ID
	for id, err := range ids.Sorted() {
		require.NoError(t, err)
		got = append(got, graph.ID(id))
	}
	assert.Equal(t, h.ids("c0", "a", "b", "c", "d", "ab", "cd", "abcd"), got)
}
