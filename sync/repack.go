package dbsync

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/chunk"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// repacking moves what points need out of some chunks into new ones.
type repacking struct {
	place *snapshot.Place
	run   *snapshot.Run
	sound func(graph.Ref, []byte) error
	// get reads a segment elsewhere that is damaged in its chunk, and object one
	// of any length. Without them damage ends the repacking.
	get    func(ctx context.Context, e graph.Entry) ([]byte, error)
	object func(ctx context.Context, e graph.Entry) (fs.Object, error)
	// lost is told of what cannot be read anywhere: it stays where it is.
	lost func(e graph.Entry, err error)

	mu    sync.Mutex
	moved int64 // that were damaged
}

// point moves what a point lists in some chunks.
func (r *repacking) point(ctx context.Context, m *snapshot.Manifest, isParked bool, from map[string]bool) error {
	lines := func(yield func(string, error) bool) {
		for line, err := range r.place.Added(ctx, m) {
			if err == nil {
				var e graph.Entry
				if e, err = graph.ParseEntry(line); err == nil && !from[e.At.Chunk] {
					continue
				}
			}
			if !yield(line, err) {
				return
			}
		}
	}
	return r.run.Repack(ctx, m, isParked, defaults(snapshot.Packing{}), func(p *snapshot.Packer) error {
		segments := r.place.Segments(m, nil)
		err := each(ctx, segments, lines, fs.GetConfig(ctx).Checkers, func(ctx context.Context, e graph.Entry, data []byte, err error) error {
			if errors.Is(err, chunk.ErrLarge) {
				return r.moveValue(ctx, p, e, segments.(*chunk.Segments))
			}
			return r.move(ctx, p, e, data, err)
		})
		if err != nil {
			return err
		}
		return r.moveHeads(ctx, p, m, from)
	})
}

// moveHeads packs the heads again, if they were in one of the chunks.
func (r *repacking) moveHeads(ctx context.Context, p *snapshot.Packer, m *snapshot.Manifest, from map[string]bool) error {
	if !from[snapshot.HeadsChunk(m)] {
		return nil
	}
	held, err := r.place.Held(ctx, m)
	if err == nil {
		err = p.Heads(m, held)
	}
	if r.get != nil { // they were damaged
		r.count(err)
	}
	return err
}

// move packs one segment, if need be with the bytes that are found elsewhere.
func (r *repacking) move(ctx context.Context, p *snapshot.Packer, e graph.Entry, data []byte, err error) error {
	if err == nil {
		err = checkSegment(e, data, r.sound)
	}
	if damaged(err) && r.get != nil {
		if data, err = r.get(ctx, e); err == nil {
			err = checkSegment(e, data, r.sound)
		}
		if damaged(err) {
			r.lost(e, err)
			return nil
		}
		r.count(err)
	}
	if err != nil {
		return fmt.Errorf("cannot be moved to another chunk: %w", err)
	}
	e.At = graph.Location{}
	return p.Pack(ctx, e, data)
}

// moveValue does so with an object of any length.
func (r *repacking) moveValue(ctx context.Context, p *snapshot.Packer, e graph.Entry, from *chunk.Segments) error {
	o, err := from.ObjectAt(ctx, e)
	if err == nil {
		err = checkWhole(ctx, o, e)
	}
	if damaged(err) && r.object != nil {
		if o, err = r.object(ctx, e); err == nil {
			err = checkWhole(ctx, o, e)
		}
		if damaged(err) {
			r.lost(e, err)
			return nil
		}
		r.count(err)
	}
	if err != nil {
		return fmt.Errorf("cannot be moved to another chunk: %w", err)
	}
	_, err = p.PackValue(ctx, e.Ref, o)
	return err
}

// count counts a segment that was damaged and is no more.
func (r *repacking) count(err error) {
	if err == nil {
		r.mu.Lock()
		r.moved++
		r.mu.Unlock()
	}
}
