package dump

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"unicode/utf8"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// maxRecord bounds the memory that one record takes, in bytes of its CBOR.
const maxRecord = 256 << 20

// maxItems bounds how many values a record has, which take 16 bytes or more
// where CBOR takes one.
const maxItems = 1 << 20

// items reads a sequence of CBOR items.
type items struct {
	in  io.Reader
	off int64 // of the first byte of buf
	buf []byte
	pos int // how much of buf is read
	eof bool
	n   int // values since begin
	// names are the keywords that were met, by their texts.
	names map[string]any
}

func newItems(in io.Reader) *items {
	return &items{in: in, buf: make([]byte, 0, 1<<16), names: map[string]any{}}
}

func (r *items) fail(kind error, format string, args ...any) error {
	return fmt.Errorf("offset %d: %w: %s", r.off+int64(r.pos), kind, fmt.Sprintf(format, args...))
}

// begin forgets what was read before, and tells whether there is more.
func (r *items) begin() (bool, error) {
	r.off += int64(r.pos)
	r.buf = r.buf[:copy(r.buf, r.buf[r.pos:])]
	r.pos, r.n = 0, 0
	if cap(r.buf) > 4<<20 && len(r.buf) < 1<<16 { // after an uncommonly long record
		r.buf = append(make([]byte, 0, 1<<16), r.buf...)
	}
	if len(r.buf) > 0 {
		return true, nil
	}
	err := r.fill()
	return len(r.buf) > 0, err
}

// fill reads on. Memory grows as bytes come, whatever lengths are promised.
func (r *items) fill() error {
	if r.eof {
		return nil
	}
	if len(r.buf) == cap(r.buf) {
		r.buf = append(make([]byte, 0, 2*cap(r.buf)), r.buf...)
	}
	for {
		n, err := r.in.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		if errors.Is(err, io.EOF) {
			r.eof = true
			return nil
		}
		if err != nil || n > 0 {
			return err
		}
	}
}

// next returns the next n bytes, which are valid until begin.
func (r *items) next(n uint64) ([]byte, error) {
	for uint64(len(r.buf)-r.pos) < n {
		if n > maxRecord || len(r.buf) > maxRecord {
			return nil, r.fail(graph.ErrTooLarge, "a record of more than %d bytes", maxRecord)
		}
		if r.eof {
			return nil, r.fail(graph.ErrCorrupt, "the file ends within a record")
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	b := r.buf[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return b, nil
}

// head reads an item's type, the low bits of its first byte, and its number.
func (r *items) head() (major, low byte, n uint64, err error) {
	b, err := r.next(1)
	if err != nil {
		return 0, 0, 0, err
	}
	major, low = b[0]&0xe0, b[0]&0x1f
	if low < 24 {
		return major, low, uint64(low), nil
	}
	if low > 27 {
		return 0, 0, 0, r.fail(graph.ErrUnsupported, "an item that begins with %#x", b[0])
	}
	size := 1 << (low - 24)
	if b, err = r.next(uint64(size)); err != nil {
		return 0, 0, 0, err
	}
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return major, low, n, nil
}

// value reads a value.
func (r *items) value(depth int) (any, error) {
	if r.n++; depth > maxDepth || r.n > maxItems {
		return nil, r.fail(graph.ErrTooLarge, "more than %d values, or nested deeper than %d", maxItems, maxDepth)
	}
	major, low, n, err := r.head()
	if err != nil {
		return nil, err
	}
	switch major {
	case majorUint, majorNeg:
		return integer(major, n), nil
	case majorBytes:
		b, err := r.next(n)
		return bytes.Clone(b), err
	case majorText:
		b, err := r.text(n)
		return string(b), err
	case majorArray:
		return r.array(n, depth)
	case majorMap:
		return r.mapOf(n, depth)
	case majorTag:
		return r.tagged(n, depth)
	}
	return r.other(low, n)
}

func integer(major byte, n uint64) any {
	switch {
	case n > math.MaxInt64 && major == majorUint:
		return new(big.Int).SetUint64(n)
	case n > math.MaxInt64:
		return new(big.Int).Not(new(big.Int).SetUint64(n))
	case major == majorUint:
		return int64(n)
	}
	return -1 - int64(n)
}

// text is valid until begin.
func (r *items) text(n uint64) ([]byte, error) {
	b, err := r.next(n)
	if err == nil && !utf8.Valid(b) {
		err = r.fail(graph.ErrCorrupt, "a text that is no UTF-8")
	}
	return b, err
}

func (r *items) array(n uint64, depth int) (fressian.Vector, error) {
	v := make(fressian.Vector, 0, min(n, 16))
	for range n {
		item, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		v = append(v, item)
	}
	return v, nil
}

func (r *items) mapOf(n uint64, depth int) (fressian.Map, error) {
	m := make(fressian.Map, 0, min(n, 16))
	for range n {
		key, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		m = append(m, fressian.Entry{Key: key, Value: v})
	}
	return m, nil
}

func (r *items) other(low byte, n uint64) (any, error) {
	switch majorOther | low {
	case itemFalse:
		return false, nil
	case itemTrue:
		return true, nil
	case itemNull:
		return nil, nil
	case itemFloat:
		return math.Float32frombits(uint32(n)), nil
	case itemWide:
		return math.Float64frombits(n), nil
	}
	return nil, r.fail(graph.ErrUnsupported, "the simple value or half float %#x", majorOther|low)
}

// floats32 makes numbers of little-endian bytes.
func floats32(b []byte) []float32 {
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}

// floats64 is floats32 of the wide ones.
func floats64(b []byte) []float64 {
	v := make([]float64, len(b)/8)
	for i := range v {
		v[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return v
}
