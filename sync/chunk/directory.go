package chunk

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"sync/atomic"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// ReadDirectory reads the directory of a chunk whose path ([Path]) is below dir of
// f, in one request besides looking the chunk up. It returns the segments in the
// order in which they lie there, with all that a list says of them. The bytes of
// segments are not looked at.
//
// parse tells which segment lies under a native path, or that it is none, and
// returns an error for a path that no database has. What has the level
// graph.Root is none either. Names must be distinct, and so must ids. Entries
// must lie as [Writer] puts them, from the first byte to the directory, so
// that no two share a byte. Whatever is not so matches graph.ErrCorrupt; a chunk
// that is not there, graph.ErrNotFound.
func ReadDirectory(ctx context.Context, f fs.Fs, dir string, info Info, parse func(name string) (id graph.ID, segment bool, err error)) ([]graph.Entry, error) {
	c, err := newFile(f, dir, info, new(atomic.Int64))
	if err != nil {
		return nil, err
	}
	tail, err := c.tail(ctx)
	if err != nil {
		return nil, err
	}
	return c.parse(tail, parse)
}

// tail reads what lies from the directory to the end.
func (c *file) tail(ctx context.Context) ([]byte, error) {
	from, size := c.info.Directory, c.info.Size-c.info.Directory
	if from < 0 || size < endSize || size > maxDirectory {
		return nil, c.failed(from, fmt.Errorf("a directory of %d bytes: %w", size, graph.ErrCorrupt))
	}
	if err := c.there(ctx); err != nil { // before memory is taken
		return nil, err
	}
	tail := make([]byte, size)
	return tail, c.read(ctx, from, tail)
}

// parse reads a directory.
func (c *file) parse(tail []byte, parse func(string) (graph.ID, bool, error)) ([]graph.Entry, error) {
	if err := c.checkEnd(tail); err != nil {
		return nil, c.failed(c.info.Directory, err)
	}
	z, err := zip.NewReader(&tailReader{c.info.Directory, tail}, c.info.Size)
	if err == nil && int64(len(z.File)) != c.info.Entries {
		err = fmt.Errorf("it has %d entries, not %d", len(z.File), c.info.Entries)
	}
	if err != nil {
		return nil, c.failed(c.info.Directory, fmt.Errorf("bad directory: %s: %w", err.Error(), graph.ErrCorrupt))
	}
	var segments []graph.Entry
	names, ids := map[string]bool{}, map[graph.ID]bool{}
	at := int64(0)
	for _, h := range z.File {
		e, segment, err := c.entry(&h.FileHeader, at, parse)
		if err == nil && (names[h.Name] || segment && ids[e.ID]) {
			err = fmt.Errorf("it is there twice: %w", graph.ErrCorrupt)
		}
		if err != nil {
			return nil, c.failed(at, fmt.Errorf("bad entry %.120q: %w", h.Name, err))
		}
		names[h.Name] = true
		if segment {
			ids[e.ID] = true
			segments = append(segments, e)
		}
		at = e.At.Offset + e.At.Stored + tailSize(h.Flags, h.CompressedSize64)
	}
	if at != c.info.Directory {
		return nil, c.failed(at, fmt.Errorf("the entries end here, and the directory begins at %d: %w", c.info.Directory, graph.ErrCorrupt))
	}
	return segments, nil
}

// entry reads what the directory says of the entry whose local header lies at.
func (c *file) entry(h *zip.FileHeader, at int64, parse func(string) (graph.ID, bool, error)) (e graph.Entry, segment bool, err error) {
	if err := checkName(h.Name); err != nil {
		return e, false, err
	}
	id, segment, err := parse(h.Name)
	if err == nil && segment {
		err = graph.CheckName(string(id))
	}
	if err != nil {
		return e, false, err
	}
	if e, err = parseComment(h.Comment); err != nil {
		return e, false, err
	}
	segment = segment && e.Level != graph.Root
	e.ID, e.At.Chunk = id, c.info.Chunk
	if begins := at + localSize + int64(len(h.Name)); e.At.Offset != begins {
		return e, false, fmt.Errorf("its data begins at %d and not at %d, as it says: %w", begins, e.At.Offset, graph.ErrCorrupt)
	}
	room := c.info.Directory - e.At.Offset - tailSize(h.Flags, h.CompressedSize64)
	if room < 0 || h.CompressedSize64 > uint64(room) {
		return e, false, fmt.Errorf("%d bytes reach into the directory: %w", h.CompressedSize64, graph.ErrCorrupt)
	}
	e.At.Stored, e.Size = int64(h.CompressedSize64), int64(min(h.UncompressedSize64, math.MaxInt64))
	return e, segment, checkMethod(h, e.Level)
}

