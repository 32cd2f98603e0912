package chunk

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// Chunks up to smallChunk are read whole when the first segment of them is asked
// for by itself; others are read ahead of from the hotHits-th time on: whole up
// to wholeChunk, else in aligned windows.
const (
	smallChunk = 8 << 20
	wholeChunk = 16 << 20
	window     = 1 << 20
	hotHits    = 16
	cacheSize  = 64 << 20
)

// Segments reads segments that lie in chunks. It may be used from many
// goroutines. It holds up to 64 MiB of chunks in memory, for those who ask for
// one segment after the other.
type Segments struct {
	f      fs.Fs
	find   func(graph.ID) (string, bool, error)
	chunks map[string]*file
	names  []string // of the chunks, sorted
	remote func(graph.ID) string
	reads  atomic.Int64
	pages  *cache
	unzstd func() (*zstd.Decoder, error)
}

// NewSegments returns the segments in the chunks that infos names, by chunk,
// whose paths ([Path]) are below dir of f. find returns the line of a list that
// has the segment and its place; without it only [Segments.Each] and
// [Segments.ObjectAt] find anything. remote is a segment's native path.
func NewSegments(f fs.Fs, dir string, find func(id graph.ID) (line string, ok bool, err error), infos map[string]Info, remote func(graph.ID) string) *Segments {
	s := &Segments{f: f, find: find, remote: remote, chunks: map[string]*file{}, pages: newCache(cacheSize)}
	for name, info := range infos {
		info.Chunk = name
		if c, err := newFile(f, dir, info, &s.reads); err == nil { // of others, every use says that they are not known
			s.chunks[name] = c
			s.names = append(s.names, name)
		}
	}
	slices.Sort(s.names)
	s.unzstd = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(store.MaxSize),
			zstd.WithDecodeAllCapLimit(true))
	})
	return s
}

// Fs is the remote on which the chunks lie.
func (s *Segments) Fs() fs.Fs { return s.f }

// String names the place, for messages.
func (s *Segments) String() string { return "chunks in " + fs.ConfigString(s.f) }

// Remote is a segment's native path, which no object has.
func (s *Segments) Remote(id graph.ID) string { return s.remote(id) }

// Reads is the number of requests that were made.
func (s *Segments) Reads() int64 { return s.reads.Load() }

// Get reads a whole segment. The error matches graph.ErrNotFound where no list
// has it or the chunk is gone, graph.ErrTooLarge beyond store.MaxSize, and
// graph.ErrCorrupt where the list or the chunk cannot be right. That the bytes
// have their digest is not looked at.
func (s *Segments) Get(ctx context.Context, id graph.ID) ([]byte, error) {
	return s.GetInto(ctx, id, nil)
}

// GetInto is Get into the memory of buf, as far as that reaches.
func (s *Segments) GetInto(ctx context.Context, id graph.ID, buf []byte) ([]byte, error) {
	e, c, err := s.locate(id)
	if err != nil {
		return nil, err
	}
	return s.get(ctx, e, c, buf)
}

func (s *Segments) get(ctx context.Context, e graph.Entry, c *file, buf []byte) ([]byte, error) {
	if e.Size > store.MaxSize {
		return nil, c.failed(e.At.Offset, fmt.Errorf("%s has %d bytes: %w", e.ID, e.Size, graph.ErrTooLarge))
	}
	if e.At.Stored == e.Size {
		return s.stored(ctx, c, e.At, buf)
	}
	packed, err := s.stored(ctx, c, e.At, nil)
	if err != nil {
		return nil, err
	}
	return s.unpack(e, c, packed, buf)
}

// stored reads what lies in the chunk.
func (s *Segments) stored(ctx context.Context, c *file, at graph.Location, buf []byte) ([]byte, error) {
	if err := c.there(ctx); err != nil { // before memory is taken
		return nil, err
	}
	buf = slices.Grow(buf[:0], int(at.Stored))
	page, hot := c.info.Size, c.info.Size <= smallChunk || c.hits.Add(1) >= hotHits
	if page > wholeChunk {
		page = window
	}
	if hot && at.Stored <= page {
		data, err := s.paged(ctx, c, at, page, buf)
		if err == nil || ctx.Err() != nil {
			return data, err
		}
		// Something else on the page may be what cannot be read.
	}
	buf = buf[:at.Stored]
	return buf, c.read(ctx, at.Offset, buf)
}

