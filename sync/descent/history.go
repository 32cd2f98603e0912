package descent

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// History walks the commits above the trees. Load reads a commit that is
// wanted; graph.ErrNotFound means that garbage collection has pruned it, or
// that the database keeps no commits. LoadOld reads one that is had already.
type History struct {
	Load    func(ctx context.Context, id graph.ID) (graph.Record, []byte, error)
	LoadOld func(ctx context.Context, id graph.ID) (graph.Record, error)
	// Spool keeps the bytes of new commits until their nodes are written.
	Spool *spill.Spool

	old map[graph.ID]oldCommit
}

type oldCommit struct {
	parents    []graph.ID
	generation int64
	absent     bool
}

// Commit is a commit that was not had before.
type Commit struct {
	ID         graph.ID
	Parents    []graph.ID
	Data       spill.Held
	generation int64
}

// Commits is what a walk of the history has found.
type Commits struct {
	// New are the commits that are wanted and not had, parents first.
	New []Commit
	// Tails are those among them none of whose parents are there.
	Tails []graph.ID
	// Absent are commits that heads or commits name and that are not there.
	Absent map[graph.ID]bool

	byID map[graph.ID]int
}

// side of a two-sided walk, newest generation first.
type frontier []frontierItem

type frontierItem struct {
	id         graph.ID
	generation int64
}

func (f frontier) Len() int           { return len(f) }
func (f frontier) Less(i, j int) bool { return f[i].generation > f[j].generation }
func (f frontier) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }
func (f *frontier) Push(x any)        { *f = append(*f, x.(frontierItem)) } //nolint:forcetypeassert // the heap's own
func (f *frontier) Pop() any {
	last := (*f)[len(*f)-1]
	*f = (*f)[:len(*f)-1]
	return last
}

// Since returns the commits reachable from heads and not from bases, the
// commits that are had together with all their ancestors.
//
// Usually every path from a head meets a base, and nothing old is read. A
// branch that starts at some older commit passes the bases by; so as soon as
// the walk is as old as the newest base, a second walk goes down from the
// bases, twice as fast as the first, until they meet. The cost is the
// distance, not the history.
//
// A commit that descends from a base is taken for new. That is wrong where
// another base descends from the commit in turn: then it is told again.
func (h *History) Since(ctx context.Context, heads, bases []graph.ID, baseGeneration int64) (*Commits, error) {
	c := &Commits{Absent: map[graph.ID]bool{}, byID: map[graph.ID]int{}}
	had, isBase := map[graph.ID]bool{}, map[graph.ID]bool{}
	var old, wanted frontier
	for _, b := range bases {
		had[b], isBase[b] = true, true
		heap.Push(&old, frontierItem{b, baseGeneration})
	}
	seen := map[graph.ID]bool{}
	want := func(ids []graph.ID, generation int64) {
		for _, id := range ids {
			if !seen[id] && !had[id] {
				seen[id] = true
				heap.Push(&wanted, frontierItem{id, generation})
			}
		}
	}
	want(heads, 1<<62)
	for wanted.Len() > 0 {
		next := heap.Pop(&wanted).(frontierItem) //nolint:forcetypeassert // the heap's own
		if had[next.id] {
			continue
		}
		rec, err := h.load(ctx, c, next.id)
		if err != nil {
			return nil, err
		}
		if rec == nil {
			continue
		}
		want(rec.Parents, rec.Generation)
		if err := h.paint(ctx, &old, had, rec.Generation, 2); err != nil {
			return nil, err
		}
	}
	if err := h.paint(ctx, &old, had, c.oldest(had, isBase), math.MaxInt); err != nil {
		return nil, err
	}
	return c, c.order(had)
}

// load reads a wanted commit into c; nil means that it is not there.
func (h *History) load(ctx context.Context, c *Commits, id graph.ID) (*graph.Record, error) {
	rec, data, err := h.Load(ctx, id)
	if errors.Is(err, graph.ErrNotFound) {
		c.Absent[id] = true
		return nil, nil //nolint:nilnil // absent is no error here
	}
	if err != nil {
		return nil, err
	}
	held, err := h.Spool.Put(data)
	if err != nil {
		return nil, err
	}
	c.byID[id] = len(c.New)
	c.New = append(c.New, Commit{ID: id, Parents: rec.Parents, Data: held, generation: rec.Generation})
	return &rec, nil
}

