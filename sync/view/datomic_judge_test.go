package view_test

import (
	"bytes"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/judge"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// said are facts as the judge says them.
func said(c judge.Content) facts {
	return facts{
		DatomicFacts: c.DatomicFacts, AEVTCurrent: c.AEVTCurrent, AVETCurrent: c.AVETCurrent, VAETCurrent: c.VAETCurrent,
		CurrentSHA256: c.CurrentSHA256, HistoryAEVT: c.HistoryAEVTSHA256,
	}
}

// storageOf reads a SQLite storage and its newest value.
func storageOf(t testing.TB, file, db string) *datomicBackup {
	t.Helper()
	c, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	rows, err := c.Query("SELECT id, map, val FROM datomic_kvs")
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	b, maps := newBackup(), map[string]string{}
	for rows.Next() {
		var id, text string
		var val []byte
		require.NoError(t, rows.Scan(&id, &text, &val))
		b.segments[graph.ID(id)], maps[id] = val, text
	}
	require.NoError(t, rows.Err())
	v := &datomic.Value{DatabaseID: db, IndexVersion: 2}
	v.Index, err = datomic.ParseIndex(maps[datomic.IndexRow(db)])
	require.NoError(t, err)
	log, err := datomic.ParseLog(maps[datomic.LogRow(db)])
	require.NoError(t, err)
	v.Log, v.LogVersion = log.Root, log.Version
	for id := log.Tail; id != ""; {
		v.Tail = append(bytes.Clone(b.segments[id]), v.Tail...)
		id, err = datomic.ParsePrev(maps[string(id)])
		require.NoError(t, err)
	}
	b.values[0] = v
	return b
}

// TestDatomicStoragesAsJudged: the storages around a collection of garbage hold
// what Datomic finds in them.
func TestDatomicStoragesAsJudged(t *testing.T) {
	j := judge.Start(t)
	for _, name := range []string{fixture.DatomicRootA, fixture.DatomicBeforeGC, fixture.DatomicAfterGC} {
		file := fixture.DatomicSQLite(t, name)
		content, err := j.Content(t.Context(), judge.Database{JDBC: "jdbc:sqlite:" + file, Name: "gcdb"})
		require.NoError(t, err)
		b := storageOf(t, file, content.DatabaseID)
		assert.Equal(t, said(content), factsOf(t, b.open(t, 0)), name)
	}
}

// TestDatomicMadeAsJudged: a larger database, with many leaves and dirs, and
// transactions that no index has yet, holds what Datomic finds in it.
func TestDatomicMadeAsJudged(t *testing.T) {
	ctx, j := t.Context(), judge.Start(t)
	server := dbserver.SQLite(t)
	config := server.Config()
	config.Write = true
	created, err := table.Open(ctx, config)
	require.NoError(t, err)
	require.NoError(t, created.Create(ctx))
	require.NoError(t, created.Close())
	shop := judge.Database{JDBC: server.JDBC(), Name: "shop"}
	_, err = j.Make(ctx, shop, 20000)
	require.NoError(t, err)
	_, err = j.More(ctx, shop, 60, true)
	require.NoError(t, err)
	made, err := j.More(ctx, shop, 20, false)
	require.NoError(t, err)
	content, err := j.Content(ctx, shop)
	require.NoError(t, err)
	dir := t.TempDir()
	_, err = j.EngineBackup(ctx, shop, dir, false)
	require.NoError(t, err)

	b := readDatomic(t, dir)
	v := b.open(t, made.T)
	assert.Equal(t, said(content), factsOf(t, v))
	const path, trees = 3, 2 // of main and hist; there is no mid
	recent := scanned(t, v, datom.Query{TxFrom: made.T - 800})
	require.Greater(t, len(recent), 1000)
	for i := 0; i < len(recent); i += 20 {
		b.total()
		found := scanned(t, v, datom.Query{Entity: &recent[i].E, History: true})
		assert.Contains(t, found, recent[i])
		assert.LessOrEqual(t, b.total(), trees*(path+1))
	}
}
