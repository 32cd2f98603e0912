// Package conformance checks that a read-only remote keeps rclone's contract.
// Whoever relies on a remote's behaviour (copy, check, mount, serve) relies on
// what is checked here.
package conformance

import (
	"context"
	"reflect"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Run checks the remote that the connection string or name remote opens, which
// ends with a colon. Files are what it must show, by path from its root, and
// there must be at least two; it shows the directories that these need.
func Run(t *testing.T, remote string, files map[string][]byte) {
	require.GreaterOrEqual(t, len(files), 2)
	s := &suite{remote: remote, files: files}
	t.Run("List", s.list)
	t.Run("ListWhenCancelled", s.listWhenCancelled)
	t.Run("NewObject", s.newObject)
	t.Run("NewFs", s.newFs)
	t.Run("Info", s.info)
	t.Run("Hash", s.hash)
	t.Run("Open", s.open)
	t.Run("OpenPart", s.openPart)
	t.Run("OpenConcurrently", s.openConcurrently)
	t.Run("OpenAndGiveUp", s.openAndGiveUp)
	t.Run("Writes", s.writes)
	t.Run("Features", s.features)
	t.Run("Shutdown", s.shutdown)
	t.Run("VFS", s.vfs)
	t.Run("Combine", s.combine)
}

type suite struct {
	remote string
	files  map[string][]byte
}

// fs opens the remote anew.
func (s *suite) fs(t *testing.T) fs.Fs {
	t.Helper()
	f, err := s.at(t, "")
	require.NoError(t, err)
	return f
}

// at opens the remote at a path, until the test ends.
func (s *suite) at(t *testing.T, root string) (fs.Fs, error) {
	t.Helper()
	f, err := fs.NewFs(context.Background(), s.remote+root)
	if shutdowner, ok := f.(fs.Shutdowner); ok {
		t.Cleanup(func() { assert.NoError(t, shutdowner.Shutdown(context.Background())) })
	}
	return f, err
}

// object opens one of the files: the first by name that has n bytes or more.
func (s *suite) object(t *testing.T, n int) (fs.Object, []byte) {
	t.Helper()
	for _, name := range sorted(s.files) {
		if data := s.files[name]; len(data) >= n {
			o, err := s.fs(t).NewObject(context.Background(), name)
			require.NoError(t, err)
			return o, data
		}
	}
	require.Fail(t, "no file is large enough")
	return nil, nil
}

// features checks that a feature is announced where there is a method for it,
// and only there, and that nothing which writes is announced.
func (s *suite) features(t *testing.T) {
	f := s.fs(t)
	features := reflect.ValueOf(f.Features()).Elem()
	for i := range features.NumField() {
		name, value := features.Type().Field(i).Name, features.Field(i)
		if value.Kind() == reflect.Func {
			assert.Equal(t, reflect.ValueOf(f).MethodByName(name).IsValid(), !value.IsNil(), name)
		}
	}
	for _, name := range []string{
		"Copy", "Move", "DirMove", "MkdirMetadata", "DirSetModTime", "PutUnchecked", "PutStream",
		"MergeDirs", "CleanUp", "OpenWriterAt", "OpenChunkWriter", "PublicLink",
	} {
		assert.True(t, features.FieldByName(name).IsNil(), name)
	}
	assert.False(t, f.Features().CanHaveEmptyDirectories)
	assert.Equal(t, fs.ModTimeNotSupported, f.Precision())
	assert.NotEmpty(t, f.String())
}

// shutdown checks that a second call does no harm, and neither does using the
// remote afterwards: rclone's cache shuts down what others may still hold.
func (s *suite) shutdown(t *testing.T) {
	ctx := context.Background()
	f := s.fs(t)
	require.NoError(t, f.Features().Shutdown(ctx), "before anything was read")
	_, err := f.List(ctx, "")
	require.NoError(t, err)
	require.NoError(t, f.Features().Shutdown(ctx))
	require.NoError(t, f.Features().Shutdown(ctx))
	entries, err := f.List(ctx, "")
	require.NoError(t, err)
	assert.Len(t, entries, len(s.entries("", false)))
}
