package dbsync_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rclone/rclone/fs/fserrors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// TestLayoutMismatch: a place keeps its layout. One that is not named is that of
// the place.
func TestLayoutMismatch(t *testing.T) {
	p, d := packed(t)
	nativeDir := t.TempDir()
	_, err := d.backup(t, nativeDir)
	require.NoError(t, err)
	for dir, layout := range map[string]string{p.dir: dbsync.LayoutNative, nativeDir: dbsync.LayoutChunked} {
		before := files(t, dir)
		_, err := dbsync.Backup(t.Context(), d.source(t, d.Key), local(t, dir), dbsync.BackupOptions{Layout: layout})
		require.ErrorIs(t, err, dbsync.ErrRefused)
		assert.ErrorContains(t, err, "leave out --layout "+layout)
		assert.Equal(t, before, files(t, dir))
		rep, err := d.backup(t, dir)
		require.NoError(t, err)
		assert.True(t, rep.UpToDate)
	}
	_, err = dbsync.Backup(t.Context(), d.source(t, d.Key), local(t, t.TempDir()), dbsync.BackupOptions{Layout: "heaped"})
	require.ErrorContains(t, err, "there are native and chunked")
}

// another is another database, of one generation.
func another(t *testing.T) *database {
	t.Helper()
	d := first(t, plain, "")
	d.DatabaseID = fressian.UUID{9}
	id := d.UUID()
	d.Commit(id, d.Record(id, 1, d.old["schema"], d.indexes(d.old["root"], 6)), "db")
	return d
}

// TestFirstRunEnded: what a first run in the native layout has left, before it
// wrote anything else, is no database in chunks.
func TestFirstRunEnded(t *testing.T) {
	d, dst := first(t, plain, ""), t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dst, "inflight", "2026-01-01T000000.000Z-00000000"), 0o700))
	rep, err := d.backup(t, dst)
	require.NoError(t, err)
	assert.FileExists(t, filepath.Join(dst, "snapshots", rep.Point, "manifest.edn"))
	require.NoError(t, os.MkdirAll(filepath.Join(dst, "inflight", "2026-01-01T000000.000Z-00000000"), 0o700))
	assert.Len(t, points(t, dst), 1)
}

// TestSeveralDatabases: of several databases at a place one has to be named. A
// backup that names no layout goes where the others are.
func TestSeveralDatabases(t *testing.T) {
	p, d := packed(t)
	other := another(t)
	rep, err := other.backup(t, p.dir)
	require.NoError(t, err)
	for what, err := range map[string]error{
		"backups": second(dbsync.Points(t.Context(), local(t, p.dir))),
		"restore": second(dbsync.Restore(t.Context(), local(t, p.dir), local(t, t.TempDir()), dbsync.RestoreOptions{})),
		"verify":  second(dbsync.Verify(t.Context(), local(t, p.dir), dbsync.VerifyOptions{})),
	} {
		require.ErrorContains(t, err, "name the directory of one of them", what)
		assert.True(t, fserrors.IsNoRetryError(err), what)
	}
	mine := filepath.Join(p.dir, p.id)
	assert.Equal(t, p.images[p.second], restored(t, mine, ""))
	deep(t, d, mine, "")
	theirs := filepath.Join(p.dir, "09000000-0000-0000-0000-000000000000")
	require.Len(t, points(t, theirs), 1)
	deep(t, other, theirs, rep.Point)
	for _, db := range []*database{d, other} {
		again, err := db.backup(t, p.dir)
		require.NoError(t, err)
		assert.True(t, again.UpToDate)
	}
}

func second[T any](_ T, err error) error { return err }

// TestDirectoryOfDatabase: a backup goes to the place, not to the directory that
// a database has there.
func TestDirectoryOfDatabase(t *testing.T) {
	p, d := packed(t)
	before := files(t, p.dir)
	for _, db := range []*database{d, another(t)} {
		for _, layout := range []string{"", dbsync.LayoutNative, dbsync.LayoutChunked} {
			_, err := dbsync.Backup(t.Context(), db.source(t, ""), local(t, filepath.Join(p.dir, p.id)), dbsync.BackupOptions{Layout: layout})
			require.ErrorContains(t, err, "name the directory above it", layout)
			assert.True(t, fserrors.IsNoRetryError(err))
		}
	}
	assert.Equal(t, before, files(t, p.dir))
}
