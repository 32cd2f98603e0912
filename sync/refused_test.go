package dbsync_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/filter"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/forge"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// deep checks that a point is sound in every byte.
func deep(t testing.TB, d *database, dst, point string) *dbsync.VerifyReport {
	t.Helper()
	src := d.source(t, d.Key)
	rep, err := dbsync.Verify(t.Context(), local(t, dst), dbsync.VerifyOptions{At: point, Deep: true, Dialect: src.Dialect})
	require.NoError(t, err)
	require.Empty(t, rep.Faults)
	return rep
}

// restored is the store that a point restores to.
func restored(t testing.TB, dst, point string) map[string]string {
	t.Helper()
	target := t.TempDir()
	_, err := dbsync.Restore(t.Context(), local(t, dst), local(t, target), dbsync.RestoreOptions{At: point})
	require.NoError(t, err)
	return files(t, target)
}

// TestRefused: what would harm an earlier backup is refused, with the flag
// that allows it, and does go on with that flag; where something is lost, the
// flag is --repair.
func TestRefused(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(t *testing.T, d *database, dst string)
		flag  string
	}{
		{"another database", func(_ *testing.T, d *database, _ string) {
			d.DatabaseID = fressian.UUID{9}
			id := d.UUID()
			d.Commit(id, d.Record(id, 2, d.old["schema"], d.indexes(d.Leaf(2), 2)), "db")
		}, dbsync.AcceptOtherDatabase},
		{"a head moved at the destination", func(t *testing.T, d *database, dst string) {
			write(t, dst, "store/"+d.what["head"], d.Seal(forge.K("db"), d.Serialize(forge.With(d.record, "max-tx", int64(1<<29+7)))))
		}, dbsync.AcceptMovedHeads},
		{"a head damaged at the destination", func(t *testing.T, d *database, dst string) {
			write(t, dst, "store/"+d.what["head"], []byte("torn"))
		}, dbsync.AcceptMovedHeads},
		{"a head missing at the destination", func(t *testing.T, d *database, dst string) {
			require.NoError(t, os.Remove(filepath.Join(dst, "store", d.what["head"])))
		}, ""},
		{"a rewound head", func(_ *testing.T, d *database, _ string) {
			old := d.Record(d.old["commit"], 1, d.old["schema"], d.indexes(d.old["root"], 6))
			d.Head("db", old)
		}, dbsync.AcceptDiverged},
		{"a clone that went its own way", func(_ *testing.T, d *database, _ string) {
			id := d.UUID()
			d.Commit(id, d.Record(id, 9, d.old["schema"], d.indexes(d.old["flat"], 1), d.old["commit"]), "db")
		}, dbsync.AcceptDiverged},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := first(t, plain, "")
			d.second()
			dst := t.TempDir()
			rep, err := d.backup(t, dst)
			require.NoError(t, err)
			want := restored(t, dst, rep.Point)
			tc.spoil(t, d, dst)
			flag, opt := "--accept "+tc.flag, dbsync.BackupOptions{Accept: []string{tc.flag}}
			if tc.flag == "" {
				flag, opt = "--repair", dbsync.BackupOptions{Repair: true}
			}
			if tc.flag == "" || tc.flag == dbsync.AcceptMovedHeads { // looked at when there is something to write
				id := d.UUID()
				d.Commit(id, d.Record(id, 3, d.old["schema"], d.indexes(d.old["flat"], 1), d.key["commit"]), "db")
			}
			had := files(t, dst)
			_, err = d.backup(t, dst)
			require.ErrorIs(t, err, dbsync.ErrRefused)
			assert.ErrorContains(t, err, flag)
			assert.True(t, fserrors.IsNoRetryError(err))
			untouched(t, had, files(t, dst))
			assert.Len(t, points(t, dst), 1)

			now, err := dbsync.Backup(t.Context(), d.source(t, ""), local(t, dst), opt)
			require.NoError(t, err)
			deep(t, d, dst, now.Point)
			deep(t, d, dst, rep.Point)
			assert.Equal(t, want, restored(t, dst, rep.Point), "the earlier point is as it was")
			assert.Equal(t, string(d.Read(d.what["head"])), restored(t, dst, now.Point)[d.what["head"]])
		})
	}
}

func write(t testing.TB, dir, name string, data []byte) {
	require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), data, 0o600))
}

// TestCommitIsGone: a head whose own commit is not there has all that the
// commit had, so a point is made of it.
func TestCommitIsGone(t *testing.T) {
	for _, left := range []string{"missing", "empty"} {
		d := first(t, plain, "")
		d.second()
		require.NoError(t, os.Remove(filepath.Join(d.Dir, d.what["commit"])))
		if left == "empty" {
			d.Write(d.what["commit"], nil)
		}
		dst := t.TempDir()
		rep, err := d.backup(t, dst)
		require.NoError(t, err)
		deep(t, d, dst, rep.Point)
		assert.NotContains(t, restored(t, dst, ""), d.what["commit"])
	}
}

