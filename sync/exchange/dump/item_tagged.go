package dump

import (
	"math"
	"math/big"
	"time"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// maxSeconds bounds the instants of tag 1: milliseconds of more do not fit.
const maxSeconds = math.MaxInt64 / 1000

// tagged reads the item behind a tag.
func (r *items) tagged(tag uint64, depth int) (any, error) {
	if tag == tagName {
		return r.name()
	}
	at := r.pos
	v, err := r.value(depth + 1)
	if err != nil {
		return nil, err
	}
	var ok bool
	switch tag {
	case tagInstant:
		v, ok = instant(v)
	case tagEpoch:
		v, ok = epoch(v)
	case tagBig, tagNegBig:
		v, ok = bigInt(v, tag == tagNegBig)
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
	case tagObject:
		v, ok = sysRef(v)
	default:
		v, ok = manyTagged(tag, v)
	}
	if !ok {
		r.pos = at
		return nil, r.fail(graph.ErrUnsupported, "a value tagged %d that is not known here", tag)
	}
	return v, nil
}

// name reads the text of a keyword or a symbol.
func (r *items) name() (any, error) {
	major, _, n, err := r.head()
	if err != nil {
		return nil, err
	}
	if major != majorText {
		return nil, r.fail(graph.ErrCorrupt, "a name that is no text")
	}
	b, err := r.text(n)
	if err != nil {
		return nil, err
	}
	if v, ok := r.names[string(b)]; ok {
		return v, nil
	}
	v, ok := parseName(string(b))
	if !ok {
		return nil, r.fail(graph.ErrCorrupt, "the name %.60q", b)
	}
	if len(r.names) < 4096 && len(b) < 1024 {
		r.names[string(b)] = v
	}
	return v, nil
}

func manyTagged(tag uint64, v any) (any, bool) {
	b, isBytes := v.([]byte)
	switch tag {
	case tagFloats:
		return floats32(b), isBytes && len(b)%4 == 0
	case tagDoubles:
		return floats64(b), isBytes && len(b)%8 == 0
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

func bigInt(v any, negative bool) (any, bool) {
	b, ok := v.([]byte)
	n := new(big.Int).SetBytes(b)
	if negative {
		n.Not(n)
	}
	return n, ok
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
