package dbsync

import (
	"context"
	"fmt"
	"sync"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// What chunks are like unless the user says otherwise.
const (
	DefaultChunkSize     = 64 << 20
	DefaultChunkParallel = 4
	minChunkSize         = 1 << 10
	maxChunkSize         = 4 << 30
)

// checkLayout refuses what no layout can be.
func checkLayout(layout string, p snapshot.Packing) error {
	switch {
	case layout != "" && layout != LayoutNative && layout != LayoutChunked:
		return fserrors.NoRetryError(fmt.Errorf("unknown --layout %q: there are %s and %s", layout, LayoutNative, LayoutChunked))
	case p.Size != 0 && (p.Size < minChunkSize || p.Size > maxChunkSize):
		return fserrors.NoRetryError(fmt.Errorf("--chunk-size %v: from %v to %v", fs.SizeSuffix(p.Size), fs.SizeSuffix(minChunkSize), fs.SizeSuffix(maxChunkSize)))
	case p.Parallel < 0 || p.Parallel > 1000:
		return fserrors.NoRetryError(fmt.Errorf("--chunk-parallel %d: from 1 to 1000", p.Parallel))
	}
	return nil
}

// defaults fills in what was not said.
func defaults(p snapshot.Packing) snapshot.Packing {
	if p.Size == 0 {
		p.Size = DefaultChunkSize
	}
	if p.Parallel == 0 {
		p.Parallel = DefaultChunkParallel
	}
	return p
}

// locate finds the parent point, and which layout the destination has.
func (b *backup) locate(ctx context.Context) error {
	if b.opt.Layout == LayoutChunked && !b.place.Chunked() {
		if err := b.place.Chunk(b.db.id()); err != nil {
			return refuse("%w", err)
		}
	}
	if err := b.findParent(ctx); err != nil {
		return err
	}
	if b.newest != nil {
		return b.checkPacking()
	}
	native, chunked, err := b.place.Layouts(ctx, b.db.id())
	switch {
	case err != nil:
		return err
	case b.place.Chunked() && native:
		return refuse("%s holds something in the native layout: choose another destination, or leave out --layout chunked; rclone-datom convert makes chunks of backups", b.place)
	case b.opt.Layout == LayoutNative && chunked:
		return refuse("%s holds backups in chunks: choose another destination, or leave out --layout native", b.place)
	case b.place.Chunked():
		return nil
	case !chunked:
		return b.checkPacking()
	}
	if err := b.place.Chunk(b.db.id()); err != nil {
		return refuse("%w", err)
	}
	return b.findParent(ctx)
}

// checkPacking refuses to say how chunks are to be where there are none.
func (b *backup) checkPacking() error {
	if b.place.Chunked() || b.opt.Packing == (snapshot.Packing{}) {
		return nil
	}
	return refuse("--chunk-size, --chunk-parallel and --chunk-compress need --layout chunked")
}

// beginPacking opens the way for the point's chunks, and takes up those that an
// interrupted backup has finished.
func (b *backup) beginPacking(ctx context.Context) error {
	if err := b.run.Resume(ctx, b.incomplete); err != nil {
		return err
	}
	if n := b.run.Resumed(); n > 0 {
		fs.Logf(b.place.F, "Resuming: the chunks of an unfinished run have %d segments already", n)
	}
	b.at = b.after(b.place.Now())
	point := snapshot.NewID(b.at, b.db.moment())
	b.packer = b.run.NewPacker(ctx, point, b.destination.Remote, defaults(b.opt.Packing))
	return nil
}

// reached is what the walk has reached, when everything was written that it found.
func (b *backup) reached() (snapshot.Lines, error) {
	if err := b.packHeads(); err != nil {
		return nil, err
	}
	return b.run.Reached(), nil
}

// packHeads ends the packing, if there is any, with the heads.
func (b *backup) packHeads() error {
	if b.packer == nil {
		return nil
	}
	if err := b.packer.Heads(b.blank(), b.db.held()); err != nil {
		return err
	}
	return b.packer.Close()
}

// past reads segments of the parent point that lie in chunks. Its lists are read
// when the first is asked for: as a rule none is, for the source has them too.
type past struct {
	mu       sync.Mutex
	of       *snapshot.Manifest
	closure  *spill.Table
	segments store.Segments
}

// old reads a segment that the parent point has.
func (b *backup) old(ctx context.Context, id graph.ID) ([]byte, error) {
	s, err := b.oldSegments(ctx)
	if err != nil {
		return nil, err
	}
	return s.Get(ctx, id)
}

func (b *backup) oldSize(ctx context.Context, id graph.ID) (int64, error) {
	s, err := b.oldSegments(ctx)
	if err != nil {
		return 0, err
	}
	return s.Size(ctx, id)
}

// packs is what a walk's target packs with: nothing, where segments lie one
// object each.
func (b *backup) packs() transfer.Packer {
	if b.packer == nil {
		return nil
	}
	return b.packer
}

// oldSegments are those of the parent point, or of the newest one.
func (b *backup) oldSegments(ctx context.Context) (store.Segments, error) {
	if !b.place.Chunked() {
		return b.destination, nil
	}
	m := b.parent
	if m == nil {
		m = b.newest
	}
	if m == nil {
		return nil, fmt.Errorf("there is no earlier point: %w", graph.ErrNotFound)
	}
	b.past.mu.Lock()
	defer b.past.mu.Unlock()
	if b.past.of == m {
		return b.past.segments, nil
	}
	closure, err := b.place.Closure(ctx, m)
	if err != nil {
		return nil, err
	}
	_ = b.past.closure.Close()
	b.past.of, b.past.closure, b.past.segments = m, closure, b.place.Segments(m, closure)
	return b.past.segments, nil
}

func (p *past) reads() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.segments == nil {
		return 0
	}
	return p.segments.Reads()
}
