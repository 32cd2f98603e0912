package dump

import (
	"encoding/binary"
	"math"
	"math/big"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// maxSeconds bounds the instants of tag 1: milliseconds of more do not fit.
const maxSeconds = math.MaxInt64 / 1000

// longName is the CBOR of what is no common name.
const longName = 1024

// tagged reads an item with a tag.
func (r *items) tagged(raw cbor.RawMessage) (any, error) {
	if len(raw) <= longName {
		if v, ok := r.names[string(raw)]; ok {
			return v, nil
		}
	}
	var tag cbor.RawTag
	if err := r.decode(raw, &tag); err != nil {
		return nil, err
	}
	v, err := r.value(tag.Content)
	if err != nil {
		return nil, err
	}
	var ok bool
	switch tag.Number {
	case tagInstant:
		v, ok = instant(v)
	case tagEpoch:
		v, ok = epoch(v)
	case tagBig, tagNegBig:
		n := new(big.Int)
		return n, r.decode(raw, n)
	case tagDecimal:
		v, ok = decimal(v)
	case tagURI:
		var s string
		s, ok = v.(string)
		v = fressian.URI(s)
	case tagUUID:
		b, _ := v.([]byte)
		if ok = len(b) == 16; ok {
			v = fressian.UUID(b)
		}
	case tagName:
		return r.name(raw, v)
	case tagObject:
		v, ok = sysRef(v)
	default:
		v, ok = manyTagged(tag.Number, v)
	}
	if !ok {
		return nil, r.fail(graph.ErrUnsupported, "a value tagged %d that is not known here", tag.Number)
	}
	return v, nil
}

// name makes a keyword or a symbol of a text, and keeps it.
func (r *items) name(raw cbor.RawMessage, text any) (any, error) {
	s, ok := text.(string)
	if !ok {
		return nil, r.fail(graph.ErrCorrupt, "a name that is no text")
	}
	v, ok := parseName(s)
	if !ok {
		return nil, r.fail(graph.ErrCorrupt, "the name %.60q", s)
	}
	if len(r.names) < 4096 && len(raw) <= longName {
		r.names[string(raw)] = v
	}
	return v, nil
}

func manyTagged(tag uint64, v any) (any, bool) {
	b, isBytes := v.([]byte)
	switch tag {
	case tagFloats:
		all := make([]float32, len(b)/4)
		_, _ = binary.Decode(b, binary.LittleEndian, all) // as long as these
		return all, isBytes && len(b)%4 == 0
	case tagDoubles:
		all := make([]float64, len(b)/8)
		_, _ = binary.Decode(b, binary.LittleEndian, all)
		return all, isBytes && len(b)%8 == 0
	case tagSet:
		items, ok := v.(fressian.Vector)
		return fressian.Set(items), ok
	}
	return nil, false
}

// instant is a time of RFC 3339; what is finer than milliseconds is cut off, as
// Datahike does.
func instant(v any) (any, bool) {
	s, ok := v.(string)
	t, err := time.Parse(time.RFC3339Nano, s)
	return fressian.Inst(t.UnixMilli()), ok && err == nil
}

// epoch is a number of seconds since 1970.
func epoch(v any) (any, bool) {
	switch v := v.(type) {
	case int64:
		return fressian.Inst(v * 1000), v <= maxSeconds && v >= -maxSeconds
	case float64:
		return fressian.Inst(math.Round(v * 1000)), math.Abs(v) < maxSeconds
	case float32:
		return fressian.Inst(math.Round(float64(v) * 1000)), math.Abs(float64(v)) < maxSeconds
	}
	return nil, false
}

// decimal is [exponent mantissa].
func decimal(v any) (any, bool) {
	parts, _ := v.(fressian.Vector)
	if len(parts) != 2 {
		return nil, false
	}
	exponent, ok := parts[0].(int64)
	if !ok || exponent < -math.MaxInt32 || exponent > -math.MinInt32 {
		return nil, false
	}
	d := fressian.Decimal{Scale: int32(-exponent)}
	switch m := parts[1].(type) {
	case int64:
		d.Unscaled = big.NewInt(m)
	case *big.Int:
		d.Unscaled = m
	default:
		return nil, false
	}
	return d, true
}

func sysRef(v any) (any, bool) {
	parts, _ := v.(fressian.Vector)
	if len(parts) != 2 || parts[0] != any(sysRefClass) {
		return nil, false
	}
	fields, _ := parts[1].(fressian.Map)
	ident, _ := fields.Get("", "ident")
	name, ok := ident.(fressian.Keyword)
	return SysRef{name}, ok
}
