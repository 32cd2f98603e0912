package sample

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is written here of a node that Datahike wrote is what Datahike wrote.
func TestNodesAreEncodedAsDatahikeDoes(t *testing.T) {
	for name, factor := range map[string]int{"a-default": 512, "b-nohist": 512, "c-crypto": 512, "h-gen3": 64} {
		t.Run(name, func(t *testing.T) {
			s := read(t, fixture.Unpack(t, name))
			leaves, branches := 0, 0
			s.nodes(s.record(kw("", "db")), func(_ string, o stored, n *node) {
				if n.level == 0 {
					leaves++
				} else {
					branches++
				}
				b, err := encodeNode(n, factor, 0)
				require.NoError(t, err)
				require.Equal(t, o.bytes, b, o.name)
			})
			assert.Positive(t, leaves)
			assert.Positive(t, branches)
		})
	}
}

// So is a node that holds edits of its children, but for the order of maps.
func TestEditsAreEncodedAsDatahikeDoes(t *testing.T) {
	s := read(t, fixture.Unpack(t, "k-diffbuf"))
	leaves, slots := 0, 0
	s.nodes(s.record(kw("", "db")), func(_ string, o stored, n *node) {
		want := o.value.(fressian.Tagged).Fields[0].(fressian.Map)
		for _, e := range mapIn(want, "slots") {
			slots++
			kid := n.kids[e.Key.(int64)]
			edit := e.Value.(fressian.Map)
			kid.base = &node{address: kid.address}
			kid.present, kid.absent = s.datoms(get(edit, "diff", "present")), s.datoms(get(edit, "diff", "absent"))
			kid.keys, kid.count = s.datoms(fressian.Vector{get(edit, "max-key")}), get(edit, "count").(int64)
		}
		if n.level == 0 {
			leaves++
		}
		b, err := encodeNode(n, 64, 32)
		require.NoError(t, err)
		v, err := fressian.Decode(b)
		require.NoError(t, err)
		assert.Equal(t, sorted(o.value), sorted(v))
	})
	assert.Positive(t, leaves)
	assert.Greater(t, slots, 10)
}

func mapIn(m fressian.Map, name string) fressian.Map {
	in, _ := get(m, name).(fressian.Map)
	return in
}

// sorted brings the entries of maps into an order.
func sorted(v any) any {
	switch v := v.(type) {
	case fressian.Map:
		m := fressian.Map{}
		for _, e := range v {
			m = append(m, fressian.Entry{Key: e.Key, Value: sorted(e.Value)})
		}
		slices.SortFunc(m, func(a, b fressian.Entry) int { return strings.Compare(fmt.Sprint(a.Key), fmt.Sprint(b.Key)) })
		return m
	case fressian.Tagged:
		return fressian.Tagged{Tag: v.Tag, Fields: []any{sorted(v.Fields[0])}}
	}
	return v
}

// A root is the same value within a record as in an object of its own.
func TestNodesInRecords(t *testing.T) {
	db := busy(t, Options{Entities: 40, BranchingFactor: 8, DiffBuffer: 6})
	nodes := 0
	db.branches[0].head.eachNode(func(n *node) {
		if !n.filed {
			return
		}
		nodes++
		b, err := encodeNode(n, 8, 6)
		require.NoError(t, err)
		inline, err := encode(db.nodeValue(n))
		require.NoError(t, err)
		one, err := fressian.Decode(b)
		require.NoError(t, err)
		other, err := fressian.Decode(inline)
		require.NoError(t, err)
		require.Equal(t, one, other)
	})
	assert.Greater(t, nodes, 100)
}

// Datahike's trees are in the order in which trees here are.
func TestOrderIsDatahikes(t *testing.T) {
	s := read(t, fixture.Unpack(t, "a-default"))
	seen := map[string]int{}
	for _, r := range s.records() {
		s.nodes(r, func(index string, _ stored, n *node) {
			seen[index]++
			assert.True(t, slices.IsSortedFunc(n.keys, orderOf(index).compare), "a node of %s", index)
			for i, k := range n.kids {
				assert.Equal(t, k.last(), n.keys[i])
			}
		})
	}
	assert.Len(t, seen, 6)
}

