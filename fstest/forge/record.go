package forge

import (
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// K is the keyword of a name that may have a namespace.
func K(parts ...string) fressian.Keyword {
	if len(parts) == 2 {
		return fressian.Keyword{NS: parts[0], Name: parts[1]}
	}
	return fressian.Keyword{Name: parts[0]}
}

// M is a map with keywords for keys: name, value, name, value.
func M(entries ...any) fressian.Map {
	m := fressian.Map{}
	for i := 0; i < len(entries); i += 2 {
		key := entries[i]
		if name, ok := key.(string); ok {
			key = K(name)
		}
		m = append(m, fressian.Entry{Key: key, Value: entries[i+1]})
	}
	return m
}

// With returns m with some entries changed or added.
func With(m fressian.Map, entries ...any) fressian.Map {
	out := append(fressian.Map(nil), m...)
next:
	for _, e := range M(entries...) {
		for i := range out {
			if out[i].Key == e.Key {
				out[i].Value = e.Value
				continue next
			}
		}
		out = append(out, e)
	}
	return out
}

// Tag is a struct of one component.
func Tag(tag string, v any) fressian.Tagged { return fressian.Tagged{Tag: tag, Fields: []any{v}} }

// Datom is one fact of a transaction.
func Datom(e, tx int64) fressian.Tagged {
	return Tag("datahike.datom.Datom", []any{e, K("name"), "entity", tx, true})
}

// LeafValue is a leaf with n datoms.
func LeafValue(n int) fressian.Tagged {
	keys := make([]any, n)
	for i := range keys {
		keys[i] = Datom(int64(i+1), 1<<29+1)
	}
	return Tag("pss/leaf", M("keys", keys, "branching-factor", int64(512), "diff-buf-size", int64(0)))
}

// BranchValue is an inner node over children of n datoms together.
func BranchValue(level, n int, children ...fressian.UUID) fressian.Tagged {
	keys, addresses := make([]any, len(children)), make([]any, len(children))
	for i, c := range children {
		keys[i], addresses[i] = Datom(int64(i+1), 1<<29+1), c
	}
	return Tag("pss/branch", M("level", int64(level), "keys", keys, "addresses", addresses,
		"subtree-count", int64(n), "branching-factor", int64(512), "diff-buf-size", int64(0)))
}

// Leaf writes a leaf with n datoms and returns its address.
func (s *Store) Leaf(n int) fressian.UUID { return s.node(LeafValue(n)) }

// Branch writes an inner node over children of n datoms together.
func (s *Store) Branch(level, n int, children ...fressian.UUID) fressian.UUID {
	return s.node(BranchValue(level, n, children...))
}

func (s *Store) node(v any) fressian.UUID {
	u := s.UUID()
	s.Put(u, v)
	return u
}

// Index describes an index by its root and its number of datoms.
func Index(root any, n int) fressian.Tagged {
	return Tag("pss/set", M("meta", M("index-type", K("eavt")), "address", root, "count", int64(n),
		"branching-factor", int64(512), "diff-buf-size", int64(0)))
}

// Schema writes a schema blob with one attribute of a type.
func (s *Store) Schema(valueType string) fressian.UUID {
	return s.node(M("schema", M("name", M(K("db", "valueType"), K("db.type", valueType)))))
}

// Config is a record's settings, with some changed.
func Config(entries ...any) fressian.Map {
	return With(M("keep-history?", false, "schema-flexibility", K("write"), "crypto-hash?", false,
		"index", K("datahike.index", "persistent-set"),
		"store", M("backend", K("file"), "path", "/tmp/db", "id", fressian.UUID{0: 0x51})), entries...)
}

// Record is the value of a commit: its indexes by name without ":…-key".
func (s *Store) Record(id fressian.UUID, maxTx int64, schema any, indexes map[string]fressian.Tagged, parents ...any) fressian.Map {
	m := M("schema-meta-key", schema, "config", Config(), "max-tx", 1<<29+maxTx, "max-eid", int64(9), "op-count", int64(9))
	for _, name := range []string{"eavt", "aevt", "avet"} {
		if x, ok := indexes[name]; ok {
			m = append(m, fressian.Entry{Key: K(name + "-key"), Value: x})
		}
	}
	meta := M(K("datahike", "id"), s.DatabaseID, K("datahike", "commit-id"), id, K("datahike", "version"), "0.8.0")
	if len(parents) > 0 {
		meta = With(meta, K("datahike", "parents"), fressian.Set(parents))
	}
	return With(m, "meta", meta)
}

// Commit writes a record under its id, and as the head of each branch.
func (s *Store) Commit(id fressian.UUID, record fressian.Map, branches ...string) {
	s.Put(id, record)
	for _, b := range branches {
		s.Head(b, record)
	}
}

// Head writes a branch's head.
func (s *Store) Head(branch string, record fressian.Map) string { return s.Put(K(branch), record) }

// Branches writes the set of branches.
func (s *Store) Branches(names ...string) string {
	set := fressian.Set{}
	for _, n := range names {
		set = append(set, K(n))
	}
	return s.Put(K("branches"), set)
}
