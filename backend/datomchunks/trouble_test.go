package datomchunks_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/operations"
	"github.com/rclone/rclone/fs/sync"
	"github.com/rclone/rclone/fs/walk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// read opens an object with an option, if there is one, and reads it.
func read(o fs.Object, option fs.OpenOption) ([]byte, error) {
	var options []fs.OpenOption
	if option != nil {
		options = append(options, option)
	}
	in, err := o.Open(context.Background(), options...)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(in)
	if cerr := in.Close(); err == nil {
		err = cerr
	}
	return data, err
}

// packNative backs a Datahike store up one object a segment.
func packNative(t *testing.T, dir, key, backup string) {
	t.Helper()
	f := at(t, dir)
	_, err := dbsync.Backup(context.Background(), dbsync.Source{Fs: f, Store: store.New(f, ""), Dialect: datahike.New(key)}, at(t, backup), dbsync.BackupOptions{})
	require.NoError(t, err)
}

func TestRefusedSettings(t *testing.T) {
	dir, chunked, native, two := fixture.Unpack(t, "l-nocommitgraph"), t.TempDir(), t.TempDir(), t.TempDir()
	point := pack(t, dir, "", chunked, small)
	packNative(t, dir, "", native)
	pack(t, dir, "", two, small)
	pack(t, fixture.Unpack(t, "j-fused"), "", two, small)
	vault(t)
	pack(t, dir, "", "vault:mydb", small)
	t.Setenv("RCLONE_CONFIG_OTHER_TYPE", "crypt")
	t.Setenv("RCLONE_CONFIG_OTHER_REMOTE", os.Getenv("RCLONE_CONFIG_VAULT_REMOTE"))
	t.Setenv("RCLONE_CONFIG_OTHER_PASSWORD", obscure.MustObscure("wrong horse"))
	for _, tt := range []struct {
		name, remote, message string
		is                    error
	}{
		{"no remote", ":datomchunks:", "no remote", nil},
		{"itself", remote(":datomchunks:x"), "the remote itself", nil},
		{"a file", remote(chunks(t, chunked, point)[0]), "names a file", nil},
		{"nothing there", remote(filepath.Join(dir, "nowhere")), "no backups", fs.ErrorObjectNotFound},
		{"something else there", remote(t.TempDir()), "no backups", fs.ErrorObjectNotFound},
		{"a native backup", remote(native), "lie one file a segment", nil},
		{"two databases", remote(two), "backups of 2 databases", nil},
		{"unknown remote", remote("nosuchremote:x"), "nosuchremote", fs.ErrorNotFoundInConfigFile},
		{"unknown kind, with a secret", remote(":nosuchkind,pass=s3cr3t:x"), "nosuchkind", nil},
		{"unknown point", remote(chunked, "at=nope"), `no point "nope"`, fs.ErrorObjectNotFound},
		{"wrong key", remote("other:mydb"), "password", nil},
		{"wrong key, at", remote("other:mydb", "at=latest"), "password", nil},
		{"secret", remote(":memory,description=s3cr3t:nowhere", "at=latest"), "no backups", nil},
	} {
		_, err := fs.NewFs(context.Background(), tt.remote)
		require.ErrorContains(t, err, tt.message, tt.name)
		if tt.is != nil {
			assert.ErrorIs(t, err, tt.is, tt.name)
		}
		assert.NotContains(t, err.Error(), "s3cr3t", tt.name)
		assert.False(t, fserrors.ShouldRetry(err), tt.name)
	}
}

// TestDescriptionHidesSecrets: what is logged shows no settings of the remote.
func TestDescriptionHidesSecrets(t *testing.T) {
	pack(t, fixture.Unpack(t, "l-nocommitgraph"), "", ":memory:chunks-hidden", small)
	for _, o := range []string{"at=", "at=latest"} {
		f := open(t, remote(":memory,description=hush:chunks-hidden", o))
		assert.NotContains(t, f.String(), "hush")
		assert.Contains(t, f.String(), "chunks-hidden")
		_, err := f.List(context.Background(), "nowhere")
		assert.NotContains(t, err.Error(), "hush")
	}
}

