package dbsync

import (
	"context"
	"errors"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// chunkRepair reads all chunks of a place. What is left of one that is damaged
// goes to new chunks, together with what is damaged and can be had elsewhere.
type chunkRepair struct {
	repacking
	points []repairPoint
	bad    map[string]bool // chunks
	// unknown: there is a point of which nobody knows which chunks it needs.
	unknown bool
}

// repairPoint is a point, listed or parked.
type repairPoint struct {
	m      *snapshot.Manifest
	parked bool
}

// all repairs every point, and returns how many segments were put back.
func (r *chunkRepair) all(ctx context.Context) (repaired int64, err error) {
	ids, err := r.place.IDs(ctx)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if err := r.find(ctx, id); err != nil {
			return 0, err
		}
	}
	for _, p := range r.points {
		if err := r.one(ctx, p); err != nil {
			return r.moved, err
		}
	}
	return r.moved, r.drop(ctx)
}

// find reads the record of a point. One that is lost cannot be mended from here.
func (r *chunkRepair) find(ctx context.Context, id string) error {
	m, err := r.place.Manifest(ctx, id)
	if err == nil {
		r.points = append(r.points, repairPoint{m, false})
		return nil
	}
	if errors.Is(err, graph.ErrNotFound) {
		var was *snapshot.Parked
		if was, err = r.place.Parked(ctx, id); err == nil && !was.Going {
			r.points = append(r.points, repairPoint{was.Manifest, true})
		}
		if errors.Is(err, graph.ErrNotFound) {
			return nil
		}
	}
	if damaged(err) || errors.Is(err, graph.ErrUnsupported) {
		fs.Errorf(r.place.F, "Cannot repair: point %s: %v", id, err)
		r.unknown = true
		return nil
	}
	return err
}

// one reads the chunks of a point, and mends what is not what was written.
func (r *chunkRepair) one(ctx context.Context, p repairPoint) error {
	r.bad = map[string]bool{}
	err := pool.Each(ctx, fs.GetConfig(ctx).Checkers, snapshot.ChunksOf(p.m), func(ctx context.Context, name string) error {
		return r.judge(name, r.place.CheckChunk(ctx, r.place.KnownChunks()[name]))
	})
	if err != nil {
		return err
	}
	for _, err := range r.place.Added(ctx, p.m) {
		if damaged(err) { // points that build on it cannot be restored
			fs.Errorf(r.place.F, "Cannot repair: point %s: %v", p.m.Point, err)
			return nil
		}
		if err != nil {
			return err
		}
	}
	if len(r.bad) == 0 {
		return nil
	}
	fs.Logf(r.place.F, "Point %s: %d chunks are damaged: packing anew what is left of them", p.m.Point, len(r.bad))
	return r.point(ctx, p.m, p.parked, r.bad)
}

// judge takes note of damage, which does not end the reading.
func (r *chunkRepair) judge(name string, err error) error {
	if !damaged(err) {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bad[name] = true
	return nil
}

// drop deletes the chunks that no point names any more.
func (r *chunkRepair) drop(ctx context.Context) error {
	if r.unknown {
		return nil
	}
	if err := r.run.Settle(ctx); err != nil {
		return err
	}
	named := map[string]bool{}
	for _, p := range r.points {
		for _, name := range snapshot.ChunksOf(p.m) {
			named[name] = true
		}
	}
	for _, p := range r.points {
		strays, err := r.place.Strays(ctx, p.m.Point, named)
		if err != nil {
			return err
		}
		for _, name := range strays {
			if err := r.run.RemoveChunk(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// repairChunks is repair where segments lie in chunks.
func (b *backup) repairChunks(ctx context.Context, needed func(graph.ID) (bool, error)) error {
	broken := false
	r := &chunkRepair{repacking: repacking{
		place: b.place, run: b.run, sound: b.db.sound,
		get: func(ctx context.Context, e graph.Entry) ([]byte, error) { return b.db.get(ctx, e.ID) },
		object: func(ctx context.Context, e graph.Entry) (fs.Object, error) {
			if b.Store == nil {
				return nil, graph.ErrNotFound
			}
			return b.Store.Object(ctx, e.ID)
		},
	}}
	r.lost = func(e graph.Entry, err error) {
		fs.Errorf(b.place.F, "Cannot repair: %s: %v", e.ID, err)
		b.lost.Add(1)
		if need, nerr := needed(e.ID); need || nerr != nil {
			r.mu.Lock()
			broken = true
			r.mu.Unlock()
		}
	}
	n, err := r.all(ctx)
	b.report.Repaired += n
	if err != nil {
		return err
	}
	if broken {
		b.standAlone(errors.New("the newest point needs what is lost"))
		return nil
	}
	if n > 0 && b.parent != nil { // it may have other lists now
		b.parent, b.newest = nil, nil
		return b.findParent(ctx)
	}
	return nil
}
