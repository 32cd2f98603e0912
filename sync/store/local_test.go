package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// TestLocalSizes: around the size at which another way of reading begins, a
// segment is read whole, and is the caller's own.
func TestLocalSizes(t *testing.T) {
	dir := t.TempDir()
	f, err := fs.NewFs(t.Context(), dir)
	require.NoError(t, err)
	s := store.New(f, "")
	last := []byte(nil)
	for _, size := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1 << 20} {
		data := strings.Repeat(string(rune('a'+size%7)), size)
		require.NoError(t, store.WriteNew(filepath.Join(dir, "x"), []byte(data)))
		before := string(last)
		got, err := s.Get(t.Context(), "x")
		require.NoError(t, err)
		assert.Equal(t, data, string(got))
		assert.Equal(t, before, string(last), "what was read before changed")
		last = got
		require.NoError(t, os.Remove(filepath.Join(dir, "x")))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "dir"), 0o700))
	_, err = s.Get(t.Context(), "dir")
	require.Error(t, err)
	assert.NotErrorIs(t, err, graph.ErrNotFound)
}

// TestWriteNew: what exists is not touched.
func TestWriteNew(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x")
	require.NoError(t, store.WriteNew(name, []byte("one")))
	require.ErrorIs(t, store.WriteNew(name, []byte("other")), os.ErrExist)
	got, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, "one", string(got))
	require.ErrorIs(t, store.WriteNew(filepath.Join(name+"s", "x"), nil), os.ErrNotExist)
}

// TestLocalRootOfEncodedPath: rclone spells some names in its own way.
func TestLocalRootOfEncodedPath(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "below", "deeper"), 0o700))
	t.Chdir(filepath.Join(dir, "below", "deeper"))
	for _, path := range []string{"../x", "../../x", "x", ".", "..", dir, "a b/c"} {
		f, err := fs.NewFs(t.Context(), path)
		require.NoError(t, err)
		root, ok := store.LocalRoot(f)
		require.True(t, ok, path)
		want, err := filepath.Abs(path)
		require.NoError(t, err)
		got, err := filepath.Abs(root)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, path := range []string{"tab\there", "../new\nline", "q/．．/x"} {
		f, err := fs.NewFs(t.Context(), path)
		require.NoError(t, err)
		_, ok := store.LocalRoot(f)
		assert.False(t, ok, "%q", path)
	}
}
