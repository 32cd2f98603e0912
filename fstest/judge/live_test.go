package judge_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/judge"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// database is an empty storage on a server, for a database of a name.
func database(t *testing.T, server *dbserver.Server, name string) judge.Database {
	t.Helper()
	server = server.Database(t)
	config := server.Config()
	config.Write = true
	created, err := table.Open(t.Context(), config)
	require.NoError(t, err)
	require.NoError(t, created.Create(t.Context()))
	require.NoError(t, created.Close())
	return judge.Database{JDBC: server.JDBC(), Name: name}
}

func TestMadeDatabaseMovesBetweenServers(t *testing.T) {
	for name, server := range map[string]func(testing.TB) *dbserver.Server{"postgres": dbserver.Postgres, "mariadb": dbserver.MariaDB} {
		t.Run(name, func(t *testing.T) {
			ctx, j := t.Context(), judge.Start(t)
			shop := database(t, server(t), "shop")
			_, err := j.Make(ctx, shop, 300)
			require.NoError(t, err)
			content, err := j.Content(ctx, shop)
			require.NoError(t, err)
			dir := t.TempDir()
			_, err = j.EngineBackup(ctx, shop, dir, false)
			require.NoError(t, err)
			file := database(t, dbserver.SQLite(t), "moved")
			_, err = j.EngineRestore(ctx, dir, content.BasisT, file)
			require.NoError(t, err)
			moved, err := j.Content(ctx, file)
			require.NoError(t, err)
			assert.Equal(t, content, moved)
		})
	}
}

// The descent relies on what this finds: a node has one parent.
func TestMadeTreesAreBushyAndTrees(t *testing.T) {
	ctx, j := t.Context(), judge.Start(t)
	shop := database(t, dbserver.SQLite(t), "shop")
	_, err := j.Make(ctx, shop, 2000)
	require.NoError(t, err)
	made, err := j.More(ctx, shop, 20, true)
	require.NoError(t, err)
	dir := t.TempDir()
	_, err = j.EngineBackup(ctx, shop, dir, false)
	require.NoError(t, err)
	checked, err := j.Verify(ctx, dir, made.T)
	require.NoError(t, err)

	levels, parents := walk(t, dir, made.T)
	assert.Len(t, parents, checked.Total)
	for id, n := range parents {
		assert.Equal(t, 1, n, id)
	}
	assert.Greater(t, levels[1], 12, "more than a directory for each index")
}

// walk reads a backup with our own eyes: how many nodes each level has, and how
// many parents each node.
func walk(t *testing.T, dir string, at int64) (levels map[graph.Level]int, parents map[graph.ID]int) {
	t.Helper()
	name := strconv.FormatInt(at, 10)
	data, err := os.ReadFile(filepath.Join(dir, "roots", name))
	require.NoError(t, err)
	value, err := datomic.DecodeRoot(name, data)
	require.NoError(t, err)
	levels, parents = map[graph.Level]int{}, map[graph.ID]int{}
	var todo []graph.Ref
	for _, tree := range value.Trees() {
		todo = append(todo, tree.Ref)
	}
	for len(todo) > 0 {
		ref := todo[0]
		todo = todo[1:]
		levels[ref.Level]++
		parents[ref.ID]++
		data, err := os.ReadFile(filepath.Join(dir, "values", datomic.Folder(ref.ID), string(ref.ID)))
		require.NoError(t, err)
		node, err := datomic.New().Decode(ref, data)
		require.NoError(t, err)
		todo = append(todo, node.Children...)
	}
	return levels, parents
}

func TestMadeDatabaseGrowsUnderABackup(t *testing.T) {
	ctx, j := t.Context(), judge.Start(t)
	shop := database(t, dbserver.SQLite(t), "shop")
	made, err := j.Make(ctx, shop, 500)
	require.NoError(t, err)

	dir := t.TempDir()
	full, err := j.EngineBackup(ctx, shop, dir, true)
	require.NoError(t, err)
	assert.Positive(t, full.Copied)
	more, err := j.More(ctx, shop, 3, false)
	require.NoError(t, err)
	assert.Equal(t, made.DatabaseID, more.DatabaseID)
	assert.Greater(t, more.T, made.T)
	again, err := j.EngineBackup(ctx, shop, dir, true)
	require.NoError(t, err)
	assert.Zero(t, again.Copied, "the tail is in the root")

	found, err := j.Backups(ctx, dir)
	require.NoError(t, err)
	assert.Equal(t, judge.Backups{DatabaseID: made.DatabaseID, Ts: []int64{more.T, made.T}}, found)
	content, err := j.Content(ctx, shop)
	require.NoError(t, err)
	assert.Equal(t, content, judge.Backup(t, dir, more.T)[0].Restored)

	copied := database(t, dbserver.SQLite(t), "copy")
	_, err = j.EngineRestore(ctx, dir, more.T, copied)
	require.NoError(t, err)
	restored, err := j.Content(ctx, copied)
	require.NoError(t, err)
	assert.Equal(t, content, restored)
}

func TestGarbageOfIndexJobsIsCollected(t *testing.T) {
	ctx, j := t.Context(), judge.Start(t)
	shop := database(t, dbserver.SQLite(t), "shop")
	_, err := j.Make(ctx, shop, 500)
	require.NoError(t, err)
	_, err = j.More(ctx, shop, 3, true)
	require.NoError(t, err)
	before, err := j.Content(ctx, shop)
	require.NoError(t, err)
	deleted, err := j.GC(ctx, shop)
	require.NoError(t, err)
	assert.Positive(t, deleted)
	after, err := j.Content(ctx, shop)
	require.NoError(t, err)
	assert.Equal(t, before, after)
}

func TestCatalogFollowsNames(t *testing.T) {
	ctx, j := t.Context(), judge.Start(t)
	shop := database(t, dbserver.SQLite(t), "shop")
	made, err := j.Make(ctx, shop, 10)
	require.NoError(t, err)
	require.NoError(t, j.Rename(ctx, shop, "store"))
	got, err := j.Catalog(ctx, shop)
	require.NoError(t, err)
	assert.Equal(t, judge.Catalog{Names: map[string]string{"store": made.DatabaseID}, Deleted: []string{}}, got)
	store := judge.Database{JDBC: shop.JDBC, Name: "store"}
	require.NoError(t, j.Delete(ctx, store))
	got, err = j.Catalog(ctx, shop)
	require.NoError(t, err)
	assert.Equal(t, judge.Catalog{Names: map[string]string{}, Deleted: []string{made.DatabaseID}}, got)
}

func TestRefusalHasItsKind(t *testing.T) {
	ctx, j := t.Context(), judge.Start(t)
	other := database(t, dbserver.SQLite(t), "sample")
	_, err := j.Make(ctx, other, 10)
	require.NoError(t, err)
	_, err = j.EngineRestore(ctx, fixture.DatomicBackup(t, "gen1"), 1485, other)
	var refusal *judge.Refusal
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, ":restore/collision", refusal.Kind)
}
