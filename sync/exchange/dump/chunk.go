package dump

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/gzip"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// maxRawBytes bounds a chunk of whose size the manifest says nothing.
const maxRawBytes = 1 << 30

// chunkReader reads the records of a chunk, and checks them against what the
// manifest says of it.
type chunkReader struct {
	chunk  Chunk
	idents map[fressian.Keyword]int64 // of what SysRefs name
	items  *items
	file   *counted
	raw    *counted
	sum    hash.Hash
	digest Digest
}

// counted counts and bounds what is read.
type counted struct {
	in   io.Reader
	n    int64
	max  int64
	what string
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	if c.n += int64(n); c.n > c.max {
		return 0, fmt.Errorf("%w: %s are more than the %d bytes of the manifest", graph.ErrCorrupt, c.what, c.max)
	}
	return n, err
}

// openChunk reads a file from its start.
func openChunk(c Chunk, idents map[fressian.Keyword]int64, compressed bool, in io.Reader) (*chunkReader, error) {
	bound := func(n int64, other int64) int64 {
		if n == 0 {
			return other
		}
		return n
	}
	r := &chunkReader{chunk: c, idents: idents, sum: sha256.New()}
	r.file = &counted{in: in, max: bound(c.Bytes, maxRawBytes), what: "the file's contents"}
	r.raw = &counted{in: r.file, max: bound(c.RawBytes, maxRawBytes), what: "the records"}
	if compressed {
		z, err := gzip.NewReader(bufio.NewReaderSize(r.file, 1<<16))
		if err != nil {
			return nil, r.wrap(err)
		}
		r.raw.in = z
	}
	r.items = newItems(io.TeeReader(r.raw, r.sum))
	return r, nil
}

// wrap names the chunk, and what gzip says of its bytes.
func (r *chunkReader) wrap(err error) error {
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: offset %d of the file: %v", graph.ErrCorrupt, r.file.n, err) //nolint:errorlint // an early end would look worth a retry
	}
	return fmt.Errorf("%s: %w", r.chunk.File, err)
}

// next reads a record; io.EOF says that all were read and are what they should
// be.
func (r *chunkReader) next() (datom.Datom, error) {
	err := r.items.next()
	if err == io.EOF { //nolint:errorlint // wrapped, it is another file's end
		if err := r.check(); err != nil {
			return datom.Datom{}, r.wrap(err)
		}
		return datom.Datom{}, io.EOF
	}
	if err != nil {
		return datom.Datom{}, r.wrap(err)
	}
	d, err := r.record()
	if err != nil {
		return datom.Datom{}, r.wrap(err)
	}
	r.digest.Add(r.items.raw)
	return d, nil
}

func (r *chunkReader) record() (d datom.Datom, err error) {
	parts, err := r.items.record()
	if err != nil {
		return d, err
	}
	var ok [4]bool
	d.E, ok[0] = parts[0].(int64)
	d.A, ok[1] = parts[1].(fressian.Keyword)
	d.Tx, ok[2] = parts[3].(int64)
	d.Added, ok[3] = parts[4].(bool)
	if ok != [4]bool{true, true, true, true} || d.E < 0 || d.Tx < tx0 || parts[2] == nil {
		return d, r.items.fail(graph.ErrCorrupt, "no datom: [%v %v %v %v %v]", parts[0], parts[1], short(parts[2]), parts[3], parts[4])
	}
	if d.V, err = r.resolve(parts[2]); err != nil {
		return d, err
	}
	return d, nil
}

// short is a value as an error shows it.
func short(v any) string { return fmt.Sprintf("%.60v", v) }

// resolve gives references to what Datahike defines the numbers that they had.
func (r *chunkReader) resolve(v any) (any, error) {
	ref, ok := v.(SysRef)
	if !ok {
		return v, nil
	}
	id, ok := r.idents[ref.Ident]
	if !ok {
		return nil, r.items.fail(graph.ErrCorrupt, "a reference to %v, which :system-idents has not", ref.Ident)
	}
	return id, nil
}

// check compares what was read.
func (r *chunkReader) check() error {
	c := r.chunk
	switch sum := hex.EncodeToString(r.sum.Sum(nil)); {
	case r.digest.Count != c.Count:
		return fmt.Errorf("%w: it has %d records, and the manifest says %d", graph.ErrCorrupt, r.digest.Count, c.Count)
	case c.RawBytes != 0 && r.raw.n != c.RawBytes:
		return fmt.Errorf("%w: its records take %d bytes, and the manifest says %d", graph.ErrCorrupt, r.raw.n, c.RawBytes)
	case sum != c.SHA256:
		return fmt.Errorf("%w: the SHA-256 of its records is %s, and the manifest says %s", graph.ErrCorrupt, sum, c.SHA256)
	}
	return nil
}
