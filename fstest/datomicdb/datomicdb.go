// Package datomicdb makes small Datomic storages for tests, without Datomic and
// without a server: the rows of a backup, and SQLite files of rows.
package datomicdb

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// Name is the database's name in the catalog of [Rows].
const Name = "sample"

// The rows of values that Rows makes: the catalog, and the links of the log's
// tail, newest first.
const (
	Catalog = "c0000000-0000-4000-8000-000000000000"
	Link3   = "d0000000-0000-4000-8000-000000000003"
	Link2   = "d0000000-0000-4000-8000-000000000002"
	Link1   = "d0000000-0000-4000-8000-000000000001"
)

// Rows are those of a storage in which the backup's database stands at a point,
// with the segments of all points. The log's tail is in three links.
func Rows(t testing.TB, backup string, at int64) []table.Row {
	t.Helper()
	name := filepath.Join("roots", strconv.FormatInt(at, 10))
	data, err := os.ReadFile(filepath.Join(backup, name))
	require.NoError(t, err)
	v, err := datomic.DecodeRoot(name, data)
	require.NoError(t, err)
	require.Greater(t, len(v.Tail), 2)
	zero := sql.NullInt64{Valid: true}
	catalog := fmt.Sprintf(`{%q {:db-id %q}, :datomic/deleted #{"gone-%s"}}`, Name, v.DatabaseID, Catalog)
	rows := []table.Row{
		{ID: datomic.CatalogRow, Rev: zero, Map: datomic.FormatPod(Catalog)},
		{ID: Catalog, Map: "{}", Val: []byte(catalog)},
		{ID: datomic.IndexRow(v.DatabaseID), Rev: zero, Map: datomic.FormatIndex(v.Index)},
		{ID: datomic.LogRow(v.DatabaseID), Rev: zero, Map: datomic.FormatLog(datomic.LogRef{
			Root: v.Log, Version: v.LogVersion, Tail: graph.ID(Link3), Build: "7622",
		})},
		{ID: Link1, Map: "{}", Val: v.Tail[:1]},
		{ID: Link2, Map: fmt.Sprintf("{:prev %q}", Link1), Val: v.Tail[1 : len(v.Tail)/2]},
		{ID: Link3, Map: fmt.Sprintf("{:prev %q}", Link2), Val: v.Tail[len(v.Tail)/2:]},
	}
	files, err := filepath.Glob(filepath.Join(backup, "values", "*", "*"))
	require.NoError(t, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		rows = append(rows, table.Row{ID: filepath.Base(file), Map: "{}", Val: data})
	}
	return rows
}

// Row is the row of an id, to be changed.
func Row(t testing.TB, rows []table.Row, id string) *table.Row {
	t.Helper()
	i := slices.IndexFunc(rows, func(r table.Row) bool { return r.ID == id })
	require.GreaterOrEqual(t, i, 0, id)
	return &rows[i]
}

// Without are the rows but for one.
func Without(rows []table.Row, id string) []table.Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r table.Row) bool { return r.ID == id })
}

// SQLite writes rows to a new file and returns its name.
func SQLite(t testing.TB, rows []table.Row) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "datomic.sqlite")
	change(t, file, func(tx *sql.Tx) error {
		_, err := tx.Exec("CREATE TABLE datomic_kvs (id TEXT PRIMARY KEY, rev INTEGER, map TEXT, val BLOB)")
		return err
	})
	Replace(t, file, rows)
	return file
}

// Replace adds rows to a file, or replaces those that are there.
func Replace(t testing.TB, file string, rows []table.Row) {
	t.Helper()
	change(t, file, func(tx *sql.Tx) error {
		for _, r := range rows {
			if _, err := tx.Exec("REPLACE INTO datomic_kvs VALUES (?, ?, ?, ?)", r.ID, r.Rev, r.Map, r.Val); err != nil {
				return err
			}
		}
		return nil
	})
}

// Delete removes rows from a file by their ids.
func Delete(t testing.TB, file string, ids []string) {
	t.Helper()
	change(t, file, func(tx *sql.Tx) error {
		for _, id := range ids {
			if _, err := tx.Exec("DELETE FROM datomic_kvs WHERE id = ?", id); err != nil {
				return err
			}
		}
		return nil
	})
}

// change does something in one transaction.
func change(t testing.TB, file string, do func(tx *sql.Tx) error) {
	t.Helper()
	db, err := sql.Open("sqlite", file+"?_pragma=busy_timeout(10000)") // a restore may be writing
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	tx, err := db.BeginTx(context.Background(), nil)
	require.NoError(t, err)
	require.NoError(t, do(tx))
	require.NoError(t, tx.Commit())
}
