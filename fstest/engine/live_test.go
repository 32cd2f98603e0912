package engine

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// liveFor is how long the live test runs.
const liveFor = 8 * time.Second

// TestLive backs a database up, over and over, while one goroutine transacts
// and another collects garbage. Every point must be whole.
func TestLive(t *testing.T) {
	t.Parallel() // with the other one that takes a fixed time
	if testing.Short() {
		t.Skip("takes its time")
	}
	dir := scratch(t)
	db, err := sample.Create(dir, sample.Options{Seed: 7, Entities: 300, BranchingFactor: 32})
	require.NoError(t, err)
	src := fault.New(remote(t, dir), fault.Options{})
	dst := memory(t)
	stop := make(chan struct{})
	var mu sync.Mutex
	var workers sync.WaitGroup
	work := func(pause *atomic.Int64, do func() error) {
		workers.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(pause.Load())):
				}
				mu.Lock()
				err := do()
				mu.Unlock()
				assert.NoError(t, err)
			}
		})
	}
	var often, seldom atomic.Int64
	often.Store(int64(5 * time.Millisecond))
	seldom.Store(int64(300 * time.Millisecond))
	work(&often, func() error { return db.Transact(5) })
	work(&seldom, func() error { return db.GC(false) })
	made, overtaken := 0, 0
	for end := time.Now().Add(liveFor); time.Now().Before(end); {
		rep, err := dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{})
		if err != nil {
			require.ErrorIs(t, err, graph.ErrNotFound, "nothing else may end a backup")
			overtaken++
			seldom.Store(2 * seldom.Load()) // a slow machine needs more time between
			continue
		}
		made++
		v, err := dbsync.Verify(quick(), dst, dbsync.VerifyOptions{At: rep.Point, Deep: true, Dialect: datahike.New("")})
		require.NoError(t, err, "%+v", v)
	}
	close(stop)
	workers.Wait()
	reads := src.Count(fault.On(fault.Open, keywordName(keywordOf(":branches"))))
	t.Logf("%d points, %d restarts, %d runs overtaken by collection", made, reads-made-overtaken, overtaken)
	require.Positive(t, made)
	points, err := dbsync.Points(quick(), dst)
	require.NoError(t, err)
	for _, p := range points {
		if p.Complete {
			_, missing := reachIn("", restored(t, dst, p.ID))
			assert.Empty(t, missing, p.ID)
		}
	}
}

// TestRestart: a collection takes away what a backup is about to read. It
// begins again with the newest heads, and its point is theirs.
func TestRestart(t *testing.T) {
	dir := scratch(t)
	db, err := sample.Create(dir, sample.Options{Seed: 8, Entities: 50, BranchingFactor: 16})
	require.NoError(t, err)
	src := fault.New(remote(t, dir), fault.Options{})
	dst := memory(t)
	opened := 0
	// The rule's own test is called before each read.
	src.Inject(fault.Rule{Match: func(c fault.Call) bool {
		if c.Op == fault.Open {
			opened++
		}
		if c.Op == fault.Open && opened == 10 {
			assert.NoError(t, db.Transact(50))
			assert.NoError(t, db.GC(false))
		}
		return false
	}})
	rep, err := dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{})
	require.NoError(t, err)
	assert.Equal(t, 2, src.Count(fault.On(fault.Open, keywordName(keywordOf(":branches")))), "the heads are read again")
	assert.Equal(t, db.Reachable(), sortedKeys(restored(t, dst, rep.Point)))
	v, err := dbsync.Verify(quick(), dst, dbsync.VerifyOptions{Deep: true, Dialect: datahike.New("")})
	require.NoError(t, err, "%+v", v)
}