// TestDamagedSegment: no byte of a segment is shown that is not as it was backed
// up, whatever part is asked for, and a copy of the tree fails.
func TestDamagedSegment(t *testing.T) {
	ctx := accounting.WithStatsGroup(context.Background(), t.Name())
	dir, backup := fixture.Unpack(t, "l-nocommitgraph"), t.TempDir()
	point := pack(t, dir, "", backup, small)
	f := open(t, remote(backup, "at=latest"))
	before := shown(t, f)
	flip(t, chunks(t, backup, point)[0], 100)
	damaged := 0
	require.NoError(t, walk.ListR(ctx, f, "", true, -1, walk.ListObjects, func(entries fs.DirEntries) error {
		for _, e := range entries {
			o := e.(fs.Object)
			for _, option := range []fs.OpenOption{nil, &fs.SeekOption{Offset: 1}, &fs.RangeOption{Start: 0, End: 1}} {
				got, err := read(o, option)
				if err == nil && option == nil {
					assert.Equal(t, before[o.Remote()], got)
				}
				if err != nil {
					damaged++
					assert.ErrorIs(t, err, graph.ErrCorrupt)
					assert.ErrorContains(t, err, "verify --deep --at "+point)
					assert.True(t, fserrors.IsNoRetryError(err))
				}
			}
		}
		return nil
	}))
	assert.Equal(t, 3, damaged, "one segment, each way")
	assert.ErrorIs(t, sync.CopyDir(ctx, at(t, t.TempDir()), f, false), graph.ErrCorrupt)
}

// TestDamagedValue: what is read as it comes is compared at its end, which is not
// handed over.
func TestDamagedValue(t *testing.T) {
	backup, name, want := withValue(t, 3<<20)
	f := open(t, remote(backup, "at=latest"))
	o, err := f.NewObject(context.Background(), "store/"+name)
	require.NoError(t, err)
	var own string // the chunk that the value has for itself, or shares
	for _, file := range chunks(t, backup, "*") {
		if info, err := os.Stat(file); err == nil && info.Size() > 3<<20 {
			own = file
		}
	}
	require.NotEmpty(t, own)
	flip(t, own, 2<<20)
	got, err := read(o, nil)
	require.ErrorIs(t, err, graph.ErrCorrupt)
	assert.Less(t, len(got), len(want))
	_, err = operations.ReadFile(context.Background(), o)
	assert.ErrorIs(t, err, graph.ErrCorrupt, "rclone does not go on behind it")
}

// TestPrunedMeanwhile: what is listed may be gone when it is read.
func TestPrunedMeanwhile(t *testing.T) {
	ctx := context.Background()
	backup := t.TempDir()
	point := pack(t, fixture.Unpack(t, "l-nocommitgraph"), "", backup, small)
	all, one := open(t, remote(backup)), open(t, remote(backup, "at="+point))
	objects, _, err := walk.GetAll(ctx, one, "", true, -1)
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(filepath.Join(backup, database(t, backup), point)))
	for _, o := range objects {
		if fs.DirEntry(o).(fs.IDer).ID() == "" {
			continue // a head, which is in the manifest
		}
		_, err := read(o, nil)
		require.ErrorIs(t, err, graph.ErrNotFound)
		assert.ErrorContains(t, err, "was pruned since")
	}
	require.NoError(t, one.Shutdown(ctx))
	for f, dir := range map[fs.Fs]string{one: "", all: point} {
		_, err = f.List(ctx, dir)
		assert.ErrorIs(t, err, fs.ErrorDirNotFound)
		_, err = f.NewObject(ctx, filepath.ToSlash(filepath.Join(dir, objects[0].Remote())))
		assert.ErrorIs(t, err, fs.ErrorObjectNotFound)
	}
}

// TestDamagedList: a point that cannot be listed is not shown as an empty one.
func TestDamagedList(t *testing.T) {
	ctx := context.Background()
	for _, name := range []string{"added-*.zst", "manifest.edn"} {
		backup := t.TempDir()
		point := pack(t, fixture.Unpack(t, "l-nocommitgraph"), "", backup, small)
		files, err := filepath.Glob(filepath.Join(backup, "*", point, name))
		require.NoError(t, err)
		require.Len(t, files, 1)
		require.NoError(t, os.Truncate(files[0], 10))
		f := open(t, remote(backup))
		entries, err := f.List(ctx, "")
		require.NoError(t, err)
		require.Len(t, entries, 1)
		_, err = f.List(ctx, point)
		assert.ErrorIs(t, err, graph.ErrCorrupt)
		_, err = f.NewObject(ctx, point+"/store")
		assert.ErrorIs(t, err, graph.ErrCorrupt)
		assert.ErrorIs(t, walk.ListR(ctx, f, "", true, -1, walk.ListAll, func(fs.DirEntries) error { return nil }), graph.ErrCorrupt)
		_, err = fs.NewFs(ctx, remote(backup, "at="+point))
		assert.ErrorIs(t, err, graph.ErrCorrupt)
		assert.False(t, fserrors.ShouldRetry(err))
	}
}
