package prune

import (
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// Count is a number of segments and their bytes.
type Count struct {
	Segments int64 `json:"segments"`
	Bytes    int64 `json:"bytes"`
}

// Add counts one segment.
func (c *Count) Add(size int64) {
	c.Segments++
	c.Bytes += max(size, 0)
}

// Plan is what goes, and what is to be written for it.
type Plan struct {
	forest  *Forest
	relinks []Relink
	// Freed is, by a point's number, what its removal frees when points are
	// removed oldest first: of each segment that no kept point needs, the
	// youngest other point that reaches it. Sizes that no list has are missing;
	// Unsized has these.
	Freed []Count

	dead, unsized *spill.Sorter
	lists         map[bool]*spill.Sorter // of the relinked points, by what they say
}

// Make works out the plan. look, if set, sees every segment in its place: those
// that go and those that stay.
func (r *Reach) Make(look func(line string, goes bool)) (*Plan, error) {
	f := r.forest
	p := &Plan{
		forest: f, relinks: f.Relinks(), Freed: make([]Count, f.Len()),
		dead: spill.NewSorter(), unsized: spill.NewSorter(), lists: map[bool]*spill.Sorter{true: spill.NewSorter(), false: spill.NewSorter()},
	}
	states := map[State][]uint64{}
	for _, s := range []State{Kept, Parked, Removed} {
		states[s] = make([]uint64, (f.Len()+63)/64)
	}
	for n, q := range f.points {
		setRange(states[q.State], n, n+1)
	}
	for s, err := range r.Segments() {
		if err == nil {
			err = p.judge(s, states, look)
		}
		if err != nil {
			p.Close()
			return nil, err
		}
		p.relink(s)
	}
	return p, nil
}

// judge says what becomes of the copies of a segment.
func (p *Plan) judge(s *Segment, states map[State][]uint64, look func(string, bool)) error {
	for i := range s.copies {
		c := &s.copies[i]
		live := s.needed || anyOf(c.bits, states[Kept])
		goes := !live && !anyOf(c.bits, states[Parked]) && anyOf(c.bits, states[Removed])
		if look != nil {
			look(c.line, goes)
		}
		if live {
			continue
		}
		e, err := graph.ParseEntry(c.line)
		if err != nil {
			return err
		}
		if owner := p.forest.youngest(c.bits); owner >= 0 {
			p.Freed[owner].Add(e.Size)
			if e.Size < 0 {
				p.unsized.Add(fmt.Sprintf("%s\t%d", e.ID, owner))
			}
		}
		if goes {
			p.dead.Add(fmt.Sprintf("%02d\t%s", order(e.Level), c.line))
		}
	}
	return nil
}

// youngest is the youngest point of a set, or -1.
func (f *Forest) youngest(set []uint64) int {
	best := -1
	for n := range members(set) {
		if best < 0 || f.age[n] > f.age[best] {
			best = n
		}
	}
	return best
}

// order is when segments of a level are removed: what refers to others goes
// first, so that nothing is ever left that refers to what is gone.
func order(l graph.Level) int {
	switch l {
	case graph.Commit:
		return 0
	case graph.Value:
		return 99
	case graph.Schema:
		return 98
	}
	return 1 + int(graph.MaxLevel-l) // at most 64
}

// relink notes what the lists of the points that are relinked shall say.
func (p *Plan) relink(s *Segment) {
	for i, r := range p.relinks {
		now, reached := s.At(r.Point)
		had, before := "", false
		if r.To >= 0 {
			had, before = s.At(r.To)
		}
		switch {
		case reached && (!before || placeOf(now) != placeOf(had)):
			p.lists[true].Add(fmt.Sprintf("%08d\t%s", i, now))
		case before && !reached:
			p.lists[false].Add(fmt.Sprintf("%08d\t%s", i, had))
		}
	}
}

// Unsized are the segments whose sizes no list has: the id, and the number of
// the point for which it counts. It may be ranged over once.
func (p *Plan) Unsized() iter.Seq2[string, error] { return p.unsized.Sorted() }

// Dead are the lines of the segments that go, by levels: what refers to others
// comes before it. It may be ranged over once.
func (p *Plan) Dead() iter.Seq2[string, error] { return unprefixed(p.dead.Sorted()) }

// Relinked is a point with what its lists shall say.
type Relinked struct {
	Relink
	Added, Released iter.Seq2[string, error]
}

// Relinked yields the points whose lists are to be written anew, oldest first.
// Their lines are to be ranged over before the next comes: first those added,
// then those released. It may be ranged over once.
func (p *Plan) Relinked() iter.Seq[Relinked] {
	return func(yield func(Relinked) bool) {
		added, done := iter.Pull2(p.lists[true].Sorted())
		defer done()
		released, done := iter.Pull2(p.lists[false].Sorted())
		defer done()
		a, r := &parts{next: added}, &parts{next: released}
		for i, l := range p.relinks {
			prefix := fmt.Sprintf("%08d\t", i)
			if !yield(Relinked{l, a.of(prefix), r.of(prefix)}) {
				return
			}
		}
	}
}

// Close frees what was not ranged over.
func (p *Plan) Close() {
	for _, s := range []*spill.Sorter{p.dead, p.unsized, p.lists[true], p.lists[false]} {
		s.Close()
	}
}

// parts deals a sequence out by the prefixes of its lines.
type parts struct {
	next func() (string, error, bool)
	line string
	held bool // line is yet to be yielded
}

// of yields the lines that have a prefix, without it.
func (p *parts) of(prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for {
			if !p.held {
				line, err, ok := p.next()
				if !ok {
					return
				}
				if err != nil {
					yield("", err)
					return
				}
				p.line, p.held = line, true
			}
			line, mine := strings.CutPrefix(p.line, prefix)
			if !mine {
				return
			}
			p.held = false
			if !yield(line, nil) {
				return
			}
		}
	}
}

// unprefixed cuts off what lines were sorted by.
func unprefixed(lines iter.Seq2[string, error]) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for line, err := range lines {
			_, line, _ = strings.Cut(line, "\t")
			if !yield(line, err) {
				return
			}
		}
	}
}

// ParseUnsized takes apart what Unsized yields.
func ParseUnsized(line string) (id graph.ID, point int, err error) {
	name, owner, _ := strings.Cut(line, "\t")
	point, err = strconv.Atoi(owner)
	return graph.ID(name), point, err
}
