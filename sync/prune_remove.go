package dbsync

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/operations"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
	"github.com/rclone-datom/rclone-datom/sync/prune"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// park takes the points that are not kept off the list. From here on they are
// not promised to anyone, but whatever they need is still there.
func (p *pruning) park(ctx context.Context) error {
	var leaving []*prunable
	for _, q := range p.points {
		if q.keep || q.parked != nil {
			continue
		}
		leaving = append(leaving, q)
		park := func() error { return p.run.Park(ctx, q.m, q.until) }
		if q.native != nil {
			park = func() error { return p.parkNative(ctx, q) }
		}
		if err := park(); err != nil {
			return fmt.Errorf("failed to prune point %s: %w", q.name, err)
		}
	}
	if err := p.run.Settle(ctx); err != nil {
		return err
	}
	for _, q := range leaving {
		if q.native == nil {
			if err := p.run.Unlist(ctx, q.id()); err != nil {
				return err
			}
		}
		fs.Infof(p.place.F, "Pruned point %s", q.name)
	}
	if err := p.run.Settle(ctx); err != nil {
		return err
	}
	if err := p.dropRoots(ctx); err != nil {
		return err
	}
	return p.run.Settle(ctx)
}

// remove ends the pruning of the points whose time has come.
func (p *pruning) remove(ctx context.Context, plan *prune.Plan) error {
	removed := slices.DeleteFunc(slices.Clone(p.points), func(q *prunable) bool { return q.state != prune.Removed })
	if len(removed) == 0 && !p.place.Chunked() { // where chunks may be dead that an earlier one has left
		return nil
	}
	if err := p.relink(ctx, plan); err != nil {
		return err
	}
	for _, q := range removed {
		if err := p.run.Going(ctx, q.id()); err != nil {
			return err
		}
	}
	if err := p.run.Settle(ctx); err != nil {
		return err
	}
	if err := p.removeSegments(ctx, plan); err != nil {
		return err
	}
	if err := p.run.Settle(ctx); err != nil {
		return err
	}
	// The youngest first: those that go have no other children then.
	for _, q := range slices.Backward(removed) {
		if q.m.Copy {
			p.report.Deleted.Segments += q.freed.Segments
			p.report.Deleted.Bytes += q.freed.Bytes
		}
		if err := p.run.Forget(ctx, q.m); err != nil {
			return err
		}
	}
	return nil
}

func (p *pruning) removeSegments(ctx context.Context, plan *prune.Plan) error {
	if p.place.Chunked() {
		return p.removeChunks(ctx, plan)
	}
	r := &objects{pruning: p}
	err := r.remove(ctx, plan.Dead())
	p.report.Deleted = prune.Count{Segments: r.segments.Load(), Bytes: r.bytes.Load()}
	return err
}

// relink makes the points that stay independent of those that go.
func (p *pruning) relink(ctx context.Context, plan *prune.Plan) error {
	byID := map[string]*prunable{}
	for _, q := range p.points {
		byID[q.id()] = q
	}
	err := pool.Each(ctx, fs.GetConfig(ctx).Checkers, p.points, func(ctx context.Context, q *prunable) error {
		if q.state == prune.Removed || q.native != nil {
			return nil
		}
		return p.run.Relinked(ctx, q.m)
	})
	if err != nil {
		return err
	}
	for r := range plan.Relinked() {
		q, parent := byID[p.forest.Point(r.Point).ID], ""
		if r.To >= 0 {
			parent = p.forest.Point(r.To).ID
		}
		if err := p.run.Relink(ctx, q.m, !q.keep, parent, r.Added, r.Released); err != nil {
			return fmt.Errorf("failed to make point %s independent of what is removed: %w", q.id(), err)
		}
	}
	return nil
}

// remover removes segments: lines as a point lists them, in the order in which
// they must go. A segment that is gone already is no error.
type remover interface {
	remove(ctx context.Context, dead iter.Seq2[string, error]) error
}

var _ remover = (*objects)(nil)

// objects removes segments that are objects of their own.
type objects struct {
	*pruning
	segments, bytes atomic.Int64
}

// remove implements remover: many at a time, but all of one level before the next.
func (r *objects) remove(ctx context.Context, dead iter.Seq2[string, error]) error {
	next, stop := iter.Pull2(dead)
	defer stop()
	line, err, more := next()
	for more {
		if err != nil {
			return err
		}
		first, perr := graph.ParseEntry(line)
		if perr != nil {
			return perr
		}
		level := first.Level
		err = pool.Run(ctx, fs.GetConfig(ctx).Checkers, func(do func(graph.Entry) error) error {
			for ; more && err == nil; line, err, more = next() {
				e, perr := graph.ParseEntry(line)
				if perr != nil || e.Level != level {
					return perr
				}
				if err := do(e); err != nil {
					return err
				}
			}
			return err
		}, r.removeOne)
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *objects) removeOne(ctx context.Context, e graph.Entry) error {
	size, err := r.size(ctx, r.files.Remote(e.ID))
	if err == nil && size >= 0 {
		r.segments.Add(1)
		r.bytes.Add(size)
	}
	return err
}

// delete removes an object; one that is not there is no error.
func (p *pruning) delete(ctx context.Context, name string) error {
	_, err := p.size(ctx, name)
	return err
}

// size deletes an object and returns what its size was, -1 if there was none.
func (p *pruning) size(ctx context.Context, name string) (int64, error) {
	o, err := p.place.F.NewObject(ctx, name)
	if errors.Is(err, fs.ErrorObjectNotFound) || errors.Is(err, fs.ErrorDirNotFound) {
		return -1, nil
	}
	if err != nil {
		return -1, err
	}
	size := o.Size()
	err = operations.DeleteFile(ctx, o)
	if errors.Is(err, fs.ErrorObjectNotFound) {
		return -1, nil
	}
	return size, err
}

// undo brings a pruned point back.
func (p *pruning) undo(ctx context.Context) error {
	if err := p.gather(ctx); err != nil {
		return err
	}
	found := named(p.waiting(), p.opt.Undo)
	switch {
	case len(found) == 0:
		return refuse("there is no pruned point %q that could be brought back; list them with: rclone-datom backups --pruned %s", p.opt.Undo, typed(p.place))
	case len(found) > 1:
		return refuse("%q names %d pruned points: say more of it", p.opt.Undo, len(found))
	}
	q := found[0]
	if q.parked.Going {
		return refuse("point %s cannot be brought back: its segments have begun to go", q.id())
	}
	if _, err := p.place.Chain(ctx, q.m); err != nil {
		return err
	}
	p.report.Restored = q.id()
	if p.report.DryRun {
		return nil
	}
	if q.m.Kind == snapshot.Datomic && !p.place.Chunked() && !slices.ContainsFunc(p.roots, func(r *prunableRoot) bool { return r.T == q.m.T }) {
		if err := p.putRoot(ctx, q.m); err != nil {
			return err
		}
	}
	return p.run.Unpark(ctx, q.id())
}
