package dbsync_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs/fserrors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicdb"
	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/storage"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// fromSQLite backs up the only database in a file.
func fromSQLite(t testing.TB, file, dst string) (*dbsync.BackupReport, error) {
	t.Helper()
	tab, err := table.Open(t.Context(), table.Config{Kind: table.SQLite, Path: file})
	require.NoError(t, err)
	defer func() { require.NoError(t, tab.Close()) }()
	st, err := storage.OpenSQL(t.Context(), tab, "")
	if err != nil {
		return nil, err
	}
	return dbsync.Backup(t.Context(), dbsync.Source{Datomic: st}, local(t, dst), dbsync.BackupOptions{})
}

// kindsOf are segments of a fixture, of every kind that it has, by level.
func kindsOf(t testing.TB, dir string) map[string]graph.ID {
	t.Helper()
	st, err := storage.OpenBackup(t.Context(), local(t, dir), 0)
	require.NoError(t, err)
	v, err := st.Pin(t.Context())
	require.NoError(t, err)
	kinds := map[string]graph.ID{}
	for i, names := range [][]string{{"leaf", "dir", "root", "top"}, {"log leaf", "log dir", "log root"}} {
		ref := v.Trees()[i].Ref
		for {
			kinds[names[ref.Level]] = ref.ID
			if ref.Level == graph.Leaf {
				break
			}
			data, err := st.Get(t.Context(), ref.ID)
			require.NoError(t, err)
			node, err := datomic.New().Decode(ref, data)
			require.NoError(t, err)
			ref = node.Children[0]
		}
	}
	return kinds
}

func unzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	data, err = io.ReadAll(z)
	require.NoError(t, err)
	return data
}

// harmsOfRows are what may have happened to a segment's row; nil is no row.
var harmsOfRows = map[string]func(t testing.TB, data []byte) []byte{
	"gone":            nil,
	"NULL":            func(testing.TB, []byte) []byte { return nil },
	"empty":           func(testing.TB, []byte) []byte { return []byte{} },
	"cut in half":     func(_ testing.TB, b []byte) []byte { return b[:len(b)/2] },
	"cut by a byte":   func(_ testing.TB, b []byte) []byte { return b[:len(b)-1] },
	"grown":           func(_ testing.TB, b []byte) []byte { return append(b, 0) },
	"twice":           func(_ testing.TB, b []byte) []byte { return append(b, b...) },
	"header flipped":  func(_ testing.TB, b []byte) []byte { b[2] ^= 1; return b },
	"middle flipped":  func(_ testing.TB, b []byte) []byte { b[len(b)/2] ^= 16; return b },
	"trailer flipped": func(_ testing.TB, b []byte) []byte { b[len(b)-6] ^= 1; return b },
	"text":            func(testing.TB, []byte) []byte { return []byte("not a segment at all") },
	"other content":   func(testing.TB, []byte) []byte { return datomicsample.Pack("a text", true) },
	"unknown struct": func(testing.TB, []byte) []byte {
		return datomicsample.Pack(fressian.Tagged{Tag: "index-leaf-of-tomorrow", Fields: []any{int64(1)}}, true)
	},
	"footer damaged": func(t testing.TB, b []byte) []byte {
		content := unzipped(t, b)
		content[len(content)-1] ^= 1
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, err := w.Write(content)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return out.Bytes()
	},
}

// TestDatomicBadRows: every harm to every kind of segment at the source ends a
// backup with an error that names the id, and makes no point.
func TestDatomicBadRows(t *testing.T) {
	dir := fixture.DatomicBackup(t, "gen1")
	sound := datomicdb.Rows(t, dir, 1485)
	for kind, id := range kindsOf(t, dir) {
		for name, harm := range harmsOfRows {
			t.Run(kind+" "+name, func(t *testing.T) {
				if strings.HasSuffix(kind, "leaf") && name == "footer damaged" {
					t.Skip("the CRC has vouched for a leaf's bytes")
				}
				rows := datomicdb.Without(sound, string(id))
				if harm != nil {
					bad := *datomicdb.Row(t, sound, string(id))
					bad.Val = harm(t, slices.Clone(bad.Val))
					rows = append(rows, bad)
				}
				dst := t.TempDir()
				_, err := fromSQLite(t, datomicdb.SQLite(t, rows), dst)
				require.Error(t, err)
				assert.ErrorContains(t, err, string(id))
				assert.True(t, fserrors.IsNoRetryError(err))
				noPoint(t, dst)
				if name != "gone" {
					return
				}
				_, err = fromSQLite(t, datomicdb.SQLite(t, sound), dst)
				require.NoError(t, err)
				assert.Len(t, points(t, dst), 1)
			})
		}
	}
}

