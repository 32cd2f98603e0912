package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/storage"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// shelf is a Datomic storage in memory. Its fields may be changed between
// backups, and by its hook during one.
type shelf struct {
	value    *datomic.Value
	segments map[graph.ID][]byte
	catalog  *datomic.Catalog
	// hook, if set, is called before the n-th read, from 1. One read is made
	// at a time then.
	hook  func(n int64, id graph.ID)
	reads atomic.Int64
}

// shelved is a storage that holds the last of some values, and the segments of
// all.
func shelved(values ...*datomicsample.Sample) *shelf {
	return &shelf{value: values[len(values)-1].Value, segments: datomicsample.All(values...)}
}

func (s *shelf) Pin(context.Context) (*datomic.Value, error) {
	v := *s.value
	return &v, nil
}

func (s *shelf) Get(_ context.Context, id graph.ID) ([]byte, error) {
	n := s.reads.Add(1)
	if s.hook != nil {
		s.hook(n, id)
	}
	data, ok := s.segments[id]
	if !ok {
		return nil, fmt.Errorf("%s: %w", id, graph.ErrNotFound)
	}
	return data, nil
}

func (s *shelf) Sizes(_ context.Context, ids []graph.ID) (map[graph.ID]int64, error) {
	sizes := map[graph.ID]int64{}
	for _, id := range ids {
		if data, ok := s.segments[id]; ok {
			sizes[id] = int64(len(data))
		}
	}
	return sizes, nil
}

func (s *shelf) Workers() int {
	if s.hook != nil {
		return 1
	}
	return 8
}

func (s *shelf) Reads() int64                                      { return s.reads.Load() }
func (s *shelf) Database() string                                  { return "sample" }
func (s *shelf) Catalog(context.Context) (*datomic.Catalog, error) { return s.catalog, nil }
func (s *shelf) String() string                                    { return "a shelf" }
func (s *shelf) Close() error                                      { return nil }

// sqlite opens a table in a file; write allows restores to it.
func sqlite(t testing.TB, file string, write bool) *table.Table {
	t.Helper()
	tab, err := table.Open(context.Background(), table.Config{Kind: table.SQLite, Path: file, Write: write})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tab.Close()) })
	return tab
}

// inSQLite is the only database in a file.
func inSQLite(t testing.TB, file string) storage.Storage {
	t.Helper()
	st, err := storage.OpenSQL(context.Background(), sqlite(t, file, false), "")
	require.NoError(t, err)
	return st
}

// keep makes a backup of a Datomic database.
func keep(st storage.Storage, dst fs.Fs, opt dbsync.BackupOptions) (*dbsync.BackupReport, error) {
	return dbsync.Backup(quick(), dbsync.Source{Datomic: st}, dst, opt)
}

func mustKeep(t testing.TB, st storage.Storage, dst fs.Fs, opt dbsync.BackupOptions) *dbsync.BackupReport {
	t.Helper()
	rep, err := keep(st, dst, opt)
	require.NoError(t, err)
	return rep
}

// check verifies a point and returns what it finds wrong, by what.
func check(t testing.TB, dst fs.Fs, at string, deep bool) (faults []string) {
	t.Helper()
	rep, err := dbsync.Verify(quick(), dst, dbsync.VerifyOptions{At: at, Deep: deep})
	if !errors.Is(err, dbsync.ErrFaults) {
		require.NoError(t, err)
	}
	for _, f := range rep.Faults {
		faults = append(faults, f.ID)
	}
	return slices.Compact(slices.Sorted(slices.Values(faults)))
}

// native is the backup that Datomic would have made of some values, and of
// nothing else.
func native(t testing.TB, values ...*datomicsample.Sample) image {
	t.Helper()
	img := image{}
	for _, s := range values {
		root, err := s.Value.EncodeRoot()
		require.NoError(t, err)
		img["owner"] = []byte(s.Value.DatabaseID)
		img["roots/"+strconv.FormatInt(s.T, 10)] = root
		for id, data := range s.Segments {
			img[segmentName(id)] = data
		}
	}
	return img
}

func segmentName(id graph.ID) string { return "values/" + datomic.Folder(id) + "/" + string(id) }

// datomicPart are the files that belong to Datomic's own layout.
func (img image) datomicPart() image {
	part := image{}
	for name, data := range img {
		if name == "owner" || strings.HasPrefix(name, "roots/") || strings.HasPrefix(name, "values/") {
			part[name] = data
		}
	}
	return part
}

// with is both images' files; the other's where both have one.
func (img image) with(other image) image {
	all := maps.Clone(img)
	maps.Copy(all, other)
	return all
}

// unsound walks every root of a backup as somebody does who knows Datomic's
// layout alone. It returns what is missing or damaged under a root, and roots
// that cannot be read.
func unsound(img image) map[string]bool {
	bad := map[string]bool{}
	for name, data := range img.below("roots") {
		if _, err := strconv.ParseInt(name, 10, 64); err != nil {
			continue
		}
		v, err := datomic.DecodeRoot(name, data)
		if err != nil {
			bad["roots/"+name] = true
			continue
		}
		if string(img["owner"]) != v.DatabaseID {
			bad["owner"] = true
		}
		for _, tree := range v.Trees() {
			unsoundBelow(img, tree.Ref, bad)
		}
	}
	return bad
}

func unsoundBelow(img image, ref graph.Ref, bad map[string]bool) {
	d, name := datomic.New(), segmentName(ref.ID)
	data, ok := img[name]
	if !ok || d.Check(ref, data) != nil {
		bad[name] = true
		return
	}
	if ref.Level == graph.Leaf {
		return
	}
	node, err := d.Decode(ref, data)
	if err != nil {
		bad[name] = true
	}
	for _, child := range node.Children {
		unsoundBelow(img, child, bad)
	}
}

// anyOf is a segment of an index at a level, the same each time.
func anyOf(t testing.TB, s *datomicsample.Sample, level graph.Level) graph.ID {
	t.Helper()
	return below(t, s, s.Value.Index, level)
}

// below is the first segment at a level under the root of a tree.
func below(t testing.TB, s *datomicsample.Sample, root graph.ID, level graph.Level) graph.ID {
	t.Helper()
	ref := s.Value.Trees()[0].Ref
	if root == s.Value.Log {
		ref = s.Value.Trees()[1].Ref
	}
	for ref.Level > level {
		node, err := datomic.New().Decode(ref, s.Segments[ref.ID])
		require.NoError(t, err)
		ref = node.Children[0]
	}
	return ref.ID
}

// smallDatomic is the first value of a database of some fifty segments.
func smallDatomic() *datomicsample.Sample {
	return datomicsample.Make(datomicsample.Options{Seed: 9, Leaves: 5, Fanout: 3, Files: 1, Tail: 2})
}

// walkSample calls fn for every segment that a value reaches.
func walkSample(s *datomicsample.Sample, fn func(graph.Ref)) {
	d := datomic.New()
	var visit func(ref graph.Ref)
	visit = func(ref graph.Ref) {
		fn(ref)
		if ref.Level == graph.Leaf {
			return
		}
		node, err := d.Decode(ref, s.Segments[ref.ID])
		if err != nil {
			panic(err)
		}
		for _, child := range node.Children {
			visit(child)
		}
	}
	for _, tree := range s.Value.Trees() {
		visit(tree.Ref)
	}
}
