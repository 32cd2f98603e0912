package engine

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicdb"
	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	"github.com/rclone-datom/rclone-datom/fstest/fault"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/storage"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// twoPoints is a destination with points of two values.
func twoPoints(t testing.TB) (dst fs.Fs, a, b *datomicsample.Sample) {
	t.Helper()
	a = smallDatomic()
	b = a.Next(4)
	dst = memory(t)
	mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
	mustKeep(t, shelved(a, b), dst, dbsync.BackupOptions{})
	return dst, a, b
}

func at(s *datomicsample.Sample) string { return fmt.Sprint(s.T) }

// intoTable restores to a file.
func intoTable(t testing.TB, dst fs.Fs, file string, opt dbsync.RestoreOptions) (*dbsync.RestoreReport, error) {
	t.Helper()
	return dbsync.RestoreTable(quick(), dst, sqlite(t, file, true), opt)
}

// holds checks that a database of a table is a value, segment for segment.
func holds(t testing.TB, file, name string, want *datomicsample.Sample) {
	t.Helper()
	st, err := storage.OpenSQL(quick(), sqlite(t, file, false), name)
	require.NoError(t, err)
	v, err := st.Pin(quick())
	require.NoError(t, err)
	assert.Equal(t, want.Value, v)
	rows := rowsIn(t, file)
	for id, data := range want.Segments {
		row, ok := rows[string(id)]
		assert.True(t, ok && bytes.Equal(row.Val, data) && !row.Rev.Valid && row.Map == "{}", "%s", id)
	}
}

// unnamed checks that a table has no row by which a database is found.
func unnamed(t testing.TB, file string) {
	t.Helper()
	for id, row := range rowsIn(t, file) {
		assert.NoError(t, datomic.CheckID(graph.ID(id)))
		assert.False(t, row.Rev.Valid, id)
	}
}

// TestDatomicTable: restores into a table, first empty, then with databases.
func TestDatomicTable(t *testing.T) {
	dst, a, b := twoPoints(t)
	file := datomicdb.SQLite(t, nil)
	rep, err := intoTable(t, dst, file, dbsync.RestoreOptions{At: at(a)})
	require.NoError(t, err)
	assert.Equal(t, "sample", rep.Name)
	assert.EqualValues(t, len(a.Segments), rep.Written.Segments)
	holds(t, file, "sample", a)

	other := renamed(datomicsample.Make(datomicsample.Options{Seed: 77}), "other-6b00f51f-0000-4000-8000-000000000001")
	place := memory(t)
	mustKeep(t, shelved(other), place, dbsync.BackupOptions{})
	_, err = intoTable(t, place, file, dbsync.RestoreOptions{As: "beside"})
	require.NoError(t, err)
	holds(t, file, "beside", other)
	holds(t, file, "sample", a)

	rep, err = intoTable(t, dst, file, dbsync.RestoreOptions{}) // forth
	require.NoError(t, err)
	assert.EqualValues(t, len(b.Segments)-int(rep.Resumed), rep.Written.Segments)
	assert.NotZero(t, rep.Resumed)
	holds(t, file, "sample", b)
	holds(t, file, "beside", other)

	before := rowsIn(t, file)
	_, err = intoTable(t, dst, file, dbsync.RestoreOptions{At: at(a)}) // back
	require.ErrorIs(t, err, dbsync.ErrRefused)
	assert.ErrorContains(t, err, "--rewind")
	assert.ErrorContains(t, err, at(b))
	assert.Equal(t, before, rowsIn(t, file))
	rep, err = intoTable(t, dst, file, dbsync.RestoreOptions{At: at(a), Rewind: true})
	require.NoError(t, err)
	assert.Zero(t, rep.Written.Segments)
	holds(t, file, "sample", a)
	rows := rowsIn(t, file)
	assert.Equal(t, int64(2), rows[datomic.LogRow(a.Value.DatabaseID)].Rev.Int64, "counted up by each restore")
	assert.Equal(t, int64(3), rows[datomic.CatalogRow].Rev.Int64, "held against a deletion each time")
}

