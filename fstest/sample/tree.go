package sample

import (
	"slices"
	"sort"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// node is a leaf or an inner node of a persistent sorted set.
type node struct {
	level int
	keys  []*datom // a leaf's datoms, or the last datom below each kid
	kids  []*node  // nil in a leaf
	count int64    // datoms below

	// A node with an address never changes again. It is filed if it has an
	// object of its own; if not, it is the root of a record that holds it, or
	// the node above it has its difference from base, whose address it has.
	stored, filed bool
	address       fressian.UUID

	base            *node // what has an object and was changed to this, in place
	present, absent []*datom
	edits           int // what the node above has to hold of it
}

func newLeaf(keys []*datom) *node { return &node{keys: keys, count: int64(len(keys))} }

func newBranch(level int, kids []*node) *node {
	n := &node{level: level, kids: kids, keys: make([]*datom, len(kids))}
	for i, k := range kids {
		n.keys[i] = k.last()
		n.count += k.count
	}
	return n
}

func (n *node) last() *datom { return n.keys[len(n.keys)-1] }

// tree is an index. Copying the struct makes an independent tree: a change
// copies the nodes on its path that have been written.
type tree struct {
	order  order
	max    int // branching factor: the most keys of a node
	buffer int // the most edits of a node that the one above holds
	root   *node
}

// search returns where d is or would be among the keys of n.
func (t *tree) search(n *node, d *datom) (int, bool) {
	return slices.BinarySearchFunc(n.keys, d, t.order.compare)
}

func (t *tree) has(d *datom) bool {
	for n := t.root; ; {
		i, found := t.search(n, d)
		if found || n.level == 0 || i == len(n.kids) {
			return found
		}
		n = n.kids[i]
	}
}

// insert adds d unless it is there.
func (t *tree) insert(d *datom) {
	if t.has(d) {
		return
	}
	parts := t.insertInto(t.root, d)
	t.root = parts[0]
	if len(parts) > 1 {
		t.root = newBranch(parts[0].level+1, parts)
	}
}

// insertInto returns what takes the place of n: one node, or two.
func (t *tree) insertInto(n *node, d *datom) []*node {
	i, _ := t.search(n, d)
	if n.level == 0 {
		leaves := t.split(0, slices.Insert(slices.Clone(n.keys), i, d), nil)
		if len(leaves) == 1 {
			t.keepBase(leaves[0], n)
		}
		return leaves
	}
	i = min(i, len(n.kids)-1)
	parts := t.insertInto(n.kids[i], d)
	nodes := t.split(n.level, nil, slices.Replace(slices.Clone(n.kids), i, i+1, parts...))
	if len(parts) == 1 {
		t.keepBase(nodes[0], n)
	}
	return nodes
}

// remove takes d out and tells whether it was there.
func (t *tree) remove(d *datom) bool {
	if !t.has(d) {
		return false
	}
	t.root = t.removeFrom(t.root, d)
	for t.root.level > 0 && len(t.root.kids) == 1 {
		t.root = t.root.kids[0]
	}
	return true
}

// removeFrom returns what takes the place of n. A child that is less than
// half full is merged with the one beside it, or shares with it.
func (t *tree) removeFrom(n *node, d *datom) *node {
	i, _ := t.search(n, d)
	if n.level == 0 {
		leaf := newLeaf(slices.Delete(slices.Clone(n.keys), i, i+1))
		t.keepBase(leaf, n)
		return leaf
	}
	kid := t.removeFrom(n.kids[i], d)
	from, to, parts := i, i+1, []*node{kid}
	if len(kid.keys) < t.max/2 && len(n.kids) > 1 {
		a, b := kid, kid
		if i > 0 {
			from, a = i-1, n.kids[i-1]
		} else {
			to, b = i+2, n.kids[i+1]
		}
		parts = t.split(a.level, slices.Concat(a.keys, b.keys), slices.Concat(a.kids, b.kids))
	}
	above := newBranch(n.level, slices.Replace(slices.Clone(n.kids), from, to, parts...))
	if to == from+1 {
		t.keepBase(above, n)
	}
	return above
}

// split makes one node of keys or kids, or two halves if they are too many.
func (t *tree) split(level int, keys []*datom, kids []*node) []*node {
	if level == 0 {
		if half := len(keys) / 2; len(keys) > t.max {
			return []*node{newLeaf(slices.Clone(keys[:half])), newLeaf(slices.Clone(keys[half:]))}
		}
		return []*node{newLeaf(keys)}
	}
	if half := len(kids) / 2; len(kids) > t.max {
		return []*node{newBranch(level, slices.Clone(kids[:half])), newBranch(level, slices.Clone(kids[half:]))}
	}
	return []*node{newBranch(level, kids)}
}

// bulk builds a tree of sorted datoms, its nodes three quarters full, as
// Datahike does where it has all datoms at once.
func bulk(o order, factor int, sorted []*datom) tree {
	t := tree{order: o, max: factor, root: newLeaf(nil)}
	var nodes []*node
	for keys := range chunks(sorted, factor) {
		nodes = append(nodes, newLeaf(keys))
	}
	for level := 1; len(nodes) > 1; level++ {
		var above []*node
		for kids := range chunks(nodes, factor) {
			above = append(above, newBranch(level, kids))
		}
		nodes = above
	}
	if len(nodes) == 1 {
		t.root = nodes[0]
	}
	return t
}

// rebuilt is bulk with the tree's own limits.
func (t tree) rebuilt(sorted []*datom) tree {
	n := bulk(t.order, t.max, sorted)
	n.buffer = t.buffer
	return n
}

// chunks cuts s so that each piece is between half full and full.
func chunks[T any](s []T, factor int) func(yield func([]T) bool) {
	return func(yield func([]T) bool) {
		usual := factor * 3 / 4
		for len(s) > 0 {
			n := usual
			if len(s) <= factor {
				n = len(s)
			} else if len(s) < 2*usual {
				n = len(s) / 2
			}
			if !yield(s[:n:n]) {
				return
			}
			s = s[n:]
		}
	}
}

// ascend calls yield with each datom from the first on for which from is true,
// until yield returns false.
func (n *node) ascend(from func(*datom) bool, yield func(*datom) bool) bool {
	i := sort.Search(len(n.keys), func(i int) bool { return from(n.keys[i]) })
	for ; i < len(n.keys); i++ {
		if n.level > 0 && !n.kids[i].ascend(from, yield) || n.level == 0 && !yield(n.keys[i]) {
			return false
		}
	}
	return true
}

// walk visits the nodes of n below which visit returns true, children first.
func (n *node) walk(enter func(*node) bool, leave func(*node)) {
	if !enter(n) {
		return
	}
	for _, k := range n.kids {
		k.walk(enter, leave)
	}
	leave(n)
}
