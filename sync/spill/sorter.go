// Package spill keeps what may outgrow memory: it sorts lines and queues
// blobs in memory while they are few, and in temporary files when they are
// many. Nothing of it survives the process.
package spill

import (
	"bytes"
	"iter"
	"slices"
	"sync"
)

// sortMemory is how many bytes of lines a Sorter keeps before it spills them,
// and readMemory what merging them takes. One longer line fits all the same.
const (
	sortMemory = 2 << 20
	readMemory = 2 << 20
)

// fanIn is how many runs are merged at a time.
const fanIn = 128

// spanMemory is what a Sorter needs of memory for a line besides its bytes.
const spanMemory = 16

// Sorter sorts lines bytewise and drops duplicates; a line may have any bytes.
// It takes 2 MiB of memory unless told otherwise, however many there are. Add
// and AddBytes may be called from many goroutines; Sorted or Each once, after
// the last Add has returned.
type Sorter struct {
	mu    sync.Mutex
	limit int  // of one half of the memory: it fills while the other is sorted
	half       // which fills
	spare half // an empty one, for its memory
	disk  runs
	err   error

	spilling sync.Mutex // guards disk and spare, while lines may still come
}

// half is lines in memory.
type half struct {
	arena []byte // lines, one after the other
	lines []span
}

// span is a line's place in the arena.
type span struct{ from, to int }

// NewSorter returns an empty Sorter. Close it when it was not drained.
func NewSorter() *Sorter { return NewSorterOf(sortMemory) }

// NewSorterOf is NewSorter with so many bytes of memory. What merging takes, 2
// MiB, comes after that.
func NewSorterOf(memory int) *Sorter { return &Sorter{limit: memory / 2} }

// Add takes a line. It blocks while both halves of the memory are full. That
// there is no room on disk is told by Sorted.
func (s *Sorter) Add(line string) { add(s, line) }

// AddBytes is Add of bytes, which it copies.
func (s *Sorter) AddBytes(line []byte) { add(s, line) }

func add[T string | []byte](s *Sorter, line T) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	from := len(s.arena)
	s.arena = append(s.arena, line...)
	s.lines = append(s.lines, span{from, len(s.arena)})
	if len(s.arena)+spanMemory*len(s.lines) < s.limit {
		s.mu.Unlock()
		return
	}
	s.spilling.Lock() // waits for the other half
	full := s.half
	s.half, s.spare = s.spare, half{}
	s.mu.Unlock()
	full.sort()
	err := s.disk.add(full.each)
	s.spare = full.emptied(s.limit)
	s.spilling.Unlock()
	if err != nil {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
}

// Empty tells whether nothing was added.
func (s *Sorter) Empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spilling.Lock()
	defer s.spilling.Unlock()
	return s.err == nil && len(s.lines) == 0 && len(s.disk.list) == 0
}

// each calls fn for every line, in the order in which they are now.
func (h *half) each(fn func(line []byte) error) error {
	for _, l := range h.lines {
		if err := fn(h.arena[l.from:l.to]); err != nil {
			return err
		}
	}
	return nil
}

// emptied is the same memory without lines, but for what an uncommonly long
// line has taken.
func (h *half) emptied(limit int) half {
	if cap(h.arena) > 2*limit {
		h.arena = nil
	}
	return half{h.arena[:0], h.lines[:0]}
}

// sort orders the lines and drops duplicates.
func (h *half) sort() {
	bytesOf := func(l span) []byte { return h.arena[l.from:l.to] }
	slices.SortFunc(h.lines, func(a, b span) int { return bytes.Compare(bytesOf(a), bytesOf(b)) })
	h.lines = slices.CompactFunc(h.lines, func(a, b span) bool { return bytes.Equal(bytesOf(a), bytesOf(b)) })
}

// Sorted yields every distinct line in ascending order. An error ends the
// sequence and comes with an empty line.
func (s *Sorter) Sorted() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := s.Each(func(line []byte) error {
			if !yield(string(line), nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && err != errEnough { //nolint:errorlint // our own, never wrapped
			yield("", err)
		}
	}
}

// Each calls fn with every distinct line in ascending order, until fn returns
// an error, which it returns as it is. A line is overwritten afterwards.
// Nothing is left of the Sorter then.
func (s *Sorter) Each(fn func(line []byte) error) error {
	defer s.Close()
	switch {
	case s.err != nil:
		return s.err
	case len(s.disk.list) == 0:
		s.sort()
		return s.each(fn)
	case len(s.lines) > 0:
		s.sort()
		if err := s.disk.add(s.each); err != nil {
			return err
		}
	}
	s.half, s.spare = half{}, half{}
	return s.disk.each(fn)
}

// Close frees a Sorter whose lines are not wanted any more.
func (s *Sorter) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.half, s.spare = half{}, half{}
	s.disk.close()
}
