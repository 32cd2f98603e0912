package datomic_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

func keyword(ns, name string) fressian.Keyword { return fressian.Keyword{NS: ns, Name: name} }

// rootMap is that of a backup's root.
func rootMap() fressian.Map {
	return pairs(
		keyword("log", "version"), int64(3), keyword("index", "version"), int64(2), keyword("backup", "version"), int64(3),
		keyword("index", "root-id"), idA, keyword("log", "root-id"), idB, keyword("log", "tail"), []byte{0xee}, keyword("db", "id"), "a-1",
	)
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	w := fressian.NewWriter()
	require.NoError(t, w.Write(v))
	return bytes.Clone(w.Bytes())
}

func TestDecodeRoot(t *testing.T) {
	m := rootMap()
	m[0], m[6] = m[6], m[0]
	m = append(m, fressian.Entry{Key: keyword("x", "new"), Value: int64(1)})
	v, err := datomic.DecodeRoot("1000", encode(t, m))
	require.NoError(t, err)
	want := &datomic.Value{DatabaseID: "a-1", Index: idA, Log: idB, IndexVersion: 2, LogVersion: 3, Tail: []byte{0xee}}
	assert.Equal(t, want, v)
	assert.Equal(t, []graph.Tree{
		{Name: "index", Ref: graph.Ref{ID: idA, Level: 3}, Count: -1},
		{Name: "log", Ref: graph.Ref{ID: idB, Level: 2}, Count: -1},
	}, v.Trees())
}

func TestRefusedRoots(t *testing.T) {
	set := func(i int, value any) fressian.Map {
		m := rootMap()
		m[i].Value = value
		return m
	}
	old := pairs("index-root-id", idA, "log-root-id", idB, "log-tail", []byte{0xee}, "db-id", "a-1")
	for _, tc := range []struct {
		name  string
		root  any
		class error
		says  string
	}{
		{"version 1", old, graph.ErrUnsupported, "version 1 of backups"},
		{"version 2", set(2, int64(2)), graph.ErrUnsupported, "version 2 of backups"},
		{"version 4", set(2, int64(4)), graph.ErrUnsupported, "version 4 of backups"},
		{"another log", set(0, int64(2)), graph.ErrUnsupported, "version 2 of the log"},
		{"other indexes", set(1, int64(3)), graph.ErrUnsupported, "version 3 of indexes"},
		{"an id that is none", set(3, "../../etc/passwd"), graph.ErrCorrupt, "no id"},
		{"an id as uuid", set(4, uuid), graph.ErrCorrupt, ":log/root-id is fressian.UUID"},
		{"no tail", append(rootMap()[:5], rootMap()[6]), graph.ErrCorrupt, ":log/tail is there 0 times"},
		{"two tails", append(rootMap(), rootMap()[5]), graph.ErrCorrupt, ":log/tail is there 2 times"},
		{"an empty tail", set(5, []byte{}), graph.ErrCorrupt, "open list"},
		{"a tail that is a value", set(5, []byte{0xe4}), graph.ErrCorrupt, "open list"},
		{"a tail that is torn", set(5, []byte{0xee, 0xfe, 0xc0, 0xea}), graph.ErrCorrupt, "tail"},
		{"a tail that ends", set(5, []byte{0xee, 0xfd, 0x01}), graph.ErrCorrupt, "offset 2 of 3"},
		{"no database", set(6, ""), graph.ErrCorrupt, "id is missing"},
		{"no map", int64(1), graph.ErrCorrupt, "no map"},
	} {
		_, err := datomic.DecodeRoot("roots/1708", encode(t, tc.root))
		require.ErrorIs(t, err, tc.class, tc.name)
		require.ErrorContains(t, err, tc.says, tc.name)
		require.ErrorContains(t, err, "roots/1708", tc.name)
	}
	data := encode(t, rootMap())
	for i := range data {
		_, err := datomic.DecodeRoot("r", data[:i])
		require.ErrorIs(t, err, graph.ErrCorrupt, "cut to %d", i)
	}
	_, err := datomic.DecodeRoot("r", append(data, 0))
	require.ErrorIs(t, err, graph.ErrCorrupt)
}

// TestLargeTail: a tail beyond 65535 bytes is written in chunks.
func TestLargeTail(t *testing.T) {
	s := datomicsample.Make(datomicsample.Options{Tail: 2000})
	require.Greater(t, len(s.Value.Tail), 1<<16)
	root, err := s.Value.EncodeRoot()
	require.NoError(t, err)
	v, err := datomic.DecodeRoot("r", root)
	require.NoError(t, err)
	assert.Equal(t, s.Value, v)
	txs, datoms, err := v.CountTail()
	require.NoError(t, err)
	assert.Equal(t, int64(2000), txs)
	assert.Greater(t, datoms, txs)
}

func TestRootThatCannotBeReadIsNotWritten(t *testing.T) {
	for _, v := range []datomic.Value{
		{},
		{DatabaseID: "a-1", Index: idA, Log: idB, IndexVersion: 2, LogVersion: 3, Tail: []byte{}},
		{DatabaseID: "a-1", Index: "x", Log: idB, IndexVersion: 2, LogVersion: 3, Tail: []byte{0xee}},
		{DatabaseID: "a-1", Index: idA, Log: idB, IndexVersion: 2, LogVersion: 2, Tail: []byte{0xee}},
	} {
		_, err := v.EncodeRoot()
		require.Error(t, err)
	}
}

// TestNewDatabase: while nothing was transacted the indexes say what t is.
func TestNewDatabase(t *testing.T) {
	s := datomicsample.Make(datomicsample.Options{New: true})
	get := source(s.Segments).get
	last, err := datomic.New().Last(t.Context(), get, s.Value)
	require.NoError(t, err)
	assert.Equal(t, datomic.Transaction{T: s.T}, last)
	_, err = datomic.New().At(t.Context(), get, s.Value, s.T)
	require.ErrorIs(t, err, graph.ErrNotFound)
}

// TestTransactionsOfABrokenLog: what is missing or no part of a log is told.
func TestTransactionsOfABrokenLog(t *testing.T) {
	s := datomicsample.Make(datomicsample.Options{})
	d, empty := datomic.New(), source{}
	_, err := d.Last(t.Context(), empty.get, s.Value)
	require.ErrorIs(t, err, graph.ErrNotFound)
	_, err = d.At(t.Context(), empty.get, s.Value, s.T)
	require.ErrorIs(t, err, graph.ErrNotFound)
	require.ErrorContains(t, err, string(s.Value.Log))

	v := *s.Value
	v.Log = v.Index
	_, err = d.Last(t.Context(), source(s.Segments).get, &v)
	require.ErrorIs(t, err, graph.ErrCorrupt)
	require.ErrorContains(t, err, string(v.Index))
}
