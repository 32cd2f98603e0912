package snapshot

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// Reached is a segment that a point reaches, and what the point and those
// before it say of it.
type Reached struct {
	// Line is as in a list.
	Line  string
	words []word
}

// word is what one point of a chain says of a segment.
type word struct {
	age   int // the point's place in the chain
	added bool
}

// Since tells whether chain[age] and every point after it reach the segment.
func (r Reached) Since(age int) bool { return r.words[0].age >= age }

// By tells whether chain[age] reaches the segment.
func (r Reached) By(age int) bool {
	for _, w := range r.words { // newest first
		if w.age >= age {
			return w.added
		}
	}
	return false
}

// Reached returns everything that the first point of a chain reaches, sorted by
// id, with its history in the chain.
func (p *Place) Reached(ctx context.Context, chain []*Manifest) (iter.Seq2[Reached, error], error) {
	s := spill.NewSorter()
	for age, m := range chain {
		for sign, lists := range map[string][]List{"+": m.AddedList, "-": m.ReleasedList} {
			if err := p.addLists(ctx, s, m, lists, fmt.Sprintf("%08d\t%s", age, sign)); err != nil {
				s.Close()
				return nil, err
			}
		}
	}
	return gather(s.Sorted()), nil
}

// gather puts the words on each segment together. They come sorted by id, then
// newest first.
func gather(lines Lines) iter.Seq2[Reached, error] {
	return func(yield func(Reached, error) bool) {
		var r Reached
		last := ""
		for line, err := range lines {
			if err != nil {
				yield(Reached{}, err)
				return
			}
			f := strings.SplitN(line, "\t", 4) // id, age, sign, rest
			age, _ := strconv.Atoi(f[1])       // it was written above
			w := word{age, f[2] == "+"}
			if f[0] == last {
				r.words = append(r.words, w)
				continue
			}
			if last != "" && r.words[0].added && !yield(r, nil) {
				return
			}
			last, r = f[0], Reached{f[0] + "\t" + f[3], []word{w}}
		}
		if last != "" && r.words[0].added {
			yield(r, nil)
		}
	}
}
