package sample

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// Branch is a branch of a database.
type Branch struct {
	db   *DB
	name fressian.Keyword
	head *value
}

// keyword reads a branch's name, with or without the colon.
func keyword(name string) fressian.Keyword {
	name = strings.TrimPrefix(name, ":")
	if ns, rest, ok := strings.Cut(name, "/"); ok {
		return kw(ns, rest)
	}
	return kw("", name)
}

// text is the name as people write it, with the colon.
func text(k fressian.Keyword) string {
	if k.NS != "" {
		return ":" + k.NS + "/" + k.Name
	}
	return ":" + k.Name
}

// OnBranch returns a branch by its name, such as ":db". It panics if there is
// none, for that is a mistake in the test.
func (db *DB) OnBranch(name string) *Branch {
	for _, b := range db.branches {
		if b.name == keyword(name) {
			return b
		}
	}
	panic(fmt.Sprintf("sample: no branch %s", name))
}

// Transact is Transact on the branch :db.
func (db *DB) Transact(edits int) error { return db.OnBranch(":db").Transact(edits) }

// Branch makes a branch from another, as branch! does: first the new head,
// then the set of branches.
func (db *DB) Branch(name, from string) error {
	k := keyword(name)
	if slices.ContainsFunc(db.branches, func(b *Branch) bool { return b.name == k }) {
		return fmt.Errorf("sample: branch %s exists", name)
	}
	b := &Branch{db: db, name: k, head: db.OnBranch(from).head}
	if err := db.put(b.object()); err != nil {
		return err
	}
	db.branches = append(db.branches, b)
	return db.put(db.branchSet())
}

// DeleteBranch takes a branch out of the set of branches, as delete-branch!
// does. Its head's object stays until [DB.GC].
func (db *DB) DeleteBranch(name string) error {
	gone := db.OnBranch(name)
	db.branches = slices.DeleteFunc(db.branches, func(b *Branch) bool { return b == gone })
	return db.put(db.branchSet())
}

func (db *DB) branchSet() object {
	var names fressian.Set
	for _, b := range db.branches {
		names = append(names, b.name)
	}
	return db.mutable(kw("", "branches"), names)
}

// object is the head.
func (b *Branch) object() object { return b.db.mutable(b.name, b.db.record(b.head, b.name)) }

// commit writes v as the newest commit, in Datahike's order: the schema if it
// is new, then new nodes, the commit's record, and last the head.
func (b *Branch) commit(v *value) error {
	db := b.db
	if u := v.schema.address; !db.written[u] {
		if err := db.put(db.immutable(u, func() ([]byte, error) { return encode(v.schema.value) })); err != nil {
			return err
		}
		db.written[u] = true
	}
	nodes, err := db.flush(v)
	if err != nil {
		return err
	}
	if err := db.put(nodes...); err != nil {
		return err
	}
	if v.commit, err = db.commitID(v); err != nil {
		return err
	}
	record := db.record(v, b.name)
	if err := db.put(db.immutable(v.commit, func() ([]byte, error) { return encode(record) })); err != nil {
		return err
	}
	b.head = v
	db.commits[v.commit] = v
	return db.put(b.object())
}

// flush gives addresses to the new nodes of v, children first, and returns
// their objects. With :crypto-hash? equal nodes share one.
func (db *DB) flush(v *value) (nodes []object, err error) {
	for i := range v.trees {
		v.trees[i].root.walk(
			func(n *node) bool { return !n.stored && err == nil },
			func(n *node) {
				n.stored = true
				if !db.o.CryptoHash {
					n.address = db.sequential(db.uuid())
				} else if n.address, err = contentAddress(n); err != nil || db.written[n.address] {
					return
				} else {
					db.written[n.address] = true
				}
				nodes = append(nodes, db.immutable(n.address, func() ([]byte, error) {
					return encodeNode(n, db.o.BranchingFactor)
				}))
			})
	}
	return nodes, err
}
