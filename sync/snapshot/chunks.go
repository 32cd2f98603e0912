package snapshot

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/chunk"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// chunks are those that the manifests of a place name, as far as these were read.
type chunks struct {
	mu    sync.Mutex
	infos map[string]chunk.Info
	// named are those that a manifest names: a point needs them.
	named map[string]bool
	// heads are those that have the heads of a point, by its id.
	heads map[string]string
}

func newChunks() *chunks {
	return &chunks{infos: map[string]chunk.Info{}, named: map[string]bool{}, heads: map[string]string{}}
}

// add takes note of a manifest's chunks.
func (c *chunks) add(m *Manifest) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range m.Chunks {
		i, err := ch.info(m.Point)
		if err != nil {
			return fmt.Errorf("manifest of point %s: %w", m.Point, err)
		}
		if have, ok := c.infos[i.Chunk]; ok && have != i {
			return fmt.Errorf("manifest of point %s says of chunk %s what another one does not: %w", m.Point, i.Chunk, graph.ErrCorrupt)
		}
		c.infos[i.Chunk], c.named[i.Chunk] = i, true
		if ch.Heads {
			c.heads[m.Point] = i.Chunk
		}
	}
	return nil
}

func (c *chunks) put(i chunk.Info) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.infos[i.Chunk] = i
}

// holdHeads makes a chunk the one that has the heads of a point.
func (c *chunks) holdHeads(point, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heads[point] = name
}

func (c *chunks) headsOf(point string) (name string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name, ok = c.heads[point]
	return name, ok
}

func (c *chunks) get(name string) (chunk.Info, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.infos[name]
	return i, ok
}

func (c *chunks) all() map[string]chunk.Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.infos)
}

// chunksOf is what the manifest of a point says of the chunks that it needs, and
// of the one that has its heads.
func (p *Place) chunksOf(point string, needed map[string]bool) (list []Chunk, err error) {
	heads, ok := p.chunks.headsOf(point)
	if ok {
		needed[heads] = true
	}
	for _, name := range slices.SortedFunc(maps.Keys(needed), compareChunks) {
		i, ok := p.chunks.get(name)
		if !ok {
			return nil, fmt.Errorf("chunk %s is needed by point %s and named by no manifest: %w", name, point, graph.ErrCorrupt)
		}
		ch := chunkOf(point, i)
		ch.Heads = name == heads
		list = append(list, ch)
	}
	return list, nil
}

// Chunks are what manifests that were read say of some chunks, in order. One that
// no manifest names has no size.
func (p *Place) Chunks(names map[string]bool) (infos []chunk.Info) {
	for _, name := range slices.SortedFunc(maps.Keys(names), compareChunks) {
		i, _ := p.chunks.get(name)
		i.Chunk = name
		infos = append(infos, i)
	}
	return infos
}

// Directory reads which segments of a kind of database a chunk has, and where.
func (p *Place) Directory(ctx context.Context, info chunk.Info, kind edn.Keyword) ([]graph.Entry, error) {
	names := segments(p.F, kind)
	return chunk.ReadDirectory(ctx, p.F, p.dir, info, func(name string) (graph.ID, bool, error) { return segmentOf(names, kind, name) })
}

// CheckChunk compares the bytes of a chunk with what its manifest says of them.
func (p *Place) CheckChunk(ctx context.Context, info chunk.Info) error {
	name, err := chunk.Path(info.Chunk)
	if err != nil {
		return err
	}
	size, sum, err := p.files.Sum(ctx, graph.ID(path.Join(p.dir, name)))
	if err == nil && (size != info.Size || sum != info.SHA256) {
		err = fmt.Errorf("%s is not what was written: %w", name, graph.ErrCorrupt)
	}
	return err
}

// compareChunks orders the names of chunks by backup and number.
func compareChunks(a, b string) int {
	one, i := splitChunk(a)
	two, j := splitChunk(b)
	return cmp.Or(strings.Compare(one, two), cmp.Compare(i, j))
}

// noteChunks notes the chunks in which the segments of a list lie.
func noteChunks(lines Lines, needed map[string]bool) Lines {
	return func(yield func(string, error) bool) {
		for line, err := range lines {
			if err == nil {
				err = noteChunk(line, needed)
			}
			if !yield(line, err) {
				return
			}
		}
	}
}

// noteChunk takes the chunk out of a line: what is in its last field, "chunk:offset:stored".
func noteChunk(line string, needed map[string]bool) error {
	if strings.Count(line, "\t") != 4 {
		return fmt.Errorf("%.60q lies in no chunk: %w", line, graph.ErrCorrupt)
	}
	name, _, _ := strings.Cut(line[strings.LastIndexByte(line, '\t')+1:], ":")
	if !needed[name] {
		needed[strings.Clone(name)] = true
	}
	return nil
}

// needed tells whether a point that was read needs a chunk.
func (c *chunks) needed(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.named[name]
}

// Holds tells whether a point whose manifest was read needs a chunk that lies in
// the directory of another backup, which may be no point itself.
func (p *Place) Holds(backup string) bool {
	if !p.Chunked() {
		return false
	}
	p.chunks.mu.Lock()
	defer p.chunks.mu.Unlock()
	for name := range p.chunks.named {
		if b, _ := splitChunk(name); b == backup {
			return true
		}
	}
	return false
}
