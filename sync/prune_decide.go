package dbsync

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/prune"
	"github.com/rclone-datom/rclone-datom/sync/retain"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// decide says what becomes of each point.
func (p *pruning) decide(ctx context.Context) error {
	p.applyPolicy()
	for _, at := range p.opt.Keep {
		m, err := findPoint(ctx, p.place, at)
		if err != nil {
			return fmt.Errorf("--keep %s: %w", at, err)
		}
		i := slices.IndexFunc(p.points, func(q *prunable) bool { return q.name == m.Point && q.parked == nil })
		if i < 0 {
			return fmt.Errorf("--keep %s: point %s came while this began: try again", at, m.Point)
		}
		p.points[i].because("named")
	}
	switch {
	case p.place.Chunked(): // every point can go
	case p.place.Kind == snapshot.Datomic:
		p.keepNewestRoot()
	default:
		if err := p.keepOwnHeads(ctx); err != nil {
			return err
		}
	}
	for _, q := range p.points {
		switch {
		case q.keep:
			q.state = prune.Kept
		case q.parked == nil:
			q.until = p.parkedUntil()
			q.state = p.unless(p.opt.Grace == 0)
		default:
			q.state = p.unless(q.parked.Going || !p.now.Before(q.parked.Until))
		}
	}
	return nil
}

// unless its time has come, a pruned point waits.
func (p *pruning) unless(due bool) prune.State {
	if due {
		return prune.Removed
	}
	return prune.Parked
}

func (q *prunable) because(why string) {
	q.keep = true
	if !slices.Contains(q.reasons, why) {
		q.reasons = append(q.reasons, why)
	}
}

// applyPolicy applies it to the listed points of each database.
func (p *pruning) applyPolicy() {
	groups := map[string][]retain.Point{}
	byID := map[string]*prunable{}
	for _, q := range p.points {
		if q.parked == nil {
			groups[q.m.ID] = append(groups[q.m.ID], retain.Point{ID: q.id(), Time: q.m.Time})
			byID[q.id()] = q
		}
	}
	for _, points := range groups {
		for _, d := range p.opt.Policy.Apply(points) {
			byID[d.ID].keep, byID[d.ID].reasons = d.Keep, d.Reasons
		}
	}
}

// waiting are the points that were pruned and are not gone, oldest first.
func (p *pruning) waiting() (all []*prunable) {
	for _, q := range p.points {
		if q.parked != nil {
			all = append(all, q)
		}
	}
	return all
}

// named finds a point by its id or the beginning of it, or by its t.
func named(points []*prunable, at string) (found []*prunable) {
	for _, q := range points {
		if q.id() == at {
			return []*prunable{q}
		}
		t, isT := parseT(at)
		if isT && q.m.Kind == snapshot.Datomic && q.m.T == t || strings.HasPrefix(q.id(), at) {
			found = append(found, q)
		}
	}
	return found
}
