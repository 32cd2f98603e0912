package datahike_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/forge"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

var plain = datahike.New("")

func decode(s *forge.Store, u fressian.UUID, level graph.Level) (graph.Node, error) {
	id := datahike.AddressID(u)
	return plain.Decode(graph.Ref{ID: id, Level: level}, s.Read(string(id)))
}

func TestNodes(t *testing.T) {
	s := forge.New(t)
	leaf, other := s.Leaf(3), s.Leaf(0)
	n, err := decode(s, leaf, graph.Leaf)
	require.NoError(t, err)
	assert.Equal(t, graph.Node{Level: graph.Leaf, Count: -1}, n)

	n, err = decode(s, s.Branch(1, 3, leaf, other), 1)
	require.NoError(t, err)
	assert.Equal(t, graph.Node{Level: 1, Count: 3, Children: []graph.Ref{
		{ID: datahike.AddressID(leaf), Level: 0}, {ID: datahike.AddressID(other), Level: 0},
	}}, n)

	n, err = decode(s, s.Schema("string"), graph.Schema)
	require.NoError(t, err)
	assert.Equal(t, graph.Node{Level: graph.Schema, Count: -1}, n)
}

// TestOldNodes: up to 0.7 nodes had longer tags and fewer fields.
func TestOldNodes(t *testing.T) {
	s := forge.New(t)
	put := func(tag string, m fressian.Map) fressian.UUID {
		u := s.UUID()
		s.Put(u, forge.Tag("datahike.index.PersistentSortedSet."+tag, m))
		return u
	}
	leaf := put("Leaf", forge.M("level", int64(0), "keys", []any{forge.Datom(1, 2)}))
	n, err := decode(s, leaf, 0)
	require.NoError(t, err)
	assert.Equal(t, graph.Leaf, n.Level)
	n, err = decode(s, put("Branch", forge.M("level", int64(1), "keys", []any{}, "addresses", []any{leaf})), 1)
	require.NoError(t, err)
	assert.Equal(t, graph.Node{Level: 1, Count: -1, Children: []graph.Ref{{ID: datahike.AddressID(leaf), Level: 0}}}, n)
}

// TestUnknownKeysAreIgnored: newer versions add keys to the maps of nodes,
// and what a leaf holds is nobody's business here.
func TestUnknownKeysAreIgnored(t *testing.T) {
	s := forge.New(t)
	kid := s.Leaf(1)
	v := forge.BranchValue(1, 1, kid)
	v.Fields[0] = forge.With(v.Fields[0].(fressian.Map), "measure", forge.M("x", fressian.Vector{int64(1)}),
		forge.K("other", "addresses"), "not these", int64(7), "a key that is no keyword", "slots", nil)
	u := s.UUID()
	s.Put(u, v)
	n, err := decode(s, u, 1)
	require.NoError(t, err)
	assert.Len(t, n.Children, 1)

	s.Put(kid, forge.Tag("pss/leaf", forge.M("keys", fressian.Vector{forge.Tag("unheard.of", int64(1))})))
	_, err = decode(s, kid, 0)
	require.NoError(t, err)
}

func TestCount(t *testing.T) {
	s := forge.New(t)
	for _, n := range []int{0, 1, 512} {
		id := datahike.AddressID(s.Leaf(n))
		got, _, err := plain.DecodeDeep(graph.Ref{ID: id}, s.Read(string(id)))
		require.NoError(t, err)
		assert.Equal(t, int64(n), got.Count)
	}
	for name, v := range map[string]any{
		"no keys":      forge.Tag("pss/leaf", forge.M()),
		"keys no list": forge.Tag("pss/leaf", forge.M("keys", "x")),
		"no datom":     forge.Tag("pss/leaf", forge.M("keys", []any{int64(1)})),
		"other tag":    forge.Tag("pss/leaf", forge.M("keys", []any{forge.Tag("x.Datom", []any{})})),
	} {
		u := s.UUID()
		s.Put(u, v)
		id := datahike.AddressID(u)
		_, _, err := plain.DecodeDeep(graph.Ref{ID: id}, s.Read(string(id)))
		require.Error(t, err, name)
		assert.ErrorContains(t, err, string(id))
	}
}

// getter reads a forged store.
func getter(s *forge.Store) datahike.Getter {
	return func(_ context.Context, id graph.ID) ([]byte, error) {
		if !s.Has(string(id)) {
			return nil, fmt.Errorf("%s: %w", id, graph.ErrNotFound)
		}
		return s.Read(string(id)), nil
	}
}

