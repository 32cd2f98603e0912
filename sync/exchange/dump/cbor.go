package dump

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"unicode/utf8"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// ErrValue says that a datom has a value, or another part, that no dump can
// hold.
var ErrValue = errors.New("cannot be in a dump")

// The major types of CBOR, in the high bits of an item's first byte.
const (
	majorUint  = 0 << 5
	majorNeg   = 1 << 5
	majorBytes = 2 << 5
	majorText  = 3 << 5
	majorArray = 4 << 5
	majorMap   = 5 << 5
	majorTag   = 6 << 5
	majorOther = 7 << 5
	majorMask  = 7 << 5
)

// Items of the last major type.
const (
	itemFalse = majorOther | 20
	itemTrue  = majorOther | 21
	itemNull  = majorOther | 22
	itemFloat = majorOther | 26
	itemWide  = majorOther | 27
)

// Tags.
const (
	tagInstant  = 0
	tagEpoch    = 1
	tagBig      = 2
	tagNegBig   = 3
	tagDecimal  = 4
	tagObject   = 27
	tagURI      = 32
	tagUUID     = 37
	tagName     = 39
	tagFloats   = 85
	tagDoubles  = 86
	tagSet      = 258
	sysRefClass = "datahike.migrate.cbor.SysRef"
)

// maxDepth is how deep values may nest.
const maxDepth = 64

// SysRef is a reference to what Datahike itself defines, by its name: its
// entity has another number in each database with :attribute-refs?.
type SysRef struct{ Ident fressian.Keyword }

// appendHead appends an item's type and number in the shortest form.
func appendHead(dst []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n <= math.MaxUint8:
		return append(dst, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}

func appendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return appendHead(dst, majorNeg, uint64(-1-n))
	}
	return appendHead(dst, majorUint, uint64(n))
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, itemTrue)
	}
	return append(dst, itemFalse)
}

func appendBytes(dst, b []byte) []byte {
	return append(appendHead(dst, majorBytes, uint64(len(b))), b...)
}

// appendText appends text that is known to be UTF-8.
func appendText[T string | []byte](dst []byte, s T) []byte {
	return append(appendHead(dst, majorText, uint64(len(s))), s...)
}

// appendName appends a keyword's text, its colon included, or a symbol's.
func appendName[T string | []byte](dst []byte, text T) []byte {
	return appendText(appendHead(dst, majorTag, tagName), text)
}

// appendValue appends a value. The error matches ErrValue.
func appendValue(dst []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, itemNull), nil
	case bool:
		return appendBool(dst, v), nil
	case int64:
		return appendInt(dst, v), nil
	case string:
		return appendString(dst, v)
	case fressian.Keyword:
		return appendString(appendHead(dst, majorTag, tagName), nameText(":", v.NS, v.Name))
	case fressian.Symbol:
		return appendString(appendHead(dst, majorTag, tagName), nameText("", v.NS, v.Name))
	case fressian.Inst:
		return appendInst(dst, v)
	case fressian.UUID:
		return appendBytes(appendHead(dst, majorTag, tagUUID), v[:]), nil
	case []byte:
		return appendBytes(dst, v), nil
	case fressian.URI:
		return appendString(appendHead(dst, majorTag, tagURI), string(v))
	case SysRef:
		dst = appendText(appendHead(appendHead(dst, majorTag, tagObject), majorArray, 2), sysRefClass)
		dst = appendName(appendHead(dst, majorMap, 1), ":ident")
		return appendValue(dst, v.Ident, depth)
	}
	return appendNumber(dst, v, depth)
}

func appendString(dst []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return dst, fmt.Errorf("%w: text with half a character (a lone surrogate)", ErrValue)
	}
	return appendText(dst, s), nil
}

func nameText(colon, ns, name string) string {
	if ns == "" {
		return colon + name
	}
	return colon + ns + "/" + name
}

// appendNumber appends a number that is no int64, or what is none.
func appendNumber(dst []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case float64:
		return binary.BigEndian.AppendUint64(append(dst, itemWide), math.Float64bits(v)), nil
	case float32:
		return binary.BigEndian.AppendUint32(append(dst, itemFloat), math.Float32bits(v)), nil
	case *big.Int:
		return appendBig(dst, v), nil
	case fressian.Decimal:
		dst = appendInt(appendHead(appendHead(dst, majorTag, tagDecimal), majorArray, 2), -int64(v.Scale))
		// Java's bitLength of -2^n is n, and so is that of what is 1 above.
		if magnitude(v.Unscaled).BitLen() < 63 {
			return appendInt(dst, v.Unscaled.Int64()), nil
		}
		return appendBig(dst, v.Unscaled), nil
	}
	if depth >= maxDepth {
		return dst, fmt.Errorf("%w: a value nested deeper than %d", ErrValue, maxDepth)
	}
	return appendMany(dst, v, depth+1)
}

// magnitude is n if that is not negative, and -1-n otherwise.
func magnitude(n *big.Int) *big.Int {
	if n.Sign() >= 0 {
		return n
	}
	return new(big.Int).Not(n)
}

func appendBig(dst []byte, n *big.Int) []byte {
	tag := uint64(tagBig)
	if n.Sign() < 0 {
		tag = tagNegBig
	}
	b := magnitude(n).Bytes()
	if len(b) == 0 {
		b = []byte{0}
	}
	return appendBytes(appendHead(dst, majorTag, tag), b)
}
