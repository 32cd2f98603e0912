package engine

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicdb"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// TestDatomicGenerations backs up three moments of one database from SQLite,
// one after the other. The destination is the backup that Datomic has made of
// them, and each point restores to what a backup of its moment alone has.
func TestDatomicGenerations(t *testing.T) {
	dst := memory(t)
	file := datomicdb.SQLite(t, nil)
	points := map[string]image{}
	for _, gen := range fixture.DatomicGens() {
		dir := fixture.DatomicBackup(t, gen.Name)
		datomicdb.Replace(t, file, datomicdb.Rows(t, dir, gen.T))
		rep := mustKeep(t, inSQLite(t, file), dst, dbsync.BackupOptions{})
		assert.EqualValues(t, gen.Segments, rep.Total.Segments)
		sameAsDatomic(t, dumpDir(t, dir), dump(t, dst).datomicPart())

		alone := memory(t)
		mustKeep(t, inSQLite(t, datomicdb.SQLite(t, datomicdb.Rows(t, dir, gen.T))), alone, dbsync.BackupOptions{})
		points[rep.Point] = dump(t, alone).datomicPart()
		assert.Len(t, points[rep.Point], gen.Segments+2)
		assert.True(t, mustKeep(t, inSQLite(t, file), dst, dbsync.BackupOptions{}).UpToDate)
	}
	for at, want := range points {
		assert.Empty(t, check(t, dst, at, true))
		assert.Empty(t, want.differs(restored(t, dst, at)))
		throughSQLite(t, dst, at, want)
	}
}

// sameAsDatomic compares with a backup that Datomic has made. It writes roots
// with other codes for the same.
func sameAsDatomic(t *testing.T, theirs, ours image) {
	t.Helper()
	for name, data := range theirs.below("roots") {
		want, err := datomic.DecodeRoot(name, data)
		require.NoError(t, err)
		have, err := datomic.DecodeRoot(name, ours["roots/"+name])
		require.NoError(t, err)
		assert.Equal(t, want, have)
		theirs["roots/"+name] = ours["roots/"+name]
	}
	assert.Empty(t, theirs.differs(ours))
}

// throughSQLite restores to SQLite, and backs that up again: what comes is
// what there was.
func throughSQLite(t *testing.T, dst fs.Fs, at string, want image) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "new.sqlite")
	rep, err := dbsync.RestoreTable(quick(), dst, sqlite(t, file, true), dbsync.RestoreOptions{At: at, CreateTable: true})
	require.NoError(t, err)
	assert.EqualValues(t, len(want)-2, rep.Written.Segments)
	assert.Len(t, rowsIn(t, file), len(want)-2+4+3, "segments, named rows and values of theirs")
	again := memory(t)
	mustKeep(t, inSQLite(t, file), again, dbsync.BackupOptions{})
	assert.Empty(t, want.differs(dump(t, again).datomicPart()))
}

// rowsIn reads a whole table.
func rowsIn(t testing.TB, file string) map[string]table.Row {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	found, err := db.QueryContext(context.Background(), "SELECT id, rev, map, val FROM datomic_kvs")
	require.NoError(t, err)
	rows := map[string]table.Row{}
	for found.Next() {
		var r table.Row
		require.NoError(t, found.Scan(&r.ID, &r.Rev, &r.Map, &r.Val))
		rows[r.ID] = r
	}
	require.NoError(t, found.Err())
	return rows
}

// TestDatomicOlderPoints: a t, as Datomic names backups, and a point's id find
// the same.
func TestDatomicOlderPoints(t *testing.T) {
	dst, points := threeGenerations(t)
	for i, gen := range fixture.DatomicGens() {
		for _, at := range []string{strconv.FormatInt(gen.T, 10), fmt.Sprintf("t%d", gen.T), points[i]} {
			rep, err := dbsync.Restore(quick(), dst, memory(t), dbsync.RestoreOptions{At: at})
			require.NoError(t, err)
			assert.Equal(t, points[i], rep.Point, at)
			assert.Equal(t, gen.T, rep.T)
		}
	}
	all, err := dbsync.Points(quick(), dst)
	require.NoError(t, err)
	require.Len(t, all, 3)
	for i, p := range all {
		assert.Equal(t, points[i], p.ID)
		assert.Equal(t, string(snapshot.Datomic), p.Kind)
		assert.False(t, p.Native)
	}
}

// threeGenerations is a destination with a point for each moment.
func threeGenerations(t testing.TB) (dst fs.Fs, points []string) {
	t.Helper()
	dst = memory(t)
	file := datomicdb.SQLite(t, nil)
	for _, gen := range fixture.DatomicGens() {
		datomicdb.Replace(t, file, datomicdb.Rows(t, fixture.DatomicBackup(t, gen.Name), gen.T))
		points = append(points, mustKeep(t, inSQLite(t, file), dst, dbsync.BackupOptions{}).Point)
	}
	return dst, points
}

// TestDatomicSameT: an index job has run since, and nothing was transacted.
// The root at that t becomes the newer one, as Datomic's would, and both
// points stay.
func TestDatomicSameT(t *testing.T) {
	a := smallDatomic()
	reindexed := a.Next(0)
	require.Equal(t, a.T, reindexed.T)
	dst := memory(t)
	first := mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
	second := mustKeep(t, shelved(a, reindexed), dst, dbsync.BackupOptions{})
	require.NotEqual(t, first.Point, second.Point)
	assert.Empty(t, native(t, a).with(native(t, reindexed)).differs(dump(t, dst).datomicPart()))
	for at, want := range map[string]image{first.Point: native(t, a), second.Point: native(t, reindexed), "": native(t, reindexed)} {
		assert.Empty(t, want.differs(restored(t, dst, at)))
		assert.Empty(t, check(t, dst, at, true))
	}
	assert.Equal(t, a.Value.DatabaseID, string(bytes.TrimSpace(dump(t, dst)["owner"])))
}
