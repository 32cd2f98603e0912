package dbsync

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
	"github.com/rclone-datom/rclone-datom/sync/prune"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// DefaultMaxDead is the part of a chunk, in percent, that no point needs and
// that is left there.
const DefaultMaxDead = 50

// entryOverhead is what an entry of a chunk takes besides name and data, in bytes.
const entryOverhead = 30

// chunkUse is what points need of each chunk, and list there.
type chunkUse map[string]use

type use struct{ entries, bytes int64 }

// look takes note of a segment in its place.
func (p *pruning) look(line string, goes bool) {
	e, err := graph.ParseEntry(line)
	if err != nil || !e.At.InChunk() || goes {
		return
	}
	u := p.used[e.At.Chunk]
	u.entries++
	u.bytes += e.At.Stored + entryOverhead + int64(len(p.files.Remote(e.ID)))
	p.used[e.At.Chunk] = u
}

// removeChunks removes the chunks that no point needs any more. What points need
// of chunks that are mostly dead goes to new ones first.
func (p *pruning) removeChunks(ctx context.Context, plan *prune.Plan) error {
	for line, err := range plan.Dead() {
		if err != nil {
			return err
		}
		e, err := graph.ParseEntry(line)
		if err != nil {
			return err
		}
		p.report.Deleted.Add(e.Size)
	}
	before, mostlyDead := p.place.KnownChunks(), p.mostlyDead()
	r := &repacking{place: p.place, run: p.run, sound: datomic.New().Check}
	for _, q := range p.points {
		if q.state == prune.Removed || !namesAny(q.m, mostlyDead) {
			continue
		}
		fs.Infof(p.place.F, "Point %s: packing anew what is left in chunks that are mostly dead", q.id())
		if err := r.point(ctx, q.m, !q.keep, mostlyDead); err != nil {
			return fmt.Errorf("point %s: %w; put back what is damaged with rclone-datom backup --repair, or leave such chunks alone with --max-dead 100%%", q.id(), err)
		}
	}
	p.report.Chunks = &PrunedChunks{}
	for name, info := range p.place.KnownChunks() {
		if _, ok := before[name]; !ok {
			p.report.Chunks.Written++
			p.report.Chunks.WrittenBytes += info.Size
		}
	}
	return p.dropChunks(ctx)
}

// mostlyDead are chunks of which points that stay need too little. The rest of a
// chunk is what no list names at all, so what has only heads, or segments of a
// point that shares nothing, is none of them.
func (p *pruning) mostlyDead() map[string]bool {
	dead := map[string]bool{}
	for name, info := range p.place.KnownChunks() {
		used, ok := p.used[name]
		rest := info.Directory - used.bytes
		if ok && used.entries < info.Entries && float64(rest) > float64(info.Directory)*p.opt.MaxDead/100 {
			dead[name] = true
		}
	}
	return dead
}

func namesAny(m *snapshot.Manifest, chunks map[string]bool) bool {
	return slices.ContainsFunc(snapshot.ChunksOf(m), func(name string) bool { return chunks[name] })
}

// dropChunks deletes every chunk that was named and is no more, and those that an
// interrupted prune has left.
func (p *pruning) dropChunks(ctx context.Context) error {
	if err := p.run.Settle(ctx); err != nil {
		return err
	}
	named := p.namedChunks()
	drop := map[string]bool{}
	for name, info := range p.place.KnownChunks() {
		if !named[name] {
			drop[name] = true
			p.report.Chunks.DeletedBytes += info.Size
		}
	}
	dirs, err := p.chunkDirs(ctx)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	workers := fs.GetConfig(ctx).Checkers
	err = pool.Each(ctx, workers, dirs, func(ctx context.Context, id string) error {
		strays, err := p.place.Strays(ctx, id, named)
		mu.Lock()
		defer mu.Unlock()
		for _, name := range strays {
			drop[name] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	p.report.Chunks.Deleted = int64(len(drop))
	return pool.Each(ctx, workers, slices.Sorted(maps.Keys(drop)), p.run.RemoveChunk)
}

// chunkDirs are the backups whose chunks nobody needs that are not named: points,
// and what is left of others, but for those with which the next run may go on.
func (p *pruning) chunkDirs(ctx context.Context) (ids []string, err error) {
	for _, q := range p.points {
		ids = append(ids, q.id())
	}
	for _, id := range p.incomplete {
		_, vouched, err := p.place.Checkpointed(ctx, id)
		if err != nil {
			return nil, err
		}
		if !vouched {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// namedChunks are those that points need which stay.
func (p *pruning) namedChunks() map[string]bool {
	named := map[string]bool{}
	for _, q := range p.points {
		if q.state != prune.Removed {
			for _, name := range snapshot.ChunksOf(q.m) {
				named[name] = true
			}
		}
	}
	return named
}
