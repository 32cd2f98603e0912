package engine

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicdb"
	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// TestDatomicAtNumber: a number is a t, and nothing that a point's id begins
// with.
func TestDatomicAtNumber(t *testing.T) {
	dst := memory(t)
	a := smallDatomic()
	mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
	for _, at := range []string{"2", "20", "2026", "1", "t1"} {
		_, err := dbsync.Restore(quick(), dst, memory(t), dbsync.RestoreOptions{At: at})
		require.ErrorIs(t, err, fs.ErrorObjectNotFound, at)
	}
	for _, ok := range []string{at(a), "t" + at(a), "latest", ""} {
		rep, err := dbsync.Restore(quick(), dst, memory(t), dbsync.RestoreOptions{At: ok})
		require.NoError(t, err, ok)
		assert.Equal(t, a.T, rep.T)
	}
}

// TestDatomicRootsRepaired: a repair puts back roots of any point, and verify
// tells of one that has other bytes.
func TestDatomicRootsRepaired(t *testing.T) {
	sound, a, b := twoPoints(t)
	img := dump(t, sound)
	for _, s := range []*datomicsample.Sample{a, b} {
		name := "roots/" + at(s)
		flipped := bytes.Clone(img[name])
		flipped[len(flipped)-len(s.Value.DatabaseID)-20] ^= 1 // in the tail
		for what, damaged := range map[string][]byte{"flipped": flipped, "emptied": {}, "cut": img[name][:40], "gone": nil} {
			t.Run(at(s)+" "+what, func(t *testing.T) {
				dst, drop := holding(t, memory, img)
				defer drop()
				o, err := dst.NewObject(quick(), name)
				require.NoError(t, err)
				require.NoError(t, o.Remove(quick()))
				if damaged != nil {
					write(t, dst, name, damaged)
				}
				assert.NotEmpty(t, check(t, dst, at(s), false))
				rep, err := keep(shelved(a, b), dst, dbsync.BackupOptions{Repair: true})
				require.NoError(t, err)
				assert.EqualValues(t, 1, rep.Repaired)
				assert.Empty(t, img.differs(dump(t, dst)))
			})
		}
	}
}

// TestDatomicRestoreOfHalfARestore: one that was cut off between owner, root
// and the end of the marker goes on.
func TestDatomicRestoreOfHalfARestore(t *testing.T) {
	dst, _, b := twoPoints(t)
	target := memory(t)
	rep, err := dbsync.Restore(quick(), dst, target, dbsync.RestoreOptions{})
	require.NoError(t, err)
	whole := dump(t, target)
	for _, without := range []string{"", "roots/" + at(b)} {
		half := whole.with(image{rep.Point + ".restoring.new": []byte("being restored\n")})
		delete(half, without)
		again, drop := holding(t, memory, half)
		_, err := dbsync.Restore(quick(), dst, again, dbsync.RestoreOptions{})
		require.NoError(t, err)
		assert.Empty(t, whole.differs(dump(t, again)))
		drop()
	}
	used, drop := holding(t, memory, whole.with(image{rep.Point + ".restoring.new": []byte("being restored\n"), "roots/" + at(b): []byte("another")}))
	defer drop()
	_, err = dbsync.Restore(quick(), dst, used, dbsync.RestoreOptions{})
	require.ErrorIs(t, err, dbsync.ErrRefused, "it has been written to since")
}

// TestDatomicTableParted: transactions that the point does not have are not
// lost without a word.
func TestDatomicTableParted(t *testing.T) {
	a := smallDatomic()
	b, fork := a.Next(4), a.Next(4)
	dst := memory(t)
	mustKeep(t, shelved(a, b), dst, dbsync.BackupOptions{})
	file := datomicdb.SQLite(t, rowsOf(fork, "sample"))
	before := rowsIn(t, file)
	_, err := intoTable(t, dst, file, dbsync.RestoreOptions{})
	require.ErrorIs(t, err, dbsync.ErrRefused)
	require.ErrorContains(t, err, "parted")
	assert.Equal(t, before, rowsIn(t, file))
	_, err = intoTable(t, dst, file, dbsync.RestoreOptions{Rewind: true})
	require.NoError(t, err)
	holds(t, file, "sample", b)
	assert.Equal(t, before[datomic.CatalogRow].Map, rowsIn(t, file)[datomic.CatalogRow].Map)
}

