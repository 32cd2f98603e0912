package view

import (
	"cmp"
	"math"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
)

// span is what of an index is wanted: what lies between two entities, and one
// attribute.
type span struct {
	index      datom.Index
	eFrom, eTo int64
	a          *int32
	// parts are those with which the order begins and that are bounded.
	parts string
	low   datomic.Datom // what is wanted is not less
}

func newSpan(index datom.Index, eFrom, eTo int64, a *int32) *span {
	s := &span{index: index, eFrom: eFrom, eTo: eTo, a: a}
	for i := range len(index) - 1 {
		switch {
		case index[i] == 'e' && (eFrom > 0 || eTo < math.MaxInt64):
			s.low.E = eFrom
		case index[i] == 'a' && a != nil:
			s.low.A = *a
		default:
			return s
		}
		s.parts = string(index[:i+1])
		if index[i] == 'e' && eFrom != eTo {
			return s
		}
	}
	return s
}

// side tells whether a datom lies before the bounds (-1), after them (1), or
// between, as far as the order of the index has them in front.
func (s *span) side(d *datomic.Datom) int {
	for i := range len(s.parts) {
		c := 0
		switch {
		case s.parts[i] == 'a':
			c = cmp.Compare(d.A, *s.a)
		case d.E < s.eFrom:
			c = -1
		case d.E > s.eTo:
			c = 1
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// wants tells whether a datom lies between all bounds.
func (s *span) wants(d *datomic.Datom) bool {
	return d.E >= s.eFrom && d.E <= s.eTo && (s.a == nil || d.A == *s.a)
}

// bounded is a child of an index node, and what the datoms beneath it are less
// than; nil if nobody knows.
type bounded struct {
	datomic.Child
	upper *datomic.Datom
}

// pick returns the children that may have datoms which are wanted. upper is
// that of their node.
func (s *span) pick(children []datomic.Child, upper *datomic.Datom) (picked []bounded) {
	for i := range children {
		end := upper
		if i+1 < len(children) {
			end = &children[i+1].Key
		}
		if end != nil && datomic.CompareFact(s.index, end, &s.low) <= 0 {
			continue
		}
		if i > 0 && s.side(&children[i].Key) > 0 {
			break
		}
		picked = append(picked, bounded{children[i], end})
	}
	return picked
}

// trim cuts off the datoms of a leaf that lie before or after the bounds.
func (s *span) trim(datoms []datomic.Datom) []datomic.Datom {
	for len(datoms) > 0 && s.side(&datoms[0]) < 0 {
		datoms = datoms[1:]
	}
	for len(datoms) > 0 && s.side(&datoms[len(datoms)-1]) > 0 {
		datoms = datoms[:len(datoms)-1]
	}
	return datoms
}
