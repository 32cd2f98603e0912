package snapshot

import (
	"context"
	"errors"
	"path"
	"time"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/chunk"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// Repack writes segments of a point into new chunks of its own. move is to pack
// those lines of the point's list for which it is called; what it packs is found
// in the new chunks from then on, and chunks in which nothing is left are not named
// any more. The point says the same as before, in other places.
func (r *Run) Repack(ctx context.Context, m *Manifest, isParked bool, opt Packing, move func(p *Packer) error) error {
	opt.Compress = m.Compression == Zstd
	p := newPacker(ctx, r, m.Point, segments(r.place.F, m.Kind).Remote, opt)
	moved := spill.NewSorter()
	defer moved.Close()
	p.next = r.place.nextChunk(m.Point)
	p.sent = func(_ context.Context, info chunk.Info, lines []string) error {
		r.place.chunks.put(info)
		for _, l := range lines {
			moved.Add(l)
		}
		return nil
	}
	defer func() { _ = p.Abandon() }()
	if err := move(p); err != nil {
		return err
	}
	if err := p.Close(); err != nil || r.dryRun {
		return err
	}
	places, err := spill.NewTable(FirstOfEach(moved.Sorted()))
	if err != nil {
		return err
	}
	defer func() { _ = places.Close() }()
	return r.Relink(ctx, m, isParked, m.Parent, elsewhere(r.place.Added(ctx, m), places), r.place.Released(ctx, m))
}

// elsewhere are lines with the places that segments have now.
func elsewhere(lines Lines, places *spill.Table) Lines {
	return func(yield func(string, error) bool) {
		for line, err := range lines {
			if err == nil {
				if now, ok, gerr := places.Get(lineID(line)); ok || gerr != nil {
					line, err = now, gerr
				}
			}
			if !yield(line, err) {
				return
			}
		}
	}
}

// nextChunk is the number of a point's next chunk.
func (p *Place) nextChunk(point string) (next int) {
	for name := range p.chunks.all() {
		if backup, n := splitChunk(name); backup == point {
			next = max(next, n+1)
		}
	}
	return next
}

// ChunksOf are the names of the chunks that a manifest names.
func ChunksOf(m *Manifest) (names []string) {
	for _, c := range m.Chunks {
		if i, err := c.info(m.Point); err == nil {
			names = append(names, i.Chunk)
		}
	}
	return names
}

// HeadsChunk is the name of the chunk that has the heads of a point.
func HeadsChunk(m *Manifest) string {
	for _, c := range m.Chunks {
		if i, err := c.info(m.Point); err == nil && c.Heads {
			return i.Chunk
		}
	}
	return ""
}

// KnownChunks are the names of the chunks that any manifest names which was read,
// with what it says of them.
func (p *Place) KnownChunks() map[string]chunk.Info { return p.chunks.all() }

// RemoveChunk deletes a chunk, and the directories that become empty. One that
// is not there is no error.
func (r *Run) RemoveChunk(ctx context.Context, name string) error {
	file, err := chunk.Path(name)
	if err != nil || r.dryRun {
		return err
	}
	if err := r.place.remove(ctx, path.Join(r.place.dir, file)); err != nil {
		return err
	}
	backup, _ := splitChunk(name)
	if r.place.rmdir(ctx, r.place.pointName(backup, chunk.Dir)) == nil {
		_ = r.place.rmdir(ctx, r.place.pointName(backup)) // or it has more
	}
	return nil
}

// Sweep removes what an interrupted attempt at a point has left that is complete
// now: its checkpoint, and chunks that no manifest names, whole or not.
func (r *Run) Sweep(ctx context.Context, point string) error {
	if err := r.place.remove(ctx, r.place.pointName(point, checkpointName)); err != nil {
		return err
	}
	return r.place.objects(ctx, r.place.pointName(point, chunk.Dir), func(o fs.Object) error {
		n, err := chunk.ParseName(path.Base(o.Remote()))
		if _, known := r.place.chunks.get(chunkName(point, n)); err == nil && known {
			return nil
		}
		return o.Remove(ctx)
	})
}

// Strays are the names of the chunks in a backup's directory that are not among
// those that are named.
func (p *Place) Strays(ctx context.Context, backup string, named map[string]bool) (strays []string, err error) {
	err = p.objects(ctx, p.pointName(backup, chunk.Dir), func(o fs.Object) error {
		if name, err := ChunkName(backup, path.Base(o.Remote())); err == nil && !named[name] {
			strays = append(strays, name)
		}
		return nil
	})
	return strays, err
}

// Checkpointed tells whether the next run may go on with an unfinished backup,
// and when that last got further.
func (p *Place) Checkpointed(ctx context.Context, backup string) (updated time.Time, ok bool, err error) {
	b, err := p.files.Get(ctx, graph.ID(p.pointName(backup, checkpointName)))
	if err == nil {
		var c *checkpoint
		if c, err = decodeCheckpoint(b); err == nil {
			return c.Updated, true, nil
		}
	}
	if errors.Is(err, graph.ErrNotFound) || errors.Is(err, graph.ErrCorrupt) {
		return updated, false, nil
	}
	return updated, false, err
}

// Owns tells whether a backup has the chunk in its own directory.
func Owns(backup, name string) bool {
	b, _ := splitChunk(name)
	return b == backup
}

// ChunkName is the name of the chunk in a backup's directory whose file has a name;
// graph.ErrCorrupt means that no chunk has it.
func ChunkName(backup, file string) (string, error) {
	n, err := chunk.ParseName(file)
	return chunkName(backup, n), err
}
