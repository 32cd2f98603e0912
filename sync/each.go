package dbsync

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/rclone-datom/rclone-datom/sync/chunk"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// eachFunc takes a segment that was read, or why it could not be. A value has
// chunk.ErrLarge in place of its bytes where these are not held in memory.
type eachFunc func(ctx context.Context, e graph.Entry, data []byte, err error) error

// each reads the segments that some lines list, many at a time and in any
// order: those in chunks with few requests.
func each(ctx context.Context, s store.Segments, lines snapshot.Lines, workers int, fn eachFunc) error {
	if chunks, ok := s.(*chunk.Segments); ok {
		return chunks.Each(ctx, lines, workers, fn)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(workers, 1))
	for line, err := range lines {
		var e graph.Entry
		if err == nil {
			e, err = graph.ParseEntry(line)
		}
		if err != nil {
			_ = g.Wait()
			return err
		}
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error {
			if e.Level == graph.Value {
				return fn(gctx, e, nil, chunk.ErrLarge)
			}
			data, err := s.Get(gctx, e.ID)
			return fn(gctx, e, data, err)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}
