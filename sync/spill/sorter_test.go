package spill

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// small returns a Sorter that spills after a few lines.
func small() *Sorter { return &Sorter{limit: 200} }

func drained(t *testing.T, lines iter.Seq2[string, error]) []string {
	t.Helper()
	out := []string{}
	for l, err := range lines {
		require.NoError(t, err)
		out = append(out, l)
	}
	return out
}

func TestSorter(t *testing.T) {
	for _, n := range []int{0, 1, 2, 7, 8, 9, 16, 17, 1000, 20_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(1, uint64(n)))
			s, want := small(), map[string]bool{}
			for range n {
				l := fmt.Sprintf("%x\t%d", rnd.IntN(1+n/2), rnd.IntN(2))
				s.Add(l)
				want[l] = true
			}
			assert.Equal(t, n == 0, s.Empty())
			got := drained(t, s.Sorted())
			assert.True(t, slices.IsSorted(got))
			assert.Len(t, got, len(want))
			for _, l := range got {
				assert.True(t, want[l])
			}
		})
	}
}

// TestSorterOrder: lines compare bytewise, also where they spill.
func TestSorterOrder(t *testing.T) {
	lines := []string{"", "\x00", "\t", " ", "-", "0", "0\t", "00", "A", "a", "a\tb", "aa", "é", "\xff"}
	for _, limit := range []int{40, 10_000} {
		s := &Sorter{limit: limit}
		for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(2 * len(lines)) {
			s.Add(lines[i%len(lines)])
		}
		got := drained(t, s.Sorted())
		want := slices.Clone(lines)
		slices.Sort(want)
		assert.Equal(t, want, got, "limit %d", limit)
	}
}

// TestSorterAnyBytes: a line is what it is, a line's end and a megabyte of it
// included.
func TestSorterAnyBytes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	var want []string
	for i := range 300 {
		b := make([]byte, rnd.IntN(40))
		for j := range b {
			b[j] = "\x00\n\r\t\xff"[rnd.IntN(5)]
		}
		if i%100 == 0 {
			b = append(b, strings.Repeat("long", 1<<18)...)
		}
		want = append(want, string(b))
	}
	for _, limit := range []int{1, 1000, sortMemory} {
		s := &Sorter{limit: limit}
		for _, i := range rnd.Perm(2 * len(want)) {
			s.Add(want[i%len(want)])
		}
		slices.Sort(want)
		require.Equal(t, slices.Compact(slices.Clone(want)), drained(t, s.Sorted()), "limit %d", limit)
	}
}

// TestSorterManyRuns: more runs than are merged at a time become fewer first.
func TestSorterManyRuns(t *testing.T) {
	for _, n := range []int{fanIn - 1, fanIn, fanIn + 1, 2*fanIn - 1, 2 * fanIn, 3*fanIn + 7} {
		s := &Sorter{limit: 1} // each line is a run
		var want []string
		for _, i := range rand.New(rand.NewPCG(4, uint64(n))).Perm(n) {
			s.Add(fmt.Sprintf("%06d", i))
			s.Add("000000")
		}
		for i := range n {
			want = append(want, fmt.Sprintf("%06d", i))
		}
		require.Len(t, s.disk.list, 2*n)
		require.Equal(t, want, drained(t, s.Sorted()))
	}
}

// TestSorterMemory: a large sorter holds no more than a small one.
func TestSorterMemory(t *testing.T) {
	s := NewSorter()
	for i := range 200_000 {
		s.Add(fmt.Sprintf("%0120d", i))
	}
	assert.LessOrEqual(t, cap(s.arena)+spanMemory*cap(s.lines), 2*sortMemory)
	assert.Greater(t, len(s.disk.list), 5)
	s.Close()
}

// TestSorterTornFile: a temporary file that is cut short is an error, and not
// an end.
func TestSorterTornFile(t *testing.T) {
	for cut := range int64(15) {
		s := &Sorter{limit: 100}
		for i := range 100 {
			s.Add(fmt.Sprintf("%06d", i))
		}
		require.NoError(t, s.disk.file.Truncate(s.disk.end-cut-1))
		var err error
		for _, e := range s.Sorted() {
			err = errors.Join(err, e)
		}
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "cut by %d", cut+1)
	}
}

func TestSorterManyGoroutines(t *testing.T) {
	s := small()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				s.Add(fmt.Sprintf("%04d", (i*7+g)%1000))
			}
		})
	}
	wg.Wait()
	assert.Len(t, drained(t, s.Sorted()), 1000)
}

// TestSorterLeavesNothing: whether drained, broken off or closed unread, no
// file stays.
func TestSorterLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	fill := func() *Sorter {
		s := small()
		for i := range 1000 {
			s.Add(fmt.Sprint(i))
		}
		return s
	}
	drained(t, fill().Sorted())
	for _, err := range fill().Sorted() {
		require.NoError(t, err)
		break
	}
	fill().Close()
	s := small()
	s.Add("few")
	s.Close()
	s.Close()
	assert.Empty(t, ls(t, dir))
}

func ls(t *testing.T, dir string) []os.DirEntry {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	return entries
}

// TestSorterWithoutRoom: an error of the disk is told at the end, and Add
// never blocks.
func TestSorterWithoutRoom(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	t.Setenv("TMPDIR", filepath.Join(file, "under"))
	s := small()
	for i := range 10_000 {
		s.Add(fmt.Sprint(i))
	}
	var err error
	for _, e := range s.Sorted() {
		err = errors.Join(err, e)
	}
	require.Error(t, err)
}

func TestSpool(t *testing.T) {
	for _, limit := range []int64{0, 100, 1 << 20} {
		s := &Spool{limit: limit}
		var held []Held
		var want []string
		for i := range 200 {
			b := strings.Repeat(fmt.Sprint(i), i%7)
			h, err := s.Put([]byte(b))
			require.NoError(t, err)
			assert.Equal(t, len(b), h.Size())
			held, want = append(held, h), append(want, b)
		}
		for _, i := range rand.New(rand.NewPCG(2, 2)).Perm(len(held)) {
			b, err := s.Take(held[i])
			require.NoError(t, err)
			assert.Equal(t, want[i], string(b))
		}
		assert.Zero(t, s.memory, "what was taken counts as free")
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
	}
}

func TestSpoolBounds(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	s := &Spool{limit: 10}
	in, err := s.Put([]byte("0123456789"))
	require.NoError(t, err)
	out, err := s.Put([]byte("x"))
	require.NoError(t, err)
	assert.Nil(t, out.data, "beyond the limit it goes to the file")
	assert.Empty(t, ls(t, dir), "the file has no name")
	_, err = s.Take(in)
	require.NoError(t, err)
	again, err := s.Put([]byte("y"))
	require.NoError(t, err)
	assert.NotNil(t, again.data, "there is room again")
	require.NoError(t, s.Close())

	t.Setenv("TMPDIR", dir+"/missing")
	_, err = (&Spool{}).Put([]byte("x"))
	require.ErrorContains(t, err, "TMPDIR")
}

func TestSpoolManyGoroutines(t *testing.T) {
	s := &Spool{limit: 1000}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 300 {
				want := fmt.Sprint(g, "/", i)
				h, err := s.Put([]byte(want))
				assert.NoError(t, err)
				got, err := s.Take(h)
				assert.NoError(t, err)
				assert.Equal(t, want, string(got))
			}
		})
	}
	wg.Wait()
	require.NoError(t, s.Close())
}
