package chunk

import (
	"archive/zip"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// Writer writes one chunk. The same entries in the same order give the same
// bytes. What has failed once fails from then on: half an entry may have been
// written. It is not safe for concurrent use. The directory, some 500 bytes for
// an entry, is in memory until Close.
type Writer struct {
	zip      *zip.Writer
	out      *output
	chunk    string
	compress bool
	encoder  *zstd.Encoder // nil until something is compressed
	packed   []byte        // the encoder's output, overwritten by the next
	at       int64         // bytes so far
	dir      int64         // bytes of the directory so far
	entries  int64
	err      error
}

// output counts and digests what goes to w.
type output struct {
	w    io.Writer
	size int64
	sum  hash.Hash
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	o.size += int64(n)
	o.sum.Write(p[:n])
	return n, err
}

// NewWriter begins the chunk "<backup>/<number>" in w. If compress is set,
// segments are compressed that become smaller by it.
func NewWriter(w io.Writer, chunk string, compress bool) *Writer {
	out := &output{w: w, sum: sha256.New()}
	_, err := Path(chunk)
	return &Writer{zip: zip.NewWriter(out), out: out, chunk: chunk, compress: compress, err: err}
}

// Size is how many bytes the chunk has so far, without its directory.
func (w *Writer) Size() int64 { return w.at }

// Add writes a segment, or another object, under its native path. It returns e
// with the place; e.Size and e.SHA256 must be those of data, and of what is no
// segment the level should be graph.Root. The error matches graph.ErrTooLarge
// where data is larger than a segment can be, or the directory would be.
func (w *Writer) Add(name string, e graph.Entry, data []byte) (graph.Entry, error) {
	switch {
	case w.err != nil:
		return e, w.err
	case e.Size != int64(len(data)) || !e.Digested():
		return e, w.fail(name, errors.New("its size and digest must be known"))
	case len(data) > store.MaxSize:
		return e, w.fail(name, graph.ErrTooLarge)
	}
	stored, err := w.pack(data)
	if err != nil {
		return e, w.fail(name, err)
	}
	h := &zip.FileHeader{
		Name: name, Method: methodStored, CreatorVersion: versionZstd, ReaderVersion: versionPlain,
		CRC32: crc32.ChecksumIEEE(data), CompressedSize64: uint64(len(stored)), UncompressedSize64: uint64(len(data)),
	}
	if len(stored) < len(data) {
		h.Method, h.ReaderVersion = methodZstd, versionZstd
	}
	return w.add(h, func(to io.Writer) (graph.Entry, error) {
		_, err := to.Write(stored)
		return e, err
	})
}

// pack compresses data if that is wanted and of use.
func (w *Writer) pack(data []byte) ([]byte, error) {
	if !w.compress {
		return data, nil
	}
	if w.encoder == nil {
		var err error
		if w.encoder, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)); err != nil {
			return nil, err
		}
	}
	w.packed = w.encoder.EncodeAll(data, w.packed[:0])
	if len(w.packed) < len(data) {
		return w.packed, nil
	}
	return data, nil
}

// AddStream writes a value of any length, as it is, and returns e with size,
// digest and place. If e.Size is not negative, or e.SHA256 is set, what is read
// must be that; otherwise the error matches graph.ErrCorrupt.
func (w *Writer) AddStream(name string, e graph.Entry, r io.Reader) (graph.Entry, error) {
	if w.err != nil {
		return e, w.err
	}
	h := &zip.FileHeader{
		Name: name, Method: methodStored, CreatorVersion: versionZstd, ReaderVersion: versionPlain, Flags: flagDescriptor,
	}
	return w.add(h, func(to io.Writer) (graph.Entry, error) {
		found, sum, crc := e, sha256.New(), crc32.NewIEEE()
		var err error
		if found.Size, err = io.Copy(io.MultiWriter(to, sum, crc), r); err != nil {
			return e, err
		}
		sum.Sum(found.SHA256[:0])
		if e.Size >= 0 && e.Size != found.Size || e.Digested() && e.SHA256 != found.SHA256 {
			return e, fmt.Errorf("the %d bytes that were read are not those expected: %w", found.Size, graph.ErrCorrupt)
		}
		describe(h, uint64(found.Size), crc.Sum32())
		return found, nil
	})
}

// describe completes the header of an entry that was begun without its size.
// The directory and the descriptor are written from it, later.
func describe(h *zip.FileHeader, size uint64, crc uint32) {
	h.CRC32, h.CompressedSize64, h.UncompressedSize64 = crc, size, size
	short := uint32(min(size, math.MaxUint32))
	h.CompressedSize, h.UncompressedSize = short, short //nolint:staticcheck // the descriptor is written from the old fields
	if size >= math.MaxUint32 {
		h.ReaderVersion = versionZip64
	}
}

// add writes an entry whose data write writes; that returns what is known of it
// then. The header must be complete by that time.
func (w *Writer) add(h *zip.FileHeader, write func(to io.Writer) (graph.Entry, error)) (graph.Entry, error) {
	name := h.Name
	if err := checkName(name); err != nil {
		return graph.Entry{}, w.fail(name, err)
	}
	if w.dir += int64(centralSize + extra64Size + len(name) + maxComment); w.dir > maxDirectory {
		return graph.Entry{}, w.fail(name, fmt.Errorf("the chunk has too many entries: %w", graph.ErrTooLarge))
	}
	to, err := w.zip.CreateRaw(h)
	if err != nil {
		return graph.Entry{}, w.fail(name, err)
	}
	e, err := write(to)
	if err != nil {
		return e, w.fail(name, err)
	}
	stored := int64(h.CompressedSize64)
	e.At = graph.Location{Chunk: w.chunk, Offset: w.at + localSize + int64(len(name)), Stored: stored}
	h.Comment = comment(e)
	w.at = e.At.Offset + stored + tailSize(h.Flags, h.CompressedSize64)
	w.entries++
	return e, nil
}

// fail makes an error the Writer's last word.
func (w *Writer) fail(name string, err error) error {
	w.err = fmt.Errorf("failed to add %s to chunk %s at offset %d: %w", name, w.chunk, w.at, err)
	return w.err
}

// Close writes the directory and returns what a manifest needs. It does not
// close what is written to.
func (w *Writer) Close() (Info, error) {
	if w.err != nil {
		return Info{}, w.err
	}
	if err := w.zip.Close(); err != nil {
		return Info{}, fmt.Errorf("failed to end chunk %s: %w", w.chunk, err)
	}
	w.err = fmt.Errorf("chunk %s has ended", w.chunk)
	info := Info{Chunk: w.chunk, Size: w.out.size, Entries: w.entries, Directory: w.at}
	w.out.sum.Sum(info.SHA256[:0])
	return info, nil
}
