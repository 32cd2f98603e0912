package render

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// appendJSON appends a datom as one JSON object.
func (r refs) appendJSON(dst []byte, d datom.Datom) ([]byte, error) {
	k, err := r.kind(d)
	if err != nil {
		return dst, err
	}
	attr, err := datom.AppendAttr(nil, d.A)
	if err != nil {
		return dst, err
	}
	dst = appendInt(append(dst, `{"e":`...), d.E)
	if dst, err = appendQuoted(append(dst, `,"a":`...), string(attr)); err != nil {
		return dst, fmt.Errorf("entity %d: its attribute: %w", d.E, err)
	}
	if dst, err = appendJSONValue(append(dst, `,"v":`...), d.V); err != nil {
		return dst, fmt.Errorf("entity %d: %w", d.E, err)
	}
	dst = append(append(dst, `,"type":"`...), k...)
	dst = appendInt(append(dst, `","tx":`...), d.Tx)
	dst = strconv.AppendBool(append(dst, `,"added":`...), d.Added)
	return append(dst, '}'), nil
}

func appendJSONValue(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case string:
		return appendQuoted(dst, v)
	case fressian.URI:
		return appendQuoted(dst, string(v))
	case int64:
		return appendInt(dst, v), nil
	case float64:
		return appendJSONFloat(dst, v, 64), nil
	case float32:
		return appendJSONFloat(dst, float64(v), 32), nil
	case []any:
		return appendParts(dst, v)
	case fressian.Vector:
		return appendParts(dst, v)
	case fressian.Seq:
		return appendParts(dst, v)
	case []float32:
		return appendFloats(dst, v, 32), nil
	case []float64:
		return appendFloats(dst, v, 64), nil
	case fressian.Keyword, fressian.Symbol, fressian.Tagged: // which may have any character
		text, err := datom.AppendValue(nil, v)
		if err != nil {
			return dst, err
		}
		return appendQuoted(dst, string(text))
	}
	dst, err := appendPlain(append(dst, '"'), v)
	return append(dst, '"'), err
}

// appendParts appends the parts of a tuple, each with its kind.
func appendParts(dst []byte, parts []any) ([]byte, error) {
	dst = append(dst, '[')
	for i, v := range parts {
		if i > 0 {
			dst = append(dst, ',')
		}
		k, err := kindOf(v)
		if err != nil {
			return dst, err
		}
		if dst, err = appendJSONValue(append(dst, `{"v":`...), v); err != nil {
			return dst, err
		}
		dst = append(append(append(dst, `,"type":"`...), k...), `"}`...)
	}
	return append(dst, ']'), nil
}

func appendFloats[T float32 | float64](dst []byte, items []T, bits int) []byte {
	dst = append(dst, '[')
	for i, v := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONFloat(dst, float64(v), bits)
	}
	return append(dst, ']')
}

// appendQuoted appends a JSON string. encoding/json would put U+FFFD in the
// place of a lone surrogate, for which JSON has an escape.
func appendQuoted(dst []byte, s string) ([]byte, error) {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == utf8.RuneError && n == 1:
			u, ok := surrogate(s[i:])
			if !ok {
				return dst, fmt.Errorf("%w: a text that is not UTF-8 at byte %d", datom.ErrNoText, i)
			}
			dst = hex.AppendEncode(append(dst, `\u`...), u[:])
			n = 3
		case c == '"' || c == '\\':
			dst = append(dst, '\\', s[i])
		case c < ' ':
			dst = hex.AppendEncode(append(dst, `\u00`...), []byte{s[i]})
		default:
			dst = append(dst, s[i:i+n]...)
		}
		i += n
	}
	return append(dst, '"'), nil
}

// surrogate is the lone surrogate at the front of s, which the fressian package
// keeps as three bytes.
func surrogate(s string) (u [2]byte, ok bool) {
	if len(s) < 3 || s[0] != 0xed || s[1]&0xe0 != 0xa0 || s[2]&0xc0 != 0x80 {
		return u, false
	}
	return [2]byte{0xd0 | s[1]>>2&0x0f, s[1]<<6 | s[2]&0x3f}, true
}
