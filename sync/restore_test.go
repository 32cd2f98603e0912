package dbsync_test

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/rclone/rclone/backend/memory"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/object"
	"github.com/rclone/rclone/fs/operations"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

const (
	s3Marker  = fixture.S3StoreID + "_.konserve-metadata"
	gcsMarker = ".konserve-store-metadata"
)

// fromS3 is a backup of the store that Datahike kept on S3, and the bucket.
func fromS3(t *testing.T) (dst fs.Fs, bucket map[string]string) {
	t.Helper()
	dir, _ := fixture.UnpackBucket(t, "s3")
	names, err := store.S3Names(fixture.S3StoreID)
	require.NoError(t, err)
	f := local(t, dir)
	dst = local(t, t.TempDir())
	_, err = dbsync.Backup(t.Context(), dbsync.Source{Fs: f, Store: store.Named(f, "", names), Dialect: datahike.New("")}, dst, dbsync.BackupOptions{})
	require.NoError(t, err)
	return dst, files(t, dir)
}

// fromFiles is a backup of a fixture.
func fromFiles(t *testing.T, name string) (dst fs.Fs, content map[string]string) {
	t.Helper()
	dir := fixture.Unpack(t, name)
	f := local(t, dir)
	dst = local(t, t.TempDir())
	d := datahike.New(fixture.Key(name))
	_, err := dbsync.Backup(t.Context(), dbsync.Source{Fs: f, Store: store.New(f, ""), Dialect: d}, dst, dbsync.BackupOptions{})
	require.NoError(t, err)
	return dst, files(t, dir)
}

// objects are a remote's, by name.
func objects(t *testing.T, f fs.Fs) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := f.List(t.Context(), "")
	require.NoError(t, err)
	for _, e := range entries {
		if o, ok := e.(fs.Object); ok {
			data, err := operations.ReadFile(t.Context(), o)
			require.NoError(t, err)
			all[o.Remote()] = string(data)
		}
	}
	return all
}

func upload(t *testing.T, f fs.Fs, name, data string) {
	t.Helper()
	info := object.NewStaticObjectInfo(name, time.Unix(0, 0), int64(len(data)), true, nil, nil)
	_, err := f.Put(t.Context(), strings.NewReader(data), info)
	require.NoError(t, err)
}

// inBucket is a place in a bucket of the test's own.
func inBucket(t *testing.T, at string) fs.Fs {
	return local(t, ":memory:"+strings.NewReplacer("/", "-").Replace(t.Name())+at)
}

// TestRestoreNamesS3: what Datahike kept on S3 comes back there as it was,
// beside what else is in the bucket.
func TestRestoreNamesS3(t *testing.T) {
	dst, want := fromS3(t)
	for _, target := range []fs.Fs{inBucket(t, ""), local(t, t.TempDir())} {
		beside := map[string]string{
			"0a0a0a0a-8173-3bef-91f7-a025057c74fb_x.ksv": "another store's", "README": "mine", "below/x": "too", "x.ksv.new": "neither",
		}
		for name, data := range beside {
			upload(t, target, name, data)
		}
		rep, err := dbsync.Restore(t.Context(), dst, target, dbsync.RestoreOptions{ObjectNames: dbsync.NamesS3})
		require.NoError(t, err)
		assert.Equal(t, fixture.S3StoreID, rep.StoreID)
		got := objects(t, target)
		for name, data := range beside {
			if !strings.Contains(name, "/") {
				assert.Equal(t, data, got[name])
				delete(got, name)
			}
		}
		assert.Equal(t, want, got)

		_, err = dbsync.Restore(t.Context(), dst, target, dbsync.RestoreOptions{ObjectNames: dbsync.NamesS3})
		require.ErrorIs(t, err, dbsync.ErrRefused)
		assert.ErrorContains(t, err, "not empty")
	}
}

func TestRestoreNamesGCS(t *testing.T) {
	dst, want := fromFiles(t, "h-gen4")
	target := inBucket(t, "/stores/mydb")
	rep, err := dbsync.Restore(t.Context(), dst, target, dbsync.RestoreOptions{ObjectNames: dbsync.NamesGCS})
	require.NoError(t, err)
	assert.Equal(t, []string{t.Name(), "stores/mydb"}, []string{rep.Bucket, rep.Path})
	got := objects(t, target)
	dir, _ := fixture.UnpackBucket(t, "gcs")
	real := files(t, filepath.Join(dir, filepath.FromSlash(fixture.GCSPath)))[gcsMarker]
	form := func(text string) []string { // what stays when hash and time are others
		return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("0123456789abcdefx.", r) })
	}
	assert.Equal(t, form(real), form(got[gcsMarker]))
	delete(got, gcsMarker)
	assert.Equal(t, want, got)
}

// TestRestoreFromS3AsFiles: names are a matter of the place alone.
func TestRestoreFromS3AsFiles(t *testing.T) {
	dst, bucket := fromS3(t)
	dir := t.TempDir()
	rep, err := dbsync.Restore(t.Context(), dst, local(t, dir), dbsync.RestoreOptions{})
	require.NoError(t, err)
	assert.Equal(t, []string{dbsync.NamesFile, dir, ""}, []string{rep.ObjectNames, rep.Path, rep.Bucket})
	got := files(t, dir)
	assert.Len(t, got, len(bucket)-1)
	for name, data := range got {
		assert.Equal(t, bucket[fixture.S3StoreID+"_"+name], data)
	}
}

