package dbsync_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs/fserrors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// harm is what happens to an object at the destination.
type harm struct {
	name string
	do   func(b []byte) []byte // nil removes it
	deep bool                  // only reading every byte finds it in a leaf
}

var harms = []harm{
	{"removed", nil, false},
	{"emptied", func([]byte) []byte { return []byte{} }, false},
	{"cut", func(b []byte) []byte { return b[:len(b)-1] }, false},
	{"grown", func(b []byte) []byte { return append(b, 0) }, false},
	{"flipped at its end", func(b []byte) []byte { b[len(b)-1] ^= 4; return b }, true},
	{"flipped in its header", func(b []byte) []byte { b[1] ^= 4; return b }, true},
	{"of zeros", func(b []byte) []byte { return make([]byte, len(b)) }, true},
}

func (h harm) on(t *testing.T, dst, name string) {
	t.Helper()
	full := filepath.Join(dst, filepath.FromSlash(name))
	if h.do == nil {
		require.NoError(t, os.Remove(full))
		return
	}
	b, err := os.ReadFile(full)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(full, h.do(b), 0o600))
}

// faulty verifies and returns the ids that have faults.
func faulty(t *testing.T, d *database, dst string, deep bool) []string {
	t.Helper()
	rep, err := dbsync.Verify(t.Context(), local(t, dst), dbsync.VerifyOptions{Deep: deep, Dialect: d.source(t, d.Key).Dialect})
	require.NotNil(t, rep)
	if len(rep.Faults) > 0 {
		require.ErrorIs(t, err, dbsync.ErrFaults)
		require.ErrorIs(t, err, graph.ErrCorrupt)
		assert.True(t, fserrors.IsNoRetryError(err))
	} else {
		require.NoError(t, err)
	}
	var ids []string
	for _, f := range rep.Faults {
		ids = append(ids, f.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// segments are the words of the objects that a point lists.
var segments = []string{"leaf", "inner", "root", "schema", "commit"}

// both is a destination with a point of each generation.
func both(t *testing.T) (*database, string) {
	t.Helper()
	d, dst := first(t, plain, ""), t.TempDir()
	_, err := d.backup(t, dst)
	require.NoError(t, err)
	d.second()
	_, err = d.backup(t, dst)
	require.NoError(t, err)
	return d, dst
}

// TestVerifyFindsEachFault: every kind of harm to every kind of segment is
// found, under its own name, and repair puts the segment back.
func TestVerifyFindsEachFault(t *testing.T) {
	d, sound := both(t)
	want := files(t, sound)
	for _, word := range segments {
		for _, h := range harms {
			t.Run(word+" "+h.name, func(t *testing.T) {
				dst := t.TempDir()
				require.NoError(t, os.CopyFS(dst, os.DirFS(sound)))
				h.on(t, dst, "store/"+d.what[word])
				assert.Contains(t, faulty(t, d, dst, true), d.what[word])
				shallow := faulty(t, d, dst, false)
				if read := word != "leaf" && word != "schema"; !h.deep || read {
					assert.Contains(t, shallow, d.what[word], "without --deep")
				}
				repair(t, d, dst, 1)
				assert.Empty(t, faulty(t, d, dst, true))
				for name, b := range files(t, dst) {
					assert.Equal(t, want[name], b, name)
				}
			})
		}
	}
}

func repair(t *testing.T, d *database, dst string, n int64) {
	t.Helper()
	rep, err := dbsync.Backup(t.Context(), d.source(t, d.Key), local(t, dst), dbsync.BackupOptions{Repair: true})
	require.NoError(t, err)
	assert.Equal(t, n, rep.Repaired)
	// A repair makes a point of its own; the test compares what was there.
	for name := range files(t, dst) {
		if strings.HasPrefix(name, "snapshots/"+rep.Point) {
			require.NoError(t, os.RemoveAll(filepath.Join(dst, "snapshots", rep.Point)))
		}
	}
}

// TestVerifyFindsAllFaults: the first fault does not hide the others, nor
// does a damaged node what lies beneath it.
func TestVerifyFindsAllFaults(t *testing.T) {
	d, dst := both(t)
	flip := harms[4]
	var want []string
	for _, word := range segments {
		flip.on(t, dst, "store/"+d.what[word])
		want = append(want, d.what[word])
	}
	for _, word := range []string{"a", "ab", "root", "commit", "flat"} { // of the first generation
		flip.on(t, dst, "store/"+d.name(word))
		want = append(want, d.name(word))
	}
	slices.Sort(want)
	assert.Equal(t, want, faulty(t, d, dst, true))
	repair(t, d, dst, int64(len(want)))
	assert.Empty(t, faulty(t, d, dst, true))
}

// TestVerifyFindsSwappedSegments: two sound segments of equal size in each
// other's place.
func TestVerifyFindsSwappedSegments(t *testing.T) {
	d, dst := both(t)
	one, two := "store/"+d.name("c"), "store/"+d.name("flat")
	all := files(t, dst)
	require.Len(t, all[one], len(all[two]))
	write(t, dst, one, []byte(all[two]))
	write(t, dst, two, []byte(all[one]))
	want := []string{d.name("c"), d.name("flat")}
	slices.Sort(want)
	assert.Equal(t, want, faulty(t, d, dst, true))
	repair(t, d, dst, 2)
	assert.Empty(t, faulty(t, d, dst, true))
}

// TestVerifyNeedsItsRecords: harm to what tells the point's contents ends the
// verification with an error that names the object; restore refuses as well,
// and writes nothing.
func TestVerifyNeedsItsRecords(t *testing.T) {
	d, sound := both(t)
	newest := points(t, sound)[1]
	for _, name := range []string{
		"heads/" + d.what["head"], "heads/" + d.what["branches"], "added-0001.zst", "../" + points(t, sound)[0].ID + "/added-0001.zst",
	} {
		for _, h := range harms {
			t.Run(name+" "+h.name, func(t *testing.T) {
				dst := t.TempDir()
				require.NoError(t, os.CopyFS(dst, os.DirFS(sound)))
				h.on(t, dst, "snapshots/"+newest.ID+"/"+name)
				target := t.TempDir()
				_, verify := dbsync.Verify(t.Context(), local(t, dst), dbsync.VerifyOptions{Dialect: d.source(t, "").Dialect})
				_, restore := dbsync.Restore(t.Context(), local(t, dst), local(t, target), dbsync.RestoreOptions{})
				for _, err := range []error{verify, restore} {
					require.Error(t, err)
					assert.ErrorContains(t, err, filepath.Base(name))
					assert.True(t, fserrors.IsNoRetryError(err))
				}
				assert.Empty(t, files(t, target))
			})
		}
	}
}

// TestRestoreRefusesDamage: what was not backed up so is not restored.
func TestRestoreRefusesDamage(t *testing.T) {
	d, sound := both(t)
	for _, word := range segments {
		for _, h := range harms {
			dst, target := t.TempDir(), t.TempDir()
			require.NoError(t, os.CopyFS(dst, os.DirFS(sound)))
			h.on(t, dst, "store/"+d.what[word])
			_, err := dbsync.Restore(t.Context(), local(t, dst), local(t, target), dbsync.RestoreOptions{})
			require.Error(t, err, "%s %s", word, h.name)
			assert.ErrorContains(t, err, d.what[word])
			assert.ErrorContains(t, err, "verify")
			assert.NotContains(t, files(t, target), d.what["branches"], "a target without its heads is no store")
		}
	}
}

// TestRepairNeedsTheSource: what the source has lost as well is told, and the
// rest is repaired all the same.
func TestRepairNeedsTheSource(t *testing.T) {
	d, dst := both(t)
	want := files(t, dst)["store/"+d.name("a")]
	for _, word := range []string{"a", "b"} {
		harms[0].on(t, dst, "store/"+d.name(word))
	}
	require.NoError(t, os.Remove(filepath.Join(d.Dir, d.name("b"))))
	_, err := dbsync.Backup(t.Context(), d.source(t, ""), local(t, dst), dbsync.BackupOptions{Repair: true})
	require.ErrorIs(t, err, graph.ErrNotFound, "the database itself needs it")
	assert.ErrorContains(t, err, "1 segments")
	assert.Equal(t, want, files(t, dst)["store/"+d.name("a")])
	assert.Equal(t, []string{d.name("b")}, faulty(t, d, dst, true))
}

// TestRelativePaths: a path that leads up is the directory that it names, for
// what rclone writes and for what is written past it.
func TestRelativePaths(t *testing.T) {
	d, _ := both(t)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "below"), 0o700))
	t.Chdir(filepath.Join(dir, "below"))
	for _, to := range []string{"../dest", "../tab\there/dest", "dest"} {
		_, err := dbsync.Backup(t.Context(), d.source(t, ""), local(t, to), dbsync.BackupOptions{})
		require.NoError(t, err)
		made := files(t, filepath.Join(dir, "below", to))
		assert.Contains(t, made, "store/"+d.name("a"), "%q", to)
		assert.Empty(t, faulty(t, d, filepath.Join(dir, "below", to), true), "%q", to)
	}
}
