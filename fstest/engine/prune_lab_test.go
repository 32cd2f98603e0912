package engine

import (
	"math"
	"path"
	"slices"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/prune"
	"github.com/rclone-datom/rclone-datom/sync/retain"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

func last(n int) retain.Policy { return retain.Policy{Last: retain.Count(n)} }

// spot is a segment where it lies: chunks may have it more than once.
type spot struct {
	id graph.ID
	at graph.Location
}

// spots are the sizes of everything that a point, listed or parked, reaches.
func spots(t testing.TB, dst fs.Fs, point string) map[spot]int64 {
	t.Helper()
	place, err := snapshot.Find(quick(), dst)
	require.NoError(t, err)
	ids, err := place.IDs(quick())
	require.NoError(t, err)
	for _, id := range ids { // which chunks there are
		_, _ = place.ManifestOrParked(quick(), id)
	}
	m, err := place.ManifestOrParked(quick(), point)
	require.NoError(t, err)
	closure, err := place.Closure(quick(), m)
	require.NoError(t, err)
	defer func() { _ = closure.Close() }()
	all := map[spot]int64{}
	for line, err := range closure.All() {
		require.NoError(t, err)
		e, err := graph.ParseEntry(line)
		require.NoError(t, err)
		all[spot{e.ID, e.At}] = e.Size
	}
	return all
}

// checkFreed compares what a dry run says that each point frees with what follows
// from the points' segments one by one: removing points oldest first, it goes with
// the last point that has it.
func checkFreed(t testing.TB, dst fs.Fs, rep *dbsync.PruneReport) {
	t.Helper()
	kept, owner, sizes := map[spot]bool{}, map[spot]string{}, map[spot]int64{}
	for _, p := range rep.Points { // oldest first
		for s, size := range spots(t, dst, p.ID) {
			if p.Keep {
				kept[s] = true
			} else {
				owner[s], sizes[s] = p.ID, size
			}
		}
	}
	want, sum := map[string]prune.Count{}, prune.Count{}
	for s, p := range owner {
		if !kept[s] {
			c := want[p]
			c.Add(sizes[s])
			want[p] = c
			sum.Add(sizes[s])
		}
	}
	for _, p := range rep.Points {
		assert.Equal(t, want[p.ID], p.Freed, p.ID)
	}
	assert.Equal(t, sum, rep.Freed)
}

// freesExactly does a dry run and compares it with that.
func freesExactly(t testing.TB, dst fs.Fs, opt dbsync.PruneOptions) {
	t.Helper()
	opt.Confirm = false
	rep, err := dbsync.Prune(quick(), dst, opt)
	require.NoError(t, err)
	require.True(t, rep.DryRun)
	checkFreed(t, dst, rep)
}

// soundChunks looks at a place in chunks after a prune that ended well: every
// chunk is named by a point, listed or parked, that is not going; and what somebody
// gets who has nothing but unzip is the point.
func soundChunks(t testing.TB, dst fs.Fs, want map[string]image) {
	t.Helper()
	img, place := dump(t, dst), placeOf(t, dst)
	ids, err := place.IDs(quick())
	require.NoError(t, err)
	named := map[string]bool{}
	for _, id := range ids {
		m, err := place.ManifestOrParked(quick(), id)
		if err != nil {
			require.ErrorIs(t, err, graph.ErrNotFound)
			continue
		}
		for _, c := range chunksNamed(m) {
			named[c] = true
		}
	}
	whole := slices.DeleteFunc(img.chunksIn(), func(c string) bool { return path.Ext(c) != ".zip" }) // uploads that were cut off
	assert.Equal(t, sortedKeys(named), whole, "chunks that no point names, or that are missing")
	for point, files := range want {
		got := unzipped(t, img, chunksOf(t, dst, point))
		if store := got.below("store"); len(store) > 0 {
			got = store
		}
		assert.Empty(t, files.lacksIn(got), "unzipped %s", point)
	}
}

// chunksNamed are the paths of the chunks that a manifest names.
func chunksNamed(m *snapshot.Manifest) (paths []string) {
	for _, c := range m.Chunks {
		backup := m.Point
		if c.Backup != "" {
			backup = c.Backup
		}
		paths = append(paths, path.Join(m.ID, backup, "chunks", c.ID+".zip"))
	}
	return paths
}

// chunkBytes is the size of all chunks.
func (img image) chunkBytes() (n int64) {
	for _, name := range img.chunksIn() {
		n += int64(len(img[name]))
	}
	return n
}

// deadest is the greatest part of a chunk, in percent, that no listed or parked
// point needs.
func deadest(t testing.TB, dst fs.Fs) (percent float64) {
	t.Helper()
	place := placeOf(t, dst)
	ids, err := place.IDs(quick())
	require.NoError(t, err)
	needed := map[string]int64{}
	seen := map[spot]bool{}
	for _, id := range ids {
		if _, err := place.ManifestOrParked(quick(), id); err != nil {
			require.ErrorIs(t, err, graph.ErrNotFound) // it has chunks of others
			continue
		}
		for s := range spots(t, dst, id) {
			if !seen[s] {
				seen[s] = true
				needed[s.at.Chunk] += s.at.Stored
			}
		}
	}
	for name, info := range place.KnownChunks() {
		if used, ok := needed[name]; ok {
			percent = math.Max(percent, 100*(1-float64(used)/float64(info.Directory)))
		}
	}
	return percent
}

// smallChunks are options for a layout, with the smallest chunks if it has such.
func smallChunks(layout string) dbsync.BackupOptions {
	if layout == dbsync.LayoutNative {
		return dbsync.BackupOptions{}
	}
	return chunked(smallest)
}

// hour is a grace in which nothing goes.
const hour = time.Hour
