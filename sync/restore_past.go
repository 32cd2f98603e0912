package dbsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/walk"
)

// narrow returns the heads of one branch or of one commit instead of all, and
// collects what they need.
func (r *restore) narrow(ctx context.Context, held []graph.Held, closure *spill.Table, reached *spill.Sorter) ([]graph.Held, error) {
	heads, err := r.opt.Dialect.Parse(held, r.opt.Branch)
	if errors.Is(err, graph.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", err, fs.ErrorObjectNotFound)
	}
	if err != nil {
		return nil, err
	}
	if r.opt.Commit != "" {
		if heads, err = r.past(ctx, held, closure); err != nil {
			return nil, err
		}
	}
	r.branch = heads.Branches[0].Name
	w := r.walk(ctx, closure)
	defer w.Close()
	w.Begin = func(context.Context) walk.Visitor { return needed{walk.Collect{IDs: reached}, closure} }
	return heads.Held(), w.Heads(ctx, heads.Branches)
}

// walk goes over what the point lists.
func (r *restore) walk(ctx context.Context, closure *spill.Table) *walk.Reading {
	w := walk.NewReading(r.opt.Dialect, r.source, fs.GetConfig(ctx).Checkers)
	w.Walker.Known = func(graph.ID) (bool, error) { return true, nil }
	load := w.History.Load
	w.History.Load = func(ctx context.Context, id graph.ID) (graph.Record, []byte, error) {
		if err := listed(closure, id); err != nil {
			return graph.Record{}, nil, err
		}
		return load(ctx, id)
	}
	return w
}

// needed is walk.Collect without objects to which datoms refer and that were
// not there when the point was made.
type needed struct {
	walk.Collect
	closure *spill.Table
}

// Visit implements walk.Visitor.
func (n needed) Visit(ctx context.Context, ref graph.Ref, data []byte) error {
	if ref.Level == graph.Value {
		if _, ok, err := n.closure.Get(string(ref.ID)); !ok || err != nil {
			return err
		}
	}
	return n.Collect.Visit(ctx, ref, data)
}

// past returns what the heads were when they stood at the commit that is
// asked for.
func (r *restore) past(ctx context.Context, held []graph.Held, closure *spill.Table) (*datahike.Heads, error) {
	all, err := r.opt.Dialect.Parse(held, "")
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(all.Branches, func(b datahike.Branch) bool { return b.Config.CommitGraph }) {
		return nil, refuse("point %s is of a database that keeps no commits (:commit-graph? false): restore it without --commit", r.m.Point)
	}
	id, err := r.findCommit(ctx, all, closure)
	if err != nil {
		return nil, err
	}
	line, _, err := closure.Get(string(id))
	if err != nil {
		return nil, err
	}
	e, err := graph.ParseEntry(line)
	if err != nil {
		return nil, err
	}
	data, err := r.source.Get(ctx, id)
	if err == nil {
		err = checkDigest(e, data)
	}
	if err != nil {
		return nil, r.damaged(err)
	}
	return r.opt.Dialect.At(all, id, data, r.opt.Branch)
}

// findCommit looks for the commit among those that the heads reach.
func (r *restore) findCommit(ctx context.Context, heads *datahike.Heads, closure *spill.Table) (graph.ID, error) {
	want := strings.ToLower(r.opt.Commit)
	if len(want) < commitPrefix {
		return "", refuse("--commit %q is too short: give at least %d digits of the commit's id", want, commitPrefix)
	}
	w := r.walk(ctx, closure)
	defer w.Close()
	found := map[string]graph.ID{}
	load := w.History.Load
	w.History.Load = func(ctx context.Context, id graph.ID) (graph.Record, []byte, error) {
		g, data, err := load(ctx, id)
		if err != nil {
			return g, data, err
		}
		rec, err := r.opt.Dialect.Record(id, data)
		if err != nil {
			return g, data, err
		}
		if commit := datahike.Text(rec.Commit); strings.HasPrefix(commit, want) {
			found[commit] = id
		}
		return g, data, nil
	}
	if _, err := w.History.Since(ctx, walk.Entries(heads.Branches), nil, 0); err != nil {
		return "", err
	}
	switch len(found) {
	case 0:
		return "", fserrors.NoRetryError(fmt.Errorf("point %s of %s has no commit %s: %w; rclone-datom backend commits lists those of a database, "+
			"and rclone-datom backups %s the points, of which --at chooses one", r.m.Point, r.place, want, fs.ErrorObjectNotFound, r.place))
	case 1:
		for commit, id := range found {
			r.commit = commit
			return id, nil
		}
	}
	some := slices.Sorted(maps.Keys(found))
	return "", refuse("%s is the beginning of %d commits, say more of it: %s", want, len(found), strings.Join(some[:min(len(some), 5)], " "))
}
