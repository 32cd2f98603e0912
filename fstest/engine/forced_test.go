package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
)

// TestForcedBranch: a forced branch names another branch as its parent, whose
// head moves. Points made before must not mind.
func TestForcedBranch(t *testing.T) {
	dir := fixture.Unpack(t, "e-branches")
	src, dst := remote(t, dir), memory(t)
	want := wanted(t, "", dumpDir(t, dir))
	first, err := dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{})
	require.NoError(t, err)

	head := filepath.Join(dir, keywordName(keywordOf(":feature")))
	data, err := os.ReadFile(head)
	require.NoError(t, err)
	codec := konserve.NewCodec("")
	blob, err := codec.Open(data)
	require.NoError(t, err)
	blob.Meta.LastWrite++
	data, err = codec.Seal(blob.Header, blob.Meta, blob.Value, nil)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(head, data, 0o600))
	second, err := dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{})
	require.NoError(t, err)
	require.False(t, second.UpToDate)

	for _, at := range []string{first.Point, second.Point} {
		v, err := dbsync.Verify(quick(), dst, dbsync.VerifyOptions{At: at, Deep: true, Dialect: datahike.New("")})
		require.NoError(t, err, "%+v", v)
	}
	assert.Empty(t, want.differs(restored(t, dst, first.Point)))
	want[filepath.Base(head)] = data
	assert.Empty(t, want.differs(restored(t, dst, second.Point)))
}
