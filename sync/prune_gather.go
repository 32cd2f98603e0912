package dbsync

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
	"github.com/rclone-datom/rclone-datom/sync/prune"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// gather reads the record of every point, and the roots of a Datomic database.
func (p *pruning) gather(ctx context.Context) error {
	ids, err := p.place.IDs(ctx)
	if err != nil {
		return err
	}
	found := make([]*prunable, len(ids))
	numbers := make([]int, len(ids))
	for i := range numbers {
		numbers[i] = i
	}
	err = pool.Each(ctx, fs.GetConfig(ctx).Checkers, numbers, func(ctx context.Context, i int) (err error) {
		found[i], err = p.record(ctx, ids[i])
		return err
	})
	if err != nil {
		return err
	}
	for i, q := range found {
		if q == nil {
			p.incomplete = append(p.incomplete, ids[i])
			continue
		}
		p.points = append(p.points, q)
		p.place.Kind = q.m.Kind
	}
	var roots []store.Root
	if !p.place.Chunked() {
		if roots, err = store.Roots(ctx, p.place.F); err != nil {
			return err
		}
	}
	if len(roots) > 0 {
		p.place.Kind = snapshot.Datomic
	}
	p.files = p.place.Store()
	if err := p.readRoots(ctx, roots); err != nil {
		return err
	}
	slices.SortStableFunc(p.points, func(a, b *prunable) int { return strings.Compare(a.id(), b.id()) })
	return nil
}

// record reads that of a point; it is nil if the point is incomplete.
func (p *pruning) record(ctx context.Context, id string) (*prunable, error) {
	m, err := p.place.Manifest(ctx, id)
	if err == nil {
		return &prunable{m: m, name: id}, nil
	}
	if !errors.Is(err, graph.ErrNotFound) {
		return nil, p.unreadable("point "+id, err)
	}
	was, err := p.place.Parked(ctx, id)
	if errors.Is(err, graph.ErrNotFound) {
		return nil, nil //nolint:nilnil // it is no point
	}
	if err != nil {
		return nil, p.unreadable("point "+id, err)
	}
	return &prunable{m: was.Manifest, name: id, parked: was, until: was.Until}, nil
}

// plan finds out what goes.
func (p *pruning) plan(ctx context.Context) (*prune.Plan, error) {
	var points []prune.Point
	there := map[string]bool{}
	for _, q := range p.points {
		there[q.id()] = true
	}
	for _, q := range p.points {
		if q.m.Copy {
			if !q.keep {
				q.freed = prune.Count{Segments: q.m.Total.Segments, Bytes: q.m.Total.Bytes}
			}
			continue
		}
		parent := q.m.Parent
		if q.going() && !there[parent] {
			parent = "" // it went first, and so has what they shared
		}
		points = append(points, prune.Point{ID: q.id(), Parent: parent, State: q.state})
	}
	var err error
	if p.forest, err = prune.NewForest(points); err != nil {
		return nil, p.unreadable("the chain of points", err)
	}
	reach := prune.NewReach(p.forest)
	defer reach.Close()
	if p.anyLeaves() || p.place.Chunked() { // or there is nothing to find out
		if err := p.reachAll(ctx, reach); err != nil {
			return nil, err
		}
	}
	plan, err := reach.Make(p.look)
	if err != nil {
		return nil, err
	}
	for _, q := range p.points {
		if n, ok := p.forest.Number(q.id()); ok {
			q.freed = plan.Freed[n]
		}
	}
	if err := p.measure(ctx, plan); err != nil {
		plan.Close()
		return nil, err
	}
	return plan, nil
}

// going: some of what it lists may be gone, perhaps its lists.
func (q *prunable) going() bool { return q.parked != nil && q.parked.Going }

// anyLeaves tells whether there is a point that is not kept.
func (p *pruning) anyLeaves() bool {
	return slices.ContainsFunc(p.points, func(q *prunable) bool { return q.state != prune.Kept && !q.m.Copy })
}

// reachAll gathers what points reach, and what else must stay.
func (p *pruning) reachAll(ctx context.Context, reach *prune.Reach) error {
	err := pool.Each(ctx, fs.GetConfig(ctx).Checkers, p.points, func(ctx context.Context, q *prunable) error {
		if q.m.Copy {
			return nil
		}
		return p.reachOne(ctx, q, reach)
	})
	if err != nil {
		return err
	}
	for line, err := range p.run.Noted() {
		if err != nil {
			return err
		}
		id, _, _ := strings.Cut(line, "\t")
		reach.Need(id)
	}
	if p.place.Chunked() {
		return nil // nobody else goes by what lies in chunks
	}
	return p.needForeign(ctx, reach.Need)
}

// reachOne gathers what one point says.
func (p *pruning) reachOne(ctx context.Context, q *prunable, reach *prune.Reach) error {
	n, _ := p.forest.Number(q.id())
	return p.said(ctx, q, func(added bool, line string) { reach.Add(n, added, line) })
}

// said reads a point's lists, or what its root reaches if it has none.
func (p *pruning) said(ctx context.Context, q *prunable, fn func(added bool, line string)) error {
	if q.native != nil {
		for line, err := range p.walkRoot(ctx, q.native.value) {
			if err != nil {
				return p.unreadable(q.name, err)
			}
			fn(true, line)
		}
		return nil
	}
	err := p.place.Words(ctx, q.m, fn)
	if q.going() && errors.Is(err, graph.ErrNotFound) {
		return nil // its lists go when its segments have gone
	}
	if err != nil {
		return p.unreadable("a list of point "+q.id(), err)
	}
	return nil
}

// needForeign keeps what lies open at the place and is of no point.
func (p *pruning) needForeign(ctx context.Context, need func(id string)) error {
	if p.place.Kind == snapshot.Datomic {
		return p.needForeignRoots(ctx, need)
	}
	return p.needForeignHeads(ctx, need)
}

// measure looks up the sizes that no list has.
func (p *pruning) measure(ctx context.Context, plan *prune.Plan) error {
	type unsized struct {
		id    graph.ID
		point int
	}
	sizes := make(chan [2]int64, 64)
	summed := make(chan struct{})
	extra := make([]int64, p.forest.Len())
	go func() {
		defer close(summed)
		for s := range sizes {
			extra[s[0]] += s[1]
		}
	}()
	err := pool.Run(ctx, fs.GetConfig(ctx).Checkers, func(do func(unsized) error) error {
		for line, err := range plan.Unsized() {
			if err != nil {
				return err
			}
			id, owner, err := prune.ParseUnsized(line)
			if err != nil {
				return err
			}
			if err := do(unsized{id, owner}); err != nil {
				return err
			}
		}
		return nil
	}, func(ctx context.Context, u unsized) error {
		size, err := p.files.Size(ctx, u.id)
		if errors.Is(err, graph.ErrNotFound) {
			return nil
		}
		sizes <- [2]int64{int64(u.point), size}
		return err
	})
	close(sizes)
	<-summed
	for _, q := range p.points {
		if n, ok := p.forest.Number(q.id()); ok {
			q.freed.Bytes += extra[n]
		}
	}
	return err
}

// parkedUntil is the end of the grace of what is pruned now.
func (p *pruning) parkedUntil() time.Time { return p.now.Add(p.opt.Grace) }
