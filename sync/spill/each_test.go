package spill

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSorterEach: bytes are copied, many goroutines add while halves are
// sorted, and an error of the caller ends it.
func TestSorterEach(t *testing.T) {
	for _, memory := range []int{1, 1000, 1 << 20} {
		dir := t.TempDir()
		t.Setenv("TMPDIR", dir)
		fill := func() *Sorter {
			s := NewSorterOf(memory)
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					var line []byte
					for i := range 500 {
						line = fmt.Appendf(line[:0], "%03d", i)
						s.AddBytes(line)
						clear(line)
					}
				})
			}
			wg.Wait()
			return s
		}
		var got []string
		require.NoError(t, fill().Each(func(line []byte) error {
			got = append(got, string(line))
			return nil
		}))
		assert.Len(t, got, 500)
		assert.True(t, slices.IsSorted(got))

		stop, n := errors.New("stop"), 0
		require.ErrorIs(t, fill().Each(func([]byte) error {
			if n++; n == 3 {
				return stop
			}
			return nil
		}), stop)
		assert.Equal(t, 3, n)
		assert.Empty(t, ls(t, dir))
	}
}
