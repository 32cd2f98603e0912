package storage_test

import (
	"os"
	"path/filepath"
	"testing"

	_ "github.com/rclone/rclone/backend/local"
	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/storage"
)

func remote(t *testing.T, dir string) fs.Fs {
	t.Helper()
	f, err := fs.NewFs(t.Context(), dir)
	require.NoError(t, err)
	return f
}

// local and wrapped are a remote that is read around its backend, and one that
// is not.
func remotes(t *testing.T, dir string) map[string]fs.Fs {
	return map[string]fs.Fs{"local": remote(t, dir), "wrapped": fault.New(remote(t, dir), fault.Options{})}
}

func TestBackup(t *testing.T) {
	ctx := t.Context()
	for name, f := range remotes(t, fixture.DatomicBackup(t, "gen3")) {
		t.Run(name, func(t *testing.T) {
			for _, tc := range []struct{ asked, t int64 }{{0, 1708}, {1708, 1708}, {1638, 1638}, {1485, 1485}} {
				b, err := storage.OpenBackup(ctx, f, tc.asked)
				require.NoError(t, err)
				v, err := b.Pin(ctx)
				require.NoError(t, err)
				assert.Equal(t, fixture.DatomicID, v.DatabaseID)
				last, err := datomic.New().Last(ctx, b.Get, v)
				require.NoError(t, err)
				assert.Equal(t, tc.t, last.T)
				c, err := b.Catalog(ctx)
				require.NoError(t, err)
				assert.Nil(t, c)
				assert.Empty(t, b.Database())
				require.NoError(t, b.Close())
			}
		})
	}
}

// TestBackupSizes asks for one object of a folder, for many, and for none that
// are there.
func TestBackupSizes(t *testing.T) {
	dir := fixture.DatomicBackup(t, "gen3")
	want := map[graph.ID]int64{}
	ids := []graph.ID{missing, "e0000000-0000-4000-8000-0000000000zz"}
	files, err := filepath.Glob(filepath.Join(dir, "values", "*", "*"))
	require.NoError(t, err)
	folders := map[string]int{}
	for _, file := range files {
		st, err := os.Stat(file)
		require.NoError(t, err)
		id := graph.ID(filepath.Base(file))
		want[id] = st.Size()
		ids = append(ids, id)
		folders[datomic.Folder(id)]++
	}
	require.Greater(t, folders["00"], 4, "full-text chunks lie in one folder")
	for name, f := range remotes(t, dir) {
		t.Run(name, func(t *testing.T) {
			b, err := storage.OpenBackup(t.Context(), f, 0)
			require.NoError(t, err)
			got, err := b.Sizes(t.Context(), ids)
			require.NoError(t, err)
			assert.Equal(t, want, got)
			got, err = b.Sizes(t.Context(), nil)
			require.NoError(t, err)
			assert.Empty(t, got)
		})
	}
}

func TestBackupSizesFail(t *testing.T) {
	dir := fixture.DatomicBackup(t, "gen1")
	f := fault.New(remote(t, dir), fault.Options{})
	b, err := storage.OpenBackup(t.Context(), f, 0)
	require.NoError(t, err)
	v, err := b.Pin(t.Context())
	require.NoError(t, err)
	f.Inject(fault.Rule{N: 1, Match: fault.On(fault.NewObject, "values/")})
	_, err = b.Sizes(t.Context(), []graph.ID{v.Index, v.Log})
	require.ErrorIs(t, err, fault.ErrInjected)
}

// TestBackupDamage: directories that are no backup, or a damaged one.
func TestBackupDamage(t *testing.T) {
	for name, tc := range map[string]struct {
		t      int64
		damage func(t *testing.T, dir string)
		want   error
		says   string
	}{
		"empty":          {0, func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(dir)) }, storage.ErrNoDatabase, "roots"},
		"no roots":       {0, func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "roots", "1485"))) }, storage.ErrNoDatabase, "roots"},
		"no such point":  {1, func(*testing.T, string) {}, graph.ErrNotFound, "1485"},
		"other owner":    {0, write("owner", "other"), graph.ErrCorrupt, `"other"`},
		"owner's line":   {0, write("owner", fixture.DatomicID+"\n"), graph.ErrCorrupt, "owner"},
		"torn root":      {0, write("roots/1638", ""), graph.ErrCorrupt, "roots/1638"},
		"foreign root":   {0, write("roots/1638", "{:a 1}"), graph.ErrCorrupt, "roots/1638"},
		"names no point": {1638, write("roots/1638.tmp", "x"), graph.ErrNotFound, "1638"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := fixture.DatomicBackup(t, "gen1")
			tc.damage(t, dir)
			b, err := storage.OpenBackup(t.Context(), remote(t, dir), tc.t)
			if err == nil {
				assert.Contains(t, b.String(), dir)
				_, err = b.Pin(t.Context())
			} else {
				assert.ErrorContains(t, err, dir)
			}
			require.ErrorIs(t, err, tc.want)
			assert.ErrorContains(t, err, tc.says)
		})
	}
}

func write(name, text string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), []byte(text), 0o600))
	}
}

// TestBackupWithoutOwner: Datomic restores it, so it is read.
func TestBackupWithoutOwner(t *testing.T) {
	dir := fixture.DatomicBackup(t, "gen1")
	require.NoError(t, os.Remove(filepath.Join(dir, "owner")))
	b, err := storage.OpenBackup(t.Context(), remote(t, dir), 0)
	require.NoError(t, err)
	_, err = b.Pin(t.Context())
	require.NoError(t, err)
}

func TestBackupUnlistable(t *testing.T) {
	f := fault.New(remote(t, fixture.DatomicBackup(t, "gen1")), fault.Options{})
	f.Inject(fault.Rule{N: 1, Match: fault.On(fault.List, "")})
	_, err := storage.OpenBackup(t.Context(), f, 0)
	require.ErrorIs(t, err, fault.ErrInjected)
}
