package datacamp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/gunzip"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

const (
	// maxFile bounds a chunk's file and maxRaw what it unpacks to, in bytes: a
	// chunk is read in memory. datacamp puts 671,088 datoms into one, which are
	// some 20 MB unless their values are long.
	maxFile = 256 << 20
	maxRaw  = 512 << 20
)

// cborMap is the major type of CBOR's maps; no value of Fressian that is a chunk
// begins with its bits. datacamp can write chunks so, whose doubles are maps.
const cborMap = 5

// Open opens a file of a backup; one that is not there matches
// graph.ErrNotFound.
type Open func(ctx context.Context, path string) (io.ReadCloser, error)

// Reader reads chunks, one after another in the same memory. It is not safe for
// concurrent use.
type Reader struct {
	Open Open

	unzip gunzip.Decoder
	file  []byte
	r     fressian.Reader
}

// Chunk calls fn with the datoms of a chunk, and checks that it is as the
// manifest says: before the first datom its size, its checksum and its form,
// the counts and the ranges at the end. The errors name the file, and offsets in
// what it unpacks to; they match graph.ErrCorrupt, ErrNotFound, ErrUnsupported
// or ErrTooLarge. An error of fn is returned as it is.
func (r *Reader) Chunk(ctx context.Context, c Chunk, fn func(datom.Datom) error) error {
	raw, err := r.unpack(ctx, c)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Path, err)
	}
	var failed error // of fn
	var s stats
	err = r.datoms(raw, c.ID, func(d datom.Datom) error {
		s.add(d.E, d.Tx)
		failed = fn(d)
		return failed
	})
	if failed != nil {
		return failed
	}
	if err == nil {
		err = c.check(s)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.Path, err)
	}
	return nil
}

// unpack reads a chunk's file.
func (r *Reader) unpack(ctx context.Context, c Chunk) (raw []byte, err error) {
	if c.Size > maxFile {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", graph.ErrTooLarge, c.Size, maxFile)
	}
	in, err := r.Open(ctx, c.Path)
	if err != nil {
		return nil, err
	}
	r.file, err = readAll(r.file[:0], in, c.Size+1)
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, err
	}
	if n := int64(len(r.file)); n != c.Size {
		what := "it has %d bytes, and the manifest states %d"
		if n > c.Size {
			what = "it has %d bytes or more, and the manifest states %d"
		}
		return nil, fmt.Errorf("%w: "+what, graph.ErrCorrupt, n, c.Size)
	}
	if sum := sha256.Sum256(r.file); hex.EncodeToString(sum[:]) != c.SHA256 {
		return nil, fmt.Errorf("%w: its SHA-256 is %x, and the manifest states %s", graph.ErrCorrupt, sum, c.SHA256)
	}
	raw, err = r.unzip.Decode(r.file, maxRaw)
	if errors.Is(err, gunzip.ErrTooLarge) {
		return nil, fmt.Errorf("%w: %w", graph.ErrTooLarge, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", graph.ErrCorrupt, err)
	}
	return raw, nil
}

