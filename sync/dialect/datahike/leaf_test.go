package datahike_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/forge"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

const tx1 = int64(1<<29 + 1)

// row is a datom in the form in which Datahike writes it.
func row(e, a, v, tx, added any) fressian.Tagged {
	return forge.Tag("datahike.datom.Datom", fressian.Vector{e, a, v, tx, added})
}

// leafOf is a leaf of datoms.
func leafOf(tag string, datoms ...any) fressian.Tagged {
	return forge.Tag(tag, forge.M("measure", forge.M("x", int64(1)), "keys", fressian.Vector(datoms), "branching-factor", int64(512)))
}

// put writes a node and returns its reference.
func put(s *forge.Store, v any) graph.Ref {
	u := s.UUID()
	s.Put(u, v)
	return graph.Ref{ID: datahike.AddressID(u)}
}

func TestReadLeaf(t *testing.T) {
	want := []datom.Datom{
		{E: 1, A: forge.K("p", "name"), V: "a person", Tx: tx1, Added: true},
		{E: 1, A: forge.K("p", "age"), V: int64(-30), Tx: tx1, Added: false},
		{E: 70_000, A: forge.K("p", "name"), V: fressian.Vector{int64(1), "x"}, Tx: tx1 + 1, Added: true},
		{E: 1 << 61, A: int64(77), V: nil, Tx: 1<<62 + 5, Added: true},
		{E: -1, A: "text", V: fressian.UUID{7}, Tx: tx1, Added: true},
	}
	var datoms []any
	for _, f := range want {
		datoms = append(datoms, row(f.E, f.A, f.V, f.Tx, f.Added))
	}
	var l datahike.Leaf
	for _, tag := range []string{"pss/leaf", "datahike.index.PersistentSortedSet.Leaf"} {
		for _, c := range []konserve.Compressor{konserve.Uncompressed, konserve.LZ4, konserve.Zstd} {
			s := forge.New(t)
			s.Header.Compressor = c
			ref := put(s, leafOf(tag, datoms...))
			require.NoError(t, plain.ReadLeaf(&l, ref, s.Read(string(ref.ID))))
			assert.Equal(t, want, facts(t, &l))
		}
	}
	assert.Equal(t, l.Datom(0).A, l.Datom(2).A, "equal attributes are equal cells")
	assert.NotEqual(t, l.Datom(0).A, l.Datom(1).A)
	require.NoError(t, l.Remove(func(i int) (bool, error) { return i%2 == 1, nil }))
	assert.Equal(t, []datom.Datom{want[0], want[2], want[4]}, facts(t, &l))
}

func facts(t *testing.T, l *datahike.Leaf) (all []datom.Datom) {
	for i := range l.Len() {
		f, err := l.Fact(i)
		require.NoError(t, err)
		d := l.Datom(i)
		require.Equal(t, f, datom.Datom{E: d.E, A: f.A, V: f.V, Tx: d.Tx, Added: d.Added})
		all = append(all, f)
	}
	return all
}

