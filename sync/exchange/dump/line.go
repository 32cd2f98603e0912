package dump

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// tx0 is the entity of no transaction: all others are greater. The datoms that
// it has are those that every database with :attribute-refs? begins with.
const tx0 = 536870912

// A line is a record as it is sorted: its parts in the order of the dump, so
// that bytes compare as records do.
//
//	t             a byte for the number of bytes, and these, big-endian
//	first         0 if a is :db/txInstant, else 1
//	e             as t
//	a             the keyword's text and a zero
//	op            0 or 1
//	v             a byte for its kind, and the value, which ends with the line
//
// Values are in the order of their texts where that is cheap, and of their
// CBOR where it is not.
const (
	lineText   = 's' // v is a string
	lineName   = 'k' // v is a keyword's text
	lineNumber = 'i' // v is an integer's text
	lineCBOR   = 'v' // v is CBOR
)

// liner makes lines. sysRef, if not nil, names what a reference's value stands
// for in every database.
type liner struct {
	sysRef func(a fressian.Keyword, v int64) (fressian.Keyword, bool)
}

// append appends the line of a datom. The error matches ErrValue.
func (l *liner) append(dst []byte, d datom.Datom) ([]byte, error) {
	a, ok := d.A.(fressian.Keyword)
	switch {
	case !ok:
		return dst, fmt.Errorf("%w: the attribute %v, which is no keyword", ErrValue, d.A)
	case d.E < 0 || d.Tx < tx0:
		return dst, fmt.Errorf("%w: entity %d of transaction %d", ErrValue, d.E, d.Tx)
	case d.V == nil:
		return dst, fmt.Errorf("%w: nil", ErrValue)
	}
	dst = appendOrdered(dst, d.Tx)
	first := byte(1)
	if a == (fressian.Keyword{NS: "db", Name: "txInstant"}) {
		first = 0
	}
	dst = appendOrdered(append(dst, first), d.E)
	from := len(dst)
	if dst = append(dst, ':'); a.NS != "" {
		dst = append(append(dst, a.NS...), '/')
	}
	dst = append(dst, a.Name...)
	if name := dst[from:]; bytes.IndexByte(name, 0) >= 0 || !utf8.Valid(name) {
		return dst, fmt.Errorf("%w: the attribute %q", ErrValue, name)
	}
	op := byte(0)
	if d.Added {
		op = 1
	}
	return l.appendValue(append(dst, 0, op), a, d.V)
}

func (l *liner) appendValue(dst []byte, a fressian.Keyword, v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return appendString(dst, v) // fails
		}
		return append(append(dst, lineText), v...), nil
	case fressian.Keyword:
		text := nameText(":", v.NS, v.Name)
		if !utf8.ValidString(text) {
			return appendString(dst, text)
		}
		return append(append(dst, lineName), text...), nil
	case int64:
		if l.sysRef == nil {
			return strconv.AppendInt(append(dst, lineNumber), v, 10), nil
		}
		ident, ok := l.sysRef(a, v)
		if !ok {
			return strconv.AppendInt(append(dst, lineNumber), v, 10), nil
		}
		return appendValue(append(dst, lineCBOR), SysRef{ident}, 0)
	}
	return appendValue(append(dst, lineCBOR), v, 0)
}

// appendOrdered appends a number that is not negative.
func appendOrdered(dst []byte, n int64) []byte {
	size := (bits.Len64(uint64(n)) + 7) / 8
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	return append(append(dst, byte(size)), b[8-size:]...)
}

// ordered reads what appendOrdered made at the front of a line of our own.
func ordered(line []byte) (n int64, rest []byte) {
	size := int(line[0])
	for _, c := range line[1 : 1+size] {
		n = n<<8 | int64(c)
	}
	return n, line[1+size:]
}

// appendRecord appends the CBOR of a line's record, and tells its entity and
// its transaction.
func appendRecord(dst, line []byte) (_ []byte, e, t int64) {
	t, line = ordered(line)
	e, line = ordered(line[1:])
	end := bytes.IndexByte(line, 0)
	a, op, kind, v := line[:end], line[end+1], line[end+2], line[end+3:]
	dst = appendName(appendInt(appendHead(dst, majorArray, 5), e), a)
	switch kind {
	case lineText:
		dst = appendText(dst, v)
	case lineName:
		dst = appendName(dst, v)
	case lineNumber:
		n, _ := strconv.ParseInt(string(v), 10, 64) // of our own making
		dst = appendInt(dst, n)
	case lineCBOR:
		dst = append(dst, v...)
	}
	return appendBool(appendInt(dst, t), op != 0), e, t
}

// parseName makes a keyword or a symbol of a text that has a name.
func parseName(text string) (v any, ok bool) {
	name, isKeyword := strings.CutPrefix(text, ":")
	ns, rest, has := strings.Cut(name, "/")
	if !has || name == "/" {
		ns, rest = "", name
	}
	if rest == "" || has && ns == "" && name != "/" {
		return nil, false
	}
	if isKeyword {
		return fressian.Keyword{NS: ns, Name: rest}, true
	}
	return fressian.Symbol{NS: ns, Name: rest}, true
}
