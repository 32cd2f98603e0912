package engine

import (
	"maps"
	"slices"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// wanted is what a copy of a store must be: the objects that its branches
// reach, with their bytes.
func wanted(t testing.TB, key string, store image) image {
	t.Helper()
	reached, missing := reachIn(key, store)
	require.Empty(t, missing, "the fixture itself must be closed")
	img := image{}
	for name := range reached {
		img[name] = store[name]
	}
	return img
}

// restored is what Restore makes of a point, in a new remote.
func restored(t testing.TB, dst fs.Fs, at string) image {
	t.Helper()
	target := memory(t)
	_, err := dbsync.Restore(quick(), dst, target, dbsync.RestoreOptions{At: at})
	require.NoError(t, err)
	img := dump(t, target)
	require.NoError(t, purge(target))
	return img
}

// heads are the mutable objects among what is wanted.
func heads(t testing.TB, name string) map[string]bool {
	t.Helper()
	names := map[string]bool{keywordName(fressian.Keyword{Name: "branches"}): true}
	for _, b := range fixture.Expected(t, name).Branches {
		names[keywordName(keywordOf(b))] = true
	}
	return names
}

// TestReach: a backup lists, and a restore writes, exactly what the oracle
// reaches, for every fixture.
func TestReach(t *testing.T) {
	for _, name := range fixture.Names() {
		t.Run(name, func(t *testing.T) {
			key := fixture.Key(name)
			src := remote(t, fixture.Unpack(t, name))
			want := wanted(t, key, dump(t, src))
			dst := memory(t)
			rep, err := dbsync.Backup(quick(), source(src, key), dst, dbsync.BackupOptions{})
			require.NoError(t, err)
			assert.Equal(t, sortedKeys(without(want, heads(t, name))), listed(t, dst, rep.Point))
			absent := absentIn(key, dump(t, src))
			assert.Equal(t, absent, manifest(t, dst, rep.Point).Absent)
			assert.Len(t, absent, rep.AbsentValues)
			assert.Empty(t, want.differs(restored(t, dst, "")))
			assert.Empty(t, want.differs(dump(t, dst).below("store")))
			checkCounts(t, name, dst)
		})
	}
}

func manifest(t testing.TB, dst fs.Fs, point string) *snapshot.Manifest {
	t.Helper()
	place, err := snapshot.Find(quick(), dst)
	require.NoError(t, err)
	m, err := place.Manifest(quick(), point)
	require.NoError(t, err)
	return m
}

// listed are the ids that a point's closure has, sorted.
func listed(t testing.TB, dst fs.Fs, point string) (ids []string) {
	t.Helper()
	closure, err := snapshot.Open(dst).Closure(quick(), manifest(t, dst, point))
	require.NoError(t, err)
	for line, err := range closure.All() {
		require.NoError(t, err)
		e, err := graph.ParseEntry(line)
		require.NoError(t, err)
		ids = append(ids, string(e.ID))
	}
	return ids
}

func without(img image, names map[string]bool) image {
	rest := maps.Clone(img)
	maps.DeleteFunc(rest, func(name string, _ []byte) bool { return names[name] })
	return rest
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// checkCounts compares a deep verification with what Datahike counts.
func checkCounts(t *testing.T, name string, dst fs.Fs) {
	t.Helper()
	facts := fixture.Expected(t, name)
	v, err := dbsync.Verify(quick(), dst, dbsync.VerifyOptions{Deep: true, Dialect: datahike.New(fixture.Key(name))})
	require.NoError(t, err)
	assert.Empty(t, v.Faults)
	assert.ElementsMatch(t, facts.Branches, sortedKeys(v.Datoms))
	for branch, b := range facts.ByBranch {
		assert.Equal(t, b.DatomsCurrent, v.Datoms[branch]["eavt"], branch)
		assert.Equal(t, b.DatomsCurrent, v.Datoms[branch]["aevt"], branch)
	}
	points, err := dbsync.Points(quick(), dst)
	require.NoError(t, err)
	newest := points[len(points)-1]
	for branch, b := range facts.ByBranch {
		assert.Equal(t, dbsync.Branch{Commit: b.CommitID, MaxTx: b.MaxTx}, newest.Branches[branch])
	}
}

// TestGenerations: one database backed up at four moments. Every point is
// what a fresh backup of that moment is, and what the last one releases is
// what Datahike's collection deleted.
func TestGenerations(t *testing.T) {
	src := local(t)
	dst := memory(t)
	var points []string
	for _, name := range generations {
		become(t, src, fixture.Unpack(t, name))
		rep, err := dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{})
		require.NoError(t, err)
		points = append(points, rep.Point)
		checkCounts(t, name, dst)
	}
	for i, name := range generations {
		fresh := memory(t)
		_, err := dbsync.Backup(quick(), source(remote(t, fixture.Unpack(t, name)), ""), fresh, dbsync.BackupOptions{})
		require.NoError(t, err)
		want := restored(t, fresh, "")
		assert.Empty(t, want.differs(restored(t, dst, points[i])), name)
		assert.Empty(t, want.differs(wanted(t, "", dumpDir(t, fixture.Unpack(t, name)))), name)
	}
	checkReleased(t, dst, points)
}

func checkReleased(t *testing.T, dst fs.Fs, points []string) {
	t.Helper()
	deleted := map[string]bool{}
	for _, key := range fixture.Collected(t) {
		if u, err := hasch.Parse(key); err == nil {
			deleted[address(u)] = true
		} else {
			deleted[keywordName(keywordOf(key))] = true
		}
	}
	kept := map[string]bool{}
	for _, id := range listed(t, dst, points[3]) {
		kept[id] = true
	}
	released := 0
	for _, id := range listed(t, dst, points[2]) {
		if kept[id] {
			continue
		}
		released++
		assert.True(t, deleted[id], "%s was released and is still there", id)
	}
	assert.Positive(t, released)
	m := manifest(t, dst, points[3])
	assert.EqualValues(t, released, m.Released.Segments)
	assert.Zero(t, m.New.Segments)
	t.Logf("released %d segments; Datahike deleted %d objects", released, len(deleted))
}