// paged appends to buf what lies at a place, from pages of so many bytes.
func (s *Segments) paged(ctx context.Context, c *file, at graph.Location, page int64, buf []byte) ([]byte, error) {
	for end := at.Offset + at.Stored; at.Offset < end; {
		from := at.Offset / page * page
		data, err := s.pages.get(ctx, c, from, min(page, c.info.Size-from))
		if err != nil {
			return nil, err
		}
		part := data[at.Offset-from : min(end-from, int64(len(data)))]
		buf = append(buf, part...)
		at.Offset += int64(len(part))
	}
	return buf, nil
}

// unpack decompresses a segment, which must have the size that is expected.
func (s *Segments) unpack(e graph.Entry, c *file, packed, buf []byte) ([]byte, error) {
	d, err := s.unzstd()
	if err != nil {
		return nil, err
	}
	buf = slices.Grow(buf[:0], int(e.Size))
	data, err := d.DecodeAll(packed, buf[:0:e.Size])
	if err == nil && int64(len(data)) != e.Size {
		err = fmt.Errorf("%d bytes, not %d", len(data), e.Size)
	}
	if err != nil {
		return nil, c.failed(e.At.Offset, fmt.Errorf("%s cannot be decompressed: %s: %w", e.ID, err.Error(), graph.ErrCorrupt))
	}
	return data, nil
}

// locate finds the place that the list has for a segment.
func (s *Segments) locate(id graph.ID) (graph.Entry, *file, error) {
	var line string
	var ok bool
	var err error
	if s.find != nil {
		line, ok, err = s.find(id)
	}
	if err != nil {
		return graph.Entry{}, nil, err
	}
	if !ok {
		return graph.Entry{}, nil, fmt.Errorf("%s: %w", id, graph.ErrNotFound)
	}
	e, err := graph.ParseEntry(line)
	if err == nil && e.ID != id {
		err = fmt.Errorf("the list has %s in place of %s: %w", e.ID, id, graph.ErrCorrupt)
	}
	if err != nil {
		return e, nil, err
	}
	c, err := s.place(e)
	return e, c, err
}

// place checks an entry's place and returns the chunk.
func (s *Segments) place(e graph.Entry) (*file, error) {
	c := s.chunks[e.At.Chunk]
	if c == nil {
		return nil, fmt.Errorf("%s lies in chunk %q, offset %d, and there is no such chunk: %w", e.ID, e.At.Chunk, e.At.Offset, graph.ErrCorrupt)
	}
	in := e.At.Offset >= 0 && e.At.Stored >= 0 && e.At.Offset <= c.info.Size && e.At.Stored <= c.info.Size-e.At.Offset
	bounded := e.Size <= store.MaxSize || e.Level == graph.Value && e.Size == e.At.Stored
	if !in || e.At.Stored > e.Size || !bounded {
		return nil, c.failed(e.At.Offset, fmt.Errorf("%s has %d bytes, stored in %d of the chunk's %d: %w",
			e.ID, e.Size, e.At.Stored, c.info.Size, graph.ErrCorrupt))
	}
	return c, nil
}

// Size is a segment's size as the list has it. The chunk must be there.
func (s *Segments) Size(ctx context.Context, id graph.ID) (int64, error) {
	e, c, err := s.locate(id)
	if err != nil {
		return 0, err
	}
	return e.Size, c.there(ctx)
}

// Sum reads a segment or a value of any length for its size and SHA-256.
func (s *Segments) Sum(ctx context.Context, id graph.ID) (size int64, sum [sha256.Size]byte, err error) {
	e, c, err := s.locate(id)
	if err != nil {
		return 0, sum, err
	}
	o, err := s.ObjectAt(ctx, e)
	if err != nil {
		return 0, sum, err
	}
	size, sum, err = store.SumOf(ctx, o)
	return size, sum, c.failed(e.At.Offset, err)
}

var _ store.Segments = (*Segments)(nil)