func TestContentAddressIsDatahikes(t *testing.T) {
	s := read(t, fixture.Unpack(t, "c-crypto"))
	nodes := 0
	s.nodes(s.record(kw("", "db")), func(_ string, _ stored, n *node) {
		nodes++
		address, err := contentAddress(n)
		require.NoError(t, err)
		assert.Equal(t, n.address, address)
	})
	assert.Greater(t, nodes, 6)
}

// With content hashes the id of a commit can be checked: by the same rule in
// a store of Datahike and in one made here.
func TestCommitIDIsDatahikes(t *testing.T) {
	db := make64(t, Options{Entities: 100, CryptoHash: true})
	require.NoError(t, db.Transact(10))
	for _, dir := range []string{fixture.Unpack(t, "c-crypto"), db.dir} {
		records := read(t, dir).records()
		require.Greater(t, len(records), 3)
		for _, r := range records {
			var meta fressian.Map
			for _, e := range get(r, "meta").(fressian.Map) {
				if e.Key != any(kw("datahike", "commit-id")) {
					meta = append(meta, e)
				}
			}
			id, err := hasch.UUID(fressian.Vector{
				get(r, "merkle-roots"), get(r, "schema-meta-key"), get(r, "max-tx"), get(r, "max-eid"), meta,
			})
			require.NoError(t, err)
			assert.Equal(t, get(r, "meta", "datahike/commit-id"), id)
		}
	}
}

// The first transaction is the one that the real store begins with, so its
// nodes are the same, but for the time of the transaction.
func TestSchemaTransactionIsDatahikes(t *testing.T) {
	db, err := Create(t.TempDir(), Options{})
	require.NoError(t, err)
	leaves := func(dir string) map[string]string {
		s := read(t, dir)
		m := map[string]string{}
		s.nodes(s.records()[1], func(index string, o stored, n *node) {
			for i, d := range n.keys {
				if d.a.ident.Name == "txInstant" {
					n.keys[i] = &datom{d.e, d.a, fressian.Inst(0), d.tx, d.added}
				}
			}
			b, err := encodeNode(n, 512, 0)
			require.NoError(t, err)
			m[index] = string(b)
		})
		return m
	}
	real := leaves(fixture.Unpack(t, "a-default"))
	require.Len(t, real, 6)
	assert.Equal(t, real, leaves(db.dir))
}

// Records have the same entries in the same order and of the same types, and
// equal settings.
func TestRecordsHaveTheShapeOfDatahikes(t *testing.T) {
	cases := map[string]Options{
		"a-default": {Entities: 100},
		"b-nohist":  {Entities: 100, NoHistory: true},
		"c-crypto":  {Entities: 100, CryptoHash: true},
		"h-gen1":    {Entities: 100, BranchingFactor: 64},
	}
	for name, o := range cases {
		t.Run(name, func(t *testing.T) {
			db, err := Create(t.TempDir(), o)
			require.NoError(t, err)
			require.NoError(t, db.Transact(5))
			want, got := read(t, fixture.Unpack(t, name)), read(t, db.dir)
			for _, at := range []func([]fressian.Map) fressian.Map{
				func(r []fressian.Map) fressian.Map { return r[0] },
				func(r []fressian.Map) fressian.Map { return r[1] },
				func(r []fressian.Map) fressian.Map { return r[len(r)-1] },
			} {
				assert.Equal(t, shape(at(want.records())), shape(at(got.records())))
			}
			for key, o := range want.objects {
				if _, isBranch := key.(fressian.Keyword); isBranch {
					assert.Equal(t, o.meta.Immutable, got.objects[key].meta.Immutable)
				}
			}
			schemaKey := get(got.record(kw("", "db")), "schema-meta-key")
			assert.Equal(t, want.objects[schemaKey].bytes, got.objects[schemaKey].bytes)
		})
	}
}

// shape is a value without what differs from one database to the next.
func shape(v any) any {
	switch v := v.(type) {
	case fressian.Map:
		var entries []any
		for _, e := range v {
			entries = append(entries, []any{e.Key, shape(e.Value)})
		}
		return entries
	case fressian.Set:
		return []any{"set", len(v), shape(v[0])}
	case fressian.Tagged:
		return []any{v.Tag, shape(v.Fields[0])}
	case bool, nil, fressian.Keyword:
		return v
	case int64:
		if v == 512 || v == 64 || v == 1000 {
			return v
		}
	case string:
		if v == "DEVELOPMENT" {
			return v
		}
	}
	return fmt.Sprintf("%T", v)
}
