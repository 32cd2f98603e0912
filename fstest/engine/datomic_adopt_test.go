package engine

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicdb"
	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// damages are what may happen to a segment.
var damages = map[string]func(img image, name string){
	"removed":               func(img image, name string) { delete(img, name) },
	"emptied":               func(img image, name string) { img[name] = []byte{} },
	"torn":                  func(img image, name string) { img[name] = img[name][:len(img[name])/2] },
	"flipped at its middle": func(img image, name string) { img[name] = flipped(img[name], len(img[name])/2) },
	"flipped at its header": func(img image, name string) { img[name] = flipped(img[name], 0) },
	"flipped at its end":    func(img image, name string) { img[name] = flipped(img[name], len(img[name])-1) },
	"of zeros":              func(img image, name string) { img[name] = make([]byte, len(img[name])) },
}

func flipped(data []byte, at int) []byte {
	data = append([]byte{}, data...)
	data[at] ^= 4
	return data
}

// datomicKinds are segments of every kind that a value has.
func datomicKinds(t testing.TB, s *datomicsample.Sample) map[string]graph.ID {
	t.Helper()
	kinds := map[string]graph.ID{
		"top": s.Value.Index, "index root": anyOf(t, s, 2), "dir": anyOf(t, s, 1), "leaf": anyOf(t, s, graph.Leaf),
		"log root": s.Value.Log, "log dir": below(t, s, s.Value.Log, 1), "log leaf": below(t, s, s.Value.Log, graph.Leaf),
	}
	for id := range s.Segments {
		if len(id) > 36 {
			kinds["chunk"] = max(kinds["chunk"], id)
		}
	}
	return kinds
}

// TestDatomicAdopted: a backup that Datomic has made of two moments is gone on
// from. Only what is new is copied, the newest root becomes a point, and the
// older one stays a point that only Datomic has made.
func TestDatomicAdopted(t *testing.T) {
	gens := fixture.DatomicGens()
	begun, whole := dumpDir(t, fixture.DatomicBackup(t, "gen2")), fixture.DatomicBackup(t, "gen3")
	src := func() *dbsync.Source {
		return &dbsync.Source{Datomic: inSQLite(t, datomicdb.SQLite(t, datomicdb.Rows(t, whole, 1708)))}
	}
	for _, opt := range []dbsync.BackupOptions{{}, {VerifyBase: true}, {Repair: true}} {
		dst, drop := holding(t, memory, begun)
		rep, err := dbsync.Backup(quick(), *src(), dst, opt)
		require.NoError(t, err)
		assert.EqualValues(t, 117, rep.New.Segments, "as Datomic copies")
		assert.EqualValues(t, gens[2].Segments, rep.Total.Segments)
		img := dump(t, dst)
		sameAsDatomic(t, dumpDir(t, whole), img.datomicPart())
		for name, data := range begun {
			assert.Equal(t, data, img[name], name)
		}
		points, err := dbsync.Points(quick(), dst)
		require.NoError(t, err)
		require.Len(t, points, 3)
		for i, p := range points {
			assert.Equal(t, gens[i].T, p.T)
			assert.Equal(t, i < 2, p.Native)
			assert.True(t, p.Complete)
			assert.Empty(t, check(t, dst, p.ID, false))
			assert.Empty(t, check(t, dst, p.ID, true))
			assert.Len(t, restored(t, dst, p.ID), gens[i].Segments+2)
		}
		assert.Equal(t, "t1485", points[0].ID)
		assert.Equal(t, points[1].ID, points[2].Parent)
		again, err := dbsync.Backup(quick(), *src(), dst, dbsync.BackupOptions{})
		require.NoError(t, err)
		assert.True(t, again.UpToDate)
		drop()
	}
}

// TestDatomicAdoptDamaged: with --verify-base any damage of the base is found
// and nothing is written. Without, the inner nodes are read all the same.
func TestDatomicAdoptDamaged(t *testing.T) {
	a := smallDatomic()
	b := a.Next(4)
	src := shelved(a, b)
	for kind, id := range datomicKinds(t, a) {
		for damage, do := range damages {
			t.Run(kind+" "+damage, func(t *testing.T) {
				img := native(t, a)
				do(img, segmentName(id))
				dst, drop := holding(t, memory, img)
				defer drop()
				_, err := keep(src, dst, dbsync.BackupOptions{VerifyBase: true})
				refusedFor(t, err, id, img, dst)
				if isLeaf := kind == "leaf" || kind == "log leaf" || kind == "chunk"; !isLeaf {
					_, err = keep(src, dst, dbsync.BackupOptions{})
					refusedFor(t, err, id, img, dst)
				}
				rep := mustKeep(t, src, dst, dbsync.BackupOptions{Repair: true})
				assert.EqualValues(t, 1, rep.Repaired)
				assert.Empty(t, native(t, a, b).differs(dump(t, dst).datomicPart()))
				assert.Empty(t, check(t, dst, strconv.FormatInt(a.T, 10), true))
				assert.Empty(t, check(t, dst, "", true))
			})
		}
	}
}

// refusedFor: a run has named a damaged segment, and left the destination
// alone.
func refusedFor(t *testing.T, err error, id graph.ID, was image, dst fs.Fs) {
	t.Helper()
	require.Error(t, err)
	assert.ErrorContains(t, err, string(id))
	assert.ErrorContains(t, err, "--repair")
	assert.Empty(t, was.differs(dump(t, dst)))
}

