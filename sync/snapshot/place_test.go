package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/rclone/rclone/backend/local"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/object"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// ground is a destination on a disk, with a clock that a test moves.
type ground struct {
	*Place
	t   *testing.T
	dir string
	now time.Time
}

func newGround(t *testing.T) *ground {
	dir := t.TempDir()
	f, err := fs.NewFs(t.Context(), dir)
	require.NoError(t, err)
	g := &ground{Place: Open(f), t: t, dir: dir, now: time.Date(2026, 11, 21, 1, 0, 0, 0, time.UTC)}
	g.Now = func() time.Time { return g.now }
	return g
}

func (g *ground) put(name string, data []byte) {
	o := object.NewStaticObjectInfo(name, g.now, int64(len(data)), true, nil, g.F)
	_, err := g.F.Put(g.t.Context(), bytes.NewReader(data), o)
	require.NoError(g.t, err)
}

func (g *ground) begin(ctx context.Context) (*Run, error) {
	r, _, err := g.Begin(ctx, transfer.NewCopier(g.F, g.F, g.now))
	return r, err
}

func entry(id string) graph.Entry {
	return graph.Entry{Ref: graph.Ref{ID: graph.ID(id), Level: graph.Leaf}, Size: 10}
}

func sortedLines(ids ...string) Lines {
	s := spill.NewSorter()
	for _, id := range ids {
		s.Add(graph.FormatEntry(entry(id)))
	}
	return s.Sorted()
}

// point commits a point that adds and releases segments.
func (g *ground) point(parent *Manifest, added, released []string) *Manifest {
	g.now = g.now.Add(time.Minute)
	r, err := g.begin(g.t.Context())
	require.NoError(g.t, err)
	defer r.End(g.t.Context())
	m := &Manifest{FormatVersion: 1, Kind: "datahike", ID: "db", Point: NewID(g.now, "6b010f3e"), Time: g.now}
	if parent != nil {
		m.Parent = parent.Point
	}
	held := []graph.Held{{ID: "head.ksv", Data: []byte("head of " + m.Point)}, {ID: "branches.ksv", Data: []byte("branches")}}
	require.NoError(g.t, r.Commit(g.t.Context(), m, parent, held, nil, sortedLines(added...), sortedLines(released...)))
	return m
}

func ids(t *testing.T, table *spill.Table) (ids []string) {
	t.Helper()
	defer func() { require.NoError(t, table.Close()) }()
	for line, err := range table.All() {
		require.NoError(t, err)
		_, err := graph.ParseEntry(line)
		require.NoError(t, err)
		ids = append(ids, lineID(line))
	}
	return ids
}

// TestClosure: along the chain of points, the newest word about a segment
// counts.
func TestClosure(t *testing.T) {
	g := newGround(t)
	var chain []*Manifest
	for _, step := range []struct{ added, released, reaches, everything string }{
		{"a b c", "", "a b c", "a b c"},
		{"d", "", "a b c d", "a b c d"},
		{"", "a c", "b d", "a b c d"},
		{"a", "b", "a d", "a b c d"},
		{"", "", "a d", "a b c d"},
	} {
		var parent *Manifest
		if len(chain) > 0 {
			parent = chain[len(chain)-1]
		}
		m := g.point(parent, strings.Fields(step.added), strings.Fields(step.released))
		chain = append(chain, m)
		closure, err := g.Closure(t.Context(), m)
		require.NoError(t, err)
		reaches := strings.Fields(step.reaches)
		assert.Equal(t, reaches, ids(t, closure))
		assert.Equal(t, Count{Segments: int64(len(reaches)), Bytes: int64(10 * len(reaches))}, m.Total)
		everything, err := g.Everything(t.Context())
		require.NoError(t, err)
		assert.Equal(t, strings.Fields(step.everything), ids(t, everything))
	}
	first, err := g.Closure(t.Context(), chain[0])
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b", "c"}, ids(t, first), "later points change nothing about earlier ones")
	got, err := g.Chain(t.Context(), chain[4])
	require.NoError(t, err)
	assert.Len(t, got, 5)
}