// TestBadDestination: a destination that cannot be read or understood is left
// alone, by backup, verify and restore.
func TestBadDestination(t *testing.T) {
	manifest := func(change func(s string) string) func(t *testing.T, dst string) {
		return func(t *testing.T, dst string) {
			for name, b := range files(t, dst) {
				if strings.HasSuffix(name, "manifest.edn") {
					write(t, dst, name, []byte(change(b)))
				}
			}
		}
	}
	replace := func(old, new string) func(t *testing.T, dst string) {
		return manifest(func(s string) string {
			require.Contains(t, s, old)
			return strings.ReplaceAll(s, old, new)
		})
	}
	for _, tc := range []struct {
		name  string
		spoil func(t *testing.T, dst string)
		want  error
		names string
	}{
		{"a newer format", replace(":format/version 1", ":format/version 2"), graph.ErrUnsupported, "newer rclone-datom"},
		{"a manifest that is empty", manifest(func(string) string { return "" }), graph.ErrCorrupt, "manifest"},
		{"a manifest cut in half", manifest(func(s string) string { return s[:len(s)/2] }), graph.ErrCorrupt, "manifest"},
		{"a manifest of another point", replace(":snapshot/id \"2", ":snapshot/id \"3"), graph.ErrCorrupt, ":snapshot/id"},
		{"a manifest that leads out", replace(":object \"added-0001.zst\"", ":object \"../../secret\""), graph.ErrCorrupt, "object name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := first(t, plain, "")
			dst := t.TempDir()
			_, err := d.backup(t, dst)
			require.NoError(t, err)
			d.second()
			tc.spoil(t, dst)
			had := files(t, dst)
			_, backup := d.backup(t, dst)
			_, verify := dbsync.Verify(t.Context(), local(t, dst), dbsync.VerifyOptions{Dialect: d.source(t, "").Dialect})
			_, restore := dbsync.Restore(t.Context(), local(t, dst), local(t, t.TempDir()), dbsync.RestoreOptions{})
			for _, err := range []error{backup, verify, restore} {
				require.ErrorIs(t, err, tc.want)
				assert.ErrorContains(t, err, tc.names)
				assert.True(t, fserrors.IsNoRetryError(err))
			}
			assert.Equal(t, had, files(t, dst))
		})
	}
}

// TestFlagsThatMakeNoSense are refused before anything is read.
func TestFlagsThatMakeNoSense(t *testing.T) {
	d := first(t, plain, "")
	dst := t.TempDir()
	filtered, fi := filter.AddConfig(t.Context())
	require.NoError(t, fi.AddRule("- *.ksv"))
	renamed, ci := fs.AddConfig(t.Context())
	ci.NameTransform = []string{"all,uppercase"}
	for name, ctx := range map[string]context.Context{"filters": filtered, "--name-transform": renamed} {
		_, err := dbsync.Backup(ctx, d.source(t, ""), local(t, dst), dbsync.BackupOptions{})
		require.ErrorIs(t, err, dbsync.ErrRefused)
		assert.ErrorContains(t, err, name)
		_, err = dbsync.Restore(ctx, local(t, dst), local(t, t.TempDir()), dbsync.RestoreOptions{})
		require.ErrorIs(t, err, dbsync.ErrRefused)
	}
	assert.Empty(t, files(t, dst))
}

// TestNoCommits: databases that keep no commits are compared head with head.
// A segment that any branch still needs is not released.
func TestNoCommits(t *testing.T) {
	d := &database{Store: forge.New(t), what: map[string]string{}, key: map[string]any{}}
	head := func(branch string, tx int64, root fressian.UUID, n int) {
		id := d.UUID()
		rec := d.Record(id, tx, nil, map[string]fressian.Tagged{"eavt": forge.Index(root, n)})
		d.Head(branch, forge.With(rec, "config", forge.Config("commit-graph?", false)))
	}
	x, y, z := d.Leaf(1), d.Leaf(2), d.Leaf(3)
	a := d.Branch(1, 3, x, y)
	b := d.Branch(1, 4, x, z)
	head("db", 1, a, 3)
	head("dev", 1, b, 4)
	d.Branches("db", "dev")
	dst := t.TempDir()
	one, err := d.backup(t, dst)
	require.NoError(t, err)
	was := restored(t, dst, one.Point)

	head("dev", 2, d.Branch(1, 3, z), 3) // x is needed by :db alone now
	two, err := d.backup(t, dst)
	require.NoError(t, err)
	deep(t, d, dst, two.Point)
	assert.Equal(t, int64(1), two.Released.Segments, "only the old root of :dev")
	want := files(t, d.Dir)
	delete(want, forge.Name(t, b))
	assert.Equal(t, want, restored(t, dst, two.Point))
	assert.Equal(t, was, restored(t, dst, one.Point))
}
