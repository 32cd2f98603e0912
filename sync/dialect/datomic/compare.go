package datomic

import (
	"bytes"
	"cmp"
	"math/big"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// Compare orders datoms as Datomic does in an index: by the parts in the order
// of the index's name, attributes by their ids, then the newest first, and of
// one transaction what it added first.
//
// The order of values was read from trees that Datomic wrote:
//
//	nil       before everything; in tuples and keydata only
//	strings   by UTF-16 code units
//	keywords, symbols    those without a namespace first
//	UUIDs     as two signed numbers
//	bytes     the shorter first, then as signed numbers
//	decimals  by what they are worth: 1.0 equals 1.00
//	tuples    by their items, then the shorter first
//	URIs      as java.net.URI does
//	floats    -0.0 equals 0.0
//
// Datomic takes NaN to be equal to every number; here it is less than all, and
// equal to itself.
func Compare(index datom.Index, a, b *Datom) int {
	if c := CompareFact(index, a, b); c != 0 {
		return c
	}
	if a.T != b.T {
		return cmp.Compare(b.T, a.T)
	}
	switch {
	case a.Added == b.Added:
		return 0
	case a.Added:
		return -1
	}
	return 1
}

// CompareFact is Compare without the transaction: 0 if both say the same of an
// entity.
func CompareFact(index datom.Index, a, b *Datom) int {
	switch index {
	case datom.AEVT:
		if a.A != b.A {
			return cmp.Compare(a.A, b.A)
		}
		if a.E != b.E {
			return cmp.Compare(a.E, b.E)
		}
		return compareValue(a.V, b.V)
	case datom.AVET:
		if a.A != b.A {
			return cmp.Compare(a.A, b.A)
		}
		return cmp.Or(compareValue(a.V, b.V), cmp.Compare(a.E, b.E))
	case datom.VAET:
		return cmp.Or(compareValue(a.V, b.V), cmp.Compare(a.A, b.A), cmp.Compare(a.E, b.E))
	}
	if a.E != b.E {
		return cmp.Compare(a.E, b.E)
	}
	if a.A != b.A {
		return cmp.Compare(a.A, b.A)
	}
	return compareValue(a.V, b.V)
}

// kind is the type of a value. Those of one attribute have one type.
type kind int8

const (
	kindUnknown kind = iota
	kindNil
	kindBool
	kindInt
	kindFloat32
	kindFloat64
	kindBigInt
	kindDecimal
	kindString
	kindKeyword
	kindSymbol
	kindInst
	kindUUID
	kindURI
	kindBytes
	kindFunction
	kindTuple
)

func kindOf(v any) kind {
	switch v := v.(type) {
	case nil:
		return kindNil
	case bool:
		return kindBool
	case int64:
		return kindInt
	case float32:
		return kindFloat32
	case float64:
		return kindFloat64
	case *big.Int:
		return kindBigInt
	case fressian.Decimal:
		return kindDecimal
	case []any:
		return kindTuple
	case fressian.Tagged:
		if v.Tag == tagFunction {
			return kindFunction
		}
		return kindUnknown
	}
	return kindOfName(v)
}

func kindOfName(v any) kind {
	switch v.(type) {
	case string:
		return kindString
	case fressian.Keyword:
		return kindKeyword
	case fressian.Symbol:
		return kindSymbol
	case fressian.Inst:
		return kindInst
	case fressian.UUID:
		return kindUUID
	case fressian.URI:
		return kindURI
	case []byte:
		return kindBytes
	}
	return kindUnknown
}

func compareValue(a, b any) int {
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y)
		}
	}
	k := kindOf(a)
	if other := kindOf(b); k != other {
		return cmp.Compare(k, other)
	}
	switch k {
	case kindBool:
		return compareBool(a.(bool), b.(bool))
	case kindFloat32:
		return cmp.Compare(a.(float32), b.(float32))
	case kindFloat64:
		return cmp.Compare(a.(float64), b.(float64))
	case kindBigInt:
		return a.(*big.Int).Cmp(b.(*big.Int))
	case kindDecimal:
		return compareDecimal(a.(fressian.Decimal), b.(fressian.Decimal))
	case kindTuple:
		return compareTuple(a.([]any), b.([]any))
	}
	return compareName(k, a, b)
}

// compareName compares values of one kind that are no numbers.
func compareName(k kind, a, b any) int {
	switch k {
	case kindString:
		return compareText(a.(string), b.(string))
	case kindKeyword:
		a, b := a.(fressian.Keyword), b.(fressian.Keyword)
		return cmp.Or(compareText(a.NS, b.NS), compareText(a.Name, b.Name))
	case kindSymbol:
		a, b := a.(fressian.Symbol), b.(fressian.Symbol)
		return cmp.Or(compareText(a.NS, b.NS), compareText(a.Name, b.Name))
	case kindInst:
		return cmp.Compare(a.(fressian.Inst), b.(fressian.Inst))
	case kindUUID:
		a, b := a.(fressian.UUID), b.(fressian.UUID)
		for _, at := range []int{0, 8} { // where the sign of a half is
			a[at] ^= 0x80
			b[at] ^= 0x80
		}
		return bytes.Compare(a[:], b[:])
	case kindURI:
		return compareURI(string(a.(fressian.URI)), string(b.(fressian.URI)))
	case kindBytes:
		return compareBytes(a.([]byte), b.([]byte))
	case kindFunction:
		return bytes.Compare(encoded(a), encoded(b))
	}
	return 0
}
