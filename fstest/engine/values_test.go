package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
)

// Values of type :db.type/store-ref, which name objects of their own.

// binaries are the raw objects of a store, and which of them something refers
// to.
func binaries(t testing.TB, store image) (referred, orphans []string) {
	t.Helper()
	reached, _ := reachIn("", store)
	for _, name := range sortedKeys(store) {
		blob, err := konserve.NewCodec("").Open(store[name])
		require.NoError(t, err)
		if blob.Meta.Type != konserve.TypeBinary {
			continue
		}
		if reached[name] {
			referred = append(referred, name)
		} else {
			orphans = append(orphans, name)
		}
	}
	return referred, orphans
}

// TestValuesOfFixtures: the fixtures have what these tests speak of. That just
// what is referred to is copied, TestReach tells.
func TestValuesOfFixtures(t *testing.T) {
	for name, want := range map[string][3]int{"g-storeref": {4, 1, 1}, "g2-storeref": {2, 0, 0}} {
		store := dumpDir(t, fixture.Unpack(t, name))
		referred, orphans := binaries(t, store)
		assert.Equal(t, want, [3]int{len(referred), len(orphans), len(absentIn("", store))}, name)
	}
}

// TestLateValue: a value whose object was not there is looked for again, and
// makes a new point though the heads stand still.
func TestLateValue(t *testing.T) {
	dir := fixture.Unpack(t, "g-storeref")
	src, dst := remote(t, dir), memory(t)
	referred, _ := binaries(t, dumpDir(t, dir))
	late := filepath.Join(dir, referred[0])
	data, err := os.ReadFile(late)
	require.NoError(t, err)
	for _, there := range [][]byte{nil, {}} { // not at all, or created and not yet written
		if there == nil {
			require.NoError(t, os.Remove(late))
		} else {
			require.NoError(t, os.WriteFile(late, there, 0o600))
		}
		absent := absentIn("", dumpDir(t, dir))
		rep := backUp(t, src, dst, dbsync.BackupOptions{})
		assert.Len(t, absent, rep.AbsentValues)
		assert.Contains(t, manifest(t, dst, rep.Point).Absent, referred[0])
		assert.NotContains(t, listed(t, dst, rep.Point), referred[0])
		deep(t, dst, rep.Point)
		again := backUp(t, src, dst, dbsync.BackupOptions{})
		assert.True(t, again.UpToDate)
		assert.Equal(t, rep.AbsentValues, again.AbsentValues)
	}
	before := dump(t, dst)
	require.NoError(t, os.WriteFile(late, data, 0o600))
	rep := backUp(t, src, dst, dbsync.BackupOptions{})
	require.False(t, rep.UpToDate)
	assert.EqualValues(t, 1, rep.New.Segments)
	assert.EqualValues(t, len(data), rep.New.Bytes)
	assert.NotContains(t, manifest(t, dst, rep.Point).Absent, referred[0])
	assert.Empty(t, wanted(t, "", dumpDir(t, dir)).differs(restored(t, dst, rep.Point)))
	assert.NotContains(t, restored(t, dst, rep.Parent), referred[0])
	deep(t, dst, rep.Parent, rep.Point)
	for name, data := range before {
		if mustStay(name) {
			assert.Equal(t, data, dump(t, dst)[name])
		}
	}
}

// TestDamagedValue: whatever becomes of a value's object at the destination is
// found, never restored, and put right.
func TestDamagedValue(t *testing.T) {
	src, sound := remote(t, fixture.Unpack(t, "g-storeref")), memory(t)
	point := backUp(t, src, sound, dbsync.BackupOptions{}).Point
	all := dump(t, sound)
	referred, _ := binaries(t, all.below("store"))
	name := referred[0]
	data := all["store/"+name]
	for what, harmed := range map[string][]byte{
		"missing": nil, "empty": {}, "cut": data[:len(data)-1], "grown": append(data[:len(data):len(data)], 0),
		"garbage":          make([]byte, len(data)),
		"flipped":          append(data[:len(data)-1:len(data)-1], data[len(data)-1]^1),
		"another's object": all["store/"+referred[1]],
	} {
		t.Run(what, func(t *testing.T) {
			at := without(all, map[string]bool{"store/" + name: true})
			if harmed != nil {
				at["store/"+name] = harmed
			}
			dst, drop := holding(t, memory, at)
			defer drop()
			for _, deep := range []bool{true, false} {
				if !deep && len(harmed) == len(data) {
					continue // only reading it tells
				}
				v, err := dbsync.Verify(quick(), dst, dbsync.VerifyOptions{Deep: deep, Dialect: datahike.New("")})
				require.ErrorIs(t, err, dbsync.ErrFaults)
				require.NotEmpty(t, v.Faults)
				for _, f := range v.Faults {
					assert.Equal(t, name, f.ID)
				}
			}
			target := memory(t)
			_, err := dbsync.Restore(quick(), dst, target, dbsync.RestoreOptions{At: point})
			require.ErrorContains(t, err, name)
			assert.NotContains(t, dump(t, target), keywordName(keywordOf(":branches")))
			rep := backUp(t, src, dst, dbsync.BackupOptions{Repair: true})
			assert.EqualValues(t, 1, rep.Repaired)
			deep(t, dst, point)
			assert.Empty(t, all.below("store").differs(dump(t, dst).below("store")))
		})
	}
}

