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
// It takes 2 MiB of memory, however many there are. Add may be called from many
// goroutines; Sorted once, after the last Add has returned.
type Sorter struct {
	mu    sync.Mutex
	limit int
	arena []byte // lines, one after the other
	lines []span
	disk  runs
	err   error
}

// span is a line's place in the arena.
type span struct{ from, to int }

// NewSorter returns an empty Sorter. Close it when it was not drained.
func NewSorter() *Sorter { return &Sorter{limit: sortMemory} }

// Add takes a line. It blocks while a full buffer goes to disk. That there is
// no room on it is told by Sorted.
func (s *Sorter) Add(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	from := len(s.arena)
	s.arena = append(s.arena, line...)
	s.lines = append(s.lines, span{from, len(s.arena)})
	if len(s.arena)+spanMemory*len(s.lines) >= s.limit {
		s.spill()
	}
}

// Empty tells whether nothing was added.
func (s *Sorter) Empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err == nil && len(s.lines) == 0 && len(s.disk.list) == 0
}

// spill makes a run of the lines in memory.
func (s *Sorter) spill() {
	s.sort()
	s.err = s.disk.add(func(put func([]byte) error) error {
		for _, l := range s.lines {
			if err := put(s.arena[l.from:l.to]); err != nil {
				return err
			}
		}
		return nil
	})
	s.arena, s.lines = s.arena[:0], s.lines[:0]
	if cap(s.arena) > 2*s.limit { // it had an uncommonly long line
		s.arena = nil
	}
}

// sort orders the lines in memory and drops duplicates.
func (s *Sorter) sort() {
	bytesOf := func(l span) []byte { return s.arena[l.from:l.to] }
	slices.SortFunc(s.lines, func(a, b span) int { return bytes.Compare(bytesOf(a), bytesOf(b)) })
	s.lines = slices.CompactFunc(s.lines, func(a, b span) bool { return bytes.Equal(bytesOf(a), bytesOf(b)) })
}

// Sorted yields every distinct line in ascending order. An error ends the
// sequence and comes with an empty line.
func (s *Sorter) Sorted() iter.Seq2[string, error] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.disk.list) == 0 && s.err == nil {
		s.sort()
		arena, lines := s.arena, s.lines
		s.arena, s.lines = nil, nil
		return func(yield func(string, error) bool) {
			for _, l := range lines {
				if !yield(string(arena[l.from:l.to]), nil) {
					return
				}
			}
		}
	}
	if len(s.lines) > 0 && s.err == nil {
		s.spill()
	}
	s.arena, s.lines = nil, nil
	return s.merged
}

// merged yields the lines of all runs, and frees them.
func (s *Sorter) merged(yield func(string, error) bool) {
	defer s.Close()
	if s.err == nil {
		s.err = s.disk.each(func(line []byte) error {
			if !yield(string(line), nil) {
				return errEnough
			}
			return nil
		})
	}
	if s.err != nil && s.err != errEnough { //nolint:errorlint // our own, never wrapped
		yield("", s.err)
	}
}

// Close frees a Sorter whose lines are not wanted any more.
func (s *Sorter) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arena, s.lines = nil, nil
	s.disk.close()
}
