package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/storage"
)

// storageOf reads a whole storage of one database into memory.
func storageOf(t testing.TB, file string) *shelf {
	t.Helper()
	v, err := inSQLite(t, file).Pin(quick())
	require.NoError(t, err)
	s := &shelf{value: v, segments: map[graph.ID][]byte{}}
	for id, row := range rowsIn(t, file) {
		if datomic.CheckID(graph.ID(id)) == nil {
			s.segments[graph.ID(id)] = row.Val
		}
	}
	return s
}

// collected is the storage of root A, whose garbage is collected before read n
// of a backup, when the newest value is a later one.
func collected(t testing.TB, n int64) (s *shelf, gone []string) {
	t.Helper()
	s = storageOf(t, fixture.DatomicSQLite(t, fixture.DatomicRootA))
	after := storageOf(t, fixture.DatomicSQLite(t, fixture.DatomicAfterGC))
	for id, data := range storageOf(t, fixture.DatomicSQLite(t, fixture.DatomicBeforeGC)).segments {
		s.segments[id] = data
	}
	gone = fixture.DatomicGone(t)
	s.hook = func(now int64, _ graph.ID) {
		if now != n {
			return
		}
		for _, id := range gone {
			delete(s.segments, graph.ID(id))
		}
		s.value = after.value
	}
	return s, gone
}

// TestDatomicCollected: garbage is collected before any read of a backup. It
// begins again by itself and has the newest value, whole; the value that it
// began with leaves no root.
func TestDatomicCollected(t *testing.T) {
	after := storageOf(t, fixture.DatomicSQLite(t, fixture.DatomicAfterGC))
	begun, err := datomic.New().Last(quick(), storageOf(t, fixture.DatomicSQLite(t, fixture.DatomicRootA)).Get, storageOf(t, fixture.DatomicSQLite(t, fixture.DatomicRootA)).value)
	require.NoError(t, err)
	last, err := datomic.New().Last(quick(), after.Get, after.value)
	require.NoError(t, err)
	require.Less(t, begun.T, last.T)
	restarts := 0
	for n := int64(1); ; n++ {
		src, _ := collected(t, n)
		dst := memory(t)
		rep := mustKeep(t, src, dst, dbsync.BackupOptions{})
		img := dump(t, dst)
		assert.Empty(t, unsound(img))
		if src.value.Index != after.value.Index {
			assert.Less(t, src.Reads(), n)
			break // the backup ends before
		}
		points, err := dbsync.Points(quick(), dst)
		require.NoError(t, err)
		require.Len(t, points, 1)
		assert.Equal(t, rep.Point, points[0].ID)
		assert.Len(t, img.below("roots"), 1)
		if points[0].T == last.T {
			restarts++
		}
		assert.Empty(t, check(t, dst, "", true))
		require.NoError(t, purge(dst))
	}
	assert.Greater(t, restarts, 15, "most often something that is gone was still needed")
}

// TestDatomicDamagedSource: segments of a value are gone, and there is no newer
// one: the storage is damaged. All that is missing is named, and there is no
// point.
func TestDatomicDamagedSource(t *testing.T) {
	a := smallDatomic()
	src, dst := shelved(a), memory(t)
	lost := []graph.ID{anyOf(t, a, graph.Leaf), a.Value.Log}
	for _, id := range lost {
		delete(src.segments, id)
	}
	_, err := keep(src, dst, dbsync.BackupOptions{})
	require.ErrorIs(t, err, graph.ErrNotFound)
	assert.ErrorContains(t, err, "2 segments are missing")
	assert.ErrorContains(t, err, "damaged")
	for _, id := range lost {
		assert.ErrorContains(t, err, string(id))
	}
	assert.Empty(t, dump(t, dst).below("roots"))
	assert.Empty(t, dump(t, dst).below("snapshots"))

	mended := mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
	assert.Empty(t, check(t, dst, mended.Point, true))
}

