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
	// Visit gets a node, parents before children.
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
	// Begin makes the visitor of a batch.
	Begin func(ctx context.Context) Visitor
	// Old returns the trees of a commit that is had; nil means none is.
	Old func(ctx context.Context, id graph.ID) ([]graph.Tree, error)

	// trees of commits whose children are still to come, and how many.
	trees   map[graph.ID][]graph.Tree
	waiting map[graph.ID]int
}

// Entries are the commits at which the heads' histories begin.
func Entries(branches []datahike.Branch) []graph.ID {
	var ids []graph.ID
	for _, br := range branches {
		ids = append(append(ids, datahike.AddressID(br.Commit)), br.Graph.Parents...)
	}
	return ids
}

func headTrees(branches []datahike.Branch) []graph.Tree {
	var trees []graph.Tree
	for _, br := range branches {
		trees = append(trees, br.Graph.Trees...)
	}
	return trees
}

// All walks the commits, oldest first, each batch against the parents that
// are not in it, and the heads last.
func (w *Walk) All(ctx context.Context, branches []datahike.Branch, commits *descent.Commits) error {
	w.trees, w.waiting = map[graph.ID][]graph.Tree{}, map[graph.ID]int{}
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
	return w.visit(ctx, nil, func() error {
		haves, err := w.treesOf(ctx, Entries(branches))
		if err != nil {
			return err
		}
		return w.Walker.Diff(ctx, headTrees(branches), haves)
	})
}

// batch walks some commits, each against its own parents: walked together,
// what one of them shares with the past would hide how the others differ
// from it. The nodes of one commit are remembered when the next is walked.
func (w *Walk) batch(ctx context.Context, commits []descent.Commit) error {
	records, trees, err := w.take(commits)
	if err != nil {
		return err
	}
	return w.visit(ctx, records, func() error {
		for i, n := range commits {
			haves, err := w.treesOf(ctx, n.Parents)
			if err != nil {
				return err
			}
			if err := w.Walker.Diff(ctx, trees[i], haves); err != nil {
				return err
			}
		}
		return nil
	})
}

// take gets commits back from the spool, with their trees.
func (w *Walk) take(commits []descent.Commit) (records []Record, trees [][]graph.Tree, err error) {
	for _, n := range commits {
		data, err := w.Spool.Take(n.Data)
		if err != nil {
			return nil, nil, err
		}
		rec, err := w.Dialect.Record(n.ID, data)
		if err != nil {
			return nil, nil, err
		}
		records = append(records, Record{n.ID, data})
		trees = append(trees, rec.Graph.Trees)
		if w.waiting[n.ID] > 0 {
			w.trees[n.ID] = rec.Graph.Trees
		}
	}
	return records, trees, nil
}

// treesOf returns the trees of commits that were walked before, or are had.
// When the last that waits for one has asked, it is forgotten.
func (w *Walk) treesOf(ctx context.Context, ids []graph.ID) (all []graph.Tree, err error) {
	for _, id := range ids {
		trees, ok := w.trees[id]
		if !ok && w.Old != nil {
			if trees, err = w.Old(ctx, id); err != nil && !errors.Is(err, graph.ErrNotFound) {
				return nil, err
			}
			w.trees[id] = trees
		}
		if w.waiting[id]--; w.waiting[id] <= 0 {
			delete(w.trees, id)
		}
		all = append(all, trees...)
	}
	return all, nil
}

// Together walks all commits and heads at once against other heads.
func (w *Walk) Together(ctx context.Context, branches, was []datahike.Branch, commits *descent.Commits) error {
	records, trees, err := w.take(commits.New)
	if err != nil {
		return err
	}
	wants := slices.Concat(append(trees, headTrees(branches))...)
	return w.visit(ctx, records, func() error {
		return w.Walker.Diff(ctx, wants, headTrees(was))
	})
}

// visit hands a Visitor what the walk do meets, and the records at its end.
func (w *Walk) visit(ctx context.Context, records []Record, do func() error) error {
	v := w.Begin(ctx)
	w.Walker.Visit = v.Visit
	if err := do(); err != nil {
		if own := v.Abandon(); own != nil {
			return own
		}
		return err
	}
	return v.Finish(ctx, records)
}