// noPoint checks that a destination has no point, for us and for Datomic.
func noPoint(t testing.TB, dst string) {
	t.Helper()
	for name := range files(t, dst) {
		assert.False(t, strings.HasPrefix(name, "roots/") || strings.HasPrefix(name, "snapshots/"), name)
	}
}

// TestDatomicBadNamedRows: rows that are read before anything else.
func TestDatomicBadNamedRows(t *testing.T) {
	sound := datomicdb.Rows(t, fixture.DatomicBackup(t, "gen1"), 1485)
	index, log := datomic.IndexRow(fixture.DatomicID), datomic.LogRow(fixture.DatomicID)
	good := datomicdb.Row(t, sound, log).Map
	for row, texts := range map[string][]string{
		index:              {"", "{", "{}", "[]", `{:key 1}`, `{:key "no-id"}`, `{:key "../../etc/passwd"}`, `{:key "6B00F51F-7D86-4FF1-9443-48D3C1ACD0E9"}`, `{:key "a" :key "b"}`},
		log:                {"", "{}", strings.Replace(good, ":d/l 3", ":d/l 1", 1), strings.Replace(good, ":d/l 3", ":d/l 4", 1), strings.Replace(good, ", :d/l 3", "", 1), strings.Replace(good, ":d/r", ":d/x", 1), good + "}", `{:d/r "x/../y", :d/l 3, :tail "z"}`},
		datomic.CatalogRow: {"", "{}", `{:tail "no-id"}`, `{:tail "6b00f51f-0000-4000-8000-000000000000"}`},
		datomicdb.Link3:    {`{:prev "6b00f51f-0000-4000-8000-000000000000"}`, `{:prev 1}`, "{", `{:prev "` + datomicdb.Link3 + `"}`},
	} {
		for _, text := range append(texts, "gone") {
			rows := slices.Clone(sound)
			if text == "gone" {
				rows = datomicdb.Without(sound, row)
			} else {
				datomicdb.Row(t, rows, row).Map = text
			}
			dst := t.TempDir()
			_, err := fromSQLite(t, datomicdb.SQLite(t, rows), dst)
			require.Error(t, err, "%s %s", row, text)
			named := row
			if row == datomicdb.Link3 {
				named = log // or the link, but not where another one is missing
			}
			assert.ErrorContains(t, err, named, "%s %s", row, text)
			assert.Empty(t, files(t, dst), "%s %s", row, text)
		}
	}
}

// TestDatomicBadTail: the tail is no list of transactions, or a link is NULL.
func TestDatomicBadTail(t *testing.T) {
	sound := datomicdb.Rows(t, fixture.DatomicBackup(t, "gen1"), 1485)
	for name, change := range map[string]func(links map[string]*table.Row){
		"NULL":     func(l map[string]*table.Row) { l[datomicdb.Link2].Val = nil },
		"cut":      func(l map[string]*table.Row) { b := &l[datomicdb.Link3].Val; *b = (*b)[:len(*b)-3] },
		"no begin": func(l map[string]*table.Row) { l[datomicdb.Link1].Val = []byte{0} },
		"junk":     func(l map[string]*table.Row) { l[datomicdb.Link3].Val = []byte("junk") },
		"swapped": func(l map[string]*table.Row) {
			l[datomicdb.Link2].Val, l[datomicdb.Link3].Val = l[datomicdb.Link3].Val, l[datomicdb.Link2].Val
		},
	} {
		rows := slices.Clone(sound)
		links := map[string]*table.Row{}
		for _, id := range []string{datomicdb.Link1, datomicdb.Link2, datomicdb.Link3} {
			links[id] = datomicdb.Row(t, rows, id)
		}
		change(links)
		dst := t.TempDir()
		_, err := fromSQLite(t, datomicdb.SQLite(t, rows), dst)
		require.ErrorIs(t, err, graph.ErrCorrupt, name)
		assert.Empty(t, files(t, dst), name)
	}
}

