package datomicsample_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// whole checks that a value reaches all of its segments and nothing else, and
// that it has the datoms which it says.
func whole(t *testing.T, s *datomicsample.Sample) {
	t.Helper()
	d := datomic.New()
	require.NoError(t, s.Value.Check())
	seen := map[graph.ID]bool{}
	var leaves, stated int64
	var visit func(ref graph.Ref)
	visit = func(ref graph.Ref) {
		require.False(t, seen[ref.ID], "%s is there twice", ref.ID)
		seen[ref.ID] = true
		data := s.Segments[ref.ID]
		require.NoError(t, d.Check(ref, data), "%s at level %s", ref.ID, ref.Level)
		n, err := d.Decode(ref, data)
		require.NoError(t, err)
		stated += max(n.Count, 0)
		if ref.Level == graph.Leaf {
			count, err := d.Count(ref, data)
			require.NoError(t, err)
			leaves += count
		}
		for _, c := range n.Children {
			visit(c)
		}
	}
	for _, tree := range s.Value.Trees() {
		visit(tree.Ref)
	}
	assert.Len(t, s.Segments, len(seen))
	assert.Equal(t, s.Datoms, stated)
	assert.Equal(t, s.Datoms+s.LogDatoms, leaves)

	last, err := d.Last(t.Context(), func(_ context.Context, id graph.ID) ([]byte, error) { return s.Segments[id], nil }, s.Value)
	require.NoError(t, err)
	assert.Equal(t, s.T, last.T)
}

func TestMake(t *testing.T) {
	whole(t, datomicsample.Make(datomicsample.Options{}))
	whole(t, datomicsample.Make(datomicsample.Options{New: true, Leaves: 1}))
	o := datomicsample.Options{Seed: 7, Leaves: 50, Fanout: 3, Files: 4, Log: 10, Tail: 3}
	s := datomicsample.Make(o)
	whole(t, s)
	assert.Equal(t, s.Segments, datomicsample.Make(o).Segments)
	assert.Equal(t, s.Value, datomicsample.Make(o).Value)
}

func TestNext(t *testing.T) {
	first := datomicsample.Make(datomicsample.Options{Leaves: 40, Files: 2, Log: 20, Tail: 1})
	s, before := first, len(first.Segments)
	for changes := range 12 {
		next := s.Next(changes)
		whole(t, next)
		added := 0
		for id := range next.Segments {
			if s.Segments[id] == nil {
				added++
			}
		}
		assert.NotZero(t, added)
		assert.Less(t, added, len(next.Segments)/2, "generation %d", changes)
		s = next
	}
	assert.Len(t, first.Segments, before)
	whole(t, first)
}

func TestWriteBackup(t *testing.T) {
	dir := t.TempDir()
	s := datomicsample.Make(datomicsample.Options{Files: 1, Tail: 2})
	s.WriteBackup(t, dir)
	files, err := filepath.Glob(filepath.Join(dir, "values", "??", "*"))
	require.NoError(t, err)
	assert.Len(t, files, len(s.Segments))
	root, err := os.ReadFile(filepath.Join(dir, "roots", strconv.FormatInt(s.T, 10)))
	require.NoError(t, err)
	v, err := datomic.DecodeRoot("root", root)
	require.NoError(t, err)
	assert.Equal(t, s.Value, v)
}

func TestRows(t *testing.T) {
	s := datomicsample.Make(datomicsample.Options{Tail: 2})
	rows := map[string]datomicsample.Row{}
	for _, r := range s.Rows("people") {
		rows[r.ID] = r
	}
	assert.Len(t, rows, len(s.Segments)+5)
	log, err := datomic.ParseLog(rows[datomic.LogRow(s.Value.DatabaseID)].Map)
	require.NoError(t, err)
	assert.Equal(t, s.Value.Tail, rows[string(log.Tail)].Val)
	names, err := datomic.ParsePod(rows[datomic.CatalogRow].Map)
	require.NoError(t, err)
	c, err := datomic.ParseCatalog(rows[string(names)].Val)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"people": s.Value.DatabaseID}, c.Names)
}