// TestCommit: what a point consists of, and that its bytes are checked.
func TestCommit(t *testing.T) {
	g := newGround(t)
	m := g.point(nil, []string{"a"}, nil)
	got, err := g.Manifest(t.Context(), m.Point)
	require.NoError(t, err)
	got.Time = got.Time.UTC()
	assert.Equal(t, m.Held, got.Held)
	held, err := g.Held(t.Context(), got)
	require.NoError(t, err)
	assert.Equal(t, []graph.Held{{ID: "head.ksv", Data: []byte("head of " + m.Point)}, {ID: "branches.ksv", Data: []byte("branches")}}, held)
	store, err := g.Store().Get(t.Context(), "head.ksv")
	require.NoError(t, err)
	assert.Equal(t, held[0].Data, store)

	g.put(pointName(m.Point, headsDir, "head.ksv"), []byte("HEAD of "+m.Point))
	_, err = g.Held(t.Context(), got)
	require.ErrorIs(t, err, graph.ErrCorrupt)
	assert.ErrorContains(t, err, "head.ksv")

	list := pointName(m.Point, m.AddedList[0].Name)
	b, err := pack([]string{graph.FormatEntry(entry("a")), graph.FormatEntry(entry("b"))})
	require.NoError(t, err)
	g.put(list, b)
	_, err = g.Closure(t.Context(), got)
	require.ErrorIs(t, err, graph.ErrCorrupt)
	got.AddedList[0].Object = Describe(m.AddedList[0].Name, b) // the digest fits, the count does not
	_, err = g.Closure(t.Context(), got)
	require.ErrorIs(t, err, graph.ErrCorrupt)
	assert.ErrorContains(t, err, "lists 2 segments")
}

// TestCommitWritesHeadsOnce: a head that lies there already is not written.
func TestCommitWritesHeadsOnce(t *testing.T) {
	g := newGround(t)
	r, err := g.begin(t.Context())
	require.NoError(t, err)
	defer r.End(t.Context())
	held := []graph.Held{{ID: "same.ksv", Data: []byte("same")}, {ID: "new.ksv", Data: []byte("new")}}
	present := map[graph.ID]Object{"same.ksv": Describe("same.ksv", []byte("same")), "new.ksv": Describe("new.ksv", []byte("old"))}
	m := &Manifest{FormatVersion: 1, Kind: "datahike", ID: "db", Point: NewID(g.now, "6b010f3e")}
	require.NoError(t, r.Commit(t.Context(), m, nil, held, present, sortedLines(), sortedLines()))
	_, err = g.Store().Get(t.Context(), "same.ksv")
	require.ErrorIs(t, err, graph.ErrNotFound)
	b, err := g.Store().Get(t.Context(), "new.ksv")
	require.NoError(t, err)
	assert.Equal(t, "new", string(b))
}

// TestCommitNeedsTheLease: a run whose lease has run out moves no head.
func TestCommitNeedsTheLease(t *testing.T) {
	g := newGround(t)
	r, err := g.begin(t.Context())
	require.NoError(t, err)
	defer r.End(t.Context())
	g.now = g.now.Add(leaseTime + time.Second)
	m := &Manifest{FormatVersion: 1, Kind: "datahike", ID: "db", Point: NewID(g.now, "6b010f3e")}
	err = r.Commit(t.Context(), m, nil, []graph.Held{{ID: "head.ksv", Data: []byte("x")}}, nil, sortedLines(), sortedLines())
	require.ErrorIs(t, err, errLeaseLost)
	_, err = g.Store().Get(t.Context(), "head.ksv")
	require.ErrorIs(t, err, graph.ErrNotFound)
	_, err = g.Manifest(t.Context(), m.Point)
	require.ErrorIs(t, err, graph.ErrNotFound)
}

