package spill

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func queued(t *testing.T, q *Queue) (all []string) {
	t.Helper()
	for b, err := range q.All() {
		require.NoError(t, err)
		all = append(all, string(b))
		clear(b) // it is the caller's own
	}
	return all
}

// TestQueue: blobs come as they went, from the file and from memory.
func TestQueue(t *testing.T) {
	for _, limit := range []int{1, 100, 0} {
		dir := t.TempDir()
		t.Setenv("TMPDIR", dir)
		q := &Queue{limit: limit}
		assert.True(t, q.Empty())
		assert.Empty(t, queued(t, q))
		var want []string
		for i := range 200 {
			b := strings.Repeat(fmt.Sprint(i, "\n"), i%7)
			require.NoError(t, q.Put([]byte(b)))
			assert.False(t, q.Empty())
			want = append(want, b)
		}
		assert.Empty(t, ls(t, dir), "the file has no name")
		assert.Equal(t, limit == 0, q.file == nil)
		assert.Equal(t, want, queued(t, q))
		for _, err := range q.All() {
			require.NoError(t, err)
			break
		}
		require.NoError(t, q.Close())
		require.NoError(t, q.Close())
	}
}

func TestQueueMemory(t *testing.T) {
	q := &Queue{limit: 1000}
	for i := range 100 {
		require.NoError(t, q.Put(make([]byte, i%3*10_000)))
		assert.LessOrEqual(t, cap(q.memory), 4*q.limit)
	}
	require.NoError(t, q.Close())
}

func TestQueueManyGoroutines(t *testing.T) {
	q := &Queue{limit: 100}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 100 {
				assert.NoError(t, q.Put([]byte(fmt.Sprint(g, "/", i))))
			}
		})
	}
	wg.Wait()
	all := queued(t, q)
	assert.Len(t, all, 800)
	for g := range 8 {
		next := 0
		for _, b := range all {
			if strings.HasPrefix(b, fmt.Sprint(g, "/")) {
				assert.Equal(t, fmt.Sprint(g, "/", next), b)
				next++
			}
		}
	}
	require.NoError(t, q.Close())
}

func TestQueueErrors(t *testing.T) {
	for cut := range int64(8) { // each blob takes four bytes
		q := &Queue{limit: 1}
		require.NoError(t, q.Put([]byte("one")))
		require.NoError(t, q.Put([]byte("two")))
		require.NoError(t, q.file.Truncate(q.end-cut-1))
		var err error
		for _, e := range q.All() {
			err = errors.Join(err, e)
		}
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "cut by %d", cut+1)
		require.NoError(t, q.Close())
	}
	t.Setenv("TMPDIR", t.TempDir()+"/missing")
	require.ErrorContains(t, (&Queue{limit: 1}).Put([]byte("x")), "TMPDIR")
}
