package prune

import (
	"fmt"
	"iter"
	"math/bits"
	"strconv"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// needed stands in place of a point's number for what must stay, whatever the
// points reach.
const needed = 99_999_999

// Reach gathers what the points' lists say. Its methods may be called from many
// goroutines, but for Segments, which comes last.
type Reach struct {
	forest *Forest
	words  *spill.Sorter
}

// NewReach returns one that knows of nothing. Close it when it was not drained.
func NewReach(f *Forest) *Reach { return &Reach{f, spill.NewSorter()} }

// Add takes a line of a list of the point with a number; added tells from which.
func (r *Reach) Add(point int, added bool, line string) {
	id, rest, _ := strings.Cut(line, "\t")
	sign := "-"
	if added {
		sign = "+" // which sorts first
	}
	number := strconv.Itoa(point)
	r.words.Add(id + "\t" + "00000000"[:8-len(number)] + number + "\t" + sign + "\t" + rest)
}

// Need keeps a segment, wherever it lies.
func (r *Reach) Need(id string) { r.words.Add(id + "\t" + strconv.Itoa(needed) + "\t+\t") }

// Close frees what was gathered.
func (r *Reach) Close() { r.words.Close() }

// Segment is one id, and who reaches it. It is overwritten by the next.
type Segment struct {
	forest *Forest
	id     string
	needed bool
	words  []word
	copies []segmentCopy
}

// word is what a point's lists say of the segment.
type word struct {
	point int
	added bool
	line  string
}

// segmentCopy is a place where the segment lies; there is one, unless chunks have
// it more than once.
type segmentCopy struct {
	line  string
	place string
	bits  []uint64 // of the points that find it there
}

// Segments yields every segment that a list names, by id.
func (r *Reach) Segments() iter.Seq2[*Segment, error] {
	return func(yield func(*Segment, error) bool) {
		s := &Segment{forest: r.forest}
		for line, err := range r.words.Sorted() {
			if err != nil {
				yield(nil, err)
				return
			}
			id, rest, _ := strings.Cut(line, "\t")
			if id != s.id && s.id != "" {
				if s.settle(); !yield(s, nil) {
					return
				}
				s.words, s.needed = s.words[:0], false
			}
			s.id = id
			if err := s.add(rest); err != nil {
				yield(nil, err)
				return
			}
		}
		if s.id != "" {
			s.settle()
			yield(s, nil)
		}
	}
}

// add takes a word: number, sign, and the rest of the line.
func (s *Segment) add(rest string) error {
	f := strings.SplitN(rest, "\t", 3)
	n, err := strconv.Atoi(f[0])
	switch {
	case err != nil || len(f) != 3 || n != needed && n >= s.forest.Len():
		return fmt.Errorf("bad word %.60q about segment %s: %w", rest, s.id, graph.ErrCorrupt)
	case n == needed:
		s.needed = true
		return nil
	}
	if k := len(s.words); k > 0 && s.words[k-1].point == n && s.words[k-1].added && f[1] == "-" {
		return nil // added counts, as it does for those who restore
	}
	s.words = append(s.words, word{n, f[1] == "+", s.id + "\t" + f[2]})
	return nil
}

// At returns the line of the segment as a point has it, if the point reaches it.
func (s *Segment) At(point int) (line string, ok bool) {
	for i := len(s.words) - 1; i >= 0; i-- { // the nearest word counts
		w := &s.words[i]
		if w.point <= point && point < s.forest.end[w.point] {
			return w.line, w.added
		}
	}
	return "", false
}

// settle finds the points that reach each copy.
func (s *Segment) settle() {
	s.copies = s.copies[:0]
	for _, w := range s.words {
		from, to := w.point, s.forest.end[w.point]
		for i := range s.copies {
			clearRange(s.copies[i].bits, from, to)
		}
		if w.added {
			c := s.copyAt(w.line)
			setRange(c.bits, from, to)
		}
	}
}

// copyAt is the copy that a line is about.
func (s *Segment) copyAt(line string) *segmentCopy {
	place := placeOf(line)
	for i := range s.copies {
		if c := &s.copies[i]; c.place == place {
			if sizeUnknown(c.line) {
				c.line = line
			}
			return c
		}
	}
	k := len(s.copies)
	if k < cap(s.copies) {
		s.copies = s.copies[:k+1] // and take the memory of its bits
	} else {
		s.copies = append(s.copies, segmentCopy{})
	}
	c := &s.copies[k]
	c.line, c.place = line, place
	if len(c.bits) == 0 {
		c.bits = make([]uint64, (s.forest.Len()+63)/64)
	}
	clear(c.bits)
	return c
}

// placeOf is where a line says that its segment lies: the fifth field.
func placeOf(line string) string {
	for range 4 {
		_, rest, ok := strings.Cut(line, "\t")
		if !ok {
			return ""
		}
		line = rest
	}
	return line
}

// sizeUnknown tells whether a line lacks the size, which is the third field.
func sizeUnknown(line string) bool {
	f := strings.SplitN(line, "\t", 4)
	return len(f) > 2 && f[2] == "-"
}

func setRange(b []uint64, from, to int) {
	eachWord(from, to, func(i int, mask uint64) { b[i] |= mask })
}

func clearRange(b []uint64, from, to int) {
	eachWord(from, to, func(i int, mask uint64) { b[i] &^= mask })
}

// eachWord calls fn for every word that has bits from from up to before to.
func eachWord(from, to int, fn func(i int, mask uint64)) {
	for from < to {
		i, low := from/64, from%64
		n := min(64-low, to-from)
		fn(i, (^uint64(0)>>(64-n))<<low)
		from += n
	}
}

// anyOf tells whether two sets have a member in common.
func anyOf(a, b []uint64) bool {
	for i := range a {
		if a[i]&b[i] != 0 {
			return true
		}
	}
	return false
}

// members yields the numbers in a set.
func members(b []uint64) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, w := range b {
			for ; w != 0; w &= w - 1 {
				if !yield(i*64 + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}
