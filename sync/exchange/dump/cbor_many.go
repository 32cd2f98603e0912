package dump

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// appendMany appends a value made of values.
func appendMany(dst []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case fressian.Vector:
		return appendItems(dst, v, depth)
	case []any:
		return appendItems(dst, v, depth)
	case fressian.Seq:
		return appendItems(dst, v, depth)
	case fressian.Set:
		return appendSet(dst, v, depth)
	case fressian.Map:
		return appendMap(dst, v, depth)
	case []float32:
		dst = appendHead(appendHead(dst, majorTag, tagFloats), majorBytes, 4*uint64(len(v)))
		for _, f := range v {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(f))
		}
		return dst, nil
	case []float64:
		dst = appendHead(appendHead(dst, majorTag, tagDoubles), majorBytes, 8*uint64(len(v)))
		for _, f := range v {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
		}
		return dst, nil
	}
	return dst, fmt.Errorf("%w: a value of type %T", ErrValue, v)
}

func appendItems(dst []byte, items []any, depth int) ([]byte, error) {
	dst = appendHead(dst, majorArray, uint64(len(items)))
	var err error
	for _, v := range items {
		if dst, err = appendValue(dst, v, depth); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// appendSet appends the elements in the order of their bytes.
func appendSet(dst []byte, set fressian.Set, depth int) ([]byte, error) {
	items := make([][]byte, len(set))
	for i, v := range set {
		var err error
		if items[i], err = appendValue(nil, v, depth); err != nil {
			return dst, err
		}
	}
	slices.SortFunc(items, bytes.Compare)
	dst = appendHead(appendHead(dst, majorTag, tagSet), majorArray, uint64(len(items)))
	return append(dst, bytes.Join(items, nil)...), nil
}

// appendMap appends the entries in the order of the bytes of their keys.
func appendMap(dst []byte, m fressian.Map, depth int) ([]byte, error) {
	type entry struct{ key, value []byte }
	entries := make([]entry, len(m))
	for i, e := range m {
		var err error
		if entries[i].key, err = appendValue(nil, e.Key, depth); err != nil {
			return dst, err
		}
		if entries[i].value, err = appendValue(nil, e.Value, depth); err != nil {
			return dst, err
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	dst = appendHead(dst, majorMap, uint64(len(entries)))
	for i, e := range entries {
		if i > 0 && bytes.Equal(e.key, entries[i-1].key) {
			return dst, fmt.Errorf("%w: a map with a key twice", ErrValue)
		}
		dst = append(append(dst, e.key...), e.value...)
	}
	return dst, nil
}

// appendInst appends a time as java.time.Instant prints it.
func appendInst(dst []byte, ms fressian.Inst) ([]byte, error) {
	t := time.UnixMilli(int64(ms)).UTC()
	if t.Year() < 0 || t.Year() > 9999 {
		return dst, fmt.Errorf("%w: an instant of the year %d, which RFC 3339 has no text for", ErrValue, t.Year())
	}
	layout := "2006-01-02T15:04:05Z"
	if ms%1000 != 0 {
		layout = "2006-01-02T15:04:05.000Z"
	}
	dst = appendHead(appendHead(dst, majorTag, tagInstant), majorText, uint64(len(layout)))
	return t.AppendFormat(dst, layout), nil
}
