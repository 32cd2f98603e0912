package sample

import (
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// keepBase notes that now is n with other content but the same shape.
func (t *tree) keepBase(now, n *node) {
	switch {
	case t.buffer == 0:
	case n.filed:
		now.base = n
	default:
		now.base = n.base
	}
}

// own returns a copy of a node that needs an object, where before the node
// above it was enough.
func (n *node) own() *node {
	return &node{level: n.level, keys: n.keys, kids: n.kids, count: n.count}
}

// buffered tells whether the node above can hold what has changed in n since
// its base was written: few edits, and no other children.
func (n *node) buffered(t *tree) bool {
	if n.base == nil {
		return false
	}
	if n.level == 0 {
		n.present = without(t.order, n.keys, n.base.keys)
		n.absent = without(t.order, n.base.keys, n.keys)
		n.edits = len(n.present) + len(n.absent)
		return n.edits <= t.buffer
	}
	if len(n.kids) != len(n.base.kids) {
		return false
	}
	n.edits = 0
	for i, k := range n.kids {
		if k.address != n.base.kids[i].address {
			return false
		}
		n.edits += k.edits
	}
	return n.edits <= t.buffer
}

// without returns what is in x and not in y, both sorted.
func without(o order, x, y []*datom) (rest []*datom) {
	for _, d := range x {
		for len(y) > 0 && o.compare(y[0], d) < 0 {
			y = y[1:]
		}
		if len(y) == 0 || o.compare(y[0], d) != 0 {
			rest = append(rest, d)
		}
	}
	return rest
}

// slotsOf is what an inner node holds of its children's edits: those of
// leaves, or below an inner node that has not been written its own slots.
func slotsOf(n *node) (slots fressian.Map) {
	for i, k := range n.kids {
		if k.base == nil {
			continue
		}
		diff := slotsOf(k)
		if k.level == 0 {
			diff = entries("present", datomValues(k.present), "absent", datomValues(k.absent))
		}
		slots = append(slots, fressian.Entry{Key: int64(i), Value: entries(
			"max-key", datomValue(k.last()), "measure", nil, "count", k.count, "diff", diff)})
	}
	return slots
}

// nodeValue is a node as a record holds it.
func (db *DB) nodeValue(n *node) fressian.Tagged {
	m := entries("keys", datomValues(n.keys))
	tag := tagLeaf
	if n.level > 0 {
		addresses := fressian.Vector{}
		for _, k := range n.kids {
			addresses = append(addresses, k.address)
		}
		m = append(append(entries("level", int64(n.level)), m...), entries("addresses", addresses, "subtree-count", n.count)...)
		tag = tagBranch
		if slots := slotsOf(n); len(slots) > 0 {
			m = append(m, entries("slots", slots)...)
		}
	}
	m = append(m, entries("branching-factor", int64(db.o.BranchingFactor), "diff-buf-size", int64(db.o.DiffBuffer))...)
	return fressian.Tagged{Tag: tag, Fields: []any{m}}
}

func datomValue(d *datom) fressian.Tagged {
	return fressian.Tagged{Tag: tagDatom, Fields: []any{fressian.Vector{d.e, d.a.boxed, d.v, d.tx, d.added}}}
}

func datomValues(datoms []*datom) fressian.Vector {
	all := fressian.Vector{}
	for _, d := range datoms {
		all = append(all, datomValue(d))
	}
	return all
}
