package descent_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// outcome is what a Diff has told.
type outcome struct {
	mu       sync.Mutex
	visited  []graph.Ref
	released []graph.Ref
	without  map[graph.ID]bool // visited without data
}

func (o *outcome) ids(refs []graph.Ref) map[graph.ID]bool {
	ids := map[graph.ID]bool{}
	for _, r := range refs {
		ids[r.ID] = true
	}
	return ids
}

// walker returns a Walker over f that reports to o. Its Visit checks that
// parents come before their children.
func walker(t *testing.T, f *forest, o *outcome) *descent.Walker {
	o.without = map[graph.ID]bool{}
	low := graph.MaxLevel
	return &descent.Walker{
		Decoder: f, Read: f.read, Workers: 3,
		Visit: func(_ context.Context, ref graph.Ref, data []byte) error {
			o.mu.Lock()
			defer o.mu.Unlock()
			assert.LessOrEqual(t, ref.Level, low, "a node came before its parent")
			low = ref.Level
			if data == nil {
				o.without[ref.ID] = true
			} else {
				assert.Equal(t, string(ref.ID), string(data))
			}
			o.visited = append(o.visited, ref)
			return nil
		},
		Release: func(ref graph.Ref) error {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.released = append(o.released, ref)
			return nil
		},
	}
}

func set(ids ...graph.ID) map[graph.ID]bool {
	m := map[graph.ID]bool{}
	for _, id := range ids {
		m[id] = true
	}
	return m
}

// sample is two versions of a tree: a1 over b1, b2 over leaves; a2 shares b2.
func sample() *forest {
	f := newForest()
	for _, l := range []graph.ID{"l1", "l2", "l3", "l4", "l5"} {
		f.add(l, 0)
	}
	f.add("b1", 1, "l1", "l2")
	f.add("b2", 1, "l3", "l4")
	f.add("b3", 1, "l1", "l5")
	f.add("a1", 2, "b1", "b2")
	f.add("a2", 2, "b3", "b2")
	return f
}

