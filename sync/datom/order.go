package datom

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// ErrNoOrder says that a value has no order that is known here. Maps, sets and
// records, which :schema-flexibility :read lets in, are ordered by their hashes
// in Clojure.
var ErrNoOrder = errors.New("value has no known order")

// keyTail is what ends a key: a transaction, and whether it added.
const keyTail = 9

// AppendKey appends bytes whose order is Datahike's order of the index, that of
// history too: by the parts of the datom in the order of the index's name, then
// by transaction, retractions first. The last 9 bytes of a key are the
// transaction and whether it added, so that the keys of two datoms which say
// the same of an entity are equal but for these; see [SameFact].
//
// The order of values follows datahike.datom/compare-value (0.8): numbers of
// all types by what they are worth, strings by UTF-16 code units, UUIDs as two
// signed numbers, arrays by their elements, vectors by length first, values of
// different types by the names of their Java classes. It departs from it for
// NaN, which is greater than all numbers here and equal to each of them there;
// for numbers among values of other types (only :schema-flexibility :read
// allows that); and for URIs, which are ordered as text.
//
// The error matches ErrNoOrder.
func AppendKey(dst []byte, index Index, d Datom) ([]byte, error) {
	var err error
	for i := range len(index) - 1 {
		switch index[i] {
		case 'e':
			dst = appendInt(dst, d.E)
		case 'a':
			dst, err = appendOrder(dst, d.A)
		case 'v':
			dst, err = appendOrder(dst, d.V)
		}
		if err != nil {
			return dst, fmt.Errorf("datom of entity %d, attribute %v: %w", d.E, d.A, err)
		}
	}
	dst = appendInt(dst, d.Tx)
	if d.Added {
		return append(dst, 1), nil
	}
	return append(dst, 0), nil
}

// AppendPrefix appends the bytes with which the keys of all datoms begin that
// have an entity and an attribute, as far as the index begins with these; nil
// is any. What it appends may be nothing.
func AppendPrefix(dst []byte, index Index, entity *int64, attr any) []byte {
	for i := range len(index) - 1 {
		switch {
		case index[i] == 'e' && entity != nil:
			dst = appendInt(dst, *entity)
		case index[i] == 'a' && attr != nil:
			dst, _ = appendOrder(dst, attr) // attributes have an order
		default:
			return dst
		}
	}
	return dst
}

// SameFact cuts a key before its transaction: datoms whose keys are equal up to
// there say the same, at other times or the reverse.
func SameFact(key []byte) []byte { return key[:max(0, len(key)-keyTail)] }

// appendInt appends a number so that negative ones are less.
func appendInt(dst []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(n)^1<<63)
}

// What values begin with in a key, by the names of their classes: those in
// vectors may be nil.
const (
	orderNil     = 0x01
	orderBytes   = 0x10 // [B
	orderDoubles = 0x11 // [D
	orderFloats  = 0x12 // [F
	orderKeyword = 0x20 // clojure.lang.Keyword
	orderVector  = 0x21 // clojure.lang.PersistentVector
	orderSymbol  = 0x22 // clojure.lang.Symbol
	orderBoolean = 0x30 // java.lang.Boolean
	orderNumber  = 0x31 // java.lang.Long
	orderString  = 0x32 // java.lang.String
	orderURI     = 0x33 // java.net.URI
	orderInst    = 0x34 // java.util.Date
	orderUUID    = 0x35 // java.util.UUID
)

// appendOrder appends an attribute or a value.
func appendOrder(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, orderNil), nil
	case fressian.Keyword:
		return appendOrderedName(append(dst, orderKeyword), v.NS, v.Name), nil
	case fressian.Symbol:
		return appendOrderedName(append(dst, orderSymbol), v.NS, v.Name), nil
	case bool:
		if v {
			return append(dst, orderBoolean, 1), nil
		}
		return append(dst, orderBoolean, 0), nil
	case string:
		return appendOrderedText(append(dst, orderString), v), nil
	case fressian.URI:
		return appendOrderedText(append(dst, orderURI), string(v)), nil
	case fressian.Inst:
		return appendInt(append(dst, orderInst), int64(v)), nil
	case fressian.UUID:
		dst = append(append(dst, orderUUID), v[:]...)
		dst[len(dst)-16] ^= 0x80 // its halves are signed
		dst[len(dst)-8] ^= 0x80
		return dst, nil
	case []byte:
		return appendOrderedBytes(append(dst, orderBytes), v), nil
	}
	return appendOrderedMany(dst, v)
}

func appendOrderedMany(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case fressian.Vector:
		return appendOrderedVector(dst, v)
	case fressian.Seq:
		return appendOrderedVector(dst, v)
	case []any:
		return appendOrderedVector(dst, v)
	case []float64:
		dst = append(dst, orderDoubles)
		for _, f := range v {
			dst = appendBits64(append(dst, 1), f)
		}
		return append(dst, 0), nil
	case []float32:
		dst = append(dst, orderFloats)
		for _, f := range v {
			dst = appendBits32(append(dst, 1), f)
		}
		return append(dst, 0), nil
	}
	return appendOrderedNumber(append(dst, orderNumber), v)
}

// appendOrderedVector puts the shorter one first.
func appendOrderedVector(dst []byte, items []any) ([]byte, error) {
	dst = binary.BigEndian.AppendUint32(append(dst, orderVector), uint32(len(items)))
	var err error
	for _, v := range items {
		if dst, err = appendOrder(dst, v); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// appendOrderedName puts names without a namespace first.
func appendOrderedName(dst []byte, ns, name string) []byte {
	if ns == "" {
		return appendOrderedText(append(dst, 0), name)
	}
	return appendOrderedText(appendOrderedText(append(dst, 1), ns), name)
}

// appendOrderedText appends the bytes whose order is that of UTF-16 code units,
// and an end that is less than whatever goes on.
func appendOrderedText(dst []byte, s string) []byte {
	plain := true
	for i := range len(s) {
		if c := s[i]; c == 0 || c >= 0xf0 {
			plain = false
			break
		}
	}
	if plain {
		return append(append(dst, s...), 0, 0)
	}
	for _, c := range []byte(sortable([]byte(s))) {
		if dst = append(dst, c); c == 0 {
			dst = append(dst, 0xff)
		}
	}
	return append(dst, 0, 0)
}

// appendOrderedBytes appends signed bytes, and an end that is less than
// whatever goes on.
func appendOrderedBytes(dst, b []byte) []byte {
	for _, c := range b {
		if dst = append(dst, c^0x80); c == 0x80 {
			dst = append(dst, 0xff)
		}
	}
	return append(dst, 0, 0)
}
