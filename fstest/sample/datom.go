package sample

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// attr is an attribute as the schema declares it.
type attr struct {
	ident     fressian.Keyword
	boxed     any // ident, converted once
	many      bool
	indexed   bool // its datoms are in avet too
	noHistory bool
}

// compare orders attributes as Clojure orders keywords.
func (a *attr) compare(b *attr) int {
	if a == b {
		return 0
	}
	if c := strings.Compare(a.ident.NS, b.ident.NS); c != 0 {
		return c
	}
	return strings.Compare(a.ident.Name, b.ident.Name)
}

// datom is one fact; once made it never changes, and the trees share it.
type datom struct {
	e     int64
	a     *attr
	v     any
	tx    int64
	added bool
}

// hash stands in for Clojure's hash of a datom: an int that depends on it.
// Nothing reads it but the sum in the record, which nothing reads.
func (d *datom) hash() int64 {
	return int64(int32(uint32(d.e)*2654435761 ^ uint32(len(d.a.ident.Name))*40503))
}

// order is the order of an index.
type order uint8

const (
	eavt order = iota
	aevt
	avet
	orders // how many there are
)

func (o order) String() string { return [...]string{"eavt", "aevt", "avet"}[o] }

// compare orders as Datahike's comparators for temporal indexes do. Those of
// current indexes stop before added, which is always true there.
func (o order) compare(x, y *datom) int {
	if x == y {
		return 0
	}
	if c := o.compareKeys(x, y); c != 0 {
		return c
	}
	if c := cmp.Compare(x.tx, y.tx); c != 0 || x.added == y.added {
		return c
	}
	return compareBools(x.added, y.added)
}

// compareKeys compares entity, attribute and value.
func (o order) compareKeys(x, y *datom) int {
	var c int
	switch o {
	case eavt:
		if c = cmp.Compare(x.e, y.e); c == 0 {
			c = x.a.compare(y.a)
		}
	case aevt:
		if c = x.a.compare(y.a); c == 0 {
			c = cmp.Compare(x.e, y.e)
		}
	default:
		if c = x.a.compare(y.a); c == 0 {
			c = compareValues(x.v, y.v)
		}
		if c == 0 {
			c = cmp.Compare(x.e, y.e)
		}
		return c
	}
	if c == 0 {
		c = compareValues(x.v, y.v)
	}
	return c
}

// compareValues orders two values of one attribute as Clojure's compare does.
// The texts of a sample have no character beyond U+D7FF, so that the order of
// their bytes is Java's.
func compareValues(x, y any) int {
	switch x := x.(type) {
	case string:
		return strings.Compare(x, y.(string))
	case int64:
		return cmp.Compare(x, y.(int64))
	case float32:
		return cmp.Compare(x, y.(float32))
	case float64:
		return cmp.Compare(x, y.(float64))
	case fressian.Inst:
		return cmp.Compare(x, y.(fressian.Inst))
	case bool:
		return compareBools(x, y.(bool))
	case fressian.UUID:
		return compareUUIDs(x, y.(fressian.UUID))
	case fressian.Keyword:
		k := y.(fressian.Keyword)
		return (&attr{ident: x}).compare(&attr{ident: k})
	}
	panic(fmt.Sprintf("sample: values of type %T have no order here", x))
}

// compareUUIDs compares the halves as signed numbers, as Java does.
func compareUUIDs(x, y fressian.UUID) int {
	half := func(u fressian.UUID, at int) int64 {
		return int64(binary.BigEndian.Uint64(u[at:]))
	}
	if c := cmp.Compare(half(x, 0), half(y, 0)); c != 0 {
		return c
	}
	return cmp.Compare(half(x, 8), half(y, 8))
}

func compareBools(x, y bool) int {
	switch {
	case x == y:
		return 0
	case y:
		return -1
	}
	return 1
}
