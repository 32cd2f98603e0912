package pool_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/pool"
)

var errJob, errFeed = errors.New("job"), errors.New("feed")

func TestAllJobsAreDone(t *testing.T) {
	for _, workers := range []int{0, 1, 3, 100} {
		var sum atomic.Int64
		p := pool.New(t.Context(), workers, func(_ context.Context, n int) error { sum.Add(int64(n)); return nil })
		for n := range 1000 {
			require.NoError(t, p.Do(n))
		}
		require.NoError(t, p.Wait())
		assert.Equal(t, int64(999*1000/2), sum.Load())
	}
}

// TestFirstErrorEnds: handing over never blocks when all workers have failed.
func TestFirstErrorEnds(t *testing.T) {
	for _, workers := range []int{1, 4} {
		p := pool.New(t.Context(), workers, func(context.Context, int) error { return errJob })
		var err error
		for err == nil {
			err = p.Do(0)
		}
		require.ErrorIs(t, p.Wait(), errJob)
	}
}

// TestTakenJobsAreDone: what was handed over when a job fails is done all the
// same, in a context that has ended, so that nothing it holds is lost.
func TestTakenJobsAreDone(t *testing.T) {
	for _, workers := range []int{1, 4} {
		var done, ended int64
		begin := make(chan bool)
		var mu sync.Mutex
		p := pool.New(t.Context(), workers, func(ctx context.Context, n int) error {
			<-begin
			mu.Lock()
			defer mu.Unlock()
			done++
			if ctx.Err() != nil {
				ended++
				return context.Cause(ctx)
			}
			return errJob
		})
		for n := range 20 {
			require.NoError(t, p.Do(n), "there is room for some")
		}
		close(begin)
		require.ErrorIs(t, p.Wait(), errJob)
		assert.Equal(t, int64(20), done)
		assert.GreaterOrEqual(t, ended, int64(20-workers))
	}
}

func TestEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	p := pool.New(ctx, 1, func(ctx context.Context, _ int) error { <-ctx.Done(); return context.Cause(ctx) })
	require.NoError(t, p.Do(0))
	cancel(errFeed)
	require.ErrorIs(t, p.Do(1), errFeed)
	require.ErrorIs(t, p.Wait(), errFeed)
}

func TestRun(t *testing.T) {
	feed := func(do func(int) error) error {
		for n := range 10 {
			if err := do(n); err != nil {
				return err
			}
		}
		return errFeed
	}
	ok := func(context.Context, int) error { return nil }
	bad := func(context.Context, int) error { return errJob }
	require.ErrorIs(t, pool.Run(t.Context(), 2, feed, ok), errFeed)
	require.ErrorIs(t, pool.Run(t.Context(), 2, feed, bad), errJob, "the job's error is the reason")
	require.NoError(t, pool.Run(t.Context(), 2, func(func(int) error) error { return nil }, bad))
}