// TestDatomicTableNames: names and ids that are taken.
func TestDatomicTableNames(t *testing.T) {
	dst, a, _ := twoPoints(t)
	theirs := renamed(datomicsample.Make(datomicsample.Options{Seed: 77}), "theirs-6b00f51f-0000-4000-8000-000000000001")
	for name, tc := range map[string]struct {
		there *datomicsample.Sample
		named string
		as    string
		says  string // empty: it is restored
	}{
		"name of another":       {theirs, "sample", "", "--as"},
		"name given of another": {theirs, "x", "x", "--as"},
		"under another name":    {a, "elsewhere", "", `"elsewhere"`},
		"as another name":       {a, "sample", "new", `"sample"`},
		"as it is named":        {a, "elsewhere", "elsewhere", ""},
		"beside":                {theirs, "theirs", "", ""},
		"any name":              {theirs, "theirs", "a \"quoted\\\" name of ${all} 'kinds' ☃ #{}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			file := datomicdb.SQLite(t, rowsOf(tc.there, tc.named))
			before := rowsIn(t, file)
			rep, err := intoTable(t, dst, file, dbsync.RestoreOptions{As: tc.as})
			if tc.says != "" {
				require.ErrorIs(t, err, dbsync.ErrRefused)
				assert.ErrorContains(t, err, tc.says)
				assert.Equal(t, before, rowsIn(t, file))
				return
			}
			require.NoError(t, err)
			st, err := storage.OpenSQL(quick(), sqlite(t, file, false), rep.Name)
			require.NoError(t, err)
			c, err := st.Catalog(quick())
			require.NoError(t, err)
			assert.Equal(t, a.Value.DatabaseID, c.Names[rep.Name])
			if tc.as != "" {
				assert.Equal(t, tc.as, rep.Name)
			}
		})
	}
}

// TestDatomicTableDeleted: a database that was deleted comes back, under any
// name, and is no longer among the deleted.
func TestDatomicTableDeleted(t *testing.T) {
	dst, a, b := twoPoints(t)
	file := datomicdb.SQLite(t, rowsOf(b, "sample"))
	deleted := &datomic.Catalog{Names: map[string]string{}, Deleted: []string{"gone-1", a.Value.DatabaseID}}
	text, err := deleted.Encode()
	require.NoError(t, err)
	row := rowsIn(t, file)[datomic.CatalogRow]
	tail, err := datomic.ParsePod(row.Map)
	require.NoError(t, err)
	datomicdb.Replace(t, file, []table.Row{{ID: string(tail), Map: "{}", Val: text}})
	_, err = intoTable(t, dst, file, dbsync.RestoreOptions{At: at(a), As: "back"})
	require.NoError(t, err)
	holds(t, file, "back", a)
	st, err := storage.OpenSQL(quick(), sqlite(t, file, false), "")
	require.NoError(t, err)
	c, err := st.Catalog(quick())
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"back": a.Value.DatabaseID}, c.Names)
	assert.Equal(t, []string{"gone-1"}, c.Deleted)
}

// TestDatomicTableInterrupted: a restore is interrupted at every read of the
// backup. The rows stay, nothing finds them, and the next restore goes on.
func TestDatomicTableInterrupted(t *testing.T) {
	b := datomicsample.Make(datomicsample.Options{Leaves: 100, Fanout: 30, Datoms: 2})
	dst := memory(t)
	mustKeep(t, shelved(b), dst, dbsync.BackupOptions{})
	resumed := int64(0)
	for n := 1; ; n += 60 {
		file := datomicdb.SQLite(t, nil)
		f := fault.New(dst, fault.Options{})
		f.Inject(fault.Rule{N: n, Match: fault.On(fault.Open, "values/")})
		ctx, ci := fs.AddConfig(quick())
		ci.Transfers = 1
		_, err := dbsync.RestoreTable(ctx, f, sqlite(t, file, true), dbsync.RestoreOptions{})
		if f.Tripped() == nil {
			require.NoError(t, err)
			break
		}
		require.ErrorIs(t, err, fault.ErrInjected)
		unnamed(t, file)
		rep, err := intoTable(t, dst, file, dbsync.RestoreOptions{})
		require.NoError(t, err)
		resumed += rep.Resumed
		assert.EqualValues(t, len(b.Segments), rep.Written.Segments+rep.Resumed)
		holds(t, file, "sample", b)
		assert.Len(t, rowsIn(t, file), len(b.Segments)+7)
	}
	assert.NotZero(t, resumed, "no interrupted restore has left anything")
}