// paint takes some steps of the walk down from the bases, as long as it may
// still meet commits of a generation.
func (h *History) paint(ctx context.Context, old *frontier, had map[graph.ID]bool, generation int64, steps int) error {
	for ; steps > 0 && old.Len() > 0 && (*old)[0].generation >= generation; steps-- {
		next := heap.Pop(old).(frontierItem) //nolint:forcetypeassert // the heap's own
		rec, err := h.oldCommit(ctx, next.id)
		if err != nil {
			return err
		}
		for _, p := range rec.parents {
			if !had[p] {
				had[p] = true
				heap.Push(old, frontierItem{p, rec.generation})
			}
		}
	}
	return nil
}

// oldest is the lowest generation of the commits that the first walk took for
// new and that do not descend from a base.
func (c *Commits) oldest(had, isBase map[graph.ID]bool) int64 {
	children := map[graph.ID][]int{}
	for i, n := range c.New {
		for _, p := range n.Parents {
			children[p] = append(children[p], i)
		}
	}
	descends := make([]bool, len(c.New))
	for queue := slices.Collect(maps.Keys(isBase)); len(queue) > 0; queue = queue[1:] {
		for _, i := range children[queue[0]] {
			if !descends[i] {
				descends[i] = true
				queue = append(queue, c.New[i].ID)
			}
		}
	}
	oldest := int64(math.MaxInt64)
	for i, n := range c.New {
		if !descends[i] && !had[n.ID] {
			oldest = min(oldest, n.generation)
		}
	}
	return oldest
}

// anchored tells whether a commit has a parent that is new or had.
func (c *Commits) anchored(n Commit, had map[graph.ID]bool) bool {
	for _, p := range n.Parents {
		if _, isNew := c.byID[p]; isNew || had[p] {
			return true
		}
	}
	return false
}

// order drops what turned out to be had and sorts the rest, parents first.
func (c *Commits) order(had map[graph.ID]bool) error {
	children := map[graph.ID][]int{}
	missing := make([]int, len(c.New)) // parents that are new and not placed yet
	var ready []int
	total := 0
	for i, n := range c.New {
		if had[n.ID] {
			continue
		}
		total++
		for _, p := range n.Parents {
			if _, isNew := c.byID[p]; isNew && !had[p] {
				children[p] = append(children[p], i)
				missing[i]++
			}
		}
		if missing[i] == 0 {
			ready = append(ready, i)
		}
		if !c.anchored(n, had) {
			c.Tails = append(c.Tails, n.ID)
		}
	}
	sorted := make([]Commit, 0, total)
	for len(ready) > 0 {
		i := ready[0]
		ready = ready[1:]
		sorted = append(sorted, c.New[i])
		for _, child := range children[c.New[i].ID] {
			if missing[child]--; missing[child] == 0 {
				ready = append(ready, child)
			}
		}
	}
	if len(sorted) < total {
		return fmt.Errorf("the history of commits has a cycle: %w", graph.ErrCorrupt)
	}
	c.New = sorted
	c.byID = make(map[graph.ID]int, len(sorted))
	for i, n := range sorted {
		c.byID[n.ID] = i
	}
	return nil
}

// Answer is what can be said of a commit's ancestry.
type Answer int

// The answers of Reaches.
const (
	No Answer = iota
	Yes
	// Pruned: the way down ends at a commit that is gone, so nobody knows.
	Pruned
)

// Reaches tells whether target is from or one of its ancestors.
func (h *History) Reaches(ctx context.Context, c *Commits, from []graph.ID, target graph.ID, generation int64) (Answer, error) {
	answer := No
	seen := map[graph.ID]bool{}
	queue := append([]graph.ID(nil), from...)
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		if id == target && !c.Absent[id] {
			return Yes, nil
		}
		if seen[id] {
			continue
		}
		seen[id] = true
		if i, ok := c.byID[id]; ok {
			queue = append(queue, c.New[i].Parents...)
			continue
		}
		if c.Absent[id] {
			answer = Pruned
			continue
		}
		rec, err := h.oldCommit(ctx, id)
		if err != nil {
			return No, err
		}
		if rec.absent {
			answer = Pruned
		} else if rec.generation >= generation {
			queue = append(queue, rec.parents...)
		}
	}
	return answer, nil
}

// oldCommit remembers what LoadOld said.
func (h *History) oldCommit(ctx context.Context, id graph.ID) (oldCommit, error) {
	if o, ok := h.old[id]; ok {
		return o, nil
	}
	rec, err := h.LoadOld(ctx, id)
	o := oldCommit{parents: rec.Parents, generation: rec.Generation}
	if errors.Is(err, graph.ErrNotFound) {
		o.absent, err = true, nil
	}
	if err != nil {
		return o, err
	}
	if h.old == nil {
		h.old = map[graph.ID]oldCommit{}
	}
	h.old[id] = o
	return o, nil
}
