package engine

import (
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicdb"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
)

// Backups whose segments lie in chunks. What is in them is what lies one object
// each in the other layout, so the same oracle and the same facts apply.

// packings are ways to pack: into many chunks, and few compressed ones.
var packings = map[string]dbsync.BackupOptions{"smallest": chunked(smallest), "squeezed": squeezed(chunked(0))}

// TestChunked: every fixture goes into chunks and comes back, byte for byte, by
// Restore and for whoever has nothing but an unzip.
func TestChunked(t *testing.T) {
	for _, name := range fixture.Names() {
		for how, opt := range packings {
			t.Run(name+"/"+how, func(t *testing.T) {
				t.Parallel()
				key := fixture.Key(name)
				src := remote(t, fixture.Unpack(t, name))
				want := wanted(t, key, dump(t, src))
				dst := memory(t)
				rep, err := dbsync.Backup(quick(), source(src, key), dst, opt)
				require.NoError(t, err)
				assert.Empty(t, want.differs(restored(t, dst, "")))
				img := dump(t, dst)
				assert.Empty(t, want.differs(unzipped(t, img, img.chunksIn()).below("store")))
				assert.Equal(t, img.chunksIn(), chunksOf(t, dst, rep.Point), "no chunk is left over")
				asDatahikeCounts(t, name, dst)
				if how == "smallest" {
					assert.Greater(t, len(img.chunksIn()), 5)
				}
				again, err := dbsync.Backup(quick(), source(src, key), dst, dbsync.BackupOptions{})
				require.NoError(t, err)
				assert.True(t, again.UpToDate)
			})
		}
	}
}

// TestChunkedWhole: a whole copy of a database with :online-gc shares no chunk
// with another one, and what was copied in vain is not left.
func TestChunkedWhole(t *testing.T) {
	src, dst := local(t), memory(t)
	opt := chunked(smallest)
	opt.OnlineGCCopy = true
	var named []string
	for _, name := range moments {
		become(t, src, fixture.Unpack(t, name))
		f := meddled(src, 30, func(n int) {
			if n == 0 && name == moments[0] {
				become(t, src, fixture.Unpack(t, moments[1]))
				become(t, src, fixture.Unpack(t, moments[0]))
			}
		})
		rep, err := dbsync.Backup(quick(), source(f, ""), dst, opt)
		require.NoError(t, err)
		assert.Empty(t, rep.Parent)
		assert.Empty(t, newest(t, dump(t, src)).differs(restored(t, dst, rep.Point)))
		deep(t, dst, rep.Point)
		for _, path := range chunksOf(t, dst, rep.Point) {
			assert.Contains(t, path, rep.Point)
			named = append(named, path)
		}
	}
	assert.ElementsMatch(t, named, dump(t, dst).chunksIn(), "no chunk is left over")
}

// TestChunkedGenerations: one database at four moments. Every point is what its
// moment was, also for whoever unpacks the chunks up to it; what the last one
// releases is what Datahike's collection deleted.
func TestChunkedGenerations(t *testing.T) {
	for how, opt := range packings {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			src, dst := local(t), memory(t)
			var points []string
			for i, name := range generations {
				become(t, src, fixture.Unpack(t, name))
				if i > 1 {
					opt.Layout = "" // what is there is gone on with
				}
				rep := backUp(t, src, dst, opt)
				require.False(t, rep.UpToDate)
				assert.True(t, backUp(t, src, dst, dbsync.BackupOptions{}).UpToDate)
				points = append(points, rep.Point)
				asDatahikeCounts(t, name, dst)
			}
			img := dump(t, dst)
			for i, name := range generations {
				want := wanted(t, "", dumpDir(t, fixture.Unpack(t, name)))
				assert.Empty(t, want.differs(restored(t, dst, points[i])), name)
				deep(t, dst, points[i])
				got := unzipped(t, img, chunksOf(t, dst, points[i])).below("store")
				assert.Empty(t, want.lacksIn(got), name)
			}
			last := manifestIn(t, dst, points[3])
			before := manifestIn(t, dst, points[2])
			assert.EqualValues(t, before.Total.Segments-last.Total.Segments, last.Released.Segments)
			assert.Positive(t, last.Released.Segments)
			assert.Zero(t, last.New.Segments)
		})
	}
}

