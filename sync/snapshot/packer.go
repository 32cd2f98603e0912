package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"sync"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/operations"
	"golang.org/x/sync/errgroup"

	"github.com/rclone-datom/rclone-datom/sync/chunk"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// Packing says how segments are packed into chunks.
type Packing struct {
	// Size is how many bytes a chunk gets, about.
	Size int64
	// Parallel is how many chunks are uploaded at a time.
	Parallel int
	// Compress packs with zstd, for databases that do not compress themselves.
	Compress bool
}

// maxEntries is how many segments a chunk gets at most: the memory that small
// ones take is bounded with it.
const maxEntries = 50_000

// ownChunk is the size of a value, in bytes, from which it has a chunk for itself
// and is not held in memory.
const ownChunk = 4 << 20

// The kinds of chunks. What the next descent reads lies in chunks of its own; so
// does what makes a store openable, which goes last and is needed by its point
// alone.
const (
	leaves = iota
	inner
	heads
	kinds
)

// Packer writes the segments of a run into chunks. It is the transfer.Packer of
// places that have such.
type Packer struct {
	run   *Run
	point string
	opt   Packing
	// remote maps an id to the path at which the database finds the segment:
	// the name of its entry.
	remote func(graph.ID) string
	// Agree, if set, is asked of each line of a chunk that was acknowledged, before
	// anybody takes its word for it.
	Agree func(line string) error
	// sent takes note of a chunk that was acknowledged, and of what is in it.
	sent    func(ctx context.Context, info chunk.Info, lines []string) error
	all     context.Context
	ctx     context.Context // of the uploads; ends with them
	uploads *errgroup.Group

	mu   sync.Mutex
	next int
	open [kinds]*openChunk
}

var _ transfer.Packer = (*Packer)(nil)

// openChunk is one that is being filled.
type openChunk struct {
	*chunk.Writer
	name  string
	draft *transfer.Draft
	lines []string
	// has are the segments in it: one that branches share is found by each.
	has map[graph.ID]bool
}

// NewPacker begins to write the chunks of a point. End with Close or Abandon.
func (r *Run) NewPacker(ctx context.Context, point string, remote func(graph.ID) string, opt Packing) *Packer {
	p := newPacker(ctx, r, point, remote, opt)
	p.next, p.sent = r.resumeAt(point), r.packed
	return p
}

// NewLonePacker is NewPacker for a point that no later run goes on with.
func (r *Run) NewLonePacker(ctx context.Context, point string, remote func(graph.ID) string, opt Packing) *Packer {
	return r.NewWholePacker(ctx, point, remote, opt, r.reached.Add)
}

// NewWholePacker is NewPacker for a point that shares nothing with others, and
// that no later run goes on with. What was acknowledged is told to take.
func (r *Run) NewWholePacker(ctx context.Context, point string, remote func(graph.ID) string, opt Packing, take func(line string)) *Packer {
	p := newPacker(ctx, r, point, remote, opt)
	r.point, r.finished, r.whole = point, nil, true
	p.sent = func(_ context.Context, info chunk.Info, lines []string) error {
		r.finish(info)
		for _, l := range lines {
			take(l)
		}
		return nil
	}
	return p
}

func newPacker(ctx context.Context, r *Run, point string, remote func(graph.ID) string, opt Packing) *Packer {
	p := &Packer{run: r, point: point, opt: opt, remote: remote, all: ctx}
	p.uploads, p.ctx = errgroup.WithContext(ctx)
	p.uploads.SetLimit(max(opt.Parallel, 1))
	return p
}

// Pack implements transfer.Packer.
func (p *Packer) Pack(_ context.Context, e graph.Entry, data []byte) error {
	kind := leaves
	if e.Level > graph.Leaf || e.Level == graph.Commit {
		kind = inner
	}
	return p.add(kind, p.remote(e.ID), e, data, true)
}

// Heads packs the mutable objects, so that whoever unpacks all chunks has what
// the database opens.
func (p *Packer) Heads(m *Manifest, held []graph.Held) error {
	for _, h := range held {
		e := graph.Entry{Ref: graph.Ref{ID: h.ID, Level: graph.Root}, Size: int64(len(h.Data)), SHA256: sha256sum(h.Data)}
		if err := p.add(heads, m.HeadName(h.ID), e, h.Data, false); err != nil {
			return err
		}
	}
	return nil
}

// add appends an entry to the open chunk of a kind, and sends that off if it is
// full.
func (p *Packer) add(kind int, name string, e graph.Entry, data []byte, segment bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := context.Cause(p.ctx); err != nil {
		return err
	}
	c := p.open[kind]
	if c == nil {
		var err error
		if c, err = p.begin(); err != nil {
			return err
		}
		p.open[kind] = c
	}
	if c.has[e.ID] {
		return nil
	}
	e, err := c.Add(name, e, data)
	if err != nil {
		return err
	}
	if segment {
		line := graph.FormatEntry(e)
		c.lines = append(c.lines, line)
		c.has[graph.ID(lineID(line))] = true
	}
	if kind == heads || c.Size() < p.opt.Size && len(c.lines) < maxEntries {
		return nil
	}
	p.open[kind] = nil
	p.uploads.Go(func() error { return p.send(p.ctx, c) })
	return nil
}