// TestDatomicRepair: every kind of damage to every kind of segment, of our
// points and of roots that Datomic has written before and after them, is found
// and put right.
func TestDatomicRepair(t *testing.T) {
	a := smallDatomic()
	b := a.Next(4)
	c := b.Next(6)
	src := shelved(a, b, c)
	base, drop := holding(t, memory, native(t, a)) // Datomic's
	defer drop()
	ours := mustKeep(t, shelved(a, b), base, dbsync.BackupOptions{}).Point
	sound := dump(t, base).with(native(t, c)) // Datomic's again
	for which, s := range map[string]*datomicsample.Sample{"before": a, "ours": b, "after": c} {
		for kind, id := range datomicKinds(t, s) {
			for damage, do := range damages {
				img := sound.with(nil)
				do(img, segmentName(id))
				dst, drop := holding(t, memory, img)
				name := fmt.Sprintf("%s, %s %s", which, kind, damage)
				assert.Contains(t, check(t, dst, strconv.FormatInt(s.T, 10), true), string(id), name)
				rep := mustKeep(t, src, dst, dbsync.BackupOptions{Repair: true})
				assert.EqualValues(t, 1, rep.Repaired, name)
				assert.Empty(t, native(t, a, b, c).differs(dump(t, dst).datomicPart()), name)
				drop()
			}
		}
	}
	dst, drop2 := holding(t, memory, sound)
	defer drop2()
	rep := mustKeep(t, src, dst, dbsync.BackupOptions{Repair: true})
	assert.Zero(t, rep.Repaired)
	for at, want := range map[string]image{ours: native(t, b), rep.Point: native(t, c), strconv.FormatInt(a.T, 10): native(t, a)} {
		assert.Empty(t, want.differs(restored(t, dst, at)))
	}
}

// TestDatomicForeignAhead: Datomic has written a newer root at our place. It
// counts as the newest, and is built on only as far as its transactions go.
func TestDatomicForeignAhead(t *testing.T) {
	a := smallDatomic()
	b := a.Next(4)
	c := b.Next(6)
	dst := memory(t)
	mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
	for name, data := range native(t, b) {
		write(t, dst, name, data)
	}
	assert.Empty(t, native(t, b).differs(restored(t, dst, "")))
	before := dump(t, dst)
	_, err := keep(shelved(a), dst, dbsync.BackupOptions{})
	require.ErrorIs(t, err, dbsync.ErrRefused, "the source is behind")
	_, err = keep(shelved(a.Next(4), a.Next(7)), dst, dbsync.BackupOptions{})
	require.ErrorIs(t, err, dbsync.ErrRefused, "the source has another past")
	assert.Empty(t, before.differs(dump(t, dst)))

	same := mustKeep(t, shelved(b), dst, dbsync.BackupOptions{})
	assert.False(t, same.UpToDate)
	assert.Empty(t, native(t, b).differs(restored(t, dst, "")))
	assert.Empty(t, check(t, dst, same.Point, true))
	rep := mustKeep(t, shelved(c), dst, dbsync.BackupOptions{})
	for at, want := range map[string]image{rep.Point: native(t, c), strconv.FormatInt(b.T, 10): native(t, b), strconv.FormatInt(a.T, 10): native(t, a)} {
		assert.Empty(t, want.differs(restored(t, dst, at)), at)
		assert.Empty(t, check(t, dst, at, true), at)
	}
}

// TestDatomicForeignSameT: after ours Datomic has written its root at the same
// t, of another index.
func TestDatomicForeignSameT(t *testing.T) {
	a := smallDatomic()
	reindexed := a.Next(0)
	dst := memory(t)
	ours := mustKeep(t, shelved(a), dst, dbsync.BackupOptions{}).Point
	for name, data := range native(t, reindexed) {
		write(t, dst, name, data)
	}
	assert.Empty(t, check(t, dst, ours, true))
	assert.Empty(t, native(t, a).differs(restored(t, dst, ours)))
	// The same value still stands at the source: Datomic's root is the newer.
	mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
	assert.Empty(t, unsound(dump(t, dst)))
	rep := mustKeep(t, shelved(a, reindexed), dst, dbsync.BackupOptions{})
	assert.Empty(t, native(t, reindexed).differs(restored(t, dst, rep.Point)))
	assert.Empty(t, native(t, a).differs(restored(t, dst, ours)))
	assert.Empty(t, check(t, dst, rep.Point, true))
}

// TestDatomicTornRoot: a root at the destination cannot be read.
func TestDatomicTornRoot(t *testing.T) {
	a := smallDatomic()
	b := a.Next(4)
	for _, ours := range []bool{false, true} {
		dst, drop := holding(t, memory, native(t, a))
		if ours {
			mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
		}
		for _, bytes := range []string{"", "junk"} {
			torn := fmt.Sprintf("roots/%d", b.T)
			write(t, dst, torn, []byte(bytes))
			before := dump(t, dst)
			_, err := keep(shelved(a, b), dst, dbsync.BackupOptions{})
			require.ErrorIs(t, err, graph.ErrCorrupt)
			assert.ErrorContains(t, err, torn)
			assert.Empty(t, before.differs(dump(t, dst)))
		}
		drop()
	}
}
