package dbsync

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/rclone/rclone/fs"
	"golang.org/x/sync/errgroup"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// repair reads every segment of every point and puts back, from the source,
// what is missing or is not what was written. What the source no longer has
// is reported; it does not stop the rest. If the parent point needs it, the new
// point is to stand by itself.
func (b *backup) repair(ctx context.Context) error {
	needed := func(graph.ID) (bool, error) { return false, nil }
	if b.parent != nil {
		reached, err := b.place.Closure(ctx, b.parent)
		if damaged(err) {
			b.standAlone(err)
			return nil
		}
		if err != nil {
			return err
		}
		defer func() { _ = reached.Close() }()
		needed = func(id graph.ID) (bool, error) { _, ok, err := reached.Get(string(id)); return ok, err }
	}
	if b.place.Chunked() {
		return b.repairChunks(ctx, needed)
	}
	all, err := b.place.Everything(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = all.Close() }()
	var repaired atomic.Int64
	var broken atomic.Bool
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(fs.GetConfig(ctx).Checkers, 1))
	for line, err := range all.All() {
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		e, err := graph.ParseEntry(line)
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		g.Go(func() error {
			ok, err := b.repairOne(gctx, e)
			if ok {
				repaired.Add(1)
			}
			if damaged(err) {
				fs.Errorf(b.place.F, "Cannot repair: %v", err)
				b.lost.Add(1)
				need, err := needed(e.ID)
				if need {
					broken.Store(true)
				}
				return err
			}
			return err
		})
	}
	err = g.Wait()
	b.report.Repaired += repaired.Load()
	if err == nil && broken.Load() {
		b.standAlone(fmt.Errorf("point %s needs what is lost", b.parent.Point))
	}
	return err
}

// standAlone gives the parent up.
func (b *backup) standAlone(why error) {
	fs.Errorf(b.place.F, "%v: points that build on it cannot be restored; copying everything again for a point that stands by itself", why)
	b.parent, b.alone = nil, true
}

// repairOne puts one segment back if that is needed.
func (b *backup) repairOne(ctx context.Context, e graph.Entry) (repaired bool, err error) {
	if e.Level == graph.Value {
		return b.repairValue(ctx, e)
	}
	data, err := b.destination.Get(ctx, e.ID)
	if err == nil && checkSegment(e, data, b.db.sound) == nil {
		return false, nil
	}
	if err != nil && !damaged(err) {
		return false, err
	}
	if data, err = b.db.get(ctx, e.ID); err != nil {
		return false, err
	}
	if err := checkSegment(e, data, b.db.sound); err != nil {
		return false, fmt.Errorf("the source's copy does not help: %w", err)
	}
	return true, b.copier.Replace(ctx, b.destination.Remote(e.ID), data)
}

// repairValue does the same for an object of any length.
func (b *backup) repairValue(ctx context.Context, e graph.Entry) (repaired bool, err error) {
	err = checkObject(ctx, b.destination, e)
	if err == nil || !damaged(err) {
		return false, err
	}
	if err := checkObject(ctx, b.Store, e); err != nil {
		return false, fmt.Errorf("the source's copy does not help: %w", err)
	}
	o, err := b.Store.Object(ctx, e.ID)
	if err != nil {
		return false, err
	}
	_, _, err = b.copier.Stream(ctx, b.destination.Remote(e.ID), o)
	return err == nil, err
}