func TestListsInParts(t *testing.T) {
	g := newGround(t)
	want := make([]string, 0, partSegments+1)
	for i := range partSegments + 1 {
		want = append(want, fmt.Sprintf("%08d", i))
	}
	m := g.point(nil, want, nil)
	require.Len(t, m.AddedList, 2)
	assert.Equal(t, int64(partSegments), m.AddedList[0].Segments)
	closure, err := g.Closure(t.Context(), m)
	require.NoError(t, err)
	assert.Equal(t, want, ids(t, closure))
}

func TestNewest(t *testing.T) {
	g := newGround(t)
	all := func(*Manifest) bool { return true }
	m, incomplete, err := g.Newest(t.Context(), nil, all)
	require.NoError(t, err)
	assert.Nil(t, m)
	assert.Empty(t, incomplete)

	one := g.point(nil, []string{"a"}, nil)
	two := g.point(one, []string{"b"}, nil)
	torn := NewID(g.now.Add(time.Hour), "ffffffff")
	g.put(pointName(torn, headsDir, "head.ksv"), []byte("x"))
	g.put(pointName("not an id", manifestName), []byte("x"))
	g.put(pointName("2026-11-21T990000.000Z-x", manifestName), []byte("x"))
	found, err := g.IDs(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{one.Point, two.Point, torn}, found, "only what is named like a point is one")
	m, incomplete, err = g.Newest(t.Context(), found, all)
	require.NoError(t, err)
	assert.Equal(t, two.Point, m.Point)
	assert.Equal(t, []string{torn}, incomplete)
	m, _, err = g.Newest(t.Context(), found, func(m *Manifest) bool { return m.Parent == "" })
	require.NoError(t, err)
	assert.Equal(t, one.Point, m.Point)
	_, err = g.Manifest(t.Context(), torn)
	require.ErrorIs(t, err, graph.ErrNotFound)
}

func TestChainNeedsItsParents(t *testing.T) {
	g := newGround(t)
	one := g.point(nil, []string{"a"}, nil)
	two := g.point(one, []string{"b"}, nil)
	require.NoError(t, os.Remove(filepath.Join(g.dir, "snapshots", one.Point, manifestName)))
	_, err := g.Closure(t.Context(), two)
	require.ErrorIs(t, err, graph.ErrNotFound)
	assert.ErrorContains(t, err, two.Point+" builds on "+one.Point)
}

// TestSplit: two sorted lists are compared by id, whatever else a line says.
func TestSplit(t *testing.T) {
	list := func(s string) Lines {
		return func(yield func(string, error) bool) {
			for f := range strings.FieldsSeq(s) {
				if !yield(strings.ReplaceAll(f, ":", "\t"), nil) {
					return
				}
			}
		}
	}
	for _, tc := range []struct{ now, before, added, released string }{
		{"", "", "", ""},
		{"a b", "", "a b", ""},
		{"", "a b", "", "a b"},
		{"a:1 b:1", "a:2 b:2", "", ""},
		{"a c e", "b c d", "a e", "b d"},
		{"b:1 bc:1", "a:1 b:1 c:1", "bc", "a c"},
	} {
		var added, released []string
		require.NoError(t, Split(list(tc.now), list(tc.before),
			func(l string) { added = append(added, lineID(l)) }, func(l string) { released = append(released, lineID(l)) }))
		assert.Equal(t, tc.added, strings.Join(added, " "))
		assert.Equal(t, tc.released, strings.Join(released, " "))
	}
	own := errors.New("own")
	broken := func(yield func(string, error) bool) { yield("", own) }
	ignore := func(string) {}
	require.ErrorIs(t, Split(broken, list("a"), ignore, ignore), own)
	require.ErrorIs(t, Split(list("a"), broken, ignore, ignore), own)
	require.ErrorIs(t, Split(list(""), broken, ignore, ignore), own)
}

func (g *ground) names(dir string) []string {
	g.t.Helper()
	var names []string
	entries, err := os.ReadDir(filepath.Join(g.dir, dir))
	if !errors.Is(err, os.ErrNotExist) {
		require.NoError(g.t, err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names
}