func TestDiffByHand(t *testing.T) {
	inline := func(name graph.ID, level graph.Level, children ...graph.ID) graph.Tree {
		f := newForest()
		n := f.nodes[f.add("x", level, children...)]
		return graph.Tree{Ref: graph.Ref{ID: name, Level: graph.Root}, Inline: &n}
	}
	schema := func(id graph.ID) graph.Tree { return graph.Tree{Ref: graph.Ref{ID: id, Level: graph.Schema}} }
	for _, tc := range []struct {
		name              string
		wants, haves      []graph.Tree
		visited, released map[graph.ID]bool
		reads             int
	}{
		{name: "nothing at all"},
		{name: "everything is new", wants: []graph.Tree{rooted("a1")}, visited: set("a1", "b1", "b2", "l1", "l2", "l3", "l4"), reads: 7},
		{name: "everything is gone: leaves are not read", haves: []graph.Tree{rooted("a1")}, released: set("a1", "b1", "b2", "l1", "l2", "l3", "l4"), reads: 3},
		{name: "equal roots are not read", wants: []graph.Tree{rooted("a1")}, haves: []graph.Tree{rooted("a1")}},
		{
			name: "shared subtrees are not read", wants: []graph.Tree{rooted("a2")}, haves: []graph.Tree{rooted("a1")},
			visited: set("a2", "b3", "l5"), released: set("a1", "b1", "l2"), reads: 5,
		},
		{
			name: "the old root is below the new one", wants: []graph.Tree{rooted("a1")}, haves: []graph.Tree{rooted("b1")},
			visited: set("a1", "b2", "l3", "l4"), reads: 5,
		},
		{
			name: "the new root was below the old one", wants: []graph.Tree{rooted("b1")}, haves: []graph.Tree{rooted("a1")},
			released: set("a1", "b2", "l3", "l4"), reads: 3,
		},
		{
			name: "a leaf as root grows", wants: []graph.Tree{rooted("b1")}, haves: []graph.Tree{rooted("l1")},
			visited: set("b1", "l2"), reads: 3,
		},
		{
			name: "two wants share a subtree", wants: []graph.Tree{rooted("a1"), rooted("a2")},
			visited: set("a1", "a2", "b1", "b2", "b3", "l1", "l2", "l3", "l4", "l5"), reads: 10,
		},
		{
			name: "a node inline is no object", wants: []graph.Tree{inline("a2", 2, "b3", "b2")}, haves: []graph.Tree{inline("a1", 2, "b1", "b2")},
			visited: set("b3", "l5"), released: set("b1", "l2"), reads: 3,
		},
		{
			name: "the same node inline on both sides", wants: []graph.Tree{inline("a1", 2, "b1", "b2")}, haves: []graph.Tree{inline("a1", 2, "b1", "b2")},
		},
		{
			name: "inline here, an object there", wants: []graph.Tree{rooted("a1")}, haves: []graph.Tree{inline("a1", 2, "b1", "b2")},
			visited: set("a1"), reads: 1,
		},
		{
			name: "an inline leaf reaches nothing", wants: []graph.Tree{inline("eavt", 0)}, haves: nil,
		},
		{
			name: "schema blobs", wants: []graph.Tree{schema("s1"), schema("s2")}, haves: []graph.Tree{schema("s2"), schema("s3")},
			visited: set("s1"), released: set("s3"), reads: 1,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := sample()
			for _, s := range []graph.ID{"s1", "s2", "s3"} {
				f.nodes[s] = graph.Node{Level: graph.Schema}
			}
			o := &outcome{}
			require.NoError(t, walker(t, f, o).Diff(t.Context(), tc.wants, tc.haves))
			assert.Equal(t, minus(tc.visited, nil), o.ids(o.visited), "visited")
			assert.Equal(t, minus(tc.released, nil), o.ids(o.released), "released")
			assert.Len(t, o.visited, len(tc.visited), "visited twice")
			n := 0
			for id, times := range f.reads {
				assert.Equal(t, 1, times, "reads of %s", id)
				n += times
			}
			assert.Equal(t, tc.reads, n, "reads")
		})
	}
}

func TestDiffKnownIsNotRead(t *testing.T) {
	f, o := sample(), &outcome{}
	w := walker(t, f, o)
	w.Known = func(id graph.ID) (bool, error) { return id != "l3", nil }
	require.NoError(t, w.Diff(t.Context(), []graph.Tree{rooted("a1")}, nil))
	assert.Equal(t, set("a1", "b1", "b2", "l1", "l2", "l3", "l4"), o.ids(o.visited))
	assert.Equal(t, set("l1", "l2", "l4"), o.without, "inner nodes are read even if known: their children are to be found")
	assert.Zero(t, f.reads["l1"])

	w = walker(t, f, &outcome{})
	w.Known = func(graph.ID) (bool, error) { return false, errOwn }
	require.ErrorIs(t, w.Diff(t.Context(), []graph.Tree{rooted("a2")}, nil), errOwn)
}

var errOwn = errors.New("an error of the caller's own")

func TestDiffReadOld(t *testing.T) {
	f, o := sample(), &outcome{}
	w := walker(t, f, o)
	var old []graph.ID
	var mu sync.Mutex
	w.ReadOld = func(_ context.Context, ref graph.Ref) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		old = append(old, ref.ID)
		return []byte(ref.ID), nil
	}
	require.NoError(t, w.Diff(t.Context(), []graph.Tree{rooted("a2")}, []graph.Tree{rooted("a1")}))
	assert.ElementsMatch(t, []graph.ID{"a1", "b1"}, old)
	assert.NotContains(t, f.reads, graph.ID("a1"))
}

