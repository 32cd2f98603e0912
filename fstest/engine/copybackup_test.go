package engine

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// TestCopyFixtures: every fixture goes from one layout to the other and back, and
// is what it was.
func TestCopyFixtures(t *testing.T) {
	for _, name := range fixture.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := fixture.Key(name)
			first := memory(t)
			_, err := dbsync.Backup(quick(), source(remote(t, fixture.Unpack(t, name)), key), first, dbsync.BackupOptions{})
			require.NoError(t, err)
			chunks := copied(t, first, dbsync.LayoutChunked)
			sameBackups(t, key, first, chunks)
			asDatahikeCounts(t, name, chunks)
			nothingLeft(t, chunks)
			again := copied(t, chunks, dbsync.LayoutNative)
			sameBackups(t, key, first, again)
			assert.Empty(t, dump(t, first).mirror().differs(dump(t, again).mirror()))
			packed := to(dbsync.LayoutChunked)
			packed.Packing.Size, packed.Packing.Compress = 0, true
			small := memory(t)
			copyAll(t, chunks, small, packed)
			sameBackups(t, key, first, small)
		})
	}
}

// TestCopyChain does so with four points of one database, of which the last
// releases most. A backup goes on from the copy as from the original.
func TestCopyChain(t *testing.T) {
	for _, from := range bothLayouts {
		first, points := chain(t, dbsync.BackupOptions{Layout: from})
		for _, layout := range bothLayouts {
			t.Run(from+" to "+layout, func(t *testing.T) {
				dst := memory(t)
				rep := copyAll(t, first, dst, to(layout))
				assert.Len(t, rep.Points, len(points))
				sameBackups(t, "", first, dst)
				nothingLeft(t, dst)
				again := copyAll(t, first, dst, to(layout))
				assert.Empty(t, again.Points)
				assert.Equal(t, len(points), again.Reused)
				last := remote(t, fixture.Unpack(t, generations[3]))
				assert.True(t, backUp(t, last, dst, dbsync.BackupOptions{}).UpToDate)
				if layout == dbsync.LayoutNative {
					assert.Empty(t, wanted(t, "", dumpDir(t, last.Root())).lacksIn(dump(t, dst).below("store")))
				}
			})
		}
	}
}

// TestCopyDatomic: the copy in Datomic's layout is Datomic's own directory.
func TestCopyDatomic(t *testing.T) {
	first, _ := threeGenerations(t)
	dir := fixture.DatomicBackup(t, "gen3")
	chunks := copied(t, first, dbsync.LayoutChunked)
	sameBackups(t, "", first, chunks)
	again := copied(t, chunks, dbsync.LayoutNative)
	sameBackups(t, "", first, again)
	sameAsDatomic(t, dumpDir(t, dir), dump(t, again).datomicPart())
	chunkedMoments(t, chunks)
}

// TestCopyOfDatomics: a backup that Datomic has made, without a record of ours.
func TestCopyOfDatomics(t *testing.T) {
	for _, layout := range bothLayouts {
		t.Run(layout, func(t *testing.T) {
			theirs := remote(t, fixture.DatomicBackup(t, "gen3"))
			dst := memory(t)
			plan, err := dbsync.CopyBackup(dry(), theirs, dst, to(layout))
			require.NoError(t, err)
			assert.Empty(t, dump(t, dst))
			rep := copyAll(t, theirs, dst, to(layout))
			require.Len(t, rep.Points, 3)
			assert.Len(t, plan.Points, 3)
			for i, p := range plan.Points {
				assert.Equal(t, rep.Points[i].New.Segments, p.New.Segments)
				assert.Equal(t, rep.Points[i].Total.Segments, p.Total.Segments)
			}
			want := dump(t, theirs)
			for i, gen := range fixture.DatomicGens() {
				assert.Empty(t, check(t, dst, rep.Points[i].ID, true))
				at := strconv.FormatInt(gen.T, 10)
				assert.Empty(t, restored(t, theirs, at).differs(restored(t, dst, rep.Points[i].ID)))
				assert.Equal(t, want["roots/"+at], restored(t, dst, at)["roots/"+at])
			}
			assert.Empty(t, restored(t, theirs, "").differs(restored(t, dst, "")))
			assert.Equal(t, 3, copyAll(t, theirs, dst, to("")).Reused)
			if layout == dbsync.LayoutNative {
				assert.Empty(t, want.datomicPart().differs(dump(t, dst).datomicPart()))
				return
			}
			back := copied(t, dst, dbsync.LayoutNative)
			assert.Empty(t, want.datomicPart().differs(dump(t, back).datomicPart()))
		})
	}
	full := remote(t, fixture.DatomicBackup(t, fixture.DatomicFullText))
	back := copied(t, copied(t, full, dbsync.LayoutChunked), dbsync.LayoutNative)
	assert.Empty(t, dump(t, full).datomicPart().differs(dump(t, back).datomicPart()))
}

// dry is a context of a run that changes nothing.
func dry() context.Context {
	ctx, ci := fs.AddConfig(quick())
	ci.DryRun = true
	return ctx
}

// TestCopyOrderOfRoots: files of roots may have equal times, or times that say
// the reverse. The newest point of a copy is that of the largest t, whichever
// came first.
func TestCopyOrderOfRoots(t *testing.T) {
	values := threeValues(t)
	all := native(t, values...)
	for _, layout := range bothLayouts {
		theirs, drop := holding(t, memory, all) // equal times
		dst := copied(t, theirs, layout)
		assert.Empty(t, native(t, values[2]).differs(restored(t, dst, "")))

		// A root that was copied here only now, older than a point of ours.
		mine := memory(t)
		mustKeep(t, shelved(values...), mine, dbsync.BackupOptions{})
		for name, data := range native(t, values[:2]...) {
			writeAt(t, mine, name, data, time.Now().Add(time.Hour))
		}
		dst = copied(t, mine, layout)
		require.Len(t, complete(t, dst), 3)
		assert.Empty(t, native(t, values[2]).differs(restored(t, dst, "")))

		// The older ones come when the newest is there.
		some, dropSome := holding(t, memory, native(t, values[2]))
		dst = copied(t, some, layout)
		copyAll(t, theirs, dst, to(""))
		require.Len(t, complete(t, dst), 3)
		assert.Empty(t, native(t, values[2]).differs(restored(t, dst, "")))
		for _, v := range values {
			assert.Empty(t, native(t, v).differs(restored(t, dst, at(v))))
		}
		drop()
		dropSome()
	}
}
