package build

import (
	"encoding/binary"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// indexes are the trees of a database, with those of history behind.
var indexes = []struct {
	name  string
	order datom.Index
	past  bool
}{
	{"eavt", datom.EAVT, false}, {"aevt", datom.AEVT, false}, {"avet", datom.AVET, false},
	{"temporal-eavt", datom.EAVT, true}, {"temporal-aevt", datom.AEVT, true}, {"temporal-avet", datom.AVET, true},
}

// entries makes a map of keywords without namespace and their values.
func entries(pairs ...any) fressian.Map {
	var m fressian.Map
	for i := 0; i < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		m = append(m, fressian.Entry{Key: kw("", name), Value: pairs[i+1]})
	}
	return m
}

// record is what a commit and the head of its branch hold.
func (b *Builder) record(schema fressian.UUID) (fressian.Map, error) {
	m := entries(
		"schema-meta-key", schema,
		"config", b.config(),
		"hash", b.hash,
		"max-tx", b.maxTx,
		"max-eid", b.maxEid,
		"op-count", b.ops)
	roots := fressian.Map{}
	for i := range b.trees {
		t := &b.trees[i]
		root := entries(
			"meta", append(entries("index-type", kw("", string(t.nodes.index))),
				fressian.Entry{Key: kw("pss", "storage-id"), Value: b.o.StoreID}),
			"address", t.root.address,
			"count", t.root.count,
			"branching-factor", int64(b.o.BranchingFactor),
			"diff-buf-size", int64(0))
		name := indexes[i].name + "-key"
		m = append(m, entries(name, fressian.Tagged{Tag: tagSet, Fields: []any{root}})...)
		roots = append(roots, entries(name, t.root.address)...)
	}
	m = append(m, entries("merkle-roots", roots)...)
	meta := b.meta()
	id, err := b.commitID(meta)
	b.result.Commit = id
	meta = append(meta, fressian.Entry{Key: kw("datahike", "commit-id"), Value: id})
	return append(m, entries("meta", meta)...), err
}

// meta says what wrote the database. It has no parents: the commit is the
// first. "DEVELOPMENT" is the version that every Datahike opens.
func (b *Builder) meta() fressian.Map {
	return fressian.Map{
		{Key: kw("datahike", "id"), Value: b.o.DatabaseID},
		{Key: kw("datahike", "created-at"), Value: b.now},
		{Key: kw("datahike", "updated-at"), Value: b.now},
		{Key: kw("datahike", "version"), Value: "DEVELOPMENT"},
		{Key: kw("konserve", "version")},
		{Key: kw("persistent.set", "version")},
		{Key: kw("hitchhiker.tree", "version")},
	}
}

// config is what create-database would have been given.
func (b *Builder) config() fressian.Map {
	flexibility := kw("", "write")
	if b.o.AnyAttribute {
		flexibility = kw("", "read")
	}
	m := entries(
		"store", append(b.o.Store[:len(b.o.Store):len(b.o.Store)], entries("id", b.o.StoreID)...),
		"keep-history?", b.o.History,
		"attribute-refs?", b.o.Refs != nil,
		"crypto-hash?", false,
		"schema-flexibility", flexibility,
		"index", kw("datahike.index", "persistent-set"),
		"branch", kw("", "db"),
		"writer", entries("backend", kw("", "self")),
		"search-cache-size", int64(0),
		"store-cache-size", int64(1000))
	if b.o.BranchingFactor != DefaultFactor {
		m = append(m, entries("index-config", entries("branching-factor", int64(b.o.BranchingFactor)))...)
	}
	return m
}

// commitID hashes what the commit is; its time takes the first four bytes.
func (b *Builder) commitID(meta fressian.Map) (fressian.UUID, error) {
	u, err := hasch.UUID(fressian.Vector{b.hash, b.maxTx, b.maxEid, meta})
	return b.timed(u), err
}

// timed puts the time in seconds before a UUID, as Datahike does.
func (b *Builder) timed(u fressian.UUID) fressian.UUID {
	binary.BigEndian.PutUint32(u[:4], uint32(b.now/1000))
	return u
}
