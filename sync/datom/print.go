package datom

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
)

// ErrNoText says that a value has no text which every Clojure prints alike.
// Maps, sets and records have no order, and what is not known here has no form.
var ErrNoText = errors.New("value has no defined text")

// AppendText appends [e a v tx added] to dst as Clojure 1.11 prints it:
//
//	string, keyword, symbol, boolean, nil, integer    as pr does
//	float64    0.1, 1.0E10, ##NaN, ##Inf: the shortest form (Java 19 and newer)
//	bigint     12N
//	bigdec     12.50M, 1E+3M
//	instant    #inst "2026-11-21T01:37:27.410-00:00"
//	UUID       #uuid "6b010f3e-93c1-514a-9e45-c68633467605"
//	bytes      #bytes "00ff"
//	URI        #uri "http://example.com/"
//	float32    #float 0.25; what is no number as Java's str has it: NaN, Infinity
//	arrays     #floats [0.25 1.0], #doubles [0.25 1.0], with numbers as str has them
//	vectors and lists    [1 "two" [3]]
//	functions of Datomic    #db/fn {:lang :clojure, :params [db e], :code "…"}
//
// The text is UTF-8 but for lone surrogates, which stay the three bytes that
// the fressian package makes of them. Any other value is ErrNoText; dst then
// ends anywhere within the datom.
func AppendText(dst []byte, f Datom) ([]byte, error) {
	dst = strconv.AppendInt(append(dst, '['), f.E, 10)
	dst, err := AppendAttr(append(dst, ' '), f.A)
	if err == nil {
		dst, err = AppendValue(append(dst, ' '), f.V)
	}
	if err != nil {
		return dst, fmt.Errorf("entity %d: %w", f.E, err)
	}
	dst = strconv.AppendInt(append(dst, ' '), f.Tx, 10)
	dst = strconv.AppendBool(append(dst, ' '), f.Added)
	return append(dst, ']'), nil
}

// AppendAttr appends an attribute (see [Datom.A]).
func AppendAttr(dst []byte, a any) ([]byte, error) {
	switch a := a.(type) {
	case fressian.Keyword:
		return appendKeyword(dst, a), nil
	case int64:
		return strconv.AppendInt(dst, a, 10), nil
	case string:
		return appendString(dst, a), nil
	}
	return dst, fmt.Errorf("attribute of type %T: %w", a, ErrNoText)
}

// AppendValue appends a value as [AppendText] does.
func AppendValue(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "nil"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case string:
		return appendString(dst, v), nil
	case fressian.Keyword:
		return appendKeyword(dst, v), nil
	case fressian.Symbol:
		return appendName(dst, v.NS, v.Name), nil
	case fressian.Inst:
		dst = appendInst(append(dst, `#inst "`...), int64(v))
	case fressian.UUID:
		dst = append(append(dst, `#uuid "`...), hasch.String(v)...)
	case fressian.URI:
		return appendString(append(dst, "#uri "...), string(v)), nil
	case []byte:
		dst = hex.AppendEncode(append(dst, `#bytes "`...), v)
	default:
		return appendNumber(dst, v)
	}
	return append(dst, '"'), nil
}

func appendNumber(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case float64:
		return appendDouble(dst, v), nil
	case float32:
		return appendFloat(append(dst, "#float "...), float64(v), 32), nil
	case *big.Int:
		return append(v.Append(dst, 10), 'N'), nil
	case fressian.Decimal:
		return append(appendDecimal(dst, v), 'M'), nil
	}
	return appendMany(dst, v)
}

func appendMany(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case []any:
		return appendVector(dst, v)
	case fressian.Vector:
		return appendVector(dst, v)
	case fressian.Seq:
		return appendVector(dst, v)
	case []float32:
		return appendArray(append(dst, "#floats "...), v, 32), nil
	case []float64:
		return appendArray(append(dst, "#doubles "...), v, 64), nil
	case fressian.Tagged:
		if v.Tag == functionTag && len(v.Fields) == 1 {
			return appendFunction(dst, v.Fields[0])
		}
		return dst, fmt.Errorf("%w: a value tagged %q", ErrNoText, v.Tag)
	case fressian.Record:
		return dst, fmt.Errorf("%w: a record %v", ErrNoText, v.Tag)
	case fressian.Map:
		return dst, fmt.Errorf("%w: a map", ErrNoText)
	case fressian.Set:
		return dst, fmt.Errorf("%w: a set", ErrNoText)
	}
	return dst, fmt.Errorf("%w: a value of type %T", ErrNoText, v)
}

// functionTag is that of Datomic's database functions: one map.
const functionTag = "datomic/fn"

// appendFunction keeps the order in which the function has its parts.
func appendFunction(dst []byte, v any) (_ []byte, err error) {
	parts, ok := v.(fressian.Map)
	if !ok {
		return dst, fmt.Errorf("%w: a function of type %T", ErrNoText, v)
	}
	dst = append(dst, "#db/fn {"...)
	for i, e := range parts {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		if dst, err = AppendValue(dst, e.Key); err != nil {
			return dst, err
		}
		if dst, err = AppendValue(append(dst, ' '), e.Value); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func appendVector(dst []byte, items []any) ([]byte, error) {
	dst = append(dst, '[')
	for i, v := range items {
		if i > 0 {
			dst = append(dst, ' ')
		}
		var err error
		if dst, err = AppendValue(dst, v); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func appendArray[T float32 | float64](dst []byte, items []T, bits int) []byte {
	dst = append(dst, '[')
	for i, v := range items {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = appendFloat(dst, float64(v), bits)
	}
	return append(dst, ']')
}

func appendKeyword(dst []byte, k fressian.Keyword) []byte {
	return appendName(append(dst, ':'), k.NS, k.Name)
}

// appendName escapes nothing, as pr does: a name may hold any character.
func appendName(dst []byte, ns, name string) []byte {
	if ns != "" {
		dst = append(append(dst, ns...), '/')
	}
	return append(dst, name...)
}

// escapes are the characters that pr escapes in strings, and what follows the
// backslash; all others are printed as they are.
const escapes, escaped = "\"\\\n\t\r\f\b", `"\ntrfb`

func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == '"' || c == '\\' {
			for j := range len(escapes) {
				if escapes[j] == c {
					dst = append(dst, '\\')
					c = escaped[j]
					break
				}
			}
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}
