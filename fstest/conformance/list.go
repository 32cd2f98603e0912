package conformance

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/walk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func sorted(files map[string][]byte) []string { return slices.Sorted(maps.Keys(files)) }

// dirs are the directories that the files lie in, beginning with the root.
func (s *suite) dirs() []string {
	all := map[string]bool{"": true}
	for name := range s.files {
		for dir := parent(name); dir != ""; dir = parent(dir) {
			all[dir] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func parent(name string) string {
	dir, _ := cutLast(name)
	return dir
}

// cutLast cuts a path before its last element.
func cutLast(name string) (dir, leaf string) {
	i := strings.LastIndexByte(name, '/')
	return name[:max(i, 0)], name[i+1:]
}

// entries are the paths of what lies in a directory, or anywhere below it. Those
// of directories end with a slash.
func (s *suite) entries(dir string, deep bool) []string {
	names := []string{}
	add := func(name, path string) {
		in := parent(name)
		if in == dir || deep && (dir == "" || strings.HasPrefix(in, dir+"/")) {
			names = append(names, path)
		}
	}
	for name := range s.files {
		add(name, name)
	}
	for _, d := range s.dirs()[1:] {
		add(d, d+"/")
	}
	slices.Sort(names)
	return names
}

// list checks that all ways to list agree with the files.
func (s *suite) list(t *testing.T) {
	ctx := context.Background()
	f := s.fs(t)
	for _, way := range []struct {
		name string
		deep bool
		list func(dir string, callback fs.ListRCallback) error
	}{
		{"List", false, func(dir string, callback fs.ListRCallback) error {
			entries, err := f.List(ctx, dir)
			if err != nil {
				return err
			}
			return callback(entries)
		}},
		{"ListP", false, func(dir string, callback fs.ListRCallback) error { return f.Features().ListP(ctx, dir, callback) }},
		{"ListR", true, func(dir string, callback fs.ListRCallback) error { return f.Features().ListR(ctx, dir, callback) }},
		{"walk", true, func(dir string, callback fs.ListRCallback) error {
			return walk.ListR(ctx, f, dir, true, -1, walk.ListAll, callback)
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			for _, dir := range s.dirs() {
				names := []string{}
				require.NoError(t, way.list(dir, func(entries fs.DirEntries) error {
					for _, e := range entries {
						names = append(names, s.listed(t, e))
					}
					return nil
				}))
				slices.Sort(names)
				assert.Equal(t, s.entries(dir, way.deep), names)
			}
			for _, dir := range []string{"missing", "missing/below", sorted(s.files)[0]} {
				err := way.list(dir, func(fs.DirEntries) error { return nil })
				assert.ErrorIs(t, err, fs.ErrorDirNotFound, dir)
			}
			assert.ErrorIs(t, way.list("", func(fs.DirEntries) error { return assert.AnError }), assert.AnError)
		})
	}
}

// listed checks an entry's size and returns its path as entries has it.
func (s *suite) listed(t *testing.T, e fs.DirEntry) string {
	if _, ok := e.(fs.Directory); ok {
		return e.Remote() + "/"
	}
	assert.Implements(t, (*fs.Object)(nil), e)
	assert.Equal(t, int64(len(s.files[e.Remote()])), e.Size(), e.Remote())
	return e.Remote()
}

// listWhenCancelled checks that a caller who gives up spoils nothing for the
// next one.
func (s *suite) listWhenCancelled(t *testing.T) {
	f := s.fs(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if entries, err := f.List(ctx, ""); err == nil {
		assert.Len(t, entries, len(s.entries("", false)))
	}
	entries, err := f.List(context.Background(), "")
	require.NoError(t, err)
	assert.Len(t, entries, len(s.entries("", false)))
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
	for _, dir := range s.dirs() {
		_, err := f.NewObject(ctx, dir)
		assert.ErrorIs(t, err, fs.ErrorIsDir, dir)
	}
}

// newFs checks roots: a file gives its parent and says so, and a directory
// that is not there gives an Fs without anything in it.
func (s *suite) newFs(t *testing.T) {
	ctx := context.Background()
	for _, name := range sorted(s.files)[:2] {
		f, err := s.at(t, name)
		require.ErrorIs(t, err, fs.ErrorIsFile)
		require.NotNil(t, f)
		dir, leaf := cutLast(name)
		assert.Equal(t, dir, f.Root())
		o, err := f.NewObject(ctx, leaf)
		require.NoError(t, err)
		assert.Equal(t, leaf, o.Remote())
		assert.NoError(t, read(ctx, o, s.files[name]))
	}
	dirs := s.dirs()[1:]
	for _, dir := range dirs[:min(len(dirs), 3)] {
		f, err := s.at(t, dir)
		require.NoError(t, err)
		assert.Equal(t, dir, f.Root())
		entries, err := f.List(ctx, "")
		require.NoError(t, err)
		assert.Len(t, entries, len(s.entries(dir, false)))
	}
	for _, root := range []string{"missing", "missing/below", "x" + sorted(s.files)[0]} {
		f, err := s.at(t, root)
		require.NoError(t, err)
		assert.Equal(t, root, f.Root())
		_, err = f.List(ctx, "")
		assert.ErrorIs(t, err, fs.ErrorDirNotFound)
		_, err = f.NewObject(ctx, sorted(s.files)[0])
		assert.ErrorIs(t, err, fs.ErrorObjectNotFound)
	}
}
