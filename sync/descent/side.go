package descent

import (
	"iter"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// side is one set of nodes, sorted, by level.
type side struct {
	mu     sync.Mutex
	levels map[graph.Level]*spill.Sorter
	top    graph.Level
}

func newSide() *side { return &side{levels: map[graph.Level]*spill.Sorter{}} }

func (s *side) add(ref graph.Ref) {
	s.at(ref.Level).Add(string(ref.ID))
}

func (s *side) at(l graph.Level) *spill.Sorter {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.levels[l] == nil {
		s.levels[l] = spill.NewSorter()
	}
	s.top = max(s.top, l)
	return s.levels[l]
}

func (s *side) close() {
	for _, set := range s.levels {
		set.Close()
	}
}

// exhausted tells whether no node is left at level l and below.
func (s *side) exhausted(l graph.Level) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for have, set := range s.levels {
		if (have == l || have >= graph.Leaf && have < l) && !set.Empty() {
			return false
		}
	}
	return true
}

// take removes a level's set, so that it is read once.
func (s *side) take(l graph.Level) iter.Seq2[string, error] {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.levels[l]
	if set == nil {
		return func(func(string, error) bool) {}
	}
	delete(s.levels, l)
	return set.Sorted()
}

// merge walks two ascending sequences and calls only for what one side has.
func merge(wants, haves iter.Seq2[string, error], only func(id graph.ID, wanted bool) error) error {
	nextHave, stop := iter.Pull2(haves)
	defer stop()
	have, err, ok := nextHave()
	for want, werr := range wants {
		if werr != nil {
			return werr
		}
		for ok && err == nil && have < want {
			if err := only(graph.ID(have), false); err != nil {
				return err
			}
			have, err, ok = nextHave()
		}
		if err != nil {
			return err
		}
		if ok && have == want {
			have, err, ok = nextHave()
			continue
		}
		if err := only(graph.ID(want), true); err != nil {
			return err
		}
	}
	for ok && err == nil {
		if err := only(graph.ID(have), false); err != nil {
			return err
		}
		have, err, ok = nextHave()
	}
	return err
}
