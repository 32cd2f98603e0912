package prune_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/prune"
)

// world is points and what each of them reaches: lines by id.
type world struct {
	points  []prune.Point
	reach   map[string]map[string]string
	words   []said
	outside map[string]bool // needed by somebody else
}

// said is a line of a list.
type said struct {
	point string
	added bool
	line  string
}

// chunks is whether segments may lie at several places.
func randomWorld(r *rand.Rand, chunks bool) *world {
	w := &world{reach: map[string]map[string]string{}, outside: map[string]bool{}}
	for i := range 1 + r.IntN(90) {
		p := prune.Point{ID: fmt.Sprintf("p%03d", i), State: prune.State(r.IntN(3))}
		if i > 0 && r.IntN(10) > 0 {
			p.Parent = w.points[max(i-1-r.IntN(3), 0)].ID
		}
		w.points = append(w.points, p)
		w.makeReach(r, p, chunks)
	}
	for n := range 50 {
		if r.IntN(10) == 0 {
			w.outside[fmt.Sprintf("s%02d", n)] = true
		}
	}
	return w
}

func (w *world) makeReach(r *rand.Rand, p prune.Point, chunks bool) {
	mine := map[string]string{}
	for n := range 50 {
		id := fmt.Sprintf("s%02d", n)
		before, had := w.reach[p.Parent][id]
		now, has := before, had
		if r.IntN(8) == 0 {
			has = !has
		}
		if has && !had {
			now = segment(r, n, chunks)
		}
		switch {
		case has && (!had || r.IntN(20) == 0): // a list may say what was known
			w.words = append(w.words, said{p.ID, true, now})
		case !has && had:
			w.words = append(w.words, said{p.ID, false, before})
		}
		if has {
			mine[id] = now
		}
	}
	w.reach[p.ID] = mine
}

// segment is a line about the n-th segment.
func segment(r *rand.Rand, n int, chunks bool) string {
	e := graph.Entry{Ref: graph.Ref{ID: graph.ID(fmt.Sprintf("s%02d", n)), Level: graph.Level(n%8 - 4)}, Size: int64(n + 1), SHA256: [32]byte{1}}
	if e.Level == graph.Root {
		e.Level = 5
	}
	if chunks {
		e.At = graph.Location{Chunk: fmt.Sprintf("p000/%d", r.IntN(2)), Offset: int64(n)}
	}
	return graph.FormatEntry(e)
}

func idOf(line string) string { id, _, _ := strings.Cut(line, "\t"); return id }

// plan feeds a plan in random order.
func (w *world) plan(t *testing.T, r *rand.Rand, look func(string, bool)) (*prune.Forest, *prune.Plan) {
	t.Helper()
	points := slices.Clone(w.points)
	r.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	f, err := prune.NewForest(points)
	require.NoError(t, err)
	reach := prune.NewReach(f)
	r.Shuffle(len(w.words), func(i, j int) { w.words[i], w.words[j] = w.words[j], w.words[i] })
	for _, s := range w.words {
		n, ok := f.Number(s.point)
		require.True(t, ok)
		reach.Add(n, s.added, s.line)
	}
	for id := range w.outside {
		reach.Need(id)
	}
	p, err := reach.Make(look)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return f, p
}

