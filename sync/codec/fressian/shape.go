package fressian

import (
	"encoding/binary"
	"math"
)

// shape is what easyRows makes of a code.
type shape uint8

const (
	other shape = iota
	integer
	boolean
	keyword
	shortString
	longString
	double
	single
	instant
	uuid
)

// How the quick ways look at codes. They never change.
var (
	shapes = shapesByCode()
	ints   = intsByCode()
	starts = startsBySize()
)

func shapesByCode() (s [256]shape) {
	for c := range s {
		switch {
		case c < codePriority0:
			s[c] = integer
		case c >= codeString0 && c < codeStringChunk:
			s[c] = shortString
		}
	}
	s[codeTrue], s[codeFalse], s[codeKeyword], s[codeString] = boolean, boolean, keyword, longString
	s[codeDouble], s[codeFloat], s[codeInst], s[codeUUID] = double, single, instant, uuid
	return s
}

// intForm tells what the code of an integer and seven bytes behind it make:
// all of them shifted, less zero. size is that of code and payload in bytes.
type intForm struct {
	zero        int64
	shift, size uint8
}

func intsByCode() (f [codePriority0]intForm) {
	for c := range f {
		w := int(width[c])
		f[c] = intForm{shift: uint8(8 * (7 - w)), size: uint8(1 + w)} //nolint:gosec // w is at most 6
		if w > 0 {
			f[c].zero = packedZero(w) << (8 * w)
		}
	}
	return f
}

// quickInt is the cell of the packed or small integer with which p begins,
// and its size.
func quickInt(p [8]byte) (c Cell, size int) {
	f := &ints[p[0]&(codePriority0-1)]
	return newCell(KindInt, int64(binary.BigEndian.Uint64(p[:])>>(f.shift&63))-f.zero), int(f.size) //nolint:gosec // below 2^56
}

// repeat is what came up in one row and is likely to in the next: its first
// bytes, or its last ones.
type repeat struct {
	bits, mask uint64 // of the bytes, little-endian
	size       int
	cells      [2]Cell
}

// nothing has no mask, and so is equal to no bytes.
var nothing = repeat{bits: 1}

// set remembers the first size bytes of b; more than eight are nothing.
func (a *repeat) set(b uint64, size int) {
	m := &starts[size&15]
	a.size, a.mask, a.bits = size, m.mask, b&m.mask|m.never
}

// start is the mask of a number of bytes, and what to set if there is none.
type start struct{ mask, never uint64 }

func startsBySize() (s [16]start) {
	for size := range s {
		s[size] = start{never: 1}
		if size <= 8 {
			s[size] = start{mask: math.MaxUint64 >> (64 - 8*size)}
		}
	}
	return s
}
