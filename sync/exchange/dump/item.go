package dump

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

const (
	// maxRecord bounds a record, in bytes of its CBOR.
	maxRecord = 64 << 20
	// copies bounds how often a record is copied: the library copies a part once
	// for each array, map and tag that it is in.
	copies = 3
	// maxItems bounds how many values a record has, which take 24 bytes or more
	// where CBOR takes one.
	maxItems = 1 << 20
)

// decoding fails for options that are out of range only, which these are not.
var decoding, _ = cbor.DecOptions{
	DupMapKey:        cbor.DupMapKeyEnforcedAPF,
	MaxNestedLevels:  maxDepth + 2, // the record's, and a decimal's
	MaxArrayElements: maxItems,
	MaxMapPairs:      maxItems,
	IndefLength:      cbor.IndefLengthForbidden,
	IntDec:           cbor.IntDecConvertSignedOrBigInt,
	BigIntDec:        cbor.BigIntDecodePointer,
}.DecMode()

// items reads a sequence of records. The library reads what CBOR is; what it
// would make one of, such as floats of 32 and of 64 bits, is told apart here by
// the first byte.
type items struct {
	in    *bounded
	dec   *cbor.Decoder
	at    int64 // where the record begins
	raw   cbor.RawMessage
	parts []cbor.RawMessage
	max   int64 // bytes of a record
	// count and copied are the values and the bytes of the record that were read
	// so far, what is in others again.
	count  int
	copied int64
	// names are the keywords that were met, by their CBOR.
	names map[string]any
}

func newItems(in io.Reader) *items {
	b := &bounded{in: in}
	return &items{in: b, dec: decoding.NewDecoder(b), max: maxRecord, names: map[string]any{}}
}

// bounded ends records that are too long. It fills the buffers that it is
// given: the library looks at a record from its start whenever there is more of
// it, and asks for twice as much each time.
type bounded struct {
	in     io.Reader
	n, max int64
	err    error
}

func (b *bounded) Read(p []byte) (n int, err error) {
	if b.n > b.max {
		return 0, graph.ErrTooLarge
	}
	for n < len(p) && b.err == nil {
		var more int
		more, b.err = b.in.Read(p[n:])
		n += more
	}
	b.n += int64(n)
	return n, b.err
}

func (r *items) fail(kind error, format string, args ...any) error {
	return fmt.Errorf("offset %d: %w: %s", r.at, kind, fmt.Sprintf(format, args...))
}

// next reads a record into raw; io.EOF says that there is none.
func (r *items) next() error {
	if cap(r.raw) > 1<<20 { // after an uncommonly long record
		r.raw, r.parts = nil, nil
	}
	r.at, r.count, r.copied = int64(r.dec.NumBytesRead()), 0, 0
	r.in.max = r.at + r.max
	err := r.dec.Decode(&r.raw)
	switch {
	case err == nil || err == io.EOF: //nolint:errorlint // wrapped, it is another file's end
		return err
	case errors.Is(err, graph.ErrTooLarge):
		return r.fail(graph.ErrTooLarge, "a record of more than %d bytes", r.max)
	case r.in.err != nil && r.in.err != io.EOF && errors.Is(err, r.in.err): //nolint:errorlint // as above
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return r.fail(graph.ErrCorrupt, "the file ends within a record")
	}
	return r.refuse(err)
}

// refuse says what the library finds wrong with a record.
func (r *items) refuse(err error) error {
	kind := graph.ErrCorrupt
	switch err.(type) { //nolint:errorlint // the library wraps none
	case *cbor.MaxNestedLevelError, *cbor.MaxArrayElementsError, *cbor.MaxMapPairsError:
		kind = graph.ErrTooLarge
	case *cbor.IndefiniteLengthError, *cbor.InadmissibleTagContentTypeError:
		kind = graph.ErrUnsupported
	}
	return r.fail(kind, "%v", err)
}

// decode reads an item of the record.
func (r *items) decode(raw cbor.RawMessage, v any) error {
	if r.copied += int64(len(raw)); r.copied > copies*r.max {
		return r.fail(graph.ErrTooLarge, "a record whose parts nest too much")
	}
	if err := decoding.Unmarshal(raw, v); err != nil {
		return r.refuse(err)
	}
	return nil
}

// allow bounds how many values there are.
func (r *items) allow(more int) error {
	if r.count += more; r.count > maxItems {
		return r.fail(graph.ErrTooLarge, "a record of more than %d values", maxItems)
	}
	return nil
}

// record reads the parts of the record.
func (r *items) record() (values [5]any, err error) {
	if r.raw[0]&majorMask != majorArray { // the library would look behind tags
		return values, r.fail(graph.ErrCorrupt, "a record that is no array")
	}
	if err := r.decode(r.raw, &r.parts); err != nil {
		return values, err
	}
	if len(r.parts) != len(values) {
		return values, r.fail(graph.ErrCorrupt, "a record of %d parts, and not five", len(r.parts))
	}
	for i, raw := range r.parts {
		if values[i], err = r.value(raw); err != nil {
			return values, err
		}
	}
	return values, nil
}

// value reads a value.
func (r *items) value(raw cbor.RawMessage) (any, error) {
	switch raw[0] & majorMask {
	case majorArray:
		return r.array(raw)
	case majorMap:
		return r.mapOf(raw)
	case majorTag:
		return r.tagged(raw)
	case majorOther:
		return r.other(raw)
	}
	var v any
	err := r.decode(raw, &v)
	return v, err
}

// other tells apart what the library would make one of: null and undefined, and
// floats of 16, 32 and 64 bits.
func (r *items) other(raw cbor.RawMessage) (any, error) {
	switch raw[0] {
	case itemFalse, itemTrue:
		return raw[0] == itemTrue, nil
	case itemNull:
		return nil, nil
	case itemFloat:
		return math.Float32frombits(binary.BigEndian.Uint32(raw[1:])), nil
	case itemWide:
		return math.Float64frombits(binary.BigEndian.Uint64(raw[1:])), nil
	}
	return nil, r.fail(graph.ErrUnsupported, "the simple value or half float %#x", raw[0])
}

func (r *items) array(raw cbor.RawMessage) (fressian.Vector, error) {
	var items []cbor.RawMessage
	if err := r.decode(raw, &items); err != nil {
		return nil, err
	}
	if err := r.allow(len(items)); err != nil {
		return nil, err
	}
	v := make(fressian.Vector, len(items))
	for i, item := range items {
		var err error
		if v[i], err = r.value(item); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// mapOf reads a map in the order of the bytes of its keys.
func (r *items) mapOf(raw cbor.RawMessage) (fressian.Map, error) {
	var items map[encoded]cbor.RawMessage
	if err := r.decode(raw, &items); err != nil {
		return nil, err
	}
	if err := r.allow(2 * len(items)); err != nil {
		return nil, err
	}
	m := make(fressian.Map, 0, len(items))
	for _, key := range slices.Sorted(maps.Keys(items)) {
		k, err := r.value(cbor.RawMessage(key))
		if err != nil {
			return nil, err
		}
		v, err := r.value(items[key])
		if err != nil {
			return nil, err
		}
		m = append(m, fressian.Entry{Key: k, Value: v})
	}
	return m, nil
}

// encoded is an item as a key of a map.
type encoded string

// UnmarshalCBOR implements cbor.Unmarshaler.
func (e *encoded) UnmarshalCBOR(b []byte) error {
	*e = encoded(b)
	return nil
}