// TestPlan compares plans for random points with what follows from the sets
// that the points reach.
func TestPlan(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := randomWorld(r, seed%2 == 1)
		looked := map[string]bool{}
		f, p := w.plan(t, r, func(line string, goes bool) { looked[line] = goes })
		dead, freed := w.expect()
		got := map[string]bool{}
		last := graph.Entry{}
		for line, err := range p.Dead() {
			require.NoError(t, err)
			got[line] = true
			e, err := graph.ParseEntry(line)
			require.NoError(t, err)
			assert.False(t, last.ID != "" && before(e.Level, last.Level), "%s after %s", e.Level, last.Level)
			last = e
		}
		assert.Equal(t, dead, got)
		for line, goes := range looked {
			assert.Equal(t, dead[line], goes, line)
		}
		for n := range f.Len() {
			assert.Equal(t, freed[f.Point(n).ID], p.Freed[n], f.Point(n).ID)
		}
		w.checkRelinked(t, f, p)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// before tells whether segments of one level may refer to those of another.
func before(a, b graph.Level) bool {
	rank := func(l graph.Level) int {
		return map[graph.Level]int{graph.Commit: 1000, graph.Schema: -1, graph.Value: -2}[l] + max(int(l), 0)
	}
	return rank(a) > rank(b)
}

// expect is what goes, and what each point frees if points are removed one
// after the other.
func (w *world) expect() (dead map[string]bool, freed map[string]prune.Count) {
	dead, freed = map[string]bool{}, map[string]prune.Count{}
	users := map[string][]prune.Point{} // by line, oldest first
	for _, p := range w.points {
		for _, line := range w.reach[p.ID] {
			users[line] = append(users[line], p)
		}
	}
	for line, by := range users {
		kept := w.outside[idOf(line)] || slices.ContainsFunc(by, func(p prune.Point) bool { return p.State == prune.Kept })
		if kept {
			continue
		}
		if !slices.ContainsFunc(by, func(p prune.Point) bool { return p.State == prune.Parked }) {
			dead[line] = true
		}
		c := freed[by[len(by)-1].ID]
		e, _ := graph.ParseEntry(line)
		c.Add(e.Size)
		freed[by[len(by)-1].ID] = c
	}
	return dead, freed
}

// checkRelinked reads the new lists, and what the points reach with them.
func (w *world) checkRelinked(t *testing.T, f *prune.Forest, p *prune.Plan) {
	t.Helper()
	states, parents := map[string]prune.State{}, map[string]string{}
	for _, q := range w.points {
		states[q.ID], parents[q.ID] = q.State, q.Parent
	}
	for r := range p.Relinked() {
		id := f.Point(r.Point).ID
		parents[id] = ""
		reach := map[string]string{}
		if r.To >= 0 {
			parents[id] = f.Point(r.To).ID
			for k, v := range w.reach[parents[id]] {
				reach[k] = v
			}
		}
		for line, err := range r.Added {
			require.NoError(t, err)
			assert.NotEqual(t, line, reach[idOf(line)], "it is known already")
			reach[idOf(line)] = line
		}
		for line, err := range r.Released {
			require.NoError(t, err)
			assert.Contains(t, reach, idOf(line))
			delete(reach, idOf(line))
		}
		assert.Equal(t, w.reach[id], reach, id)
	}
	for id, parent := range parents {
		assert.False(t, states[id] != prune.Removed && parent != "" && states[parent] == prune.Removed, "%s still builds on %s", id, parent)
	}
}

func TestForestRefuses(t *testing.T) {
	for _, points := range [][]prune.Point{
		{{ID: "b", Parent: "a"}},
		{{ID: "a", Parent: "a"}},
		{{ID: "a", Parent: "b"}, {ID: "b"}},
	} {
		_, err := prune.NewForest(points)
		require.ErrorIs(t, err, graph.ErrNotFound)
	}
}

// TestUnsized: what no list has a size of is named, with the point that frees it.
func TestUnsized(t *testing.T) {
	f, err := prune.NewForest([]prune.Point{{ID: "a", State: prune.Removed}, {ID: "b", Parent: "a", State: prune.Removed}, {ID: "c"}})
	require.NoError(t, err)
	reach := prune.NewReach(f)
	number := func(id string) int { n, _ := f.Number(id); return n }
	reach.Add(number("a"), true, "x\t0\t-\t-")
	reach.Add(number("a"), true, "y\t0\t-\t-")
	reach.Add(number("c"), true, "y\t0\t7\t-")
	reach.Add(number("a"), true, "z\t0\t-\t-")
	reach.Add(number("b"), true, "z\t0\t5\t-")
	p, err := reach.Make(nil)
	require.NoError(t, err)
	defer p.Close()
	var got []string
	for line, err := range p.Unsized() {
		require.NoError(t, err)
		got = append(got, line)
	}
	assert.Equal(t, []string{fmt.Sprintf("x\t%d", number("b"))}, got)
	assert.Equal(t, prune.Count{Segments: 2, Bytes: 5}, p.Freed[number("b")])
}

// TestBadWords: what cannot be said of a segment ends the plan.
func TestBadWords(t *testing.T) {
	f, err := prune.NewForest([]prune.Point{{ID: "a", State: prune.Removed}})
	require.NoError(t, err)
	for _, line := range []string{"x", "x\tq\t1\t-", "x\t0\t-5\t-"} {
		reach := prune.NewReach(f)
		reach.Add(0, true, line)
		_, err := reach.Make(nil)
		require.ErrorIs(t, err, graph.ErrCorrupt, line)
	}
	reach := prune.NewReach(f)
	reach.Add(1, true, "x\t0\t1\t-")
	_, err = reach.Make(nil)
	require.ErrorIs(t, err, graph.ErrCorrupt)
}
