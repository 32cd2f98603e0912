package descent_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// commits is a history in memory that counts what is read of it.
type commits struct {
	records  map[graph.ID]graph.Record
	newReads int
	oldReads int
}

// log reads lines of the form "c3 c1 c2": a commit and its parents. The
// number in an id is its generation.
func log(lines ...string) *commits {
	c := &commits{records: map[graph.ID]graph.Record{}}
	for _, l := range lines {
		f := strings.Fields(l)
		c.add(graph.ID(f[0]), f[1:]...)
	}
	return c
}

func (c *commits) add(id graph.ID, parents ...string) {
	r := graph.Record{ID: id}
	_, _ = fmt.Sscanf(strings.TrimLeft(string(id), "abcdefghijklmnopqrstuvwxyz"), "%d", &r.Generation)
	for _, p := range parents {
		r.Parents = append(r.Parents, graph.ID(p))
	}
	c.records[id] = r
}

// chain adds commits from..to of a prefix, each the child of the one before.
func (c *commits) chain(prefix string, parent string, from, to int) string {
	for i := from; i <= to; i++ {
		id := fmt.Sprintf("%s%d", prefix, i)
		if parent == "" {
			c.add(graph.ID(id))
		} else {
			c.add(graph.ID(id), parent)
		}
		parent = id
	}
	return parent
}

func (c *commits) load(id graph.ID) (graph.Record, error) {
	r, ok := c.records[id]
	if !ok {
		return r, fmt.Errorf("%s: %w", id, graph.ErrNotFound)
	}
	return r, nil
}

func (c *commits) history(t *testing.T) *descent.History {
	spool := spill.NewSpool()
	t.Cleanup(func() { _ = spool.Close() })
	return &descent.History{
		Spool: spool,
		Load: func(_ context.Context, id graph.ID) (graph.Record, []byte, error) {
			c.newReads++
			r, err := c.load(id)
			return r, []byte(id), err
		},
		LoadOld: func(_ context.Context, id graph.ID) (graph.Record, error) {
			c.oldReads++
			return c.load(id)
		},
	}
}

func ids(s ...string) []graph.ID {
	var out []graph.ID
	for _, x := range s {
		out = append(out, graph.ID(x))
	}
	return out
}

func (c *commits) since(t *testing.T, heads, bases []graph.ID) (*descent.Commits, *descent.History) {
	newest := int64(0)
	for _, b := range bases {
		newest = max(newest, c.records[b].Generation)
	}
	h := c.history(t)
	got, err := h.Since(t.Context(), heads, bases, newest)
	require.NoError(t, err)
	placed := map[graph.ID]bool{}
	for _, n := range got.New {
		for _, p := range n.Parents {
			if slices.ContainsFunc(got.New, func(x descent.Commit) bool { return x.ID == p }) {
				require.True(t, placed[p], "%s comes before its parent %s", n.ID, p)
			}
		}
		placed[n.ID] = true
		data, err := h.Spool.Take(n.Data)
		require.NoError(t, err)
		require.Equal(t, string(n.ID), string(data))
	}
	return got, h
}

func names(commits []descent.Commit) []string {
	out := []string{}
	for _, c := range commits {
		out = append(out, string(c.ID))
	}
	return out
}

