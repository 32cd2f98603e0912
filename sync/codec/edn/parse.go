// Package edn reads and writes EDN, Clojure's text of data, for the small files
// that lie beside a database's data: manifests, schemas, configurations. Its
// values are of the fressian package's types:
//
//	nil true false          nil, bool
//	12  12N  1.5  1.5M      int64, *big.Int, float64, fressian.Decimal
//	"text"  :ns/k  ns/s     string, fressian.Keyword, fressian.Symbol
//	[…] (…) #{…} {…}        fressian.Vector, Seq, Set, Map
//	#:ns{:k v}              a map whose keys are :ns/k, as Clojure prints them
//	#inst #uuid             fressian.Inst, fressian.UUID
//	#other v                fressian.Tagged of one field
//
// What was read may come from anybody: nesting is bounded, and what a lenient
// reader would guess at is refused, such as a key that a map has twice.
package edn

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// ErrMalformed is matched by every error about the text read.
var ErrMalformed = errors.New("malformed EDN")

// maxDepth is how deep values may nest.
const maxDepth = 64

// Parse reads text that is one value and nothing else. Its errors name the
// offset in bytes.
func Parse(text []byte) (any, error) {
	r := reader{text: string(text)}
	if at := invalidUTF8(r.text); at >= 0 {
		r.pos = at
		return nil, r.fail("bytes that are no UTF-8")
	}
	v, err := r.value(0)
	if err == nil {
		err = r.space()
	}
	if err == nil && r.pos < len(r.text) {
		err = r.fail("text after the value")
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

func invalidUTF8(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i := 0; ; {
		c, n := utf8.DecodeRuneInString(s[i:])
		if c == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
}

type reader struct {
	text string
	pos  int
}

func (r *reader) fail(format string, args ...any) error {
	return fmt.Errorf("%w at offset %d: %s", ErrMalformed, r.pos, fmt.Sprintf(format, args...))
}

// space passes white space, comments and discarded values.
func (r *reader) space() error {
	for r.pos < len(r.text) {
		switch c := r.text[r.pos]; {
		case strings.IndexByte(" \t\r\n\f\v,", c) >= 0:
			r.pos++
		case c == ';':
			n := strings.IndexByte(r.text[r.pos:], '\n')
			if n < 0 {
				n = len(r.text) - r.pos
			}
			r.pos += n
		case strings.HasPrefix(r.text[r.pos:], "#_"):
			return r.fail("a discarded value, which is not known here")
		default:
			return nil
		}
	}
	return nil
}

// value reads the next value.
func (r *reader) value(depth int) (any, error) {
	if err := r.space(); err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, r.fail("values nested deeper than %d", maxDepth)
	}
	if r.pos >= len(r.text) {
		return nil, r.fail("the text ends where a value should be")
	}
	switch r.text[r.pos] {
	case '"':
		return r.str()
	case '(':
		items, err := r.items(')', depth)
		return fressian.Seq(items), err
	case '[':
		items, err := r.items(']', depth)
		return fressian.Vector(items), err
	case '{':
		return r.mapOf("", depth)
	case '#':
		return r.dispatch(depth)
	}
	return r.atom()
}

// items reads up to a closing bracket.
func (r *reader) items(end byte, depth int) ([]any, error) {
	open := r.pos
	r.pos++
	items := []any{}
	for {
		if err := r.space(); err != nil {
			return nil, err
		}
		if r.pos >= len(r.text) {
			r.pos = open
			return nil, r.fail("a bracket that is not closed")
		}
		if r.text[r.pos] == end {
			r.pos++
			return items, nil
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
}

// mapOf reads a map; keys without a namespace get that of ns.
func (r *reader) mapOf(ns string, depth int) (any, error) {
	at := r.pos
	items, err := r.items('}', depth)
	if err != nil {
		return nil, err
	}
	m := make(fressian.Map, 0, len(items)/2)
	if len(items)%2 != 0 {
		r.pos = at
		return nil, r.fail("a map with a key that has no value")
	}
	for i := 0; i < len(items); i += 2 {
		key := items[i]
		if k, ok := key.(fressian.Keyword); ok && ns != "" {
			switch k.NS {
			case "":
				k.NS = ns
			case "_":
				k.NS = ""
			}
			key = k
		}
		m = append(m, fressian.Entry{Key: key, Value: items[i+1]})
	}
	if key, twice := repeated(m); twice {
		r.pos = at
		return nil, r.fail("a map that has the key %v twice", key)
	}
	return m, nil
}

// repeated finds a key that a map has twice. Only keys that Go compares are
// looked at: the others are of no map that is read here.
func repeated(m fressian.Map) (key any, twice bool) {
	seen := make(map[any]bool, len(m))
	for _, e := range m {
		switch e.Key.(type) {
		case string, int64, bool, float64, nil, fressian.Keyword, fressian.Symbol, fressian.Inst, fressian.UUID:
			if seen[e.Key] {
				return e.Key, true
			}
			seen[e.Key] = true
		}
	}
	return nil, false
}