// TestChunkedDatomic: three moments of a database of Datomic's, restored as the
// backup that Datomic would have made, and to a table.
func TestChunkedDatomic(t *testing.T) {
	for how, opt := range packings {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			dst := memory(t)
			file := datomicdb.SQLite(t, nil)
			for i, gen := range fixture.DatomicGens() {
				dir := fixture.DatomicBackup(t, gen.Name)
				rows := datomicdb.Rows(t, dir, gen.T)
				datomicdb.Replace(t, file, rows)
				if i > 0 {
					opt.Layout = ""
				}
				rep := mustKeep(t, inSQLite(t, file), dst, opt)
				assert.EqualValues(t, gen.Segments, rep.Total.Segments)
				assert.True(t, mustKeep(t, inSQLite(t, file), dst, dbsync.BackupOptions{}).UpToDate)
				got := unzipped(t, dump(t, dst), chunksOf(t, dst, rep.Point))
				sameAsDatomic(t, dumpDir(t, dir), got)
			}
			chunkedMoments(t, dst)
		})
	}
}

// chunkedMoments looks at the points of a destination with one for each moment.
func chunkedMoments(t *testing.T, dst fs.Fs) {
	t.Helper()
	points, err := dbsync.Points(quick(), dst)
	require.NoError(t, err)
	require.Len(t, points, len(fixture.DatomicGens()))
	for i, gen := range fixture.DatomicGens() {
		alone := memory(t)
		rows := datomicdb.Rows(t, fixture.DatomicBackup(t, gen.Name), gen.T)
		mustKeep(t, inSQLite(t, datomicdb.SQLite(t, rows)), alone, dbsync.BackupOptions{})
		want := dump(t, alone).datomicPart()
		assert.Len(t, want, gen.Segments+2)
		assert.Equal(t, gen.T, points[i].T)
		assert.Empty(t, check(t, dst, points[i].ID, true))
		assert.Empty(t, want.differs(restored(t, dst, points[i].ID)))
		throughSQLite(t, dst, points[i].ID, want)
	}
}

// TestChunkedFullText does so with a database that has much full text.
func TestChunkedFullText(t *testing.T) {
	dir := fixture.DatomicBackup(t, fixture.DatomicFullText)
	for how, opt := range packings {
		t.Run(how, func(t *testing.T) {
			dst := memory(t)
			mustKeep(t, shelfOf(t, dumpDir(t, dir), fixture.DatomicFullTextT), dst, opt)
			assert.Empty(t, check(t, dst, "", true))
			sameAsDatomic(t, dumpDir(t, dir), restored(t, dst, ""))
			img := dump(t, dst)
			sameAsDatomic(t, dumpDir(t, dir), unzipped(t, img, img.chunksIn()))
		})
	}
}

// TestChunkedBranch: a branch, or the state at a commit, can be restored
// from chunks as from objects.
func TestChunkedBranch(t *testing.T) {
	src, dst, native := remote(t, fixture.Unpack(t, "e-branches")), memory(t), memory(t)
	backUp(t, src, dst, chunked(smallest))
	backUp(t, src, native, dbsync.BackupOptions{})
	commit := fixture.Expected(t, "e-branches").ByBranch[":db"].Commits[1].ID
	for _, opt := range []dbsync.RestoreOptions{{Branch: "feature"}, {Commit: commit}} {
		opt.Dialect = datahike.New("")
		var images []image
		for _, from := range []fs.Fs{dst, native} {
			target := memory(t)
			_, err := dbsync.Restore(quick(), from, target, opt)
			require.NoError(t, err)
			images = append(images, dump(t, target))
		}
		assert.NotEmpty(t, images[0])
		assert.Empty(t, images[0].differs(images[1]))
	}
}