// readAll appends what comes from in, at most limit bytes.
func readAll(dst []byte, in io.Reader, limit int64) ([]byte, error) {
	in = io.LimitReader(in, limit)
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := in.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if errors.Is(err, io.EOF) {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}

// datoms calls fn with the datoms of a chunk that is unpacked.
func (r *Reader) datoms(raw []byte, id int64, fn func(datom.Datom) error) error {
	if len(raw) > 0 && raw[0]>>5 == cborMap {
		return fmt.Errorf("%w: a chunk of CBOR: make the backup again with datacamp's other serialization, Fressian", graph.ErrUnsupported)
	}
	if err := fressian.Scan(raw); err != nil {
		return fmt.Errorf("%w: unpacked, %w", graph.ErrCorrupt, err)
	}
	if err := r.header(raw, id); err != nil {
		return err
	}
	r.r.Reset(raw)
	err := r.r.ReadMap(func(key any) error {
		if key != any(keyword("datoms")) {
			return r.r.Skip()
		}
		return r.r.ReadList(func(i int) error {
			at := r.r.Offset()
			v, err := r.r.Read()
			if err != nil {
				return fmt.Errorf("datom %d: %w", i, err)
			}
			d, ok := parseDatom(v)
			if !ok {
				return fmt.Errorf("%w: datom %d, at offset %d unpacked, is no list of entity, attribute, value, transaction and whether it was added", graph.ErrCorrupt, i, at)
			}
			return fn(d)
		})
	})
	if errors.Is(err, fressian.ErrMalformed) {
		return fmt.Errorf("%w: unpacked, %w", graph.ErrCorrupt, err)
	}
	return err
}

// header checks what a chunk says of itself.
func (r *Reader) header(raw []byte, id int64) error {
	h := map[string]any{}
	r.r.Reset(raw)
	err := r.r.ReadMap(func(key any) error {
		k, _ := key.(fressian.Keyword)
		full := k.NS + "/" + k.Name
		if _, twice := h[full]; twice {
			return fmt.Errorf("it has :%s twice", full)
		}
		if full == "/datoms" {
			h[full] = true
			return r.r.Skip()
		}
		v, err := r.r.Read()
		h[full] = v
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: unpacked, %w", graph.ErrCorrupt, err)
	}
	return checkHeader(h, id)
}

// checkHeader checks a chunk's fields, by their names; that of /datoms is not
// looked at.
func checkHeader(h map[string]any, id int64) error {
	switch {
	case h["format/type"] != any(keyword("datom-chunk")):
		return fmt.Errorf("%w: it is no chunk of datoms", graph.ErrCorrupt)
	case h["format/version"] != any(version):
		return fmt.Errorf("%w: a chunk of version %v", graph.ErrUnsupported, h["format/version"])
	case h["chunk/id"] != any(id):
		return fmt.Errorf("%w: it has the id %v", graph.ErrCorrupt, h["chunk/id"])
	case h["/datoms"] == nil:
		return fmt.Errorf("%w: it has no :datoms", graph.ErrCorrupt)
	}
	return nil
}

// parseDatom takes a row apart.
func parseDatom(v any) (d datom.Datom, ok bool) {
	row, ok := v.([]any)
	if vector, is := v.(fressian.Vector); is {
		row, ok = vector, true
	}
	if !ok || len(row) != 5 {
		return d, false
	}
	d.A, d.V = row[1], vectors(row[2])
	switch d.A.(type) {
	case fressian.Keyword, int64, string:
	default:
		return d, false
	}
	var e, tx, added bool
	d.E, e = row[0].(int64)
	d.Tx, tx = row[3].(int64)
	d.Added, added = row[4].(bool)
	return d, e && tx && added
}

// vectors makes vectors of lists: a chunk does not tell them apart, and values
// are tuples far more often than lists, which only databases without a schema
// can have.
func vectors(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = vectors(v[i])
		}
		return fressian.Vector(v)
	case fressian.Set:
		for i := range v {
			v[i] = vectors(v[i])
		}
	case fressian.Map:
		for i := range v {
			v[i] = fressian.Entry{Key: vectors(v[i].Key), Value: vectors(v[i].Value)}
		}
	}
	return v
}

// check holds what was read against the manifest.
func (c *Chunk) check(s stats) error {
	if s.Datoms != c.Datoms {
		return fmt.Errorf("%w: it has %d datoms, and the manifest states %d", graph.ErrCorrupt, s.Datoms, c.Datoms)
	}
	if s.MinTx != c.MinTx || s.MaxTx != c.MaxTx {
		return fmt.Errorf("%w: its transactions are %d to %d, and the manifest states %d to %d", graph.ErrCorrupt, s.MinTx, s.MaxTx, c.MinTx, c.MaxTx)
	}
	if s.MaxE != c.MaxE {
		return fmt.Errorf("%w: its largest entity is %d, and the manifest states %d", graph.ErrCorrupt, s.MaxE, c.MaxE)
	}
	return nil
}