// TestRestoreMarkerLast: konserve connects only if its marker is there, so it
// is what comes last; and a restore that ends before it is resumed.
func TestRestoreMarkerLast(t *testing.T) {
	dst, want := fromS3(t)
	ctx, ci := fs.AddConfig(t.Context())
	ci.LowLevelRetries = 1
	for _, tc := range []struct {
		name string
		rule fault.Rule
	}{
		{"at the marker", fault.Rule{N: 1, Match: fault.On(fault.Put, s3Marker)}},
		{"at a head", fault.Rule{N: 1, Match: fault.On(fault.Put, fixture.S3StoreID+"_"+string(datahike.BranchesID()))}},
		{"on the way", fault.Rule{N: 20, Match: fault.On(fault.Put, fixture.S3StoreID), Dead: true}},
		{"at the end", fault.Rule{N: 1, Match: fault.On(fault.Remove, ""), Mode: fault.Before}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			target := inBucket(t, "")
			f := fault.New(target, fault.Options{})
			f.Inject(tc.rule)
			_, err := dbsync.Restore(ctx, dst, f, dbsync.RestoreOptions{ObjectNames: dbsync.NamesS3})
			require.Error(t, err)
			half := objects(t, target)
			for name := range half {
				assert.True(t, strings.HasPrefix(name, fixture.S3StoreID+"_"), name)
			}
			if _, marked := half[s3Marker]; marked {
				for name, data := range want {
					assert.Equal(t, data, half[name], "it can be opened and is not whole")
				}
			}
			rep, err := dbsync.Restore(ctx, dst, target, dbsync.RestoreOptions{ObjectNames: dbsync.NamesS3})
			require.NoError(t, err)
			assert.Positive(t, rep.Resumed)
			assert.Equal(t, want, objects(t, target))
		})
	}
}

// TestRestoreNamesRefused: nothing is written where Datahike would not find it.
func TestRestoreNamesRefused(t *testing.T) {
	dst, _ := fromS3(t)
	legacy, _ := fromFiles(t, "z-legacy-0.6.1607-nohist")
	for _, tc := range []struct {
		name   string
		dst    fs.Fs
		target string
		names  string
		says   string
	}{
		{"below a bucket", dst, ":memory:refused/below", dbsync.NamesS3, "root of a bucket"},
		{"no bucket", dst, ":memory:", dbsync.NamesS3, "root of a bucket"},
		{"no path", dst, ":memory:refused", dbsync.NamesGCS, "no path"},
		{"no store id", legacy, ":memory:refused", dbsync.NamesS3, "no :store :id"},
		{"no such names", dst, ":memory:refused", "azure", "file, s3 and gcs"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := dbsync.Restore(t.Context(), tc.dst, local(t, tc.target), dbsync.RestoreOptions{ObjectNames: tc.names})
			require.ErrorIs(t, err, dbsync.ErrRefused)
			assert.ErrorContains(t, err, tc.says)
			_, err = local(t, ":memory:refused").List(context.Background(), "")
			assert.ErrorIs(t, err, fs.ErrorDirNotFound)
		})
	}
}

// TestRestoreNotEmpty: what is there is named, and left as it is.
func TestRestoreNotEmpty(t *testing.T) {
	dst, _ := fromS3(t)
	own := fixture.S3StoreID + "_x.ksv"
	for names, foreign := range map[string]string{dbsync.NamesFile: "README", dbsync.NamesS3: own, dbsync.NamesGCS: "x.ksv"} {
		dir := t.TempDir()
		upload(t, local(t, dir), foreign, "mine")
		before := files(t, dir)
		_, err := dbsync.Restore(t.Context(), dst, local(t, dir), dbsync.RestoreOptions{ObjectNames: names})
		require.ErrorIs(t, err, dbsync.ErrRefused)
		assert.ErrorContains(t, err, foreign)
		assert.Equal(t, before, files(t, dir))
	}
}

// TestRestoreDryRun writes nothing, in any form.
func TestRestoreDryRun(t *testing.T) {
	dst, want := fromS3(t)
	ctx, ci := fs.AddConfig(t.Context())
	ci.DryRun = true
	for _, names := range []string{dbsync.NamesFile, dbsync.NamesS3, dbsync.NamesGCS} {
		dir := t.TempDir()
		rep, err := dbsync.Restore(ctx, dst, local(t, dir), dbsync.RestoreOptions{ObjectNames: names})
		require.NoError(t, err)
		assert.True(t, rep.DryRun)
		assert.EqualValues(t, len(want)-3, rep.Written.Segments, "all but the head, the branches and the marker")
		assert.Empty(t, files(t, dir))
	}
}

// TestRestoreStoreRefs: objects to which datoms refer come with the rest, and
// those that were not there are not missed.
func TestRestoreStoreRefs(t *testing.T) {
	dst, content := fromFiles(t, "g-storeref")
	for _, opt := range []dbsync.RestoreOptions{{}, {Branch: "db"}} {
		opt.Dialect = datahike.New("")
		dir := t.TempDir()
		rep, err := dbsync.Restore(t.Context(), dst, local(t, dir), opt)
		require.NoError(t, err)
		got := files(t, dir)
		assert.EqualValues(t, len(got)-2, rep.Written.Segments)
		values := 0
		for _, name := range slices.Sorted(maps.Keys(got)) {
			assert.Equal(t, content[name], got[name], name)
			blob, err := konserve.NewCodec("").Open([]byte(got[name]))
			require.NoError(t, err)
			if blob.Meta.Type == konserve.TypeBinary {
				values++
			}
		}
		assert.Positive(t, values)
	}
}
