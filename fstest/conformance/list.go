package conformance

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/walk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func sorted(files map[string][]byte) []string { return slices.Sorted(maps.Keys(files)) }

// list checks that all ways to list agree with the files.
func (s *suite) list(t *testing.T) {
	ctx := context.Background()
	f := s.fs(t)
	ways := map[string]func(dir string, callback fs.ListRCallback) error{
		"List": func(dir string, callback fs.ListRCallback) error {
			entries, err := f.List(ctx, dir)
			if err != nil {
				return err
			}
			return callback(entries)
		},
		"ListP": func(dir string, callback fs.ListRCallback) error { return f.Features().ListP(ctx, dir, callback) },
		"ListR": func(dir string, callback fs.ListRCallback) error { return f.Features().ListR(ctx, dir, callback) },
		"walk": func(dir string, callback fs.ListRCallback) error {
			return walk.ListR(ctx, f, dir, true, -1, walk.ListAll, callback)
		},
	}
	for way, list := range ways {
		t.Run(way, func(t *testing.T) {
			var names []string
			require.NoError(t, list("", func(entries fs.DirEntries) error {
				for _, e := range entries {
					assert.Implements(t, (*fs.Object)(nil), e)
					assert.Equal(t, int64(len(s.files[e.Remote()])), e.Size(), e.Remote())
					names = append(names, e.Remote())
				}
				return nil
			}))
			slices.Sort(names)
			assert.Equal(t, sorted(s.files), names)
			for _, dir := range []string{"missing", "missing/below", sorted(s.files)[0]} {
				err := list(dir, func(fs.DirEntries) error { return nil })
				assert.ErrorIs(t, err, fs.ErrorDirNotFound, dir)
			}
			assert.ErrorIs(t, list("", func(fs.DirEntries) error { return assert.AnError }), assert.AnError)
		})
	}
}

// listWhenCancelled checks that a caller who gives up spoils nothing for the
// next one.
func (s *suite) listWhenCancelled(t *testing.T) {
	f := s.fs(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if entries, err := f.List(ctx, ""); err == nil {
		assert.Len(t, entries, len(s.files))
	}
	entries, err := f.List(context.Background(), "")
	require.NoError(t, err)
	assert.Len(t, entries, len(s.files))
}

func (s *suite) newObject(t *testing.T) {
	ctx := context.Background()
	f := s.fs(t)
	for name, data := range s.files {
		o, err := f.NewObject(ctx, name)
		require.NoError(t, err, name)
		assert.Equal(t, name, o.Remote())
		assert.Equal(t, int64(len(data)), o.Size(), name)
	}
	first := sorted(s.files)[0]
	for _, name := range []string{"missing", "x" + first, first + "/below", "missing/" + first} {
		_, err := f.NewObject(ctx, name)
		assert.ErrorIs(t, err, fs.ErrorObjectNotFound, name)
	}
	_, err := f.NewObject(ctx, "")
	assert.ErrorIs(t, err, fs.ErrorIsDir)
}

// newFs checks roots: a file gives its parent and says so, and a directory
// that is not there gives an Fs without anything in it.
func (s *suite) newFs(t *testing.T) {
	ctx := context.Background()
	for _, name := range sorted(s.files)[:2] {
		f, err := fs.NewFs(ctx, s.remote+name)
		require.ErrorIs(t, err, fs.ErrorIsFile)
		require.NotNil(t, f)
		assert.Equal(t, "", f.Root())
		o, err := f.NewObject(ctx, name)
		require.NoError(t, err)
		assert.Equal(t, name, o.Remote())
	}
	for _, root := range []string{"missing", "missing/below", "x" + sorted(s.files)[0]} {
		f, err := fs.NewFs(ctx, s.remote+root)
		require.NoError(t, err)
		assert.Equal(t, root, f.Root())
		_, err = f.List(ctx, "")
		assert.ErrorIs(t, err, fs.ErrorDirNotFound)
		_, err = f.NewObject(ctx, sorted(s.files)[0])
		assert.ErrorIs(t, err, fs.ErrorObjectNotFound)
	}
}
