package engine

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicdb"
	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	"github.com/rclone-datom/rclone-datom/fstest/fault"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/storage"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// rowsOf are the rows of a table that holds a value.
func rowsOf(s *datomicsample.Sample, name string) (rows []table.Row) {
	for _, r := range s.Rows(name) {
		rows = append(rows, table.Row{ID: r.ID, Rev: sql.NullInt64{Int64: r.Rev, Valid: r.Rev >= 0}, Map: r.Map, Val: r.Val})
	}
	return rows
}

// leavesOf is how many leaves each of the four large indexes has.
const leavesOf = 5_500 / sparser

// TestDatomicCounts: an incremental backup asks for what is new and for the
// inner nodes that had to change, and a backup without news asks for next to
// nothing, whatever the size of the database.
func TestDatomicCounts(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a large database")
	}
	began := time.Now()
	a := datomicsample.Make(datomicsample.Options{Seed: 1, Leaves: leavesOf, Datoms: 4, Fanout: 100, Files: 3, Log: 250, Tail: 3})
	b := a.Next(3)
	t.Logf("%d segments made in %v", len(a.Segments), time.Since(began).Round(time.Millisecond))
	file := datomicdb.SQLite(t, rowsOf(a, "people"))
	tab := sqlite(t, file, false)
	dst := fault.New(memory(t), fault.Options{})
	run := func() (rep *dbsync.BackupReport, queries int64) {
		dst.Heal()
		began, before := time.Now(), tab.Queries()
		st, err := storage.OpenSQL(quick(), tab, "people")
		require.NoError(t, err)
		rep = mustKeep(t, st, dst, dbsync.BackupOptions{})
		queries = tab.Queries() - before
		t.Logf("backup: %d new, %d in all, %d source reads in %d queries, %d destination calls, %v", rep.New.Segments, rep.Total.Segments,
			rep.Requests.SourceReads, queries, dst.Count(nil), time.Since(began).Round(time.Millisecond))
		return rep, queries
	}
	first, _ := run()
	assert.EqualValues(t, len(a.Segments), first.Total.Segments)

	datomicdb.Replace(t, file, rowsOf(b, "people"))
	added, changed := difference(a, b)
	rep, queries := run()
	assert.EqualValues(t, added, rep.New.Segments)
	assert.EqualValues(t, len(a.Segments)+added-int(rep.Released.Segments), len(b.Segments))
	const logPath, mutable = 3, 14 // mutable objects, lists, manifest, lease
	assert.LessOrEqual(t, rep.Requests.SourceReads, int64(added+changed+logPath), "%d new, %d inner nodes changed", added, changed)
	assert.LessOrEqual(t, queries, rep.Requests.SourceReads+mutable)
	assert.LessOrEqual(t, dst.Count(nil), added+mutable+10, dst.Report())
	assert.Equal(t, added, dst.Count(fault.On(fault.Put, "values/")))
	assert.Zero(t, dst.Count(fault.On(fault.List, "values")), "segments are never listed")
	assert.Zero(t, dst.Count(fault.On(fault.Open, "values")), "or read")
	for _, dir := range []string{"roots", "snapshots", "inflight"} {
		assert.LessOrEqual(t, dst.Count(fault.On(fault.List, dir)), 2, dir) // once more under the lease
	}
	t.Logf("destination:\n%s", dst.Report())

	rep, queries = run()
	require.True(t, rep.UpToDate)
	assert.LessOrEqual(t, dst.Count(nil), 8, dst.Report())
	assert.LessOrEqual(t, queries, int64(8))
	assert.Zero(t, rep.Requests.SourceReads)
	t.Logf("nothing new, destination:\n%s", dst.Report())
}

// difference is how many segments b has that a has not, and how many inner
// nodes of a are not b's.
func difference(a, b *datomicsample.Sample) (added, changed int) {
	for id := range b.Segments {
		if a.Segments[id] == nil {
			added++
		}
	}
	leaf := leavesIn(a)
	for id := range a.Segments {
		if b.Segments[id] == nil && !leaf[id] {
			changed++
		}
	}
	return added, changed
}

// leavesIn are the segments without children.
func leavesIn(s *datomicsample.Sample) map[graph.ID]bool {
	leaves := map[graph.ID]bool{}
	walkSample(s, func(ref graph.Ref) {
		if ref.Level == graph.Leaf {
			leaves[ref.ID] = true
		}
	})
	return leaves
}
