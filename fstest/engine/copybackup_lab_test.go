package engine

import (
	"bytes"
	"context"
	"maps"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/object"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// to are the options of a copy in a layout, with chunks as small as can be.
func to(layout string) dbsync.CopyOptions {
	return dbsync.CopyOptions{Layout: layout, Packing: snapshot.Packing{Size: smallest}}
}

// bothLayouts are what a copy may be asked for.
var bothLayouts = []string{dbsync.LayoutNative, dbsync.LayoutChunked}

func copyAll(t testing.TB, src, dst fs.Fs, opt dbsync.CopyOptions) *dbsync.CopyReport {
	t.Helper()
	rep, err := dbsync.CopyBackup(quick(), src, dst, opt)
	require.NoError(t, err)
	return rep
}

// copied is a new place with a copy of src.
func copied(t testing.TB, src fs.Fs, layout string) fs.Fs {
	t.Helper()
	dst := memory(t)
	copyAll(t, src, dst, to(layout))
	return dst
}

// reachedBy is what a point lists of every segment that it reaches, but for the
// place: kind, size and digest by id.
func reachedBy(t testing.TB, f fs.Fs, point string) map[graph.ID]string {
	t.Helper()
	place, err := snapshot.Find(quick(), f)
	require.NoError(t, err)
	m, err := place.Manifest(quick(), point)
	require.NoError(t, err)
	closure, err := place.Closure(quick(), m)
	require.NoError(t, err)
	defer func() { _ = closure.Close() }()
	all := map[graph.ID]string{}
	for line, err := range closure.All() {
		require.NoError(t, err)
		e, err := graph.ParseEntry(line)
		require.NoError(t, err)
		e.At = graph.Location{}
		all[e.ID] = graph.FormatEntry(e)
	}
	return all
}

// verified verifies a point to the last byte.
func verified(t testing.TB, dst fs.Fs, point, key string) {
	t.Helper()
	v, err := dbsync.Verify(quick(), dst, dbsync.VerifyOptions{At: point, Deep: true, Dialect: datahike.New(key)})
	require.NoError(t, err, "%+v", v)
}

// sameBackups compares two places with the same points: what they restore to,
// what they list, and the newest.
func sameBackups(t *testing.T, key string, a, b fs.Fs) {
	t.Helper()
	points := complete(t, a)
	require.NotEmpty(t, points)
	require.Equal(t, points, complete(t, b))
	for _, p := range append(points, "") {
		assert.Empty(t, restored(t, a, p).differs(restored(t, b, p)), "%q", p)
		verified(t, b, p, key)
		if p != "" {
			assert.Equal(t, reachedBy(t, a, p), reachedBy(t, b, p))
		}
	}
}

// nothingLeft: a place has neither chunks that no point names nor anything else
// that only runs need.
func nothingLeft(t *testing.T, dst fs.Fs) {
	t.Helper()
	img := dump(t, dst)
	for name := range img {
		assert.NotContains(t, name, "inflight/")
		assert.NotEqual(t, "checkpoint.edn", path.Base(name))
		assert.False(t, strings.HasSuffix(name, ".new"), name)
	}
	if len(img.chunksIn()) == 0 {
		return
	}
	named := map[string]bool{}
	for _, p := range complete(t, dst) {
		for _, c := range chunksOf(t, dst, p) {
			named[c] = true
		}
	}
	assert.Equal(t, sortedKeys(named), img.chunksIn(), "chunks that no point names, or that are missing")
}

// mirrors are the files that a database opens at a place in the native layout.
func (img image) mirror() image {
	part := image{}
	for name, data := range img.datomicPart() {
		part[name] = data
	}
	for name, data := range img {
		if strings.HasPrefix(name, "store/") || strings.HasPrefix(name, "stores/") {
			part[name] = data
		}
	}
	maps.DeleteFunc(part, func(name string, _ []byte) bool {
		return strings.HasSuffix(name, ".new") // what is left of an upload that was cut off
	})
	return part
}

// threeValues is a Datomic database at three moments, of which the second has the
// same t as the third and another index.
func threeValues(t testing.TB) []*datomicsample.Sample {
	t.Helper()
	a := datomicsample.Make(datomicsample.Options{Seed: 5, Leaves: 3, Fanout: 2, Files: 1, Tail: 2})
	b := a.Next(3)
	return []*datomicsample.Sample{a, b, b.Next(8)}
}

// sampledDatomic is a place with a point for each of some values.
func sampledDatomic(t testing.TB, opt dbsync.BackupOptions, values ...*datomicsample.Sample) (dst fs.Fs, points []string) {
	t.Helper()
	dst = memory(t)
	for _, v := range values {
		points = append(points, mustKeep(t, shelved(append(values, v)...), dst, opt).Point)
	}
	return dst, points
}

// chain is a place with a point for each moment of the Datahike fixture.
func chain(t testing.TB, opt dbsync.BackupOptions) (dst fs.Fs, points []string) {
	t.Helper()
	return chainOf(t, opt, generations...)
}

// chainOf is one for some of them.
func chainOf(t testing.TB, opt dbsync.BackupOptions, names ...string) (dst fs.Fs, points []string) {
	t.Helper()
	dst = memory(t)
	for _, name := range names {
		rep, err := dbsync.Backup(quick(), source(remote(t, fixture.Unpack(t, name)), ""), dst, opt)
		require.NoError(t, err)
		points = append(points, rep.Point)
	}
	return dst, points
}

// writeAt is write with a time of change.
func writeAt(t testing.TB, f fs.Fs, name string, data []byte, when time.Time) {
	t.Helper()
	_, err := f.Put(context.Background(), bytes.NewReader(data), object.NewMemoryObject(name, when, data))
	require.NoError(t, err)
}