// checkMethod refuses what [Writer] does not write.
func checkMethod(h *zip.FileHeader, level graph.Level) error {
	packed := h.Method == methodZstd && h.CompressedSize64 < h.UncompressedSize64 && h.Flags == 0
	plain := h.Method == methodStored && h.CompressedSize64 == h.UncompressedSize64 && h.Flags&^flagDescriptor == 0
	switch {
	case !packed && !plain:
		return fmt.Errorf("method %d, flags %#x, %d bytes in %d: %w",
			h.Method, h.Flags, h.UncompressedSize64, h.CompressedSize64, graph.ErrCorrupt)
	case h.UncompressedSize64 > store.MaxSize && (packed || level != graph.Value):
		return fmt.Errorf("%d bytes are more than a segment has: %w", h.UncompressedSize64, graph.ErrCorrupt)
	}
	return nil
}

// end is how a ZIP file ends: the record of 32 bits, or that of 64 bits which
// stands before it where the former has no room.
type end struct{ entries, size, offset uint64 }

// checkEnd compares the end with what is known of the chunk. archive/zip takes
// memory for as many entries as the end says.
func (c *file) checkEnd(tail []byte) error {
	record, le := tail[len(tail)-endSize:], binary.LittleEndian
	e := end{uint64(le.Uint16(record[10:])), uint64(le.Uint32(record[12:])), uint64(le.Uint32(record[16:]))}
	ends := endSize
	sound := bytes.HasPrefix(record, []byte("PK\x05\x06\x00\x00\x00\x00")) && le.Uint16(record[8:]) == le.Uint16(record[10:]) && le.Uint16(record[20:]) == 0
	if e.entries == math.MaxUint16 || e.size == math.MaxUint32 || e.offset == math.MaxUint32 {
		ends += locator64Size + end64Size
		if len(tail) < ends {
			return fmt.Errorf("the end of the directory is not there: %w", graph.ErrCorrupt)
		}
		record := tail[len(tail)-ends:]
		locator := record[end64Size:]
		e = end{le.Uint64(record[32:]), le.Uint64(record[40:]), le.Uint64(record[48:])}
		sound = sound && bytes.HasPrefix(record, []byte("PK\x06\x06")) && bytes.HasPrefix(locator, []byte("PK\x06\x07")) &&
			le.Uint64(locator[8:]) == uint64(c.info.Size-int64(ends))
	}
	known := end{uint64(c.info.Entries), uint64(len(tail) - ends), uint64(c.info.Directory)}
	if !sound || e != known || known.entries > known.size/centralSize {
		return fmt.Errorf("the directory ends as one with %d entries, %d bytes from %d on, not %d, %d, %d: %w",
			e.entries, e.size, e.offset, known.entries, known.size, known.offset, graph.ErrCorrupt)
	}
	return nil
}

// tailReader is a chunk of which the directory alone is there: archive/zip looks
// for the directory's end as far back as a file reaches, and finds zeros.
type tailReader struct {
	from int64
	tail []byte
}

// ReadAt implements io.ReaderAt.
func (t *tailReader) ReadAt(p []byte, off int64) (int, error) {
	hole := min(max(t.from-off, 0), int64(len(p)))
	clear(p[:hole])
	n := hole
	if at := off + hole - t.from; at < int64(len(t.tail)) {
		n += int64(copy(p[hole:], t.tail[at:]))
	}
	if n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}
