package gunzip

import "math/bits"

// An entry of a table says what a code means that the next bits begin with.
//
//	bits 0-7    how many bits to consume: the code's, and those behind it that
//	            add to the base
//	bits 8-11   the code's bits
//	bit  14     the end of the block
//	bit  15     no literal, length or distance: the end, another table, or
//	            nothing that has a meaning
//	bits 16-30  a literal, the base of a length or distance, or where the
//	            other table begins
//	bit  31     a literal
const (
	literal  = 1 << 31
	special  = 1 << 15
	blockEnd = 1 << 14
	another  = 1 << 13
	base     = 16
)

// How many bits look codes up at once. Longer codes continue in another table.
const (
	litBits  = 10
	distBits = 8
	preBits  = 7
	maxBits  = 15
)

// Sizes of tables, powers of two. A table of all codes that share their first
// bits has at least two, so there are at most half as many as symbols.
const (
	litSize  = 8192 // ≥ 1<<litBits + 286/2<<(maxBits-litBits)
	distSize = 4096 // ≥ 1<<distBits + 30/2<<(maxBits-distBits)
	preSize  = 1 << preBits
)

// What symbols mean, as entries without the bits of codes. They never change.
var (
	litSymbols  = literals()
	distSymbols = distances()
	preSymbols  = counts()
)

const (
	endSymbol = 256
	litCount  = 288
	distCount = 32
	preCount  = 19
)

func literals() (e [litCount]uint32) {
	for s := range uint32(endSymbol) {
		e[s] = literal | s<<base
	}
	e[endSymbol] = special | blockEnd
	length := uint32(3)
	for s := endSymbol + 1; s < litCount; s++ {
		extra := uint32(max((s-257)/4-1, 0))
		switch {
		case s == 285:
			e[s] = 258 << base
		case s > 285:
			e[s] = special
		default:
			e[s] = length<<base | extra
		}
		length += 1 << extra
	}
	return e
}

func distances() (e [distCount]uint32) {
	distance := uint32(1)
	for s := range uint32(distCount) {
		extra := max(s/2, 1) - 1
		e[s] = distance<<base | extra
		distance += 1 << extra
	}
	e[30], e[31] = special, special
	return e
}

func counts() (e [preCount]uint32) {
	for s := range e {
		e[s] = uint32(s) << base
	}
	return e
}

// build makes the table of a code: lengths has the bits of each symbol's, 0
// for none. It is false if those make no code.
func build(table []uint32, width uint, lengths []uint8, symbols []uint32) bool {
	var count [maxBits + 1]uint32
	for _, l := range lengths {
		count[l&maxBits]++
	}
	longest := uint(maxBits)
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	var next [maxBits + 2]uint32
	left := 1
	for l := uint(1); l <= maxBits; l++ {
		if left = left<<1 - int(count[l]); left < 0 {
			return false
		}
		next[l+1] = (next[l] + count[l]) << 1
	}
	clear(table[:1<<width])
	if left > 0 && longest > 1 {
		return false
	}
	free := uint32(1) << width
	for s, l := range lengths {
		if l == 0 {
			continue
		}
		code := uint32(bits.Reverse16(uint16(next[l]))) >> (16 - l) //nolint:gosec // a code of l bits
		next[l]++
		e := symbols[s] + uint32(l)*0x0101
		if uint(l) <= width {
			fill(table[:1<<width], code, uint(l), e)
			continue
		}
		first := &table[code&(1<<width-1)]
		more := longest - width
		if *first == 0 {
			*first = special | another | free<<base | uint32(more)
			clear(table[free : free+1<<more])
			free += 1 << more
		}
		at := *first >> base
		fill(table[at:at+1<<more], code>>width, uint(l)-width, e)
	}
	return true
}

// fill enters e wherever the low bits are code.
func fill(table []uint32, code uint32, width uint, e uint32) {
	for i := int(code); i < len(table); i += 1 << width {
		table[i] = e
	}
}
