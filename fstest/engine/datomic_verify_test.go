package engine

import (
	"fmt"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// shallow are damages that a listing shows; the others show where a segment is
// read.
var shallow = map[string]bool{"removed": true, "emptied": true}

// TestDatomicVerify: every kind of damage to every kind of segment is found,
// and nothing else is said, of a point of ours and of one that Datomic alone
// has made. Without --deep leaves are not read; of ours the sizes are known.
func TestDatomicVerify(t *testing.T) {
	a := smallDatomic()
	dst := memory(t)
	mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
	for name, sound := range map[string]image{"ours": dump(t, dst), "theirs": native(t, a)} {
		for kind, id := range datomicKinds(t, a) {
			for damage, do := range damages {
				t.Run(name+", "+kind+" "+damage, func(t *testing.T) {
					img := sound.with(nil)
					do(img, segmentName(id))
					harmed, drop := holding(t, memory, img)
					defer drop()
					assert.Equal(t, []string{string(id)}, check(t, harmed, "", true))
					isLeaf := kind == "leaf" || kind == "log leaf" || kind == "chunk"
					if !isLeaf || shallow[damage] || damage == "torn" && name == "ours" {
						assert.Equal(t, []string{string(id)}, check(t, harmed, "", false))
					}
					refusesToRestore(t, harmed, id)
				})
			}
		}
	}
}

// refusesToRestore: a damaged point is not restored, to a directory or a
// table, and what was written cannot be mistaken for a database.
func refusesToRestore(t *testing.T, dst fs.Fs, id graph.ID) {
	t.Helper()
	target := memory(t)
	_, err := dbsync.Restore(quick(), dst, target, dbsync.RestoreOptions{})
	require.Error(t, err)
	assert.ErrorContains(t, err, string(id))
	assert.Empty(t, dump(t, target).below("roots"))
	file := t.TempDir() + "/new.sqlite"
	_, err = dbsync.RestoreTable(quick(), dst, sqlite(t, file, true), dbsync.RestoreOptions{CreateTable: true})
	require.Error(t, err)
	assert.ErrorContains(t, err, string(id))
	if there, err := sqlite(t, file, true).Exists(quick()); !there {
		require.NoError(t, err)
		return
	}
	for name, row := range rowsIn(t, file) {
		assert.False(t, row.Rev.Valid, name)
	}
}

// TestDatomicVerifySwapped: two sound segments of one kind lie in each other's
// place. Our digests tell; of Datomic's backups nothing does, for leaves.
func TestDatomicVerifySwapped(t *testing.T) {
	a := smallDatomic()
	dst := memory(t)
	mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
	img := dump(t, dst)
	one, two := anyOf(t, a, graph.Leaf), below(t, a, a.Value.Log, graph.Leaf)
	img[segmentName(one)], img[segmentName(two)] = img[segmentName(two)], img[segmentName(one)]
	swapped, drop := holding(t, memory, img)
	defer drop()
	found := check(t, swapped, "", true)
	assert.Contains(t, found, string(one))
	assert.Contains(t, found, string(two))
}

// TestDatomicVerifyRoots: what is wrong with the files beside the segments.
func TestDatomicVerifyRoots(t *testing.T) {
	a := smallDatomic()
	root := fmt.Sprintf("roots/%d", a.T)
	other, err := renamed(a, "other-1").Value.EncodeRoot()
	require.NoError(t, err)
	dst := memory(t)
	mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
	sound := dump(t, dst)
	for name, tc := range map[string]struct {
		file   string
		data   []byte // nil removes it
		theirs bool   // it is a fault of Datomic's backups as well
	}{
		"root gone":        {root, nil, false}, // there is no such point
		"root empty":       {root, []byte{}, true},
		"root torn":        {root, sound[root][:len(sound[root])/2], true},
		"root flipped":     {root, flipped(sound[root], 0), true},
		"root of another":  {root, other, true},
		"owner of another": {"owner", []byte("other-1"), true},
		"owner gone":       {"owner", nil, false}, // Datomic does without
	} {
		t.Run(name, func(t *testing.T) {
			for _, img := range []image{sound.with(nil), native(t, a)} {
				ours := len(img) == len(sound)
				img[tc.file] = tc.data
				if tc.data == nil {
					delete(img, tc.file)
				}
				harmed, drop := holding(t, memory, img)
				for _, deep := range []bool{false, true} {
					rep, err := dbsync.Verify(quick(), harmed, dbsync.VerifyOptions{Deep: deep})
					if !ours && !tc.theirs {
						continue
					}
					require.Error(t, err, "ours=%v", ours)
					assert.ErrorIs(t, err, graph.ErrCorrupt)
					if rep != nil && name == "root of another" && !ours { // nothing else tells whose it is
						assert.Equal(t, "owner", rep.Faults[0].ID)
					} else if rep != nil {
						assert.Equal(t, tc.file, rep.Faults[0].ID)
						assert.Len(t, rep.Faults, 1)
					} else {
						assert.ErrorContains(t, err, tc.file)
					}
				}
				drop()
			}
		})
	}
}

// TestDatomicStrangers: files that are neither ours nor Datomic's change
// nothing, wherever they lie.
func TestDatomicStrangers(t *testing.T) {
	a := smallDatomic()
	b := a.Next(3)
	strangers := image{}
	for _, name := range []string{
		"README", "manifest.edn", "roots/x.tmp", "roots/1708.tmp", "roots/abc", "roots/-5", "roots/+7", "roots/007", "roots/sub/9",
		"roots/99999999999999999999", "values/stray", "values/xyz/z", "values/zz/foo", "values/AB/bar",
		"values/ab/.hidden", "values/ab/zz.tmp", "values/ab/sub/x", segmentName(a.Value.Index) + ".new", "snapshots/junk", "inflight/junk",
	} {
		strangers[name] = []byte("strange")
	}
	for name, img := range map[string]image{"empty": {}, "theirs": native(t, a)} {
		t.Run(name, func(t *testing.T) {
			dst, drop := holding(t, memory, img.with(strangers))
			defer drop()
			ours := mustKeep(t, shelved(a, b), dst, dbsync.BackupOptions{}).Point
			for _, at := range []string{"", ours} {
				assert.Empty(t, check(t, dst, at, false))
				assert.Empty(t, check(t, dst, at, true))
				assert.Empty(t, native(t, b).differs(restored(t, dst, at)))
			}
			rep := mustKeep(t, shelved(a, b), dst, dbsync.BackupOptions{Repair: true})
			assert.Zero(t, rep.Repaired)
			now := dump(t, dst)
			for name, data := range strangers {
				assert.Equal(t, data, now[name], name)
			}
		})
	}
}

// TestDatomicVerifyCounts: a deep verification counts datoms, the same of our
// point as of Datomic's.
func TestDatomicVerifyCounts(t *testing.T) {
	a := smallDatomic()
	dst := memory(t)
	mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
	theirs, drop := holding(t, memory, native(t, a))
	defer drop()
	for _, f := range []fs.Fs{dst, theirs} {
		rep, err := dbsync.Verify(quick(), f, dbsync.VerifyOptions{Deep: true})
		require.NoError(t, err)
		assert.EqualValues(t, len(a.Segments), rep.Segments.Segments)
		sum := int64(0)
		for _, indexes := range rep.Datoms {
			for _, n := range indexes {
				sum += n
			}
		}
		_, tail, err := a.Value.CountTail()
		require.NoError(t, err)
		assert.Equal(t, a.Datoms+a.LogDatoms+tail, sum)
	}
}
