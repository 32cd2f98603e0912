package sample

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
)

// Facts is what is true of one branch.
type Facts struct {
	Commits  []string         // ids, oldest first; those that gc took are gone
	MaxTx    int64            // 536870912 and the number of transactions
	Datoms   map[string]int64 // by index: "eavt", "temporal-avet"
	Segments int              // objects that belong to it: head, commits, schemas, nodes, values
}

// Facts returns what is true of each branch, by name with the colon.
func (db *DB) Facts() map[string]Facts {
	all := map[string]Facts{}
	for _, b := range db.branches {
		f := Facts{MaxTx: b.head.maxTx, Datoms: map[string]int64{}}
		for i, t := range b.head.trees {
			f.Datoms[indexName(i)] = t.root.count
		}
		for _, v := range db.history(b.head) {
			f.Commits = append(f.Commits, hasch.String(v.commit))
		}
		slices.Reverse(f.Commits)
		f.Segments = len(db.mark([]*Branch{b}, true).names)
		all[text(b.name)] = f
	}
	return all
}

// Reachable returns the names of the objects that Datahike would keep in a
// collection of garbage that spares history, sorted.
func (db *DB) Reachable() []string {
	names := db.mark(db.branches, true).names
	names[keyName(kw("", "branches"))] = true
	return slices.Sorted(maps.Keys(names))
}

// Absent returns the names of the objects to which datoms refer and that are
// not there, sorted.
func (db *DB) Absent() []string {
	return slices.Sorted(maps.Keys(db.mark(db.branches, true).absent))
}

// history returns v and the commits before it that are left, newest first. No
// commit has two parents here. Of a database with online GC nobody can tell
// what earlier commits refer to, so they are left out.
func (db *DB) history(v *value) (commits []*value) {
	for v != nil {
		commits = append(commits, v)
		if len(v.parents) == 0 || db.o.OnlineGC {
			break
		}
		v = db.commits[v.parents[0]]
	}
	return commits
}

// GC deletes what nothing refers to, as gc-storage! does: with history what
// belongs to no branch, without it all but the newest commit of each.
func (db *DB) GC(history bool) error {
	keep := db.mark(db.branches, history).names
	keep[keyName(kw("", "branches"))] = true
	files, err := os.ReadDir(db.dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), suffix) && !keep[f.Name()] {
			err = errors.Join(err, os.Remove(filepath.Join(db.dir, f.Name())))
		}
	}
	gone := func(u fressian.UUID) bool { return !keep[addressName(u)] }
	maps.DeleteFunc(db.commits, func(u fressian.UUID, _ *value) bool { return gone(u) })
	maps.DeleteFunc(db.written, func(u fressian.UUID, _ bool) bool { return gone(u) })
	maps.DeleteFunc(db.stored, func(u fressian.UUID, _ bool) bool { return gone(u) })
	return err
}