func commit(s *forge.Store, entries ...any) (fressian.UUID, fressian.Map) {
	id := s.UUID()
	leaf := s.Leaf(2)
	rec := s.Record(id, 5, s.Schema("string"), map[string]fressian.Tagged{"eavt": forge.Index(leaf, 2), "aevt": forge.Index(nil, 0)}, s.UUID())
	rec = forge.With(rec, entries...)
	s.Commit(id, rec)
	return id, rec
}

func TestRecord(t *testing.T) {
	s := forge.New(t)
	id, _ := commit(s)
	object := datahike.AddressID(id)
	rec, err := plain.Record(object, s.Read(string(object)))
	require.NoError(t, err)
	assert.Equal(t, id, rec.Commit)
	assert.Equal(t, int64(1<<29+5), rec.MaxTx)
	assert.Equal(t, "db000000-0000-4000-8000-000000000000", rec.DatabaseID)
	assert.Equal(t, "51000000-0000-0000-0000-000000000000", rec.Config.StoreID)
	assert.True(t, rec.Config.CommitGraph)
	assert.Equal(t, ":write", rec.Config.Settings["schema-flexibility"])
	assert.NotContains(t, rec.Config.Settings, "store", "settings hold no place")
	assert.Equal(t, object, rec.Graph.ID)
	assert.Len(t, rec.Graph.Parents, 1)
	var trees []string
	for _, tree := range rec.Graph.Trees {
		trees = append(trees, fmt.Sprint(tree.Name, " ", tree.Ref.Level, " ", tree.Count))
	}
	assert.Equal(t, []string{"schema s -1", "eavt r 2"}, trees, "an empty index has no root")
}

func TestFusedRoots(t *testing.T) {
	s := forge.New(t)
	kid, address := s.Leaf(2), s.UUID()
	for _, hash := range []bool{false, true} {
		id, _ := commit(s, "eavt-key", forge.Index(address, 2), "eavt-root", forge.BranchValue(1, 2, kid),
			"aevt-root", nil, "config", forge.Config("crypto-hash?", hash))
		object := datahike.AddressID(id)
		rec, err := plain.Record(object, s.Read(string(object)))
		require.NoError(t, err)
		tree := rec.Graph.Trees[1]
		assert.Equal(t, datahike.AddressID(address), tree.Ref.ID)
		assert.Equal(t, hash, tree.Inline == nil, "with content hashes the object exists as well")
		if !hash {
			assert.Equal(t, []graph.Ref{{ID: datahike.AddressID(kid), Level: 0}}, tree.Inline.Children)
		}
	}
}

// TestFusedRootsWithoutAddress: two of them are two trees, whatever they are
// called.
func TestFusedRootsWithoutAddress(t *testing.T) {
	s := forge.New(t)
	var ids []graph.ID
	for range 2 {
		id, _ := commit(s, "eavt-key", forge.Index(nil, 2), "eavt-root", forge.BranchValue(1, 2, s.Leaf(2)))
		object := datahike.AddressID(id)
		rec, err := plain.Record(object, s.Read(string(object)))
		if err != nil {
			require.ErrorIs(t, err, graph.ErrCorrupt)
			return // refused is fine as well
		}
		ids = append(ids, rec.Graph.Trees[1].Ref.ID)
	}
	assert.NotEqual(t, ids[0], ids[1])
}

func TestSecretsAreNamedNotShown(t *testing.T) {
	s := forge.New(t)
	id, _ := commit(s, "config", forge.Config("store", forge.M(
		"backend", forge.K("jdbc"), "password", "hunter2", "user", "me", "dbtype", "postgresql",
		"jdbcUrl", "jdbc:postgresql://h/d?user=x&password=hunter2", "uri", "postgresql://me:hunter2@h/d",
		"config", forge.M("encoding", forge.M("encryptor", forge.M("key", "hunter2"))), "secret", "")))
	object := datahike.AddressID(id)
	rec, err := plain.Record(object, s.Read(string(object)))
	require.NoError(t, err)
	assert.Equal(t, []string{
		":store :config :encoding :encryptor :key", ":store :jdbcUrl", ":store :password", ":store :uri",
	}, rec.Config.Secrets)
	assert.NotContains(t, fmt.Sprint(rec.Config.Settings), "hunter2")
}
