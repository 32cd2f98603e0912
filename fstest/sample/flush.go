package sample

import (
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// flush gives addresses to the new nodes of v, children first, and returns
// the objects of those that need one. With :crypto-hash? equal nodes share one.
func (db *DB) flush(v *value) (nodes []object, err error) {
	for i := range v.trees {
		t := &v.trees[i]
		if t.root.stored && t.root.base != nil {
			t.root = t.root.own()
		}
		t.root.walk(
			func(n *node) bool { return !n.stored && err == nil },
			func(n *node) {
				var o *object
				if o, err = db.settle(t, n); o != nil {
					nodes = append(nodes, *o)
				}
			})
	}
	return nodes, err
}

// settle decides where a node is kept, and returns its object if it is to be
// written.
func (db *DB) settle(t *tree, n *node) (*object, error) {
	n.stored = true
	if n != t.root && n.buffered(t) {
		n.address = n.base.address
		return nil, nil
	}
	n.base, n.present, n.absent, n.edits = nil, nil, nil, 0
	if !db.o.CryptoHash {
		n.address = db.address()
		if n == t.root && db.o.FuseRoots {
			return nil, nil
		}
	} else {
		var err error
		if n.address, err = contentAddress(n); err != nil {
			return nil, err
		}
	}
	n.filed = true
	if db.written[n.address] {
		return nil, nil
	}
	if db.o.CryptoHash {
		db.written[n.address] = true
	}
	o := db.immutable(n.address, func() ([]byte, error) { return encodeNode(n, t.max, t.buffer) })
	return &o, nil
}

// address returns one for a node: with online GC one that was freed, if any.
func (db *DB) address() fressian.UUID {
	if n := len(db.free); n > 0 && len(db.branches) == 1 {
		u := db.free[n-1]
		db.free = db.free[:n-1]
		db.reused++
		return u
	}
	return db.sequential(db.uuid())
}

// Reused returns how many addresses were taken again.
func (db *DB) Reused() int { return db.reused }

// release frees the addresses of nodes that the newest commit has no more, as
// online GC does when there is but one branch: the next commit takes them.
func (db *DB) release(before, now *value) {
	if !db.o.OnlineGC || before == nil || len(db.branches) != 1 {
		return
	}
	freed := map[fressian.UUID]bool{}
	before.eachNode(func(n *node) { freed[n.address] = true })
	now.eachNode(func(n *node) { delete(freed, n.address) })
	// In an order of its own, so that equal seeds make equal files.
	var sorted []fressian.UUID
	for u := range freed {
		sorted = append(sorted, u)
	}
	slices.SortFunc(sorted, compareUUIDs)
	db.free = append(db.free, sorted...)
}

// eachNode visits all nodes of v.
func (v *value) eachNode(visit func(*node)) {
	for i := range v.trees {
		v.trees[i].root.walk(func(*node) bool { return true }, visit)
	}
}