func TestSince(t *testing.T) {
	for _, tc := range []struct {
		name         string
		log          []string
		heads, bases []graph.ID
		want         string
		tails        []graph.ID
		absent       string
		news, olds   int // most reads
	}{
		{name: "no commits"},
		{name: "the first backup", log: []string{"c1", "c2 c1", "c3 c2"}, heads: ids("c3"), want: "c1 c2 c3", tails: ids("c1"), news: 3},
		{name: "nothing new", log: []string{"c1", "c2 c1"}, heads: ids("c2"), bases: ids("c2")},
		{name: "linear", log: []string{"c1", "c2 c1", "c3 c2", "c4 c3"}, heads: ids("c4"), bases: ids("c2"), want: "c3 c4", news: 2},
		{name: "a merge", log: []string{"c1", "c2 c1", "c3 c1", "c4 c2 c3"}, heads: ids("c4"), bases: ids("c1"), want: "c2 c3 c4", news: 3},
		{name: "a merge of what is had", log: []string{"c1", "c2 c1", "c3 c1", "c4 c2 c3"}, heads: ids("c4"), bases: ids("c2", "c3"), want: "c4", news: 1},
		{name: "a head named twice", log: []string{"c1", "c2 c1"}, heads: ids("c2", "c2", "c1"), want: "c1 c2", tails: ids("c1"), news: 2},
		{name: "a pruned parent", log: []string{"c2 c1", "c3 c2"}, heads: ids("c3"), want: "c2 c3", tails: ids("c2"), absent: "c1", news: 3},
		{name: "one parent of two is pruned", log: []string{"c2", "c3 c1 c2"}, heads: ids("c3"), want: "c2 c3", tails: ids("c2"), absent: "c1", news: 3},
		{name: "no commits are kept", heads: ids("c9"), absent: "c9", news: 1},
		{name: "two roots", log: []string{"a1", "b2", "c3 a1 b2"}, heads: ids("c3"), want: "a1 b2 c3", tails: ids("a1", "b2"), news: 3},
		{
			name: "a branch from an old commit", log: []string{"c1", "c2 c1", "c3 c2", "c4 c3", "x3 c2"}, heads: ids("c4", "x3"), bases: ids("c4"),
			want: "x3", news: 3, olds: 4,
		},
		{
			name: "a branch from the first commit", log: []string{"c1", "c2 c1", "c3 c2", "x2 c1"}, heads: ids("c3", "x2"), bases: ids("c3"),
			want: "x2", news: 2, olds: 3,
		},
		{
			name: "a new branch at an old commit", log: []string{"c1", "c2 c1", "c3 c2"}, heads: ids("c3", "c1"), bases: ids("c3"),
			want: "", news: 1, olds: 3,
		},
		{
			name: "a history with another beginning", log: []string{"c1", "c2 c1", "x1", "x2 x1"}, heads: ids("x2"), bases: ids("c2"),
			want: "x1 x2", tails: ids("x1"), news: 2, olds: 2,
		},
		{
			name: "what is had was pruned", log: []string{"c5 c4", "x4 c3"}, heads: ids("c5", "x4"), bases: ids("c5"),
			want: "x4", tails: ids("x4"), absent: "c3", news: 2, olds: 2,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := log(tc.log...)
			got, _ := c.since(t, tc.heads, tc.bases)
			list := names(got.New)
			slices.Sort(list)
			assert.Equal(t, tc.want, strings.Join(list, " "))
			assert.ElementsMatch(t, tc.tails, got.Tails, "tails")
			assert.Equal(t, tc.absent != "", got.Absent[graph.ID(tc.absent)], "absent")
			assert.LessOrEqual(t, c.newReads, tc.news, "reads of wanted commits")
			assert.LessOrEqual(t, c.oldReads, tc.olds, "reads of commits that are had")
		})
	}
}

// TestSinceReadsTheDistance: what a walk costs does not depend on how long
// the history is.
func TestSinceReadsTheDistance(t *testing.T) {
	const length, distance = 20_000, 100
	for _, tc := range []struct {
		name  string
		build func(c *commits) []graph.ID
		want  int
		reads int
	}{
		{"linear", func(c *commits) []graph.ID {
			return ids(c.chain("c", "c20000", length+1, length+10))
		}, 10, 10},
		{"a branch from an old commit", func(c *commits) []graph.ID {
			return ids("c20000", c.chain("x", "c19900", length-distance+1, length-distance+5))
		}, 5, 4*distance + 20},
		{"a branch at an old commit", func(*commits) []graph.ID {
			return ids("c20000", "c19900")
		}, 0, 4*distance + 20},
		{"a branch that others have left behind", func(c *commits) []graph.ID {
			return ids("c20000", c.chain("y", "y1003", 1004, 1006))
		}, 3, 20},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := log()
			c.chain("c", "", 1, length)
			c.chain("y", "c1000", 1001, 1003)
			heads := tc.build(c)
			got, _ := c.since(t, heads, ids("c20000", "y1003"))
			assert.Len(t, got.New, tc.want)
			assert.LessOrEqual(t, c.newReads+c.oldReads, tc.reads)
		})
	}
}

