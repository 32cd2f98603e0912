package datomchunks_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/rclone/rclone/fs/hash"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// TestFixtures: every fixture is shown as the store that it came from, byte for
// byte.
func TestFixtures(t *testing.T) {
	for _, name := range fixture.Names() {
		t.Run(name, func(t *testing.T) {
			dir, key := fixture.Unpack(t, name), fixture.Key(name)
			want := below("store", native(t, dir, key))
			for how, p := range map[string]snapshot.Packing{"small": small, "squeezed": squeezed} {
				backup := t.TempDir()
				pack(t, dir, key, backup, p)
				got := shown(t, open(t, remote(backup, "at=latest")))
				assert.Equal(t, sums(want), sums(got), how)
			}
		})
	}
}

// native is a Datahike store without what nothing refers to.
func native(t *testing.T, dir, key string) map[string][]byte {
	t.Helper()
	r := ":datahike,store='" + dir + "'"
	if key != "" {
		r += ",encryption_key=" + obscure.MustObscure(key)
	}
	return shown(t, at(t, r+":"))
}

// TestGenerations: a database at four moments, more points than are kept open.
// What one point has added another shows from its chunks.
func TestGenerations(t *testing.T) {
	src, backup := t.TempDir(), t.TempDir()
	want := map[string][]byte{}
	var points []string
	for _, name := range []string{"h-gen1", "h-gen2", "h-gen3", "h-gen4"} {
		require.NoError(t, os.RemoveAll(src))
		require.NoError(t, os.CopyFS(src, os.DirFS(fixture.Unpack(t, name))))
		point := pack(t, src, "", backup, small)
		points = append(points, point)
		for name, data := range below(point+"/store", native(t, src, "")) {
			want[name] = data
		}
	}
	f := open(t, remote(backup))
	entries, err := f.List(context.Background(), "")
	require.NoError(t, err)
	require.Len(t, entries, len(points))
	for i, e := range entries {
		assert.Equal(t, points[i], e.Remote())
		made, err := snapshot.IDTime(points[i])
		require.NoError(t, err)
		assert.WithinDuration(t, made, e.ModTime(context.Background()), 1e6)
	}
	assert.Equal(t, sums(want), sums(shown(t, f)))
	assert.Equal(t, sums(want), sums(shown(t, open(t, remote(filepath.Join(backup, database(t, backup)))))), "the database's directory")

	g := errgroup.Group{} // all points at once, of which some are closed while others read
	for range 3 {
		for _, p := range points {
			g.Go(func() error {
				_, err := f.List(context.Background(), p+"/store")
				return err
			})
		}
	}
	require.NoError(t, g.Wait())
}

// database is the directory of the one that a backup has.
func database(t *testing.T, backup string) string {
	t.Helper()
	entries, err := os.ReadDir(backup)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name() != "inflight" {
			return e.Name()
		}
	}
	require.Fail(t, "no database")
	return ""
}

// TestDatomicGenerations: three moments of a database of Datomic's.
func TestDatomicGenerations(t *testing.T) {
	backup := t.TempDir()
	for _, gen := range fixture.DatomicGens() {
		dir := fixture.DatomicBackup(t, gen.Name)
		packDatomic(t, dir, backup, small)
		want := shown(t, at(t, ":datomic,remote='"+dir+"':"))
		assert.Len(t, want, gen.Segments+2)
		assert.Equal(t, sums(want), sums(shown(t, open(t, remote(backup, "at=latest")))), gen.Name)
	}
}

// TestLargeValue: what is larger than segments are is read as it comes, also in
// parts, and has its hash.
func TestLargeValue(t *testing.T) {
	ctx := context.Background()
	const size = 3 << 20
	backup, name, want := withValue(t, size)
	f := open(t, remote(backup, "at=latest"))
	o, err := f.NewObject(ctx, "store/"+name)
	require.NoError(t, err)
	assert.EqualValues(t, len(want), o.Size())
	sum, err := o.Hash(ctx, hash.SHA256)
	require.NoError(t, err)
	assert.Contains(t, sums(map[string][]byte{"": want})[""], sum)
	for _, part := range []struct {
		option   fs.OpenOption
		from, to int
	}{
		{nil, 0, len(want)},
		{&fs.RangeOption{Start: 0, End: int64(len(want) - 1)}, 0, len(want)},
		{&fs.SeekOption{Offset: size / 2}, size / 2, len(want)},
		{&fs.RangeOption{Start: 100, End: size}, 100, size + 1},
		{&fs.RangeOption{Start: -1, End: 5}, len(want) - 5, len(want)},
		{&fs.SeekOption{Offset: int64(len(want))}, len(want), len(want)},
	} {
		got, err := read(o, part.option)
		require.NoError(t, err)
		assert.Equal(t, sums(map[string][]byte{"": want[part.from:part.to]}), sums(map[string][]byte{"": got}), "%v", part.option)
	}
}

// withValue is a backup of a database with a value of so many bytes, and more.
func withValue(t *testing.T, size int64) (backup, name string, data []byte) {
	t.Helper()
	dir, backup := t.TempDir(), t.TempDir()
	db, err := sample.Create(dir, sample.Options{Seed: 5, Entities: 20, StoreRefs: true})
	require.NoError(t, err)
	name, err = db.Arrive(int(size))
	require.NoError(t, err)
	pack(t, dir, "", backup, small)
	data, err = os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	require.Greater(t, len(data), int(size))
	return backup, name, data
}
