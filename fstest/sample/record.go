package sample

import (
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
)

// entries makes a map of keywords without namespace and their values.
func entries(pairs ...any) fressian.Map {
	var m fressian.Map
	for i := 0; i < len(pairs); i += 2 {
		m = append(m, fressian.Entry{Key: kw("", pairs[i].(string)), Value: pairs[i+1]})
	}
	return m
}

// record is the db record of v as the head or commit of a branch, its entries
// in Clojure's order.
func (db *DB) record(v *value, branch fressian.Keyword) fressian.Map {
	all := entries(
		"temporal-avet-key", db.set(v, temporal+int(avet)),
		"merkle-roots", db.roots(v),
		"max-tx", v.maxTx,
		"hash", v.hash,
		"meta", db.meta(v, true),
		"avet-key", db.set(v, int(avet)),
		"config", db.config(v, branch),
		"max-eid", v.maxEid,
		"eavt-key", db.set(v, int(eavt)),
		"temporal-aevt-key", db.set(v, temporal+int(aevt)),
		"aevt-key", db.set(v, int(aevt)),
		"op-count", v.opCount,
		"temporal-eavt-key", db.set(v, temporal+int(eavt)),
		"schema-meta-key", v.schema.address,
	)
	var m fressian.Map
	for _, e := range all {
		if e.Value != nil {
			m = append(m, e)
		}
	}
	if db.o.FuseRoots {
		for i := range v.trees {
			m = append(m, entries(indexName(i)+"-root", db.nodeValue(v.trees[i].root))...)
		}
	}
	return m
}

// set describes index i, or is nil where the database has no such index.
func (db *DB) set(v *value, i int) any {
	if i >= len(v.trees) {
		return nil
	}
	t := &v.trees[i]
	return fressian.Tagged{Tag: tagSet, Fields: []any{entries(
		"meta", append(
			entries("index-type", kw("", t.order.String())),
			fressian.Entry{Key: kw("pss", "storage-id"), Value: db.storeID}),
		"address", t.root.address,
		"count", t.root.count,
		"branching-factor", int64(t.max),
		"diff-buf-size", int64(db.o.DiffBuffer),
	)}}
}

func (db *DB) roots(v *value) fressian.Map {
	var m fressian.Map
	for i := range v.trees {
		m = append(m, entries(indexName(i)+"-key", v.trees[i].root.address)...)
	}
	return m
}

// meta has fewer entries, in another order, in the first record. The commit id
// is a hash of the rest.
func (db *DB) meta(v *value, id bool) fressian.Map {
	var m fressian.Map
	add := func(ns, name string, val any) { m = append(m, fressian.Entry{Key: kw(ns, name), Value: val}) }
	first := len(v.parents) == 0
	if !first {
		add("datahike", "updated-at", v.updated)
		if id {
			add("datahike", "commit-id", v.commit)
		}
	}
	add("hitchhiker.tree", "version", nil)
	add("datahike", "id", db.id)
	if !first {
		var parents fressian.Set
		for _, p := range v.parents {
			parents = append(parents, p)
		}
		add("datahike", "parents", parents)
	}
	add("konserve", "version", nil)
	add("datahike", "version", "DEVELOPMENT")
	add("persistent.set", "version", nil)
	add("datahike", "created-at", db.created)
	if first && id {
		add("datahike", "commit-id", v.commit)
	}
	return m
}

// config is what create-database was given, as every record repeats it. The
// path is no real one, so that equal seeds make equal stores; Datahike does
// not compare it.
func (db *DB) config(v *value, branch fressian.Keyword) fressian.Map {
	m := entries(
		"keep-history?", !db.o.NoHistory,
		"search-cache-size", int64(0),
		"index", kw("datahike.index", "persistent-set"),
		"store", entries("backend", kw("", "file"), "path", "/var/lib/datahike/sample", "id", db.storeID))
	if len(v.parents) == 0 {
		m = append(m, entries("initial-tx", false)...)
	}
	m = append(m, entries(
		"store-cache-size", int64(1000),
		"attribute-refs?", false,
		"writer", entries("backend", kw("", "self")),
		"crypto-hash?", db.o.CryptoHash,
		"schema-flexibility", kw("", "write"),
		"branch", branch)...)
	var index fressian.Map
	if db.o.BranchingFactor != defaultFactor {
		index = entries("branching-factor", int64(db.o.BranchingFactor))
	}
	if db.o.DiffBuffer > 0 {
		index = append(index, entries("diff-buf-size", int64(db.o.DiffBuffer))...)
	}
	if len(index) > 0 {
		m = append(m, entries("index-config", index)...)
	}
	return append(m, db.unusual()...)
}

// unusual are settings that a database has only if it was given them.
func (db *DB) unusual() (m fressian.Map) {
	if db.o.FuseRoots {
		m = append(m, entries("fuse-index-roots?", true)...)
	}
	if db.o.NoCommitGraph {
		m = append(m, entries("commit-graph?", false)...)
	}
	if db.o.OnlineGC {
		m = append(m, entries("online-gc", entries("enabled?", true, "grace-period-ms", int64(0), "max-batch", int64(1000)))...)
	}
	return m
}

// commitID hashes what the commit is: with :crypto-hash? the roots and the
// schema, else the sum over its datoms, and then its time takes the first
// four bytes.
func (db *DB) commitID(v *value) (fressian.UUID, error) {
	if db.o.CryptoHash {
		return hasch.UUID(fressian.Vector{db.roots(v), v.schema.address, v.maxTx, v.maxEid, db.meta(v, false)})
	}
	u, err := hasch.UUID(fressian.Vector{v.hash, v.maxTx, v.maxEid, db.meta(v, false)})
	return db.sequential(u), err
}
