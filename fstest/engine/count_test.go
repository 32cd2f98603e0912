package engine

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
)

// people makes a store of about 100,000 segments.
const people = 22_500 / sparser

// TestCounts: an incremental backup asks for what is new and for the inner
// nodes that had to change, and a backup without news asks for next to
// nothing, whatever the size of the database.
func TestCounts(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a large store")
	}
	dir := scratch(t)
	began := time.Now()
	db, err := sample.Create(dir, sample.Options{Seed: 1, Entities: people, BranchingFactor: 16})
	require.NoError(t, err)
	t.Logf("%d segments made in %v", len(db.Reachable()), time.Since(began).Round(time.Millisecond))
	src := fault.New(remote(t, dir), fault.Options{})
	dst := fault.New(memory(t), fault.Options{})
	run := func() *dbsync.BackupReport {
		src.Heal()
		dst.Heal()
		began := time.Now()
		rep, err := dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{})
		require.NoError(t, err)
		t.Logf("backup: %d new, %d in all, %v", rep.New.Segments, rep.Total.Segments, time.Since(began).Round(time.Millisecond))
		return rep
	}
	first := run()
	assert.EqualValues(t, len(db.Reachable())-2, first.Total.Segments, "all but the head and :branches")

	before := innerNodes(t, dir)
	require.NoError(t, db.Transact(3))
	changed := 0
	now := innerNodes(t, dir)
	for name := range before {
		if !now[name] {
			changed++
		}
	}
	fresh := int(run().New.Segments)
	reads, calls := src.Count(fault.On(fault.Open, "")), dst.Count(nil)
	t.Logf("%d new segments, %d changed inner nodes: %d source reads (bound %d), %d destination calls (bound %d)",
		fresh, changed, reads, fresh+changed+8, calls, fresh+changed+2+8)
	t.Logf("source:\n%sdestination:\n%s", src.Report(), dst.Report())
	assert.LessOrEqual(t, reads, fresh+changed+8)
	assert.LessOrEqual(t, calls, fresh+changed+2*1+8)
	assert.Zero(t, src.Count(fault.On(fault.List, "")), "the source is never listed")
	assert.Zero(t, dst.Count(fault.On(fault.List, "store")), "nor is the mirror")

	require.True(t, run().UpToDate)
	t.Logf("nothing new: %d calls of the source, %d of the destination", src.Count(nil), dst.Count(nil))
	assert.LessOrEqual(t, src.Count(nil)+dst.Count(nil), 12)
}

// innerNodes are those of the trees of :db, by name.
func innerNodes(t *testing.T, dir string) map[string]bool {
	t.Helper()
	o := &oracle{codec: konserve.NewCodec("")}
	inner := map[string]bool{}
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		r, err := o.parse(data)
		require.NoError(t, err)
		if len(r.must) > 0 && r.commit == "" {
			inner[name] = true
		}
		for _, child := range r.must {
			visit(child)
		}
	}
	visit(keywordName(keywordOf(":db")))
	return inner
}
