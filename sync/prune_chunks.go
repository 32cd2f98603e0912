package dbsync

import (
	"context"
	"fmt"

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

// chunkUse is how many bytes of each chunk points need.
type chunkUse map[string]int64

// look takes note of a segment in its place.
func (p *pruning) look(line string, goes bool) {
	e, err := graph.ParseEntry(line)
	if err != nil || !e.At.InChunk() {
		return
	}
	if !goes {
		p.used[e.At.Chunk] += e.At.Stored + entryOverhead + int64(len(p.files.Remote(e.ID)))
	}
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
	mostlyDead := map[string]bool{}
	for name, info := range p.place.KnownChunks() {
		if used := p.used[name]; used > 0 && float64(info.Directory-used) > float64(info.Directory)*p.opt.MaxDead/100 {
			mostlyDead[name] = true
		}
	}
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
	return p.dropChunks(ctx)
}

func namesAny(m *snapshot.Manifest, chunks map[string]bool) bool {
	for _, name := range snapshot.ChunksOf(m) {
		if chunks[name] {
			return true
		}
	}
	return false
}

// dropChunks deletes every chunk that was named and is no more, and those that an
// interrupted prune has left.
func (p *pruning) dropChunks(ctx context.Context) error {
	if err := p.run.Settle(ctx); err != nil {
		return err
	}
	named := map[string]bool{}
	for _, q := range p.points {
		if q.state != prune.Removed {
			for _, name := range snapshot.ChunksOf(q.m) {
				named[name] = true
			}
		}
	}
	var drop []string
	for name := range p.place.KnownChunks() {
		if !named[name] {
			drop = append(drop, name)
		}
	}
	for _, q := range p.points {
		strays, err := p.place.Strays(ctx, q.id(), named)
		if err != nil {
			return err
		}
		drop = append(drop, strays...)
	}
	return pool.Each(ctx, fs.GetConfig(ctx).Checkers, drop, p.run.RemoveChunk)
}