// TestDatomicTableOtherBytes: a row of a segment's id is there and is not what
// was backed up.
func TestDatomicTableOtherBytes(t *testing.T) {
	dst, _, b := twoPoints(t)
	id := anyOf(t, b, graph.Leaf)
	for name, val := range map[string][]byte{
		"null": nil, "empty": {}, "torn": b.Segments[id][:20], "of the same length": make([]byte, len(b.Segments[id])),
	} {
		file := datomicdb.SQLite(t, []table.Row{{ID: string(id), Map: "{}", Val: val}})
		_, err := intoTable(t, dst, file, dbsync.RestoreOptions{})
		require.ErrorIs(t, err, graph.ErrCorrupt, name)
		assert.ErrorContains(t, err, string(id), name)
		assert.ErrorContains(t, err, "delete", name)
		unnamed(t, file)
		assert.True(t, bytes.Equal(val, rowsIn(t, file)[string(id)].Val), name)
		datomicdb.Delete(t, file, []string{string(id)})
		_, err = intoTable(t, dst, file, dbsync.RestoreOptions{})
		require.NoError(t, err, name)
		holds(t, file, "sample", b)
	}
}

// meanwhile is a backup whose reading has somebody else do something once.
type meanwhile struct {
	fs.Fs
	once sync.Once
	do   func()
}

func (m *meanwhile) NewObject(ctx context.Context, name string) (fs.Object, error) {
	if strings.HasPrefix(name, "values/") {
		m.once.Do(m.do)
	}
	return m.Fs.NewObject(ctx, name)
}

// TestDatomicTableConflict: a row that the restore will write is changed by
// somebody else meanwhile. Nothing is written but segments.
func TestDatomicTableConflict(t *testing.T) {
	dst, a, b := twoPoints(t)
	for _, name := range []string{datomic.CatalogRow, datomic.IndexRow(a.Value.DatabaseID), datomic.LogRow(a.Value.DatabaseID)} {
		for _, there := range []bool{false, true} {
			if there && name == datomic.CatalogRow {
				continue // it need not change
			}
			file := datomicdb.SQLite(t, nil)
			if there {
				datomicdb.Replace(t, file, rowsOf(a, "sample"))
			}
			changed := table.Row{ID: name, Rev: sql.NullInt64{Int64: 7, Valid: true}, Map: `{:key "6b00f51f-0000-4000-8000-000000000001"}`}
			src := &meanwhile{Fs: dst, do: func() { datomicdb.Replace(t, file, []table.Row{changed}) }}
			_, err := intoTable(t, src, file, dbsync.RestoreOptions{})
			require.ErrorIs(t, err, dbsync.ErrRefused, name)
			require.ErrorIs(t, err, table.ErrConflict)
			assert.ErrorContains(t, err, name)
			rows := rowsIn(t, file)
			assert.Equal(t, changed.Map, rows[name].Map)
			_, catalog := rows[datomic.CatalogRow]
			assert.Equal(t, there || name == datomic.CatalogRow, catalog)
			if name != datomic.CatalogRow {
				continue
			}
			datomicdb.Delete(t, file, []string{name})
			_, err = intoTable(t, dst, file, dbsync.RestoreOptions{})
			require.NoError(t, err)
			holds(t, file, "sample", b)
		}
	}
}

