// Package spill keeps what may outgrow memory: it sorts lines and spools
// blobs in memory while they are few, and in temporary files when they are
// many. Nothing of it survives the process.
package spill

import (
	"context"
	"iter"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/lanrat/extsort"
)

// inMemory is how many lines a Sorter keeps before it begins to spill: with
// lines of some 130 bytes about 5 MiB.
const inMemory = 1 << 15

// Sorter sorts lines bytewise and drops duplicates. Add may be called from
// many goroutines; Sorted once, after the last Add has returned.
type Sorter struct {
	mu    sync.Mutex
	lines map[string]struct{}
	limit int

	in   chan string
	done chan sorted
}

type sorted struct {
	out  <-chan string
	errs <-chan error
}

// NewSorter returns an empty Sorter. Close it when it was not drained.
func NewSorter() *Sorter { return &Sorter{limit: inMemory} }

// Add takes a line. It blocks while a full buffer goes to disk.
func (s *Sorter) Add(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in != nil {
		s.in <- line
		return
	}
	if s.lines == nil {
		s.lines = map[string]struct{}{}
	}
	s.lines[line] = struct{}{}
	if len(s.lines) >= s.limit {
		s.startSpilling()
	}
}

// Empty tells whether nothing was added.
func (s *Sorter) Empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.in == nil && len(s.lines) == 0
}

func (s *Sorter) startSpilling() {
	in, done := make(chan string, 1024), make(chan sorted, 1)
	lines := s.lines
	s.in, s.done, s.lines = in, done, nil
	go func() {
		ext, out, errs := extsort.Generic(in,
			func(b []byte) (string, error) { return string(b), nil },
			func(l string) ([]byte, error) { return []byte(l), nil },
			compare, &extsort.Config{ChunkSize: s.limit, NumWorkers: 2, TempFilesDir: os.TempDir()})
		// The merge outlives Sort, and ends when its output is drained.
		ext.Sort(context.Background())
		drain(in) // if Sort has failed; Add must not block
		done <- sorted{out, errs}
	}()
	for l := range lines {
		in <- l
	}
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func drain[T any](c <-chan T) {
	for range c {
	}
}

// Sorted yields every distinct line in ascending order. An error ends the
// sequence and comes with an empty line.
func (s *Sorter) Sorted() iter.Seq2[string, error] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in == nil {
		lines := slices.Sorted(maps.Keys(s.lines))
		s.lines = nil
		return func(yield func(string, error) bool) {
			for _, l := range lines {
				if !yield(l, nil) {
					return
				}
			}
		}
	}
	close(s.in)
	s.in = nil
	return merge(<-s.done)
}

// merge yields what an external sort delivers, without duplicates. However
// it ends, the sort is drained, so that its goroutines and files go.
func merge(res sorted) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		defer drain(res.out)
		last, first := "", true
		for l := range res.out {
			if !first && l == last {
				continue
			}
			if !yield(l, nil) {
				return
			}
			last, first = l, false
		}
		if err := <-res.errs; err != nil {
			yield("", err)
		}
	}
}

// Close frees a Sorter whose lines are not wanted any more.
func (s *Sorter) Close() {
	s.mu.Lock()
	spilling := s.in != nil
	s.lines = nil
	s.mu.Unlock()
	if spilling {
		for _, err := range s.Sorted() {
			_ = err // nobody wants the rest
			break
		}
	}
}
