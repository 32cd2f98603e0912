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
// is new, then new nodes, the commit's record, and last the head. What datoms
// refer to was there before.
func (b *Branch) commit(v *value) error {
	db := b.db
	if err := db.putFiles(); err != nil {
		return err
	}
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
	if db.hasCommit(v) {
		record := db.record(v, b.name)
		if err := db.put(db.immutable(v.commit, func() ([]byte, error) { return encode(record) })); err != nil {
			return err
		}
		db.commits[v.commit] = v
	}
	before := b.head
	b.head = v
	if err := db.put(b.object()); err != nil {
		return err
	}
	db.release(before, v)
	return nil
}

// hasCommit tells whether a commit has a record. Without :commit-graph? the
// first alone has one.
func (db *DB) hasCommit(v *value) bool { return !db.o.NoCommitGraph || len(v.parents) == 0 }

// Reset sets the branch back by so many commits, as forcing it onto an earlier
// one does: to the oldest that is left at most, and not before there were
// attributes. It tells whether it moved.
func (b *Branch) Reset(back int) (moved bool, err error) {
	commits := b.db.history(b.head)
	commits = slices.DeleteFunc(commits, func(v *value) bool { return v.maxTx == tx0 })
	v := commits[min(back, len(commits)-1)]
	if v == b.head {
		return false, nil
	}
	b.head = v
	return true, b.db.put(b.object())
}