// TestDiffInChain: a version is walked against the one that was walked
// before; inner nodes then are remembered and not read again.
func TestDiffInChain(t *testing.T) {
	f, o := sample(), &outcome{}
	w := walker(t, f, o)
	require.NoError(t, w.Diff(t.Context(), []graph.Tree{rooted("a1")}, nil))
	f.clearReads()
	w.Visit = walker(t, f, o).Visit
	require.NoError(t, w.Diff(t.Context(), []graph.Tree{rooted("a2")}, []graph.Tree{rooted("a1")}))
	assert.Equal(t, map[graph.ID]int{"a2": 1, "b3": 1, "l5": 1}, f.reads)
}

func TestDiffRefuses(t *testing.T) {
	for _, tc := range []struct {
		name  string
		build func(f *forest)
		want  error
		names string
		had   bool // it is met where it is had, too: leaves are not read there
	}{
		{"a missing leaf", func(f *forest) { delete(f.nodes, "l3") }, graph.ErrNotFound, "l3", false},
		{"a missing inner node", func(f *forest) { delete(f.nodes, "b2") }, graph.ErrNotFound, "b2", true},
		{"a missing root", func(f *forest) { delete(f.nodes, "a1") }, graph.ErrNotFound, "a1", true},
		{"a child that says it stands higher", func(f *forest) { f.add("b2", 2, "l3") }, graph.ErrCorrupt, "b2", true},
		{"a child that says it is a leaf", func(f *forest) { f.add("b2", 0) }, graph.ErrCorrupt, "b2", true},
		{"a node that is its own child", func(f *forest) { f.add("b2", 1, "b2") }, graph.ErrCorrupt, "b2", false},
		{"a cycle over two nodes", func(f *forest) { f.add("b2", 1, "a1") }, graph.ErrCorrupt, "a1", false},
		{"a child at its parent's level", func(f *forest) {
			f.nodes["b2"] = graph.Node{Level: 1, Children: []graph.Ref{{ID: "l3", Level: 1}}}
		}, graph.ErrCorrupt, "b2", true},
		{"a leaf with children", func(f *forest) {
			f.nodes["l3"] = graph.Node{Level: 0, Children: []graph.Ref{{ID: "l4", Level: -1}}}
		}, graph.ErrCorrupt, "l3", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := sample()
			tc.build(f)
			err := walker(t, f, &outcome{}).Diff(t.Context(), []graph.Tree{rooted("a1")}, nil)
			require.ErrorIs(t, err, tc.want)
			assert.ErrorContains(t, err, tc.names)
			if tc.had {
				err = walker(t, f, &outcome{}).Diff(t.Context(), nil, []graph.Tree{rooted("a1")})
				require.ErrorIs(t, err, tc.want)
				assert.ErrorContains(t, err, tc.names)
			}
		})
	}
}

func TestDiffTolerates(t *testing.T) {
	f, o := sample(), &outcome{}
	delete(f.nodes, "b1")
	delete(f.nodes, "l4")
	w := walker(t, f, o)
	bad := map[graph.ID]error{}
	var mu sync.Mutex
	w.Tolerate = func(ref graph.Ref, err error) {
		mu.Lock()
		defer mu.Unlock()
		bad[ref.ID] = err
	}
	require.NoError(t, w.Diff(t.Context(), []graph.Tree{rooted("a1"), rooted("gone")}, nil))
	assert.Equal(t, set("a1", "b2", "l3"), o.ids(o.visited))
	require.Len(t, bad, 3)
	for _, id := range []graph.ID{"b1", "l4", "gone"} {
		require.ErrorIs(t, bad[id], graph.ErrNotFound)
	}
}

func TestDiffEndsWithItsContext(t *testing.T) {
	f := sample()
	w := walker(t, f, &outcome{})
	ctx, cancel := context.WithCancelCause(t.Context())
	w.Visit = func(context.Context, graph.Ref, []byte) error { cancel(errOwn); return context.Cause(ctx) }
	w.Tolerate = func(ref graph.Ref, err error) { t.Errorf("%s is not at fault: %v", ref.ID, err) }
	require.ErrorIs(t, w.Diff(ctx, []graph.Tree{rooted("a1")}, nil), errOwn)
}

