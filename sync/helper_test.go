package dbsync_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/require"

	_ "github.com/rclone/rclone/backend/local"

	"github.com/rclone-datom/rclone-datom/fstest/forge"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// database is a store of two generations. The second has objects of its own
// of every kind, under the names below.
type database struct {
	*forge.Store
	// what names the objects of the second generation: "leaf", "inner",
	// "root", "schema", "commit", "head", "branches"; key has their keys.
	what map[string]string
	key  map[string]any
	// record is the second commit.
	record fressian.Map
	old    map[string]fressian.UUID
}

// first writes the first generation.
func first(t *testing.T, header konserve.Header, key string) *database {
	d := &database{Store: forge.New(t), what: map[string]string{}, key: map[string]any{}, old: map[string]fressian.UUID{}}
	d.Header, d.Key = header, key
	a, b, c := d.Leaf(3), d.Leaf(2), d.Leaf(1)
	d.old = map[string]fressian.UUID{"a": a, "b": b, "c": c, "ab": d.Branch(1, 5, a, b), "c'": d.Branch(1, 1, c), "flat": d.Leaf(1)}
	root := d.Branch(2, 6, d.old["ab"], d.old["c'"])
	d.old["root"], d.old["schema"], d.old["commit"] = root, d.Schema("string"), d.UUID()
	d.Commit(d.old["commit"], d.Record(d.old["commit"], 1, d.old["schema"], d.indexes(root, 6)), "db")
	d.Branches("db")
	return d
}

func (d *database) indexes(root any, n int) map[string]fressian.Tagged {
	return map[string]fressian.Tagged{"eavt": forge.Index(root, n), "aevt": forge.Index(d.old["flat"], 1)}
}

// second writes the second generation: one leaf and its ancestors are new.
func (d *database) second() {
	leaf := d.UUID()
	d.put("leaf", leaf, forge.LeafValue(4))
	inner := d.UUID()
	d.put("inner", inner, forge.BranchValue(1, 4, leaf))
	root := d.UUID()
	d.put("root", root, forge.BranchValue(2, 9, d.old["ab"], inner))
	schema := d.UUID()
	d.put("schema", schema, forge.M("schema", forge.M("name", forge.M(forge.K("db", "valueType"), forge.K("db.type", "long")))))
	id := d.UUID()
	d.record = d.Record(id, 2, schema, d.indexes(root, 9), d.old["commit"])
	d.put("commit", id, d.record)
	d.put("head", forge.K("db"), d.record)
	d.put("branches", forge.K("branches"), fressian.Set{forge.K("db")})
}

// put writes an object and remembers it under a word.
func (d *database) put(word string, key, value any) {
	d.what[word], d.key[word] = d.Put(key, value), key
}

// change writes other bytes in the place of an object.
func (d *database) change(word string, f func(b []byte) []byte) {
	d.Write(d.what[word], f(append([]byte(nil), d.Read(d.what[word])...)))
}

// rerecord writes another record as commit and head.
func (d *database) rerecord(entries ...any) {
	d.record = forge.With(d.record, entries...)
	d.Put(d.key["commit"], d.record)
	d.Put(forge.K("db"), d.record)
}

func (d *database) source(t testing.TB, key string) dbsync.Source {
	f := local(t, d.Dir)
	return dbsync.Source{Fs: f, Store: store.New(f, ""), Dialect: datahike.New(key)}
}

func local(t testing.TB, dir string) fs.Fs {
	f, err := fs.NewFs(context.Background(), dir)
	require.NoError(t, err)
	return f
}

func (d *database) backup(t testing.TB, dst string, accept ...string) (*dbsync.BackupReport, error) {
	return dbsync.Backup(t.Context(), d.source(t, d.Key), local(t, dst), dbsync.BackupOptions{Accept: accept})
}

// files returns every file below dir with its bytes.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		all[filepath.ToSlash(rel)] = string(b)
		return err
	}))
	return all
}

// untouched checks that a run has left a destination as it was, except for
// segments written early and the notes about them.
func untouched(t testing.TB, before, after map[string]string) {
	t.Helper()
	for name, b := range before {
		require.Equal(t, b, after[name], name)
	}
	for name := range after {
		if _, ok := before[name]; ok {
			continue
		}
		early := strings.HasPrefix(name, "store/") && !strings.HasSuffix(name, ".new") || strings.HasPrefix(name, "inflight/")
		require.True(t, early, "%s should not be there", name)
	}
}

func points(t testing.TB, dst string) []dbsync.Point {
	t.Helper()
	p, err := dbsync.Points(t.Context(), local(t, dst))
	if !errors.Is(err, fs.ErrorObjectNotFound) { // there is none
		require.NoError(t, err)
	}
	var complete []dbsync.Point
	for _, p := range p {
		if p.Complete { // what an unfinished run has left is no point
			complete = append(complete, p)
		}
	}
	return complete
}

// name is the file of an object of the first generation.
func (d *database) name(word string) string { return string(datahike.AddressID(d.old[word])) }

// keyAt is where an object's own key lies in its metadata.
func (d *database) keyAt(word string, b []byte) int {
	switch k := d.key[word].(type) {
	case fressian.UUID:
		return bytes.Index(b, k[:]) + 5
	case fressian.Keyword:
		return bytes.Index(b, []byte(k.Name))
	}
	panic(word + " has no key")
}