// TestDatomicRecordsLost: what our records say twice is found where Datomic has
// it, and what they alone say is not needed to go on.
func TestDatomicRecordsLost(t *testing.T) {
	sound, a, b := twoPoints(t)
	img := dump(t, sound)
	newest := ""
	for name := range img {
		if strings.HasSuffix(name, "/heads/"+at(b)) {
			newest = strings.TrimSuffix(name, "/heads/"+at(b))
		}
	}
	require.NotEmpty(t, newest)
	c := b.Next(3)
	for what, lost := range map[string][]string{
		"held root":          {newest + "/heads/" + at(b)},
		"list":               {newest + "/added-0001.zst"},
		"held root and root": {newest + "/heads/" + at(b), "roots/" + at(b)},
	} {
		t.Run(what, func(t *testing.T) {
			left := img.with(nil)
			for _, name := range lost {
				require.Contains(t, left, name)
				delete(left, name)
			}
			dst, drop := holding(t, memory, left)
			defer drop()
			_, err := dbsync.Restore(quick(), dst, memory(t), dbsync.RestoreOptions{At: at(b)})
			if len(lost) == 1 {
				require.NoError(t, err)
			} else {
				require.Error(t, err)
			}
			_, err = keep(shelved(a, b, c), dst, dbsync.BackupOptions{Repair: true})
			if len(lost) > 1 {
				require.ErrorIs(t, err, graph.ErrCorrupt)
			} else {
				require.NoError(t, err)
			}
			assert.Empty(t, check(t, dst, at(c), true))
		})
	}
}

// TestDatomicRootOfNothing: a root that names what is not there is no root that
// Datomic has written after an index job.
func TestDatomicRootOfNothing(t *testing.T) {
	sound, a, b := twoPoints(t)
	img := dump(t, sound)
	for _, s := range []*datomicsample.Sample{a, b} {
		for _, which := range []string{"index", "log"} {
			t.Run(at(s)+" "+which, func(t *testing.T) {
				v := *s.Value
				id := &v.Index
				if which == "log" {
					id = &v.Log
				}
				*id = graph.ID(flipDigit(string(*id)))
				damaged, err := v.EncodeRoot()
				require.NoError(t, err)
				dst, drop := holding(t, memory, img.with(image{"roots/" + at(s): damaged}))
				defer drop()
				assert.NotEmpty(t, check(t, dst, at(s), false))
				if s == b {
					rep := mustKeep(t, shelved(a, b), dst, dbsync.BackupOptions{})
					assert.False(t, rep.UpToDate)
					assert.Equal(t, img["roots/"+at(s)], dump(t, dst)["roots/"+at(s)])
					return
				}
				mustKeep(t, shelved(a, b), dst, dbsync.BackupOptions{Repair: true})
				assert.Empty(t, img.differs(dump(t, dst)))
			})
		}
	}
}

// flipDigit changes the first digit of an id.
func flipDigit(id string) string {
	if id[0] == '0' {
		return "1" + id[1:]
	}
	return "0" + id[1:]
}

// TestDatomicUnclaimed: a backup of Datomic's without its owner is claimed,
// although there is nothing new.
func TestDatomicUnclaimed(t *testing.T) {
	a := smallDatomic()
	img := native(t, a)
	delete(img, "owner")
	dst, drop := holding(t, memory, img)
	defer drop()
	mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
	assert.Equal(t, a.Value.DatabaseID, string(dump(t, dst)["owner"]))
}

// TestDatomicSoundButOther: a leaf that is whole and has fewer datoms than the
// node above states is a fault, even where nobody knows its digest.
func TestDatomicSoundButOther(t *testing.T) {
	a := datomicsample.Make(datomicsample.Options{Seed: 9, Leaves: 5, Fanout: 3})
	few := datomicsample.Make(datomicsample.Options{Seed: 10, Leaves: 1, Datoms: 1})
	img := native(t, a)
	leaf := ""
	walkSample(a, func(ref graph.Ref) {
		if n, err := datomic.New().Count(ref, a.Segments[ref.ID]); ref.Level == graph.Leaf && err == nil && n > 1 && leaf == "" {
			leaf = segmentName(ref.ID)
		}
	})
	require.NotEmpty(t, leaf)
	walkSample(few, func(ref graph.Ref) {
		if n, err := datomic.New().Count(ref, few.Segments[ref.ID]); ref.Level == graph.Leaf && err == nil && n == 1 {
			img[leaf] = few.Segments[ref.ID]
		}
	})
	require.NotEqual(t, native(t, a)[leaf], img[leaf])
	dst, drop := holding(t, memory, img)
	defer drop()
	faults := check(t, dst, "", true)
	require.Len(t, faults, 1)
	assert.NotContains(t, leaf, faults[0], "it is the node above")
}
