// Package walk goes over a Datahike database's history: every commit's trees
// against those of its parents, oldest first, and the heads last. So memory
// does not grow with the store, and every node is met once.
package walk

import (
	"context"
	"errors"
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// batchCommits is how many commits are handed to one Visitor: enough that
// writes overlap, few enough that the nodes which wait for their children fit.
const batchCommits = 64

// Visitor gets what a walk finds, batch by batch.
type Visitor interface {
	// Visit gets a node, parents before children, or without data an object
	// to which datoms refer: one of graph.Value, which need not be there.
	Visit(ctx context.Context, ref graph.Ref, data []byte) error
	// Finish ends a batch: the records are those of its commits.
	Finish(ctx context.Context, records []Record) error
	// Abandon ends a batch that failed. It returns the Visitor's own error
	// if that was the reason.
	Abandon() error
}

// Record is a commit's object on its way.
type Record struct {
	ID   graph.ID
	Data []byte
}

// Walk goes over commits and heads, each against what it was made from.
type Walk struct {
	Dialect *datahike.Dialect
	Walker  *descent.Walker
	Spool   *spill.Spool
	Schemas *Schemas
	// Begin makes the visitor of a batch.
	Begin func(ctx context.Context) Visitor
	// Old returns a commit that is had; nil means none is.
	Old func(ctx context.Context, id graph.ID) (*datahike.Record, []byte, error)

	// values of commits whose children are still to come, and how many.
	values  map[graph.ID]value
	waiting map[graph.ID]int
	leaves  *descent.Walker
	// absent are commits that are not there. One may come while the walk is
	// under way; nobody has walked it then.
	absent map[graph.ID]bool
}

// Entries are the commits at which the heads' histories begin.
func Entries(branches []datahike.Branch) []graph.ID {
	var ids []graph.ID
	for _, br := range branches {
		ids = append(append(ids, datahike.AddressID(br.Commit)), br.Graph.Parents...)
	}
	return ids
}

// heads are the branches' own values.
func (w *Walk) heads(ctx context.Context, branches []datahike.Branch) (values []value, err error) {
	for _, br := range branches {
		v, err := w.valueOf(ctx, br.Head.ID, br.Record, br.Head.Data)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

// All walks the commits, oldest first, each batch against the parents that
// are not in it, and the heads last.
func (w *Walk) All(ctx context.Context, branches []datahike.Branch, commits *descent.Commits) error {
	w.values, w.waiting = map[graph.ID]value{}, map[graph.ID]int{}
	w.absent = commits.Absent
	for _, n := range commits.New {
		for _, p := range n.Parents {
			w.waiting[p]++
		}
	}
	for _, id := range Entries(branches) {
		w.waiting[id]++
	}
	for rest := commits.New; len(rest) > 0; {
		n := min(batchCommits, len(rest))
		if err := w.batch(ctx, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return w.visit(ctx, nil, func(v Visitor) error {
		wants, err := w.heads(ctx, branches)
		if err != nil {
			return err
		}
		haves, err := w.valuesOf(ctx, Entries(branches))
		if err != nil {
			return err
		}
		return w.diff(ctx, v, wants, haves)
	})
}

// batch walks some commits, each against its own parents: walked together,
// what one of them shares with the past would hide how the others differ
// from it. The nodes of one commit are remembered when the next is walked.
func (w *Walk) batch(ctx context.Context, commits []descent.Commit) error {
	records, values, err := w.take(ctx, commits)
	if err != nil {
		return err
	}
	return w.visit(ctx, records, func(v Visitor) error {
		for i, n := range commits {
			haves, err := w.valuesOf(ctx, n.Parents)
			if err != nil {
				return err
			}
			if err := w.diff(ctx, v, values[i:i+1], haves); err != nil {
				return err
			}
		}
		return nil
	})
}

// take gets commits back from the spool, with their values.
func (w *Walk) take(ctx context.Context, commits []descent.Commit) (records []Record, values []value, err error) {
	for _, n := range commits {
		data, err := w.Spool.Take(n.Data)
		if err != nil {
			return nil, nil, err
		}
		rec, err := w.Dialect.Record(n.ID, data)
		if err != nil {
			return nil, nil, err
		}
		v, err := w.valueOf(ctx, n.ID, rec, data)
		if err != nil {
			return nil, nil, err
		}
		records = append(records, Record{n.ID, data})
		values = append(values, v)
		if w.waiting[n.ID] > 0 {
			w.values[n.ID] = v
		}
	}
	return records, values, nil
}

// valuesOf returns the values of commits that were walked before, or are had.
// When the last that waits for one has asked, it is forgotten.
func (w *Walk) valuesOf(ctx context.Context, ids []graph.ID) (all []value, err error) {
	for _, id := range ids {
		v, ok := w.values[id]
		if !ok && w.Old != nil && !w.absent[id] {
			if v, err = w.old(ctx, id); err != nil && !errors.Is(err, graph.ErrNotFound) {
				return nil, err
			}
			if ok = err == nil; ok {
				w.values[id] = v
			}
		}
		if w.waiting[id]--; w.waiting[id] <= 0 {
			delete(w.values, id)
		}
		if ok {
			all = append(all, v)
		}
	}
	return all, nil
}

func (w *Walk) old(ctx context.Context, id graph.ID) (value, error) {
	rec, data, err := w.Old(ctx, id)
	if err != nil {
		return value{}, err
	}
	return w.valueOf(ctx, id, rec, data)
}

// Together walks all commits and heads at once against other heads. Objects to
// which datoms refer are not among what it finds released.
func (w *Walk) Together(ctx context.Context, branches, was []datahike.Branch, commits *descent.Commits) error {
	records, wants, err := w.take(ctx, commits.New)
	if err != nil {
		return err
	}
	heads, err := w.heads(ctx, branches)
	if err != nil {
		return err
	}
	haves, err := w.heads(ctx, was)
	if err != nil {
		return err
	}
	return w.visit(ctx, records, func(v Visitor) error {
		return w.diff(ctx, v, slices.Concat(wants, heads), haves)
	})
}

// visit hands a Visitor what the walk do meets, and the records at its end.
func (w *Walk) visit(ctx context.Context, records []Record, do func(Visitor) error) error {
	v := w.Begin(ctx)
	if err := do(v); err != nil {
		if own := v.Abandon(); own != nil {
			return own
		}
		return err
	}
	return v.Finish(ctx, records)
}
