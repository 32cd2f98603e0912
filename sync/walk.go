package dbsync

import (
	"context"
	"errors"

	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// batchCommits is how many commits are walked together: enough that reads
// overlap, few enough that the nodes which wait for their children fit.
const batchCommits = 64

// visitor gets what a walk finds, batch by batch.
type visitor interface {
	// Visit gets a node, parents before children.
	Visit(ctx context.Context, ref graph.Ref, data []byte) error
	// Finish ends a batch: the records are those of its commits.
	Finish(ctx context.Context, records []record) error
	// Abandon ends a batch that failed. It returns the visitor's own error
	// if that was the reason.
	Abandon() error
}

// record is a commit's object on its way.
type record struct {
	id   graph.ID
	data []byte
}

// walk goes over commits and heads, each against what it was made from.
type walk struct {
	dialect *datahike.Dialect
	walker  *descent.Walker
	spool   *spill.Spool
	begin   func(ctx context.Context) visitor
	// old returns the trees of a commit that is had; nil means none is.
	old func(ctx context.Context, id graph.ID) ([]graph.Tree, error)

	// trees of commits whose children are still to come, and how many.
	trees   map[graph.ID][]graph.Tree
	waiting map[graph.ID]int
}

// entries are the commits at which the heads' histories begin.
func entries(branches []datahike.Branch) []graph.ID {
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

// all walks the commits, oldest first, each batch against the parents that
// are not in it, and the heads last.
func (w *walk) all(ctx context.Context, branches []datahike.Branch, commits *descent.Commits) error {
	w.trees, w.waiting = map[graph.ID][]graph.Tree{}, map[graph.ID]int{}
	for _, n := range commits.New {
		for _, p := range n.Parents {
			w.waiting[p]++
		}
	}
	for _, id := range entries(branches) {
		w.waiting[id]++
	}
	for rest := commits.New; len(rest) > 0; {
		n := min(batchCommits, len(rest))
		if err := w.batch(ctx, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	var haves []graph.Tree
	for _, id := range entries(branches) {
		trees, err := w.treesOf(ctx, id)
		if err != nil {
			return err
		}
		haves = append(haves, trees...)
	}
	return w.diff(ctx, headTrees(branches), haves, nil)
}

// batch walks some commits against the parents that are not among them.
func (w *walk) batch(ctx context.Context, commits []descent.Commit) error {
	here := map[graph.ID]bool{}
	for _, n := range commits {
		here[n.ID] = true
	}
	records, wants, err := w.take(commits)
	if err != nil {
		return err
	}
	var haves []graph.Tree
	for _, n := range commits {
		for _, p := range n.Parents {
			trees, err := w.treesOf(ctx, p)
			if err != nil {
				return err
			}
			if !here[p] {
				haves = append(haves, trees...)
			}
		}
	}
	return w.diff(ctx, wants, haves, records)
}

// take gets commits back from the spool, with their trees.
func (w *walk) take(commits []descent.Commit) (records []record, trees []graph.Tree, err error) {
	for _, n := range commits {
		data, err := w.spool.Take(n.Data)
		if err != nil {
			return nil, nil, err
		}
		rec, err := w.dialect.Record(n.ID, data)
		if err != nil {
			return nil, nil, err
		}
		records = append(records, record{n.ID, data})
		trees = append(trees, rec.Graph.Trees...)
		if w.waiting[n.ID] > 0 {
			w.trees[n.ID] = rec.Graph.Trees
		}
	}
	return records, trees, nil
}

// treesOf returns the trees of a commit that was walked before, or is had.
// When the last that waits for them has asked, they are forgotten.
func (w *walk) treesOf(ctx context.Context, id graph.ID) ([]graph.Tree, error) {
	trees, ok := w.trees[id]
	if !ok && w.old != nil {
		var err error
		if trees, err = w.old(ctx, id); err != nil && !errors.Is(err, graph.ErrNotFound) {
			return nil, err
		}
		w.trees[id] = trees
	}
	if w.waiting[id]--; w.waiting[id] <= 0 {
		delete(w.trees, id)
	}
	return trees, nil
}

// together walks all commits and heads at once against other heads.
func (w *walk) together(ctx context.Context, branches, was []datahike.Branch, commits *descent.Commits) error {
	records, wants, err := w.take(commits.New)
	if err != nil {
		return err
	}
	return w.diff(ctx, append(wants, headTrees(branches)...), headTrees(was), records)
}

// diff hands the visitor what wants has and haves has not.
func (w *walk) diff(ctx context.Context, wants, haves []graph.Tree, records []record) error {
	v := w.begin(ctx)
	w.walker.Visit = v.Visit
	if err := w.walker.Diff(ctx, wants, haves); err != nil {
		if own := v.Abandon(); own != nil {
			return own
		}
		return err
	}
	return v.Finish(ctx, records)
}
