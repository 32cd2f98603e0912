package fressian

import "math/big"

// The Go types of decoded values. Beside them stand nil, bool, int64 (every
// integer code), float32, float64, string, []byte, []any (list), [*big.Int]
// and the primitive arrays []bool, []int32, []int64, []float32, []float64.
type (
	// UUID is a 128-bit identifier, most significant byte first.
	UUID [16]byte

	// Inst is an instant in milliseconds since the Unix epoch.
	Inst int64

	// URI is a resource identifier, kept as text.
	URI string

	// Regex is the source of a regular expression.
	Regex string

	// Keyword is an EDN keyword; NS is empty when it has no namespace.
	Keyword struct{ NS, Name string }

	// Symbol is an EDN symbol; NS is empty when it has no namespace.
	Symbol struct{ NS, Name string }

	// Decimal is Unscaled × 10^-Scale.
	Decimal struct {
		Unscaled *big.Int
		Scale    int32
	}

	// Map keeps the entries of a map in the order of the bytes. Keys are
	// not deduplicated: the reader reports what is there.
	Map []Entry

	// Entry is one key and its value.
	Entry struct{ Key, Value any }

	// Set keeps the elements of a set in the order of the bytes.
	Set []any

	// Array is Fressian's object array, which is not a list.
	Array []any

	// Vector is incognito's "pvec": a Clojure vector.
	Vector []any

	// Seq is incognito's "plist": a Clojure list.
	Seq []any

	// Record is incognito's "irecord": a Clojure record with its type's tag.
	Record struct {
		Tag    any
		Fields Map
	}

	// Tagged is a struct for whose tag no handler is known.
	Tagged struct {
		Tag    string
		Fields []any
	}

	// Meta is a value with metadata attached.
	Meta struct {
		Meta  any
		Value any
	}
)

// Get returns the value of the first entry whose key is the keyword
// ns/name, and whether there is one.
func (m Map) Get(ns, name string) (any, bool) {
	for _, e := range m {
		if k, ok := e.Key.(Keyword); ok && k.NS == ns && k.Name == name {
			return e.Value, true
		}
	}
	return nil, false
}

// String is the keyword as Clojure prints it.
func (k Keyword) String() string {
	if k.NS == "" {
		return ":" + k.Name
	}
	return ":" + k.NS + "/" + k.Name
}
