package datahike_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"
	"time"

	_ "github.com/rclone/rclone/backend/local"
	_ "github.com/rclone/rclone/backend/memory"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/object"
	"github.com/rclone/rclone/fs/operations"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/backend/datahike"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dialect "github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
)

// remote names a datahike remote over a store.
func remote(store string, options ...string) string {
	s := fmt.Sprintf(":datahike,store='%s'", store)
	for _, o := range options {
		s += "," + o
	}
	return s + ":"
}

// open opens one that there must be.
func open(t *testing.T, remote string) *datahike.Fs {
	t.Helper()
	f, err := fs.NewFs(context.Background(), remote)
	require.NoError(t, err)
	require.IsType(t, (*datahike.Fs)(nil), f)
	return f.(*datahike.Fs)
}

// names lists a remote.
func names(t *testing.T, f fs.Fs) []string {
	t.Helper()
	entries, err := f.List(context.Background(), "")
	require.NoError(t, err)
	out := []string{}
	for _, e := range entries {
		out = append(out, e.Remote())
	}
	return out
}

// contents reads a whole remote.
func contents(t *testing.T, f fs.Fs) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, name := range names(t, f) {
		out[name] = content(t, f, name)
	}
	return out
}

func content(t *testing.T, f fs.Fs, name string) []byte {
	t.Helper()
	o, err := f.NewObject(context.Background(), name)
	require.NoError(t, err)
	data, err := operations.ReadFile(context.Background(), o)
	require.NoError(t, err)
	return data
}

// files reads a directory of the local disk.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	out := map[string][]byte{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		out[e.Name()] = data
	}
	return out
}

// small unpacks a store of a dozen objects. Without commits nothing refers to
// what its heads have left behind, which is removed here.
func small(t *testing.T) (dir string) {
	t.Helper()
	dir = fixture.Unpack(t, "l-nocommitgraph")
	shown := names(t, open(t, remote(dir)))
	for name := range files(t, dir) {
		if !slices.Contains(shown, name) {
			require.NoError(t, os.Remove(filepath.Join(dir, name)))
		}
	}
	return dir
}

// sums makes files comparable without pages of bytes where they differ.
func sums(files map[string][]byte) map[string]string {
	out := map[string]string{}
	for name, data := range files {
		out[name] = fmt.Sprintf("%d bytes, %x", len(data), sha256.Sum256(data))
	}
	return out
}

// write puts files into a directory of any remote.
func write(t *testing.T, remote string, files map[string][]byte) {
	t.Helper()
	ctx := context.Background()
	f, err := fs.NewFs(ctx, remote)
	require.NoError(t, err)
	require.NoError(t, f.Mkdir(ctx, ""))
	for name, data := range files {
		info := object.NewStaticObjectInfo(name, time.Unix(0, 0), int64(len(data)), true, nil, nil)
		_, err := f.Put(ctx, bytes.NewReader(data), info)
		require.NoError(t, err)
	}
}

// memory copies a store into a bucket of its own.
func memory(t *testing.T, files map[string][]byte) string {
	t.Helper()
	store := ":memory:" + path.Base(t.Name()) + "/stores/mydb"
	write(t, store, files)
	return store
}

// headOf is the object of a branch's head.
func headOf(t *testing.T, f *datahike.Fs, branch string) string {
	t.Helper()
	heads, err := f.Dialect().Hold(context.Background(), f.Store().Get, "")
	require.NoError(t, err)
	for _, b := range heads.Branches {
		if b.Name == branch {
			return string(b.Head.ID)
		}
	}
	require.Fail(t, "no branch "+branch)
	return ""
}

// branchSet is the object of :branches.
var branchSet = string(dialect.BranchesID())
