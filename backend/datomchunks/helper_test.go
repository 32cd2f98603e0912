package datomchunks_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/rclone/rclone/backend/crypt"
	_ "github.com/rclone/rclone/backend/local"
	_ "github.com/rclone/rclone/backend/memory"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/operations"
	"github.com/rclone/rclone/fs/walk"
	"github.com/stretchr/testify/require"

	_ "github.com/rclone-datom/rclone-datom/backend/datahike"
	"github.com/rclone-datom/rclone-datom/backend/datomchunks"
	_ "github.com/rclone-datom/rclone-datom/backend/datomic"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/storage"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// small makes many chunks of a fixture, squeezed compresses them.
var (
	small    = snapshot.Packing{Size: 16 << 10}
	squeezed = snapshot.Packing{Compress: true}
)

// remote names a remote of ours over a backup.
func remote(backup string, options ...string) string {
	s := fmt.Sprintf(":datomchunks,remote='%s'", strings.ReplaceAll(backup, "'", "''"))
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		s += fmt.Sprintf(",%s='%s'", key, value)
	}
	return s + ":"
}

// at opens a remote that there must be.
func at(t testing.TB, remote string) fs.Fs {
	t.Helper()
	f, err := fs.NewFs(context.Background(), remote)
	require.NoError(t, err)
	return f
}

// open opens one of ours.
func open(t testing.TB, remote string) *datomchunks.Fs {
	t.Helper()
	f := at(t, remote)
	require.IsType(t, (*datomchunks.Fs)(nil), f)
	t.Cleanup(func() { require.NoError(t, f.Features().Shutdown(context.Background())) })
	return f.(*datomchunks.Fs)
}

// pack backs a Datahike store up into chunks, and returns the point.
func pack(t testing.TB, dir, key, backup string, p snapshot.Packing) string {
	t.Helper()
	f := at(t, dir)
	return packFrom(t, dbsync.Source{Fs: f, Store: store.New(f, ""), Dialect: datahike.New(key)}, backup, p)
}

// packDatomic does so for a backup in Datomic's own layout, as of its newest point.
func packDatomic(t testing.TB, dir, backup string, p snapshot.Packing) string {
	t.Helper()
	f := at(t, dir)
	b, err := storage.OpenBackup(context.Background(), f, 0)
	require.NoError(t, err)
	return packFrom(t, dbsync.Source{Fs: f, Datomic: b}, backup, p)
}

func packFrom(t testing.TB, src dbsync.Source, backup string, p snapshot.Packing) string {
	t.Helper()
	rep, err := dbsync.Backup(context.Background(), src, at(t, backup), dbsync.BackupOptions{Layout: dbsync.LayoutChunked, Packing: p})
	require.NoError(t, err)
	require.False(t, rep.UpToDate)
	return rep.Point
}

// shown reads all files of a remote, by path.
func shown(t testing.TB, f fs.Fs) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	objects, _, err := walk.GetAll(context.Background(), f, "", true, -1)
	require.NoError(t, err)
	for _, o := range objects {
		data, err := operations.ReadFile(context.Background(), o)
		require.NoError(t, err, o.Remote())
		out[o.Remote()] = data
	}
	return out
}

// below puts files into a directory.
func below(dir string, files map[string][]byte) map[string][]byte {
	out := map[string][]byte{}
	for name, data := range files {
		out[dir+"/"+name] = data
	}
	return out
}

// sums makes files comparable without pages of bytes where they differ.
func sums(files map[string][]byte) map[string]string {
	out := map[string]string{}
	for name, data := range files {
		out[name] = fmt.Sprintf("%d bytes, %x", len(data), sha256.Sum256(data))
	}
	return out
}

// chunks are the files of a point's chunks on the local disk.
func chunks(t testing.TB, backup, point string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(backup, "*", point, "chunks", "*.zip"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// flip changes the byte of a file at an offset.
func flip(t testing.TB, file string, offset int) {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	data[offset] ^= 1
	require.NoError(t, os.WriteFile(file, data, 0o600))
}
