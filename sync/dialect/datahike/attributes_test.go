package datahike_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/forge"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// schemaOf is the schema of a fixture's main branch.
func schemaOf(t *testing.T, name string) *datahike.Schema {
	dir := fixture.Unpack(t, name)
	get := func(_ context.Context, id graph.ID) ([]byte, error) {
		return os.ReadFile(filepath.Join(dir, string(id)))
	}
	heads, err := plain.Hold(t.Context(), get, "")
	require.NoError(t, err)
	data, err := get(t.Context(), heads.Main().SchemaID)
	require.NoError(t, err)
	m, err := plain.Map(heads.Main().SchemaID, data)
	require.NoError(t, err)
	s, err := datahike.ParseSchema(m)
	require.NoError(t, err)
	return s
}

func props(a *datom.Attribute) *datom.Attribute {
	b := *a
	b.Props = nil
	return &b
}

// TestParseSchema: attributes of users and of the database itself, with and
// without :attribute-refs?.
func TestParseSchema(t *testing.T) {
	p := func(name string) fressian.Keyword { return forge.K("p", name) }
	one := forge.K("db.unique", "identity")
	for _, c := range []struct {
		store        string
		name, friend int64
		users, all   int
	}{
		{"a-default", 1, 9, 16, 25},
		{"i-attrrefs", 55, 63, 11, 29},
		{"z-legacy-0.6.1607", 1, 9, 16, 20},
	} {
		s := schemaOf(t, c.store)
		assert.Equal(t, &datom.Attribute{ID: c.name, Ident: p("name"), ValueType: forge.K("db.type", "string"), Unique: one, Indexed: true}, props(s.Attr(p("name"))))
		friend := s.AttrOf(c.friend)
		assert.Equal(t, &datom.Attribute{ID: c.friend, Ident: p("friend"), ValueType: forge.K("db.type", "ref"), Many: true, Indexed: true}, props(friend))
		doc, _ := s.Attr(p("tags")).Props.Get("db", "doc")
		assert.Equal(t, "tags, mañy", doc)
		at := s.Attr(forge.K("db", "txInstant"))
		require.NotNil(t, at)
		assert.True(t, at.System && at.NoHistory)
		ident, _ := at.Props.Get("db", "ident")
		assert.Equal(t, at.Ident, ident)
		assert.Nil(t, s.Attr(forge.K("db.type", "string")), "a value, no attribute")
		assert.Equal(t, p("name"), s.Idents[c.name])
		assert.Equal(t, c.name, s.IDs[p("name")])
		users := 0
		for _, a := range s.Attributes {
			if !a.System {
				users++
				assert.Equal(t, "p", a.Ident.NS)
			}
		}
		assert.Equal(t, c.users, users, c.store)
		assert.Len(t, s.Attributes, c.all, c.store)
	}
	_, err := datahike.ParseSchema(fressian.Map{})
	require.ErrorIs(t, err, graph.ErrCorrupt)
}

// FuzzParseSchema: any map is a schema or is refused.
func FuzzParseSchema(f *testing.F) {
	s := forge.New(f)
	f.Add(s.Serialize(forge.M("schema", forge.M("a", forge.M(forge.K("db", "ident"), forge.K("a"), forge.K("db", "index"), true), "b", int64(7)), "ident-ref-map", forge.M("a", int64(1)))))
	f.Add(s.Serialize(forge.M("schema", fressian.Map{{Key: int64(1), Value: forge.K("x")}, {Key: []any{}, Value: nil}}, "system-entities", fressian.Set{int64(1), fressian.Map{}})))
	f.Fuzz(func(t *testing.T, value []byte) {
		v, err := fressian.Decode(value)
		m, ok := v.(fressian.Map)
		if err != nil || !ok {
			return
		}
		got, err := datahike.ParseSchema(m)
		if err != nil {
			require.ErrorIs(t, err, graph.ErrCorrupt)
			return
		}
		for _, a := range got.Attributes {
			require.NotNil(t, got.Attr(a.Ident))
		}
	})
}

// TestKeyedNodes: the keys of an inner node are read where they are wanted,
// and must be as many as its children.
func TestKeyedNodes(t *testing.T) {
	s := forge.New(t)
	v := forge.BranchValue(1, 2, s.UUID(), s.UUID())
	ref := put(s, v)
	ref.Level = 1
	keyed := datahike.Leaf{Keyed: true}
	n, _, err := plain.ReadNode(&keyed, ref, s.Read(string(ref.ID)))
	require.NoError(t, err)
	require.Len(t, n.Children, 2)
	require.Equal(t, 2, keyed.Len())
	last, err := keyed.Fact(1)
	require.NoError(t, err)
	assert.Equal(t, datom.Datom{E: 2, A: forge.K("name"), V: "entity", Tx: tx1, Added: true}, last)

	var l datahike.Leaf
	_, _, err = plain.ReadNode(&l, ref, s.Read(string(ref.ID)))
	require.NoError(t, err)
	assert.Zero(t, l.Len())

	v.Fields[0] = forge.With(v.Fields[0].(fressian.Map), "keys", []any{forge.Datom(1, tx1)})
	ref = put(s, v)
	ref.Level = 1
	_, _, err = plain.ReadNode(&keyed, ref, s.Read(string(ref.ID)))
	require.ErrorIs(t, err, graph.ErrCorrupt)
	require.ErrorContains(t, err, string(ref.ID))
}
