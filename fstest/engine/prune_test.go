package engine

import (
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/prune"
)

// thin prunes and confirms it.
func thin(t testing.TB, dst fs.Fs, opt dbsync.PruneOptions) *dbsync.PruneReport {
	t.Helper()
	opt.Confirm, opt.Dialect = true, datahike.New("")
	rep, err := dbsync.Prune(quick(), dst, opt)
	require.NoError(t, err)
	return rep
}

// complete are the ids of the points that can be restored.
func complete(t testing.TB, dst fs.Fs) (ids []string) {
	t.Helper()
	points, err := dbsync.Points(quick(), dst)
	require.NoError(t, err)
	for _, p := range points {
		if p.Complete {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// fourPoints is a destination with a point for each moment of one database.
func fourPoints(t testing.TB, opt dbsync.BackupOptions) (dst fs.Fs, points []string, want map[string]image) {
	t.Helper()
	dst, points = chain(t, opt)
	want = map[string]image{}
	for _, p := range points {
		want[p] = restored(t, dst, p)
	}
	return dst, points, want
}

// TestPrune removes two points of four. What stays is what it was, and nothing
// else is left than what a destination has that never had the others.
func TestPrune(t *testing.T) {
	dst, points, want := fourPoints(t, dbsync.BackupOptions{})
	before := dump(t, dst)
	opt := dbsync.PruneOptions{Policy: last(1), Keep: []string{points[1]}, Dialect: datahike.New("")}
	rep, err := dbsync.Prune(quick(), dst, opt)
	require.NoError(t, err)
	assert.True(t, rep.DryRun)
	assert.Empty(t, before.differs(dump(t, dst)), "nothing is done without being confirmed")
	require.Len(t, rep.Points, 4)
	for i, reasons := range [][]string{nil, {"named"}, nil, {"last 1", "the store's own heads"}} {
		assert.Equal(t, points[i], rep.Points[i].ID)
		assert.Equal(t, reasons, rep.Points[i].Reasons)
		assert.Equal(t, reasons != nil, rep.Points[i].Keep)
	}
	done := thin(t, dst, opt)
	assert.Equal(t, rep.Freed, done.Freed)
	assert.Equal(t, rep.Freed, done.Deleted)
	assert.Equal(t, []string{points[1], points[3]}, complete(t, dst))
	after := dump(t, dst)
	assert.EqualValues(t, len(before.below("store"))-len(after.below("store")), done.Deleted.Segments)
	needed := want[points[1]].with(want[points[3]])
	assert.Empty(t, needed.differs(after.below("store")))
	for _, p := range []string{points[1], points[3]} {
		assert.Empty(t, want[p].differs(restored(t, dst, p)))
		verified(t, dst, p, "")
	}
	assert.Equal(t, prune.Count{}, thin(t, dst, opt).Deleted)
	assert.Empty(t, after.differs(dump(t, dst)), "a second one has nothing to do")
}

// TestPruneFrees: what is said to become free is what does, whatever is kept, and
// whatever is parked already.
func TestPruneFrees(t *testing.T) {
	for _, layout := range bothLayouts {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			opt := smallChunks(layout)
			dst, points := chain(t, opt)
			everyKeep(t, dst, points)
			thin(t, dst, dbsync.PruneOptions{Keep: points[2:], Grace: hour})
			everyKeep(t, dst, points[2:])
			db, ids := sampledDatomic(t, opt, threeValues(t)...)
			everyKeep(t, db, ids)
			thin(t, db, dbsync.PruneOptions{Keep: ids[1:], Grace: hour})
			everyKeep(t, db, ids[1:])
		})
	}
}

// everyKeep asks for every set of points to be kept.
func everyKeep(t *testing.T, dst fs.Fs, points []string) {
	t.Helper()
	for set := 1; set < 1<<len(points); set++ {
		opt := dbsync.PruneOptions{Dialect: datahike.New("")}
		for i, p := range points {
			if set>>i&1 == 1 {
				opt.Keep = append(opt.Keep, p)
			}
		}
		freesExactly(t, dst, opt)
	}
}

// TestPruneDatomic drops the point in the middle.
func TestPruneDatomic(t *testing.T) {
	dst, points := threeGenerations(t)
	want := map[string]image{points[0]: restored(t, dst, points[0]), points[2]: restored(t, dst, points[2])}
	rep := thin(t, dst, dbsync.PruneOptions{Keep: []string{points[0], points[2]}})
	assert.Positive(t, rep.Deleted.Segments)
	assert.Equal(t, rep.Freed, rep.Deleted)
	assert.Empty(t, want[points[0]].with(want[points[2]]).differs(dump(t, dst).datomicPart()))
	for at, img := range want {
		assert.Empty(t, img.differs(restored(t, dst, at)))
		assert.Empty(t, check(t, dst, at, true))
	}
}

// TestPruneNative drops the middle one of the points that Datomic itself made,
// and brings it back.
func TestPruneNative(t *testing.T) {
	a := datomicsample.Make(datomicsample.Options{Seed: 5, Leaves: 3, Fanout: 2, Files: 1, Tail: 2})
	b := a.Next(3)
	c := b.Next(8)
	all := native(t, a, b, c)
	dst, drop := holding(t, memory, all)
	defer drop()
	opt := dbsync.PruneOptions{Keep: []string{"t" + at(a), at(c)}, Grace: time.Hour}
	rep := thin(t, dst, opt)
	assert.Equal(t, []string{"t" + at(a), "t" + at(c)}, complete(t, dst))
	assert.Zero(t, rep.Deleted)
	assert.Positive(t, rep.Freed.Bytes)
	thin(t, dst, dbsync.PruneOptions{Undo: at(b)})
	assert.Len(t, complete(t, dst), 3)
	assert.Empty(t, all.differs(dump(t, dst).datomicPart()))
	mustKeep(t, shelved(a, b, c), dst, dbsync.BackupOptions{})
	assert.Empty(t, check(t, dst, at(b), true))

	opt.Grace = 0
	now := thin(t, dst, opt)
	assert.Equal(t, rep.Freed, now.Deleted)
	assert.Empty(t, native(t, a, c).differs(dump(t, dst).datomicPart()))
	for _, s := range []*datomicsample.Sample{a, c} {
		assert.Empty(t, native(t, s).differs(restored(t, dst, at(s))))
		assert.Empty(t, check(t, dst, at(s), true))
	}
}