// TestDatomicLogGone: the log's root is gone where a run looks for the last
// transaction. That the index is another one each time shows that the database
// moves.
func TestDatomicLogGone(t *testing.T) {
	a := datomicsample.Make(datomicsample.Options{Seed: 9})
	b := a.Next(0)
	c := b.Next(9)
	src, n := shelved(a, b, c), 0
	src.value = a.Value
	src.hook = func(_ int64, id graph.ID) {
		if id == a.Value.Log && n < 2 { // a's and b's
			n++
			delete(src.segments, id)
			src.value = []*datomic.Value{b.Value, c.Value}[n-1]
		}
	}
	dst := memory(t)
	mustKeep(t, src, dst, dbsync.BackupOptions{})
	assert.Equal(t, 2, n)
	assert.Empty(t, native(t, c).differs(dump(t, dst).datomicPart()))
}

// TestDatomicAlwaysOvertaken: every value is gone before it is read.
func TestDatomicAlwaysOvertaken(t *testing.T) {
	values := []*datomicsample.Sample{smallDatomic()}
	for range 8 {
		values = append(values, values[len(values)-1].Next(3))
	}
	src, at := shelved(values...), 0
	src.value = values[0].Value
	src.hook = func(_ int64, id graph.ID) {
		if id == src.value.Index {
			delete(src.segments, id)
			at++
			src.value = values[min(at, len(values)-1)].Value
		}
	}
	dst := memory(t)
	_, err := keep(src, dst, dbsync.BackupOptions{})
	require.ErrorIs(t, err, graph.ErrNotFound)
	assert.ErrorContains(t, err, "garbage collection overtook 5 attempts")
	assert.Empty(t, dump(t, dst).below("roots"))
}

// TestDatomicCollectedParent: what the parent point reaches is collected at
// the source. It is read at the destination, and the point still lists
// exactly what it reaches.
func TestDatomicCollectedParent(t *testing.T) {
	a := smallDatomic()
	b := a.Next(5)
	dst := memory(t)
	first := mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
	rep := mustKeep(t, shelved(b), dst, dbsync.BackupOptions{})
	assert.EqualValues(t, len(b.Segments), rep.Total.Segments)
	assert.NotZero(t, rep.Released.Segments)
	assert.EqualValues(t, rep.New.Segments-rep.Released.Segments, len(b.Segments)-len(a.Segments))
	for at, want := range map[string]image{first.Point: native(t, a), rep.Point: native(t, b)} {
		assert.Empty(t, check(t, dst, at, true))
		assert.Empty(t, want.differs(restored(t, dst, at)))
	}
}

// TestDatomicLostParent: an inner node of the parent point is lost, and
// collected at the source. A repair makes a point that does without.
func TestDatomicLostParent(t *testing.T) {
	a := smallDatomic()
	b := a.Next(5)
	dst := memory(t)
	mustKeep(t, shelved(a), dst, dbsync.BackupOptions{})
	lost := segmentName(a.Value.Index)
	o, err := dst.NewObject(quick(), lost)
	require.NoError(t, err)
	require.NoError(t, o.Remove(quick()))
	_, err = keep(shelved(b), dst, dbsync.BackupOptions{})
	require.ErrorIs(t, err, graph.ErrNotFound)
	assert.ErrorContains(t, err, string(a.Value.Index))
	assert.ErrorContains(t, err, "--repair")
	_, err = keep(shelved(b), dst, dbsync.BackupOptions{Repair: true})
	assert.Error(t, err, "not everything could be repaired")
	assert.Empty(t, check(t, dst, "", true), "but what the source has is safe now")
	assert.Empty(t, native(t, b).differs(restored(t, dst, "")))
}

// TestDatomicFromBackup: a backup is a source as well, and its older points
// are.
func TestDatomicFromBackup(t *testing.T) {
	dir, dst := fixture.DatomicBackup(t, "gen3"), memory(t)
	for _, gen := range fixture.DatomicGens() {
		st, err := storage.OpenBackup(quick(), remote(t, dir), gen.T)
		require.NoError(t, err)
		rep := mustKeep(t, st, dst, dbsync.BackupOptions{})
		assert.EqualValues(t, gen.Segments, rep.Total.Segments)
	}
	sameAsDatomic(t, dumpDir(t, dir), dump(t, dst).datomicPart())
	st, err := storage.OpenBackup(quick(), remote(t, dir), 1485)
	require.NoError(t, err)
	_, err = keep(st, dst, dbsync.BackupOptions{})
	require.ErrorIs(t, err, dbsync.ErrRefused)
}
