package fressian

import "math"

// known is a keyword by the cache references that make it.
type known struct {
	list     uint32 // in which list they do; 0 is no list
	ns, name uint16
	cell     Cell
}

// noName is what a namespace of nil has for the index of its entry, and noRef
// what is no reference, or one too high to be known.
const (
	noName = 0xfffe
	noRef  = 0xffff
)

// packedKnown is the same where the names are packed references.
type packedKnown struct{ list, word uint32 }

// knownSlots is how many keywords are known at a time.
const knownSlots = 512

func nameSlot(ns, name uint16) int { return int(ns*37+name) % knownSlots }

// nameRef reads a name at w[o] that is nil or a cache reference. It returns
// the index of the entry, the offset behind the name, and what walking over
// it counts: references of the long form are values, and stand for one.
func nameRef(w *[window]byte, o int) (index uint16, end, nodes int) {
	switch c, next := w[o&7], w[(o+1)&7]; {
	case c >= codePriority0 && c < codeStruct0:
		return uint16(c - codePriority0), o + 1, 1
	case c == codeGetPriority && next < 0x40:
		return uint16(next), o + 2, 2
	case c == codeGetPriority && next >= 0x50 && next < 0x60:
		return uint16(next-0x50)<<8 | uint16(w[(o+2)&7]), o + 3, 2
	case c == codeNull:
		return noName, o + 1, 0
	}
	return noRef, o, 0
}

// keyword returns the keyword with which w begins, its size, and how many
// nodes its names count. The size is 0 if it is not known.
func (s *rows) keyword(w *[window]byte) (c Cell, size, nodes int) {
	ns, size, one := nameRef(w, 1)
	name, size, two := nameRef(w, size)
	k := &s.known[nameSlot(ns, name)]
	if k.list != s.list || k.ns != ns || k.name != name {
		return 0, 0, 0
	}
	return k.cell, size, one + two
}

// learn takes note of a keyword at the front of p, over which walking counted
// so many nodes, unless its names are no plain references.
func (s *rows) learn(p []byte, c Cell, nodes int64) {
	if len(p) < window {
		return
	}
	w := (*[window]byte)(p)
	ns, o, one := nameRef(w, 1)
	name, _, two := nameRef(w, o)
	if ns != noRef && name < noName && int64(1+one+two) == nodes {
		s.known[nameSlot(ns, name)] = known{s.list, ns, name, c}
		if word := int64(c >> cellShift); one == 1 && two == 1 && word <= math.MaxUint32 {
			s.packed[ns][name] = packedKnown{s.list, uint32(word)} //nolint:gosec // checked
		}
	}
}