// TestNoDatoms: whatever is not five values of the right kinds is refused.
func TestNoDatoms(t *testing.T) {
	a := forge.K("a")
	good := row(int64(1), a, "v", tx1, true)
	for name, bad := range map[string]any{
		"entity":      row("1", a, "v", tx1, true),
		"attribute":   row(int64(1), fressian.Symbol{Name: "a"}, "v", tx1, true),
		"transaction": row(int64(1), a, "v", nil, true),
		"added":       row(int64(1), a, "v", tx1, int64(1)),
		"four":        forge.Tag("datahike.datom.Datom", fressian.Vector{int64(1), a, "v", tx1}),
		"six":         forge.Tag("datahike.datom.Datom", fressian.Vector{int64(1), a, "v", tx1, true, nil}),
		"map":         forge.Tag("datahike.datom.Datom", forge.M()),
		"number":      int64(1),
	} {
		for _, before := range []int{0, 3} { // the forms that come up again are read in other ways
			var datoms []any
			for range before {
				datoms = append(datoms, good)
			}
			s := forge.New(t)
			ref := put(s, leafOf("pss/leaf", append(append(datoms, bad), good, good)...))
			var l datahike.Leaf
			err := plain.ReadLeaf(&l, ref, s.Read(string(ref.ID)))
			require.ErrorIs(t, err, graph.ErrCorrupt, name)
			require.ErrorContains(t, err, string(ref.ID))
			_, _, err = plain.DecodeDeep(ref, s.Read(string(ref.ID)))
			require.ErrorIs(t, err, graph.ErrCorrupt, name)
		}
	}
	s := forge.New(t)
	ref := put(s, leafOf("pss/leaf", good, forge.Tag("unheard.of", fressian.Vector{int64(1), a, "v", tx1, true})))
	_, _, err := plain.DecodeDeep(ref, s.Read(string(ref.ID)))
	require.ErrorIs(t, err, graph.ErrUnsupported)
}

func TestDecodeDeep(t *testing.T) {
	s := forge.New(t)
	leaf := s.Leaf(3)
	branch, schema := s.Branch(1, 3, leaf), s.Schema("string")
	for _, ref := range []graph.Ref{{ID: datahike.AddressID(leaf)}, {ID: datahike.AddressID(branch), Level: 1}, {ID: datahike.AddressID(schema), Level: graph.Schema}} {
		want, err := plain.Decode(ref, s.Read(string(ref.ID)))
		require.NoError(t, err)
		got, pending, err := plain.DecodeDeep(ref, s.Read(string(ref.ID)))
		require.NoError(t, err)
		assert.False(t, pending)
		if ref.Level == graph.Leaf {
			want.Count = 3
		}
		assert.Equal(t, want, got)
	}
	ref := graph.Ref{ID: datahike.AddressID(branch)}
	require.ErrorIs(t, plain.ReadLeaf(new(datahike.Leaf), ref, s.Read(string(ref.ID))), graph.ErrCorrupt)
}

// FuzzLeaf: the datoms of a leaf are those that decoding all of it finds.
func FuzzLeaf(f *testing.F) {
	s := forge.New(f)
	key := s.UUID()
	var datoms []any
	for i := range 12 {
		datoms = append(datoms, row(int64(i/3), forge.K("p", fmt.Sprint("a", i%3)), []any{"text", int64(i * 99), forge.K("k", "v"), fressian.Vector{int64(i)}}[i%4], tx1, i != 7))
	}
	f.Add(s.Serialize(leafOf("pss/leaf", datoms...)))
	f.Add(s.Serialize(leafOf("datahike.index.PersistentSortedSet.Leaf", datoms[:4]...)))
	var l datahike.Leaf // its memory is used again
	f.Fuzz(func(t *testing.T, value []byte) {
		err := plain.ReadLeaf(&l, graph.Ref{ID: datahike.AddressID(key)}, s.In(t).Seal(key, value))
		reported(t, err)
		if err != nil {
			return
		}
		v, err := fressian.Decode(value)
		require.NoError(t, err)
		var want []any
		for _, e := range v.(fressian.Tagged).Fields[0].(fressian.Map) {
			if e.Key == forge.K("keys") {
				want = list(e.Value)
			}
		}
		require.Len(t, want, l.Len())
		for i, v := range want {
			f, err := l.Fact(i)
			require.NoError(t, err)
			require.Equal(t, s.In(t).Serialize(list(v.(fressian.Tagged).Fields[0])), s.In(t).Serialize([]any{f.E, f.A, f.V, f.Tx, f.Added}))
		}
	})
}

func list(v any) []any {
	switch v := v.(type) {
	case fressian.Vector:
		return v
	case fressian.Seq:
		return v
	case fressian.Set:
		return v
	case fressian.Array:
		return v
	}
	return v.([]any)
}
