package datomic_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/rclone/rclone/backend/local"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/operations"
	"github.com/rclone/rclone/fs/walk"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/backend/datomic"
	dialect "github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
)

// remote names a datomic remote by its options, as "key=value".
func remote(options ...string) string {
	var s strings.Builder
	s.WriteString(":datomic")
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		fmt.Fprintf(&s, ",%s='%s'", key, value)
	}
	return s.String() + ":"
}

// open opens one that there must be.
func open(t *testing.T, remote string) *datomic.Fs {
	t.Helper()
	f, err := fs.NewFs(context.Background(), remote)
	require.NoError(t, err)
	require.IsType(t, (*datomic.Fs)(nil), f)
	t.Cleanup(func() { require.NoError(t, f.Features().Shutdown(context.Background())) })
	return f.(*datomic.Fs)
}

// names lists all files of a remote.
func names(t *testing.T, f fs.Fs) []string {
	t.Helper()
	out := []string{}
	objects, _, err := walk.GetAll(context.Background(), f, "", true, -1)
	require.NoError(t, err)
	for _, o := range objects {
		out = append(out, o.Remote())
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

// files reads a backup, but for points other than t. The root of that is
// encoded as we do it.
func files(t *testing.T, dir string, at int64) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	root := fmt.Sprintf("roots/%d", at)
	require.NoError(t, filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		rel, err := filepath.Rel(dir, name)
		require.NoError(t, err)
		switch rel = filepath.ToSlash(rel); {
		case rel == root:
			v, err := dialect.DecodeRoot(rel, data)
			require.NoError(t, err)
			out[rel], err = v.EncodeRoot()
			require.NoError(t, err)
		case !strings.HasPrefix(rel, "roots/"):
			out[rel] = data
		}
		return nil
	}))
	require.Contains(t, out, root)
	return out
}
