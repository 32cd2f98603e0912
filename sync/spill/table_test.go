package spill

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func table(t *testing.T, lines ...string) *Table {
	t.Helper()
	s := NewSorter()
	for _, l := range lines {
		s.Add(l)
	}
	tab, err := NewTable(s.Sorted())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tab.Close()) })
	return tab
}

// TestTableGet looks at the edges of blocks: first, last, between, outside.
func TestTableGet(t *testing.T) {
	for _, n := range []int{0, 1, 2, block - 1, block, block + 1, 2 * block, 2*block + 1, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			var lines []string
			for i := range n {
				lines = append(lines, fmt.Sprintf("k%05d\tvalue %d", 2*i, i))
			}
			tab := table(t, lines...)
			assert.Equal(t, int64(n), tab.Len())
			assert.Equal(t, append([]string{}, lines...), drained(t, tab.All()))
			for i := range n {
				got, ok, err := tab.Get(fmt.Sprintf("k%05d", 2*i))
				require.NoError(t, err)
				require.True(t, ok)
				require.Equal(t, lines[i], got)
			}
			for _, key := range append([]string{"", "a", "k", "z"}, between(n)...) {
				_, ok, err := tab.Get(key)
				require.NoError(t, err)
				require.False(t, ok, key)
			}
		})
	}
}

// TestTableFrom begins at, between and beyond the keys of a table.
func TestTableFrom(t *testing.T) {
	for _, n := range []int{0, 1, block, block + 1, 3 * block} {
		var lines []string
		for i := range n {
			lines = append(lines, fmt.Sprintf("k%05d\tvalue %d", 2*i, i))
		}
		tab := table(t, lines...)
		for i := range n {
			assert.Equal(t, lines[i:], drained(t, tab.From(fmt.Sprintf("k%05d", 2*i))))
			assert.Equal(t, append([]string{}, lines[i+1:]...), drained(t, tab.From(fmt.Sprintf("k%05d", 2*i+1))))
		}
		assert.Empty(t, drained(t, tab.From("z")))
	}
}

// between are keys that lie between those of a table, and after.
func between(n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprintf("k%05d", 2*i+1), fmt.Sprintf("k%05d\t", 2*i))
	}
	return keys
}

// TestTablePrefixes: a key that begins another is not mistaken for it.
func TestTablePrefixes(t *testing.T) {
	tab := table(t, "a\t1", "ab\t2", "abc\t3", "b", "b1\t")
	for key, want := range map[string]string{"a": "a\t1", "ab": "ab\t2", "abc": "abc\t3", "b": "b", "b1": "b1\t"} {
		got, ok, err := tab.Get(key)
		require.NoError(t, err)
		assert.True(t, ok, key)
		assert.Equal(t, want, got)
	}
	for _, key := range []string{"", "abcd", "b11", "a\t1", "1", "2"} {
		_, ok, err := tab.Get(key)
		require.NoError(t, err)
		assert.False(t, ok, key)
	}
}

// TestTablePrefixesInBlocks: keys sort by themselves, lines with what follows
// them; a separator below all that keys have makes both the same.
func TestTablePrefixesInBlocks(t *testing.T) {
	var lines []string
	for i := range 3 * block {
		lines = append(lines, fmt.Sprintf("%0*d\t", 1+i, 0))
	}
	tab := table(t, lines...)
	for i := range lines {
		got, ok, err := tab.Get(lines[i][:1+i])
		require.NoError(t, err)
		require.True(t, ok, i)
		require.Equal(t, lines[i], got)
	}
}

func TestTableNil(t *testing.T) {
	var tab *Table
	require.NoError(t, tab.Close())
}

func TestTableErrors(t *testing.T) {
	own := errors.New("own")
	broken := func(yield func(string, error) bool) {
		_ = yield("a", nil) && yield("", own)
	}
	_, err := NewTable(broken)
	require.ErrorIs(t, err, own)

	t.Setenv("TMPDIR", t.TempDir()+"/missing")
	s := NewSorter()
	s.Add("a")
	_, err = NewTable(s.Sorted())
	require.ErrorContains(t, err, "TMPDIR")
}
