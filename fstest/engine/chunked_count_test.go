package engine

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// TestChunkedCounts: what a backup in chunks, and a restore, ask of the
// destination follows from the number of chunks, not of segments.
func TestChunkedCounts(t *testing.T) {
	dir := scratch(t)
	db, err := sample.Create(dir, sample.Options{Seed: 1, Entities: 4500 / sparser, BranchingFactor: 16})
	require.NoError(t, err)
	src, dst := remote(t, dir), fault.New(memory(t), fault.Options{})
	run := func(opt dbsync.BackupOptions) (*dbsync.BackupReport, int) {
		dst.Heal()
		rep := backUp(t, src, dst, opt)
		t.Logf("%d new segments, %d calls\n%s", rep.New.Segments, dst.Count(nil), dst.Report())
		assert.Zero(t, dst.Count(chunksListed), "chunks are never listed")
		return rep, dst.Count(nil)
	}
	opt := chunked(64 << 10)
	rep, calls := run(opt)
	chunks := len(dump(t, dst).chunksIn())
	require.Greater(t, chunks, 10)
	assert.LessOrEqual(t, calls, 2*chunks+15)

	require.NoError(t, db.Transact(10))
	next, calls := run(chunked(0))
	require.Greater(t, next.New.Segments, int64(25))
	require.Less(t, next.New.Segments, rep.Total.Segments/4)
	assert.LessOrEqual(t, calls, 15)

	again, calls := run(chunked(0))
	assert.True(t, again.UpToDate)
	assert.LessOrEqual(t, calls, 3)
	again, calls = run(dbsync.BackupOptions{})
	assert.True(t, again.UpToDate)
	assert.LessOrEqual(t, calls, 6, "the layout has to be found")

	chunks = len(dump(t, dst).chunksIn())
	dst.Heal()
	_, err = dbsync.Restore(quick(), dst, memory(t), dbsync.RestoreOptions{})
	require.NoError(t, err)
	t.Logf("restore of %d chunks: %d calls\n%s", chunks, dst.Count(nil), dst.Report())
	assert.LessOrEqual(t, dst.Count(nil), 3*chunks+10)
	assert.Zero(t, dst.Count(chunksListed))
}

// chunksListed are lists of a directory with chunks.
func chunksListed(c fault.Call) bool {
	return c.Op == fault.List && strings.HasSuffix(c.Path, "/chunks")
}