func TestDiffReleaseError(t *testing.T) {
	w := walker(t, sample(), &outcome{})
	w.Release = func(graph.Ref) error { return errOwn }
	require.ErrorIs(t, w.Diff(t.Context(), nil, []graph.Tree{rooted("a1")}), errOwn)
}

// TestDiffModel compares Diff with plain reachability over many random pairs
// of versions, near and far from each other.
func TestDiffModel(t *testing.T) {
	for seed := range uint64(150) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		f := newForest()
		limit := 20 + rnd.IntN(600)
		old := newTree(f).scatter(rnd, rnd.IntN(600), limit)
		now := old.scatter(rnd, rnd.IntN(1+rnd.IntN(200)), limit)
		if seed%3 == 0 {
			old, now = now, old
		}
		wants, haves := []graph.Tree{now.tree()}, []graph.Tree{old.tree()}
		check(t, fmt.Sprintf("seed %d", seed), f, wants, haves)
	}
}

func check(t *testing.T, name string, f *forest, wants, haves []graph.Tree) {
	t.Helper()
	f.clearReads()
	o := &outcome{}
	require.NoError(t, walker(t, f, o).Diff(t.Context(), wants, haves), name)
	reachWants, reachHaves := f.reach(wants...), f.reach(haves...)
	visit, release := minus(reachWants, reachHaves), minus(reachHaves, reachWants)
	require.Equal(t, visit, o.ids(o.visited), "%s: visited", name)
	require.Equal(t, release, o.ids(o.released), "%s: released", name)
	require.Len(t, o.visited, len(visit), "%s: visited twice", name)
	require.Len(t, o.released, len(release), "%s: released twice", name)
	for id, n := range f.reads {
		inner := f.nodes[id].Level > graph.Leaf
		root := id == wants[0].Ref.ID || len(haves) > 0 && id == haves[0].Ref.ID
		require.True(t, visit[id] || root || release[id] && inner, "%s: %s need not be read", name, id)
		require.Equal(t, 1, n, "%s: reads of %s", name, id)
	}
}

// TestDiffSpills: sets beyond memory go through temporary files.
func TestDiffSpills(t *testing.T) {
	f := newForest()
	const leaves = 70_000
	var parents []graph.ID
	var kids []graph.ID
	for i := range leaves {
		kids = append(kids, f.add(graph.ID(fmt.Sprintf("leaf%06d", i)), 0))
		if len(kids) == 1000 {
			parents = append(parents, f.add(graph.ID(fmt.Sprintf("inner%04d", i)), 1, kids...))
			kids = nil
		}
	}
	f.add("old", 2, parents...)
	f.add("fresh", 0)
	f.add("new", 2, append([]graph.ID{f.add("b", 1, "fresh", "leaf000000")}, parents[1:]...)...)
	check(t, "changed", f, []graph.Tree{rooted("new")}, []graph.Tree{rooted("old")})
	check(t, "whole", f, []graph.Tree{rooted("new")}, nil)
}

// TestDiffOfSeveralMissesNothing: trees that share nodes with each other may
// be visited beyond what is new, and nothing that is new is left out.
func TestDiffOfSeveralMissesNothing(t *testing.T) {
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		f := newForest()
		base := newTree(f).scatter(rnd, 200, 300)
		side := func() (trees []graph.Tree) {
			for range 1 + rnd.IntN(3) {
				trees = append(trees, base.scatter(rnd, rnd.IntN(20), 300).tree())
			}
			return trees
		}
		wants, haves := side(), side()
		o := &outcome{}
		require.NoError(t, walker(t, f, o).Diff(t.Context(), wants, haves))
		got := o.ids(o.visited)
		require.Empty(t, minus(minus(f.reach(wants...), f.reach(haves...)), got), "seed %d: left out", seed)
		require.Empty(t, minus(got, f.reach(wants...)), "seed %d: not wanted", seed)
		require.Len(t, o.visited, len(got), "seed %d: visited twice", seed)
	}
}
