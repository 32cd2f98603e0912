package datomic

import (
	"bytes"
	"cmp"
	"math/big"
	"unicode/utf8"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func compareTuple(a, b []any) int {
	for i := range min(len(a), len(b)) {
		if c := compareValue(a[i], b[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func compareBytes(a, b []byte) int {
	if len(a) != len(b) {
		return cmp.Compare(len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			return cmp.Compare(a[i]^0x80, b[i]^0x80)
		}
	}
	return 0
}

// encoded is the bytes of a function, which has no order of its own: two of
// them are compared only to find out whether they are one.
func encoded(v any) []byte {
	w := fressian.NewWriter()
	if err := w.Write(v); err != nil {
		return nil // not reached: it was read
	}
	return w.Bytes()
}

// compareDecimal never makes a number of the scale's size.
func compareDecimal(a, b fressian.Decimal) int {
	if a.Scale == b.Scale || a.Unscaled.Sign() != b.Unscaled.Sign() {
		if a.Scale != b.Scale {
			return cmp.Compare(a.Unscaled.Sign(), b.Unscaled.Sign())
		}
		return a.Unscaled.Cmp(b.Unscaled)
	}
	sign := a.Unscaled.Sign()
	if sign == 0 {
		return 0
	}
	x, y := digits(a.Unscaled), digits(b.Unscaled)
	c := cmp.Compare(int64(len(x))-int64(a.Scale), int64(len(y))-int64(b.Scale))
	if c == 0 {
		c = bytes.Compare(bytes.TrimRight(x, "0"), bytes.TrimRight(y, "0"))
	}
	return sign * c
}

func digits(n *big.Int) []byte { return bytes.TrimPrefix(n.Append(nil, 10), []byte("-")) }

// From these bytes on, the order of UTF-8 may not be that of UTF-16: they begin
// surrogates, and characters that have two.
const firstSurrogate, firstPair = 0xed, 0xf0

// compareText orders by UTF-16 code units. Strings are UTF-8 but for lone
// surrogates.
func compareText(a, b string) int {
	i, n := 0, min(len(a), len(b))
	for i < n && a[i] == b[i] {
		i++
	}
	if i == n {
		return cmp.Compare(len(a), len(b))
	}
	if a[i] < firstSurrogate || b[i] < firstSurrogate {
		return cmp.Compare(a[i], b[i])
	}
	a, b = a[i:], b[i:] // both begin a character
	var x, y units
	for {
		u, more := x.next(&a)
		v, other := y.next(&b)
		if !more || !other || u != v {
			return cmp.Or(compareBool(more, other), cmp.Compare(u, v))
		}
	}
}

// units takes a string apart into UTF-16 code units.
type units struct{ low uint16 }

func (u *units) next(s *string) (unit uint16, ok bool) {
	if u.low != 0 {
		unit, u.low = u.low, 0
		return unit, true
	}
	t := *s
	switch {
	case t == "":
		return 0, false
	case len(t) >= 3 && t[0] >= firstSurrogate && t[0] < firstPair:
		*s = t[3:]
		return uint16(t[0]&0xf)<<12 | uint16(t[1]&0x3f)<<6 | uint16(t[2]&0x3f), true
	}
	r, size := utf8.DecodeRuneInString(t)
	*s = t[size:]
	if r > 0xffff {
		r -= 0x10000
		u.low = uint16(0xdc00 | r&0x3ff)
		return uint16(0xd800 | r>>10), true
	}
	return uint16(r), true
}