// begin opens the next chunk.
func (p *Packer) begin() (*openChunk, error) {
	if p.next > graph.MaxChunk {
		return nil, fserrors.NoRetryError(fmt.Errorf("the point would have more than %d chunks: choose a larger --chunk-size", graph.MaxChunk))
	}
	name := chunkName(p.point, p.next)
	p.next++
	file, err := chunk.Path(name)
	if err != nil {
		return nil, err
	}
	draft, err := p.run.copier.NewDraft(p.ctx, path.Join(p.run.place.dir, file))
	if err != nil {
		return nil, err
	}
	return &openChunk{name: name, Writer: chunk.NewWriter(draft, name, p.opt.Compress), draft: draft, has: map[graph.ID]bool{}}, nil
}

// send uploads a chunk and tells the run of it.
func (p *Packer) send(ctx context.Context, c *openChunk) error {
	info, err := c.Close()
	c.Writer, c.has = nil, nil // memory that an upload need not hold
	if err != nil {
		c.draft.Discard()
		return err
	}
	if err := c.draft.Finish(ctx); err != nil {
		return err
	}
	if p.Agree != nil {
		for _, l := range c.lines {
			if err := p.Agree(l); err != nil {
				return err
			}
		}
	}
	return p.sent(ctx, info, c.lines)
}

// PackValue implements transfer.Packer.
func (p *Packer) PackValue(ctx context.Context, ref graph.Ref, src fs.Object) (head []byte, err error) {
	if fs.GetConfig(ctx).DryRun {
		return nil, p.Pack(ctx, graph.Entry{Ref: ref, Size: src.Size()}, nil)
	}
	for range max(fs.GetConfig(ctx).LowLevelRetries, 1) {
		if size := src.Size(); size >= 0 && size <= ownChunk {
			head, err = p.packSmall(ctx, ref, src)
		} else {
			head, err = p.packLarge(ctx, ref, src)
		}
		if err == nil || ctx.Err() != nil || !fserrors.IsRetryError(err) && !fserrors.ShouldRetry(err) {
			break
		}
	}
	return head, err
}

func (p *Packer) packSmall(ctx context.Context, ref graph.Ref, src fs.Object) (head []byte, err error) {
	in, err := operations.Open(ctx, src)
	if err != nil {
		return nil, err
	}
	defer fs.CheckClose(in, &err)
	data, err := io.ReadAll(io.LimitReader(in, ownChunk+1))
	if err == nil && int64(len(data)) != src.Size() {
		err = fserrors.RetryErrorf("%s has %d bytes, %d were read", ref.ID, src.Size(), len(data))
	}
	if err != nil {
		return nil, err
	}
	e := graph.Entry{Ref: ref, Size: int64(len(data)), SHA256: sha256sum(data)}
	return data[:min(len(data), transfer.ValueHead)], p.Pack(ctx, e, data)
}

// packLarge streams a value into a chunk of its own.
func (p *Packer) packLarge(ctx context.Context, ref graph.Ref, src fs.Object) (head []byte, err error) {
	p.mu.Lock()
	c, err := p.begin()
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	in, err := operations.Open(ctx, src)
	if err != nil {
		c.draft.Discard()
		return nil, err
	}
	defer fs.CheckClose(in, &err)
	first := &beginning{}
	e, err := c.AddStream(p.remote(ref.ID), graph.Entry{Ref: ref, Size: src.Size()}, io.TeeReader(in, first))
	if err == nil && src.Size() >= 0 && e.Size != src.Size() {
		err = fserrors.RetryErrorf("%s has %d bytes, %d were read", ref.ID, src.Size(), e.Size)
	}
	if err != nil {
		c.draft.Discard()
		return nil, err
	}
	c.lines = append(c.lines, graph.FormatEntry(e))
	return first.data, p.send(p.ctx, c)
}

// beginning keeps how a stream begins.
type beginning struct{ data []byte }

func (b *beginning) Write(p []byte) (int, error) {
	if room := transfer.ValueHead - len(b.data); room > 0 {
		b.data = append(b.data, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

// Close sends the chunks that are open, and waits until all were acknowledged.
// The heads go last: whoever unpacks them has what they refer to.
func (p *Packer) Close() error {
	p.mu.Lock()
	last := p.open[heads]
	p.open[heads] = nil
	for kind, c := range p.open {
		if c != nil {
			p.open[kind] = nil
			p.uploads.Go(func() error { return p.send(p.ctx, c) })
		}
	}
	p.mu.Unlock()
	err := p.uploads.Wait()
	if last == nil {
		return err
	}
	if err != nil {
		last.draft.Discard()
		return err
	}
	p.run.place.chunks.holdHeads(p.point, last.name)
	return p.send(p.all, last)
}

// Abandon drops what is open, and waits for what is being sent. It returns the
// error of an upload that failed, which is why the walk ended.
func (p *Packer) Abandon() error {
	p.mu.Lock()
	for kind, c := range p.open {
		if c != nil {
			c.draft.Discard()
		}
		p.open[kind] = nil
	}
	p.mu.Unlock()
	err := p.uploads.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