// TestDatomicStrangeNames: a database's name may be any text, and so may its
// id: it is read, written and compared as it is, and never becomes a path.
func TestDatomicStrangeNames(t *testing.T) {
	s := datomicsample.Make(datomicsample.Options{Leaves: 1})
	for _, name := range []string{
		"a/b", "../../up", `quo"ted`, "back\\slash", "new\nline", "apo'strophe; DROP TABLE datomic_kvs; --", "{:edn 1}", "ünï ☃", "%s", "C:\\x",
	} {
		s.Value.DatabaseID = name + "-6b00f51f-0000-4000-8000-000000000001"
		var rows []table.Row
		for _, r := range s.Rows(name) {
			row := table.Row{ID: r.ID, Map: r.Map, Val: r.Val}
			row.Rev.Int64, row.Rev.Valid = r.Rev, r.Rev >= 0
			rows = append(rows, row)
		}
		dst := t.TempDir()
		rep, err := fromSQLite(t, datomicdb.SQLite(t, rows), dst)
		require.NoError(t, err, "%q", name)
		have := files(t, dst)
		assert.Equal(t, s.Value.DatabaseID, have["owner"])
		for file := range have {
			assert.True(t, filepath.IsLocal(file))
			assert.NotContains(t, file, name+"-")
		}
		file := filepath.Join(t.TempDir(), "to.sqlite")
		tab, err := table.Open(t.Context(), table.Config{Kind: table.SQLite, Path: file, Write: true})
		require.NoError(t, err)
		restored, err := dbsync.RestoreTable(t.Context(), local(t, dst), tab, dbsync.RestoreOptions{CreateTable: true})
		require.NoError(t, err, "%q", name)
		assert.Equal(t, name, restored.Name)
		require.NoError(t, tab.Close())
		again := t.TempDir()
		second, err := fromSQLite(t, file, again)
		require.NoError(t, err, "%q", name)
		assert.Equal(t, rep.Total, second.Total)
		assert.Equal(t, have["owner"], files(t, again)["owner"])
	}
}

// TestDatomicEmptyDatabase: one that was just created, whose log has no leaf.
func TestDatomicEmptyDatabase(t *testing.T) {
	s := datomicsample.Make(datomicsample.Options{Leaves: 1, New: true})
	dir, dst := t.TempDir(), t.TempDir()
	s.WriteBackup(t, dir)
	st, err := storage.OpenBackup(t.Context(), local(t, dir), 0)
	require.NoError(t, err)
	rep, err := dbsync.Backup(t.Context(), dbsync.Source{Datomic: st}, local(t, dst), dbsync.BackupOptions{})
	require.NoError(t, err)
	assert.EqualValues(t, len(s.Segments), rep.Total.Segments)
	v, err := dbsync.Verify(t.Context(), local(t, dst), dbsync.VerifyOptions{Deep: true})
	require.NoError(t, err)
	assert.Empty(t, v.Faults)
	later := s.Next(2)
	later.WriteBackup(t, dir)
	rep, err = dbsync.Backup(t.Context(), dbsync.Source{Datomic: st}, local(t, dst), dbsync.BackupOptions{})
	require.NoError(t, err)
	assert.EqualValues(t, len(later.Segments), rep.Total.Segments)
	assert.Equal(t, slices.Sorted(maps.Keys(files(t, dir))), slices.Sorted(maps.Keys(datomicFiles(files(t, dst)))))
}

// datomicFiles are those of Datomic's own layout.
func datomicFiles(all map[string]string) map[string]string {
	part := map[string]string{}
	for name, data := range all {
		if !strings.HasPrefix(name, "snapshots/") && !strings.HasPrefix(name, "inflight/") {
			part[name] = data
		}
	}
	return part
}
