package fault

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// tally counts calls and decides which of them fail.
type tally struct {
	mu      sync.Mutex
	calls   []Call
	rule    *Rule
	matched int
	tripped *Call
	dead    bool
}

// verdict is what becomes of a call.
type verdict struct {
	err  error // nil: nothing is wrong with it
	mode Mode
}

func (t *tally) judge(c Call) verdict {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls = append(t.calls, c)
	if t.dead {
		return verdict{ErrInjected, Before}
	}
	r := t.rule
	if r == nil || r.Match != nil && !r.Match(c) {
		return verdict{}
	}
	if t.matched++; t.matched != r.N {
		return verdict{}
	}
	t.dead, t.tripped = r.Dead, &c
	err := r.Err
	if err == nil {
		err = ErrInjected
	}
	return verdict{fmt.Errorf("%s: %w", c, err), r.Mode}
}

// Inject sets the rule; it replaces the one before, and counting for it
// begins anew.
func (f *Fs) Inject(r Rule) {
	t := f.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rule, t.matched, t.tripped, t.dead = &r, 0, nil, false
}

// Heal removes the rule, brings the dead back to life and forgets the counts.
func (f *Fs) Heal() {
	t := f.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rule, t.matched, t.tripped, t.dead, t.calls = nil, 0, nil, false, nil
}

// Tripped is the call that the rule made fail, or nil.
func (f *Fs) Tripped() *Call {
	f.tally.mu.Lock()
	defer f.tally.mu.Unlock()
	return f.tally.tripped
}

// Count is how many calls there were since Heal for which match is true; nil
// counts all.
func (f *Fs) Count(match func(Call) bool) (n int) {
	f.tally.mu.Lock()
	defer f.tally.mu.Unlock()
	for _, c := range f.tally.calls {
		if match == nil || match(c) {
			n++
		}
	}
	return n
}

// Report counts calls by kind and by the top directory of their paths, "." for
// objects beside those, one line each, sorted.
func (f *Fs) Report() string {
	f.tally.mu.Lock()
	defer f.tally.mu.Unlock()
	counts := map[string]int{}
	for _, c := range f.tally.calls {
		top, _, deeper := strings.Cut(c.Path, "/")
		if !deeper && c.Op != List {
			top = "."
		}
		counts[fmt.Sprintf("%-10s %s", c.Op, top)]++
	}
	lines := make([]string, 0, len(counts))
	for what, n := range counts {
		lines = append(lines, fmt.Sprintf("%s\t%d\n", what, n))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
