package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// TestCopyCounts: what a copy of one more point asks of both ends follows from
// what is new in it, whatever the size of the database.
func TestCopyCounts(t *testing.T) {
	for _, from := range bothLayouts {
		for _, layout := range bothLayouts {
			t.Run(from+" to "+layout, func(t *testing.T) {
				small := copyCounts(t, from, layout, 300)
				large := copyCounts(t, from, layout, 2400/sparser)
				assert.InDelta(t, small.next, large.next, 12, "calls for a hundred segments")
				assert.Equal(t, small.again, large.again, "calls for nothing")
				assert.LessOrEqual(t, large.again, 20)
			})
		}
	}
}

// calls are how many a second copy made, and one with nothing to do.
type copyCalls struct{ next, again int }

func copyCounts(t *testing.T, from, layout string, entities int) (n copyCalls) {
	t.Helper()
	dir := scratch(t)
	db, err := sample.Create(dir, sample.Options{Seed: 1, Entities: entities, BranchingFactor: 16})
	require.NoError(t, err)
	src, dst := fault.New(memory(t), fault.Options{}), fault.New(memory(t), fault.Options{})
	backup := func() *dbsync.BackupReport { return backUp(t, remote(t, dir), src, dbsync.BackupOptions{Layout: from}) }
	opt := dbsync.CopyOptions{Layout: layout}
	run := func() int {
		src.Heal()
		dst.Heal()
		copyAll(t, src, dst, opt)
		t.Logf("%d entities: source\n%sdestination\n%s", entities, src.Report(), dst.Report())
		assert.Zero(t, src.Count(fault.On(fault.List, "store"))+dst.Count(fault.On(fault.List, "store")))
		assert.Zero(t, src.Count(chunksListed)+dst.Count(chunksListed))
		return src.Count(nil) + dst.Count(nil)
	}
	backup()
	run()
	require.NoError(t, db.Transact(20))
	fresh := backup().New.Segments
	require.Greater(t, fresh, int64(40))
	n.next = run()
	if layout == dbsync.LayoutNative {
		n.next -= int(fresh) // each is written
	}
	if from == dbsync.LayoutNative {
		n.next -= 2 * int(fresh) // and read
	}
	n.again = run()
	return n
}
