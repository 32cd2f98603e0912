package dbsync

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/rclone/rclone/fs"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// newestRoot is why a point is kept from which Datomic, perhaps at this very
// moment, goes on.
const newestRoot = "the newest root"

// prunableRoot is a file roots/<t>, and whose it is.
type prunableRoot struct {
	nativeRoot
	// owners are the points that hold it: listed ones; or parked ones, if it was
	// to go with them.
	owners []*prunable
	// foreign: a listed point has this t, and another value for it.
	foreign bool
}

// readRoots reads every root, and finds the points to which it belongs. One that
// belongs to none is a point that Datomic itself has made.
func (p *pruning) readRoots(ctx context.Context, roots []store.Root) error {
	for _, r := range roots {
		p.roots = append(p.roots, &prunableRoot{nativeRoot: nativeRoot{Root: r}})
	}
	err := pool.Each(ctx, fs.GetConfig(ctx).Checkers, p.roots, func(ctx context.Context, r *prunableRoot) error {
		if err := r.read(ctx, p.place); err != nil {
			return p.unreadable(store.RootName(r.T), err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range p.roots {
		if err := p.claim(ctx, r); err != nil {
			return err
		}
		if r.owners == nil && !r.foreign {
			p.points = append(p.points, p.nativePoint(r))
		}
	}
	return nil
}

// claim finds out whose a root is.
func (p *pruning) claim(ctx context.Context, r *prunableRoot) error {
	name, listed := strconv.FormatInt(r.T, 10), false
	var parked []*prunable
	for _, q := range p.points {
		if q.native != nil || q.m.T != r.T || q.m.Kind != snapshot.Datomic {
			continue
		}
		same, err := p.holds(ctx, q, name, r)
		switch {
		case err != nil:
			return err
		case q.parked == nil:
			listed = true
			if same {
				r.owners = append(r.owners, q)
			}
		case same && r.Time.Before(q.parked.At): // or somebody has written it since
			parked = append(parked, q)
		}
	}
	if r.owners == nil {
		r.owners = parked
	}
	r.foreign = listed && r.owners == nil
	return nil
}

// holds tells whether a root is what the point has; Datomic may write the same
// in other bytes.
func (p *pruning) holds(ctx context.Context, q *prunable, name string, r *prunableRoot) (bool, error) {
	if o, ok := q.held(name); ok && o.Matches(r.data) {
		return true, nil
	}
	if q.going() {
		return false, nil // it may hold nothing any more
	}
	value, err := pointValue(ctx, p.place, q.m)
	if err != nil {
		return false, p.unreadable("the root of point "+q.id(), err)
	}
	return reflect.DeepEqual(value, r.value), nil
}

// nativePoint is the point that a root without a record would be.
func (p *pruning) nativePoint(r *prunableRoot) *prunable {
	m := &snapshot.Manifest{
		FormatVersion: snapshot.FormatVersion, ToolVersion: fs.Version, Branches: map[string]snapshot.Branch{},
		Settings: map[edn.Keyword]any{"index/version": r.value.IndexVersion, "log/version": r.value.LogVersion},
	}
	r.describe(m)
	at := r.Time
	if !at.Before(p.now) {
		at = p.now.Add(-time.Millisecond)
	}
	taken := func(id string) bool {
		return slices.ContainsFunc(p.points, func(q *prunable) bool { return q.id() == id })
	}
	for m.Point = snapshot.NewID(at, moment(r.T)); taken(m.Point); m.Point = snapshot.NewID(at, moment(r.T)) {
		at = at.Add(-time.Millisecond)
	}
	q := &prunable{m: m, native: &r.nativeRoot, name: moment(r.T)}
	r.owners = []*prunable{q}
	return q
}

// keepNewestRoot keeps the point of the newest root that is not about to go.
func (p *pruning) keepNewestRoot() {
	for _, r := range slices.Backward(p.roots) {
		if r.foreign {
			return
		}
		for _, q := range slices.Backward(r.owners) {
			if q.parked == nil {
				q.because(newestRoot)
				return
			}
		}
	}
}

// walkRoot lists what a value reaches, as a point's list would.
func (p *pruning) walkRoot(ctx context.Context, v *datomic.Value) snapshot.Lines {
	return func(yield func(string, error) bool) {
		lines := spill.NewSorter()
		defer lines.Close()
		read := func(ctx context.Context, ref graph.Ref) ([]byte, error) { return p.files.Get(ctx, ref.ID) }
		if err := reachNative(ctx, v, datomic.New(), read, false, lines, nil); err != nil {
			yield("", err)
			return
		}
		for line, err := range snapshot.FirstOfEach(lines.Sorted()) {
			if !yield(line, err) {
				return
			}
		}
	}
}

// needForeignRoots keeps what roots reach that belong to no point, although there
// is one of the same t: Datomic has written it after an index job.
func (p *pruning) needForeignRoots(ctx context.Context, need func(id string)) error {
	for _, r := range p.roots {
		if !r.foreign {
			continue
		}
		for line, err := range p.walkRoot(ctx, r.value) {
			if err != nil {
				return p.unreadable(store.RootName(r.T), err)
			}
			e, err := graph.ParseEntry(line)
			if err != nil {
				return err
			}
			need(string(e.ID))
		}
	}
	return nil
}

// parkNative makes a pruned point of a root that Datomic has written, so that it
// can be brought back.
func (p *pruning) parkNative(ctx context.Context, q *prunable) error {
	last, err := datomic.New().Last(ctx, p.files.Get, q.native.value)
	if err != nil {
		return p.unreadable(q.name, err)
	}
	q.m.Tx = last.ID
	return p.run.ParkNew(ctx, q.m, q.native.held(), p.walkRoot(ctx, q.native.value), q.until)
}

// dropRoots removes the roots of points that are not listed any more. Where
// another point of the same t is, Datomic is to find that one.
func (p *pruning) dropRoots(ctx context.Context) error {
	for _, r := range p.roots {
		if r.foreign || slices.ContainsFunc(r.owners, func(q *prunable) bool { return q.keep }) {
			continue
		}
		i := lastIndex(p.points, func(q *prunable) bool { return q.keep && q.m.T == r.T })
		if i < 0 {
			if err := p.delete(ctx, store.RootName(r.T)); err != nil {
				return err
			}
			continue
		}
		if err := p.putRoot(ctx, p.points[i].m); err != nil {
			return err
		}
	}
	return nil
}

// putRoot writes a point's root where Datomic finds it.
func (p *pruning) putRoot(ctx context.Context, m *snapshot.Manifest) error {
	held, err := p.place.Held(ctx, m)
	if err != nil {
		return fmt.Errorf("the root of point %s: %w", m.Point, err)
	}
	for _, h := range held {
		if h.ID != store.OwnerName {
			return p.copier.Replace(ctx, snapshot.DatomicName(h.ID), h.Data)
		}
	}
	return fmt.Errorf("point %s holds no root: %w", m.Point, graph.ErrCorrupt)
}

func lastIndex[T any](all []T, is func(T) bool) int {
	for i := len(all) - 1; i >= 0; i-- {
		if is(all[i]) {
			return i
		}
	}
	return -1
}