// TestWrongValue: an object that is not what its name says is not copied.
func TestWrongValue(t *testing.T) {
	for what, change := range map[string]func(data, other []byte) []byte{
		"of zeros":             func(data, _ []byte) []byte { return make([]byte, len(data)) },
		"under another's name": func(_, other []byte) []byte { return other },
		"cut in its metadata":  func(data, _ []byte) []byte { return data[:40] },
	} {
		t.Run(what, func(t *testing.T) {
			dir := fixture.Unpack(t, "g2-storeref")
			store := dumpDir(t, dir)
			referred, _ := binaries(t, store)
			data := change(store[referred[0]], store[referred[1]])
			require.NoError(t, os.WriteFile(filepath.Join(dir, referred[0]), data, 0o600))
			dst := memory(t)
			_, err := dbsync.Backup(quick(), source(remote(t, dir), ""), dst, dbsync.BackupOptions{})
			require.ErrorContains(t, err, referred[0])
			points, err := dbsync.Points(quick(), dst)
			require.NoError(t, err)
			for _, p := range points {
				assert.False(t, p.Complete)
			}
		})
	}
}

// TestLargeValue: a value of 64 MiB is never in memory as a whole, whoever
// copies or reads it.
func TestLargeValue(t *testing.T) {
	const size = 64 << 20
	dir := scratch(t)
	db, err := sample.Create(dir, sample.Options{Seed: 5, Entities: 20, StoreRefs: true})
	require.NoError(t, err)
	name, err := db.Arrive(size)
	require.NoError(t, err)
	src, dst, target := remote(t, dir), local(t), local(t)
	damaged := filepath.Join(dst.Root(), "store", name)
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"backup", func() error {
			_, err := dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{})
			return err
		}},
		{"verify", func() error {
			_, err := dbsync.Verify(quick(), dst, dbsync.VerifyOptions{Deep: true, Dialect: datahike.New("")})
			return err
		}},
		{"restore", func() error {
			_, err := dbsync.Restore(quick(), dst, target, dbsync.RestoreOptions{})
			return err
		}},
		{"repair", func() error {
			if err := os.Truncate(damaged, size/2); err != nil {
				return err
			}
			_, err := dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{Repair: true})
			return err
		}},
	} {
		grown := allocated(func() { require.NoError(t, step.do(), step.name) })
		t.Logf("%s allocates %d KiB", step.name, grown>>10)
		assert.Less(t, grown, uint64(size/2), step.name)
	}
	want := wanted(t, "", dump(t, src))
	assert.Greater(t, len(want[name]), size)
	assert.Empty(t, want.differs(dump(t, target)))
	assert.Empty(t, want.differs(dump(t, dst).below("store")))
}

// allocated is how many bytes do allocates, freed ones too.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestCountsValues: a backup asks for values that are new, or were absent, and
// not for those that a rewritten leaf still refers to.
func TestCountsValues(t *testing.T) {
	dir := scratch(t)
	db, err := sample.Create(dir, sample.Options{Seed: 2, Entities: 1500, BranchingFactor: 64, StoreRefs: true})
	require.NoError(t, err)
	src := fault.New(remote(t, dir), fault.Options{})
	dst := fault.New(memory(t), fault.Options{})
	backUp(t, src, dst, dbsync.BackupOptions{})
	for edits := range 3 {
		files := map[string]bool{}
		for _, name := range append(db.Files(), db.Absent()...) {
			files[name] = true
		}
		before := innerNodes(t, dir)
		require.NoError(t, db.Transact(4*edits+1))
		changed, now := 0, innerNodes(t, dir)
		for name := range before {
			if !now[name] {
				changed++
			}
		}
		src.Heal()
		dst.Heal()
		rep := backUp(t, src, dst, dbsync.BackupOptions{})
		fresh := int(rep.New.Segments)
		asked := func(f *fault.Fs) int {
			return f.Count(func(c fault.Call) bool { return files[filepath.Base(c.Path)] })
		}
		t.Logf("%d new segments, %d changed inner nodes: %s", fresh, changed, counted(src, dst))
		assert.Zero(t, asked(dst), "values that are had are not asked for")
		assert.LessOrEqual(t, asked(src), rep.AbsentValues, "nor read, but for those that were absent")
		// Leaves of attributes that differ are read on both sides.
		assert.LessOrEqual(t, src.Count(fault.On(fault.Open, "")), 2*fresh+2*changed+8)
		assert.LessOrEqual(t, dst.Count(nil), fresh+changed+10)
	}
}

func counted(src, dst *fault.Fs) string {
	return fmt.Sprintf("%d source reads, %d lookups there, %d destination calls",
		src.Count(fault.On(fault.Open, "")), src.Count(fault.On(fault.NewObject, "")), dst.Count(nil))
}
