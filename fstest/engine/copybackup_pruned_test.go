package engine

import (
	"context"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// whatever is pruned at either end, in either layout: prunes by number of the
// point, with or without a grace in which they are parked.
var prunings = map[string]struct {
	src, dst []int
	grace    time.Duration
}{
	"middle at SRC":         {src: []int{1}},
	"first at SRC":          {src: []int{0}},
	"parked at SRC":         {src: []int{0, 1}, grace: time.Hour},
	"one parked at SRC":     {src: []int{0}, grace: time.Hour},
	"middle at DEST":        {dst: []int{1}},
	"first at DEST":         {dst: []int{0}},
	"two at DEST":           {dst: []int{0, 2}},
	"parked at DEST":        {dst: []int{0, 1}, grace: time.Hour},
	"others at each":        {src: []int{1}, dst: []int{0, 2}},
	"others parked at each": {src: []int{1}, dst: []int{0, 2}, grace: time.Hour},
}

// drop prunes points by their numbers.
func dropPoints(t *testing.T, f fs.Fs, points []string, gone []int, grace time.Duration) {
	t.Helper()
	if len(gone) == 0 {
		return
	}
	opt := dbsync.PruneOptions{Grace: grace, MaxDead: dbsync.DefaultMaxDead}
	for i, p := range points {
		opt.Keep = append(opt.Keep, p)
		for _, g := range gone {
			if g == i {
				opt.Keep = opt.Keep[:len(opt.Keep)-1]
			}
		}
	}
	thin(t, f, opt)
	require.Len(t, complete(t, f), len(points)-len(gone))
}

// TestCopyPruned: points were pruned at either end. The copy gets what it lacks,
// every point of it is whole, and the mirror stays that of the newest.
func TestCopyPruned(t *testing.T) {
	for name, p := range prunings {
		for _, from := range bothLayouts {
			for _, layout := range bothLayouts {
				t.Run(name+"/"+from+" to "+layout, func(t *testing.T) {
					t.Parallel()
					src, points := chain(t, dbsync.BackupOptions{Layout: from})
					copyPruned(t, src, points, layout, p.src, p.dst, p.grace)
				})
			}
		}
	}
}

// TestCopyPrunedDatomic does so with a database of Datomic's.
func TestCopyPrunedDatomic(t *testing.T) {
	values := threeValues(t)
	for name, p := range map[string][3][]int{"SRC": {{1}}, "DEST": {nil, {1}}, "both": {{0}, {1}}} {
		for _, from := range bothLayouts {
			for _, layout := range bothLayouts {
				for _, grace := range []time.Duration{0, time.Hour} {
					t.Run(name+"/"+from+" to "+layout+"/"+grace.String(), func(t *testing.T) {
						t.Parallel()
						src, points := sampledDatomic(t, dbsync.BackupOptions{Layout: from}, values...)
						copyPruned(t, src, points, layout, p[0], p[1], grace)
					})
				}
			}
		}
	}
}

func copyPruned(t *testing.T, src fs.Fs, points []string, layout string, atSrc, atDst []int, grace time.Duration) {
	t.Helper()
	want := map[string]image{}
	for _, p := range points {
		want[p] = restored(t, src, p)
	}
	dst := memory(t)
	if len(atDst) > 0 {
		copyAll(t, src, dst, to(layout))
		dropPoints(t, dst, points, atDst, grace)
	}
	dropPoints(t, src, points, atSrc, grace)
	copyAll(t, src, dst, to(layout))
	there := complete(t, dst)
	assert.Subset(t, there, complete(t, src))
	for _, p := range there {
		assert.Empty(t, want[p].differs(restored(t, dst, p)), p)
		verified(t, dst, p, "")
	}
	assert.Empty(t, want[points[len(points)-1]].differs(restored(t, dst, "")))
	img := dump(t, dst)
	if store := img.below("store"); len(store) > 0 {
		_, missing := reachIn("", store)
		assert.Empty(t, missing)
		assert.Empty(t, newestHeads(want[points[len(points)-1]]).lacksIn(store), "the heads are those of the newest")
	}
	assert.Empty(t, unsound(img))
	assert.Empty(t, copyAll(t, src, dst, to("")).Points)
	// What was brought back can go again.
	thin(t, dst, dbsync.PruneOptions{Policy: last(1), MaxDead: dbsync.DefaultMaxDead})
	assert.Empty(t, want[points[len(points)-1]].differs(restored(t, dst, "")))
	verified(t, dst, "", "")
}

// newestHeads are the mutable objects of what a point restores to.
func newestHeads(img image) image {
	part := image{}
	for name, data := range img {
		if isHead[name] {
			part[name] = data
		}
	}
	return part
}

// TestCopyWhole: points that share nothing, one of which the copy lacks in the
// middle.
func TestCopyWhole(t *testing.T) {
	src := memory(t)
	var points []string
	for _, dir := range unpackAll(t)[:3] {
		rep, err := dbsync.Backup(quick(), source(remote(t, dir), ""), src, dbsync.BackupOptions{OnlineGCCopy: true})
		require.NoError(t, err)
		points = append(points, rep.Point)
	}
	for _, layout := range bothLayouts {
		t.Run(layout, func(t *testing.T) {
			dst := copied(t, src, layout)
			sameBackups(t, "", src, dst)
			thin(t, dst, dbsync.PruneOptions{Keep: []string{points[0], points[2]}, MaxDead: dbsync.DefaultMaxDead})
			copyAll(t, src, dst, to(""))
			sameBackups(t, "", src, dst)
			if layout == dbsync.LayoutNative {
				assert.Empty(t, dump(t, src).mirror().differs(dump(t, dst).mirror()))
			}
			back := copied(t, dst, dbsync.LayoutNative)
			sameBackups(t, "", src, back)
			assert.Empty(t, dump(t, src).mirror().differs(dump(t, back).mirror()))
		})
	}
}

// TestCopyRefused: places that are not for this copy stay as they are.
func TestCopyRefused(t *testing.T) {
	src, _ := chain(t, dbsync.BackupOptions{})
	inChunks := copied(t, src, dbsync.LayoutChunked)
	place := func(img image) fs.Fs { f, _ := holding(t, memory, img); return f }
	other := func(name, layout string) fs.Fs {
		dst := memory(t)
		backUp(t, remote(t, fixture.Unpack(t, name)), dst, dbsync.BackupOptions{Layout: layout})
		return dst
	}
	theirs := remote(t, fixture.DatomicBackup(t, "gen1"))
	opened := place(dump(t, src))
	head := keywordName(keywordOf(":db"))
	write(t, opened, "store/"+head, dump(t, remote(t, fixture.Unpack(t, "a-default")))[head])
	for name, c := range map[string]struct {
		src, dst fs.Fs
		layout   string
		says     string
	}{
		"another database":      {src, other("a-default", ""), "", "backups of the database"},
		"Datomic's":             {src, place(dump(t, theirs)), "", "Datomic database"},
		"another of Datomic's":  {place(native(t, smallDatomic())), place(dump(t, theirs)), "", "is claimed by"},
		"Datahike's":            {theirs, place(dump(t, src)), "", "datahike database"},
		"opened":                {src, opened, "", "not what a backup has put there"},
		"native, chunks wanted": {src, place(dump(t, src)), dbsync.LayoutChunked, "native layout"},
		"chunks, native wanted": {src, place(dump(t, inChunks)), dbsync.LayoutNative, "in chunks"},
		"itself":                {src, src, "", "overlap"},
		"no backup":             {remote(t, fixture.Unpack(t, "a-default")), memory(t), "", "is no backup but a store"},
	} {
		t.Run(name, func(t *testing.T) {
			before := dump(t, c.dst)
			_, err := dbsync.CopyBackup(quick(), c.src, c.dst, to(c.layout))
			require.ErrorContains(t, err, c.says)
			assert.Empty(t, before.differs(dump(t, c.dst)))
		})
	}
	// Chunks of several databases lie side by side.
	several := other("a-default", dbsync.LayoutChunked)
	copyAll(t, src, several, to(""))
	assert.Len(t, complete(t, sub(t, several, storeIDOf(t, src))), len(generations))
}

// storeIDOf is the database of the points at a place.
func storeIDOf(t testing.TB, f fs.Fs) string {
	t.Helper()
	points, err := dbsync.Points(quick(), f)
	require.NoError(t, err)
	return points[0].Database
}

// sub is a directory of a remote in memory.
func sub(t testing.TB, f fs.Fs, dir string) fs.Fs {
	t.Helper()
	return remote(t, ":memory:"+f.Root()+"/"+dir)
}

// TestCopyOverlaps: no copy into what it reads, or the reverse.
func TestCopyOverlaps(t *testing.T) {
	dir := scratch(t)
	src := remote(t, dir+"/backup")
	backUp(t, remote(t, fixture.Unpack(t, "a-default")), src, dbsync.BackupOptions{Layout: dbsync.LayoutChunked})
	before := dumpDir(t, dir)
	for _, to := range []string{"/backup", "/backup/inside", ""} {
		_, err := dbsync.CopyBackup(quick(), src, remote(t, dir+to), dbsync.CopyOptions{})
		require.ErrorContains(t, err, "overlap")
		_, err = dbsync.CopyBackup(quick(), remote(t, fixture.DatomicBackup(t, "gen1")), remote(t, dir+to), dbsync.CopyOptions{From: []fs.Fs{src}})
		require.ErrorContains(t, err, "overlap")
	}
	assert.Empty(t, before.differs(dumpDir(t, dir)))
}

// TestCopyLeased: somebody else is writing to the copy.
func TestCopyLeased(t *testing.T) {
	src, _ := chain(t, dbsync.BackupOptions{})
	for _, layout := range bothLayouts {
		dst := copied(t, src, layout)
		thin(t, dst, dbsync.PruneOptions{Policy: last(1), MaxDead: dbsync.DefaultMaxDead})
		place, err := snapshot.Find(quick(), dst)
		require.NoError(t, err)
		run, _, err := place.Begin(quick(), transfer.NewCopier(dst, dst, time.Now()))
		require.NoError(t, err)
		_, err = dbsync.CopyBackup(quick(), src, dst, to(""))
		require.ErrorIs(t, err, snapshot.ErrLeased)
		assert.Len(t, complete(t, dst), 1)
		run.End(context.Background())
		copyAll(t, src, dst, to(""))
		assert.Len(t, complete(t, dst), len(generations))
	}
}

// TestCopiesTogether: two copies to one place at once. Whichever gives way, what
// is there is whole, and one more run finishes.
func TestCopiesTogether(t *testing.T) {
	src, _ := chain(t, dbsync.BackupOptions{})
	for _, layout := range bothLayouts {
		dst, errs := memory(t), make(chan error)
		for range 2 {
			go func() {
				_, err := dbsync.CopyBackup(quick(), src, dst, to(layout))
				errs <- err
			}()
		}
		for range 2 {
			if err := <-errs; err != nil {
				assert.ErrorIs(t, err, snapshot.ErrLeased)
			}
		}
		copyAll(t, src, dst, to(layout))
		sameBackups(t, "", src, dst)
		nothingLeft(t, dst)
	}
}