// TestDatomicTableTransactor: a fresh sign of life is told, an old one is not,
// and the password in it never is.
func TestDatomicTableTransactor(t *testing.T) {
	dst, _, b := twoPoints(t)
	for age, warns := range map[time.Duration]bool{2 * time.Second: true, time.Hour: false} {
		for _, name := range []string{"pod-coord", "pod-standby"} {
			file := datomicdb.SQLite(t, []table.Row{{ID: name, Rev: sql.NullInt64{Valid: true}, Map: fmt.Sprintf(
				`{:key "[\"localhost\" nil 4334 \"user\" \"s3cr3t-passw0rd\" %d \"1.0.7622\" true 2]"}`, time.Now().Add(-age).UnixMilli())}})
			before := rowsIn(t, file)[name]
			logged := logOf(t, func() {
				rep, err := intoTable(t, dst, file, dbsync.RestoreOptions{})
				require.NoError(t, err)
				assert.NotContains(t, fmt.Sprint(rep), "s3cr3t")
				assert.Equal(t, before, rowsIn(t, file)[name])
			})
			assert.Equal(t, warns, strings.Contains(logged, "transactor seems to run"), "%v %s: %s", age, name, logged)
			assert.NotContains(t, logged, "s3cr3t")
			holds(t, file, "sample", b)
		}
	}
}

// logOf is what is logged meanwhile, of every kind.
func logOf(t testing.TB, do func()) string {
	t.Helper()
	var out strings.Builder
	ci := fs.GetConfig(context.Background())
	ci.LogLevel = fs.LogLevelDebug
	fs.SetLogger(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	defer func() {
		fs.SetLogger(slog.Default().Handler())
		ci.LogLevel = fs.LogLevelEmergency
	}()
	do()
	return out.String()
}

// TestDatomicTableCatalogLost: the catalog's value is gone, or is no catalog.
// Writing one would lose the names that were there.
func TestDatomicTableCatalogLost(t *testing.T) {
	dst, a, _ := twoPoints(t)
	for _, text := range []string{"", "{", `{"x" 1}`} {
		file := datomicdb.SQLite(t, rowsOf(renamed(a, "other-1"), "other"))
		tail, err := datomic.ParsePod(rowsIn(t, file)[datomic.CatalogRow].Map)
		require.NoError(t, err)
		datomicdb.Delete(t, file, []string{string(tail)})
		if text != "" {
			datomicdb.Replace(t, file, []table.Row{{ID: string(tail), Map: "{}", Val: []byte(text)}})
		}
		before := rowsIn(t, file)
		_, err = intoTable(t, dst, file, dbsync.RestoreOptions{})
		require.Error(t, err, text)
		assert.Regexp(t, "catalog", err.Error())
		assert.Equal(t, before, rowsIn(t, file))
	}
}

// TestDatomicTableOrphan: the rows of the database are there and no catalog.
func TestDatomicTableOrphan(t *testing.T) {
	dst, a, b := twoPoints(t)
	file := datomicdb.SQLite(t, rowsOf(a, "sample"))
	datomicdb.Delete(t, file, []string{datomic.CatalogRow})
	_, err := intoTable(t, dst, file, dbsync.RestoreOptions{})
	require.NoError(t, err)
	holds(t, file, "sample", b)
}

// TestDatomicTableAbsent: there is no table, or nothing is to be written.
func TestDatomicTableAbsent(t *testing.T) {
	dst, a, _ := twoPoints(t)
	file := filepath.Join(t.TempDir(), "new.sqlite")
	_, err := intoTable(t, dst, file, dbsync.RestoreOptions{})
	require.ErrorIs(t, err, dbsync.ErrRefused)
	assert.ErrorContains(t, err, "--create-table")
	dry := func(file string, opt dbsync.RestoreOptions) {
		ctx, ci := fs.AddConfig(quick())
		ci.DryRun = true
		rep, err := dbsync.RestoreTable(ctx, dst, sqlite(t, file, true), opt)
		require.NoError(t, err)
		assert.True(t, rep.DryRun)
		assert.NotZero(t, rep.Written.Segments)
	}
	dry(file, dbsync.RestoreOptions{CreateTable: true})
	if _, err := os.Stat(file); err == nil {
		there, err := sqlite(t, file, true).Exists(quick())
		require.NoError(t, err)
		assert.False(t, there)
	}
	there := datomicdb.SQLite(t, rowsOf(a, "sample"))
	before := rowsIn(t, there)
	dry(there, dbsync.RestoreOptions{})
	assert.Equal(t, before, rowsIn(t, there))
	_, err = intoTable(t, dst, file, dbsync.RestoreOptions{CreateTable: true, At: at(a)})
	require.NoError(t, err)
	holds(t, file, "sample", a)
}