// TestSinceModel compares Since with plain reachability over random histories
// with merges, branches and pruned beginnings. With several bases, commits
// that lie between two of them may be told again.
func TestSinceModel(t *testing.T) {
	again := 0
	for seed := range uint64(600) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		c := log()
		n := 2 + rnd.IntN(60)
		for i := range n {
			var parents []string
			for range min(i, 1+rnd.IntN(4)/3) {
				parents = append(parents, fmt.Sprint("c", max(0, i-1-rnd.IntN(1+rnd.IntN(8)))))
			}
			c.add(graph.ID(fmt.Sprint("c", i)), parents...)
		}
		for i := range rnd.IntN(1 + n/4) {
			delete(c.records, graph.ID(fmt.Sprint("c", i)))
		}
		pick := func(from int) []graph.ID {
			var out []graph.ID
			for range 1 + rnd.IntN(3) {
				out = append(out, graph.ID(fmt.Sprint("c", from+rnd.IntN(n-from))))
			}
			return out
		}
		bases, heads := pick(n/4), pick(n/2)
		got, _ := c.since(t, heads, bases)
		want := minus(c.ancestry(heads), c.ancestry(bases))
		have := map[graph.ID]bool{}
		for _, x := range got.New {
			have[x.ID] = true
		}
		require.Empty(t, minus(want, have), "seed %d: not told: heads %v bases %v", seed, heads, bases)
		for id := range minus(have, want) {
			again++
			require.True(t, c.between(id, bases), "seed %d: %s is had: heads %v bases %v", seed, id, heads, bases)
		}
	}
	assert.Less(t, again, 600, "told again")
}

// between tells whether a commit descends from a base.
func (c *commits) between(id graph.ID, bases []graph.ID) bool {
	up := c.ancestry([]graph.ID{id})
	return slices.ContainsFunc(bases, func(b graph.ID) bool { return b != id && up[b] })
}

func (c *commits) ancestry(from []graph.ID) map[graph.ID]bool {
	seen := map[graph.ID]bool{}
	for len(from) > 0 {
		id := from[0]
		from = from[1:]
		if r, ok := c.records[id]; ok && !seen[id] {
			seen[id] = true
			from = append(from, r.Parents...)
		}
	}
	return seen
}

func TestSinceRefusesCycles(t *testing.T) {
	for _, lines := range [][]string{{"c1 c1"}, {"c1 c2", "c2 c1", "c3 c2"}} {
		c := log(lines...)
		_, err := c.history(t).Since(t.Context(), ids("c3", "c1"), nil, 0)
		require.ErrorIs(t, err, graph.ErrCorrupt)
		require.ErrorContains(t, err, "cycle")
	}
}

func TestSinceErrors(t *testing.T) {
	c := log("c1", "c2 c1", "x2 c1")
	h := c.history(t)
	h.Load = func(context.Context, graph.ID) (graph.Record, []byte, error) { return graph.Record{}, nil, errOwn }
	_, err := h.Since(t.Context(), ids("c2"), nil, 0)
	require.ErrorIs(t, err, errOwn)
	h = c.history(t)
	h.LoadOld = func(context.Context, graph.ID) (graph.Record, error) { return graph.Record{}, errOwn }
	_, err = h.Since(t.Context(), ids("x2"), ids("c2"), 2)
	require.ErrorIs(t, err, errOwn)
}

func TestReaches(t *testing.T) {
	c := log("c1", "c2 c1", "c3 c2", "x3 c2", "c4 c3 x3", "z9 z8", "old4 gone")
	for _, tc := range []struct {
		from   string
		target graph.ID
		want   descent.Answer
	}{
		{"c4", "c4", descent.Yes},
		{"c4", "c2", descent.Yes},
		{"c4", "x3", descent.Yes},
		{"c3", "x3", descent.No},
		{"c2", "c3", descent.No},
		{"z9", "c2", descent.Pruned},
		{"missing", "c2", descent.Pruned},
		{"c4 z9", "c2", descent.Yes},
	} {
		t.Run(tc.from+" to "+string(tc.target), func(t *testing.T) {
			generation := c.records[tc.target].Generation
			for _, bases := range [][]graph.ID{nil, ids("c1"), ids("c2")} { // found among the new, the old, or both
				from := ids(strings.Fields(tc.from)...)
				got, h := c.since(t, from, bases)
				answer, err := h.Reaches(t.Context(), got, from, tc.target, generation)
				require.NoError(t, err)
				assert.Equal(t, tc.want, answer, "bases %v", bases)
			}
		})
	}
}

// TestReachesStopsAtTheGeneration: what is older than the target is not read.
func TestReachesStopsAtTheGeneration(t *testing.T) {
	c := log()
	c.chain("c", "", 1, 1000)
	got, h := c.since(t, ids("c1000"), ids("c1000"))
	c.oldReads = 0
	answer, err := h.Reaches(t.Context(), got, ids("c1000"), "x990", 990)
	require.NoError(t, err)
	assert.Equal(t, descent.No, answer)
	assert.LessOrEqual(t, c.oldReads, 12)
}
