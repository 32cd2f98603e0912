package engine

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/sample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// TestLiveOnlineGC copies a database with online GC, over and over, while it is
// written to: each commit takes addresses that the one before has freed. Every
// point holds just the datoms of the commit that it names.
func TestLiveOnlineGC(t *testing.T) {
	t.Parallel() // with the others that take a fixed time
	if testing.Short() {
		t.Skip("takes its time")
	}
	dir := scratch(t)
	db, err := sample.Create(dir, sample.Options{Seed: 9, Entities: 60, BranchingFactor: 16, OnlineGC: true})
	require.NoError(t, err)
	w := &writer{db: db, made: map[string]map[string]string{}, copied: make(chan struct{}, 1)}
	w.note(t)
	src, dst := remote(t, dir), memory(t)
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() { w.run(t, stop) })
	made, movedOn := 0, 0
	seen := map[string]bool{}
	for end := time.Now().Add(liveFor); time.Now().Before(end) || len(seen) < 3; {
		rep, err := dbsync.Backup(quick(), source(src, ""), dst, whole)
		if err != nil {
			require.ErrorIs(t, err, dbsync.ErrRefused, "nothing else may end a copy")
			require.ErrorContains(t, err, "moved")
			movedOn++
			continue
		}
		made++
		select {
		case w.copied <- struct{}{}:
		default:
		}
		if commit := w.check(t, restored(t, dst, rep.Point)); !seen[commit] {
			deep(t, dst, rep.Point)
			seen[commit] = true
		}
	}
	close(stop)
	done.Wait()
	t.Logf("%d copies of %d commits among %d; %d runs given up", made, len(seen), len(w.made), movedOn)
	assert.NotEmpty(t, w.reused, "the sample takes addresses again")
}

// writer transacts, and remembers what each commit holds.
type writer struct {
	mu     sync.Mutex
	db     *sample.DB
	made   map[string]map[string]string // digests of the indexes by commit
	reused int
	// copied tells that a copy was made.
	copied chan struct{}
}

func (w *writer) run(t *testing.T, stop chan struct{}) {
	for n := 0; ; n++ {
		// Bursts, and between them a copy, however slow the machine is.
		ready := time.After(2 * time.Millisecond)
		if n%5 == 4 {
			ready = nil
		}
		select {
		case <-stop:
			return
		case <-ready:
		case <-w.copied:
		}
		if !assert.NoError(t, w.db.Transact(3)) {
			return
		}
		w.note(t)
	}
}

// note records the newest commit. A copy may name it before that.
func (w *writer) note(t *testing.T) {
	digests, err := w.db.OnBranch(":db").Digests()
	assert.NoError(t, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made[w.db.OnBranch(":db").Commit()] = digests
	w.reused = w.db.Reused()
}

// check compares a store with the commit that its head names.
func (w *writer) check(t *testing.T, store image) (commit string) {
	t.Helper()
	commit = commitOf(t, store, ":db")
	var want map[string]string
	require.Eventually(t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		want = w.made[commit]
		return want != nil
	}, 10*time.Second, time.Millisecond, "no such commit was made: %s", commit)
	require.Equal(t, want, digests(t, store, ":db"), commit)
	return commit
}
