package datomic_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

func leafOf(v, e, a, tx, added any) any {
	return fressian.Tagged{Tag: "index-tdata", Fields: []any{v, e, a, tx, added}}
}

// TestLeaf: a leaf is written and read.
func TestLeaf(t *testing.T) {
	var want []datomic.Datom
	for _, values := range ordered {
		for i, v := range values {
			if v == nil {
				continue
			}
			want = append(want, datomic.Datom{E: int64(i) << 42, A: int32(i), V: v, T: int64(i), Added: i%2 == 0})
		}
	}
	data, err := datomic.EncodeLeaf(want)
	require.NoError(t, err)
	got, err := datomic.New().Leaf(idA, data)
	require.NoError(t, err)
	require.Len(t, got, len(want))
	for i := range want {
		assert.IsType(t, want[i].V, got[i].V)
		assert.Zero(t, datomic.Compare(datom.EAVT, &want[i], &got[i]), "%v is read as %v", want[i], got[i])
	}
}

// TestBadLeaf: what is no leaf is named.
func TestBadLeaf(t *testing.T) {
	for says, value := range map[string]any{
		"2 values, 1 entities":    leafOf(fressian.Array{"a", "b"}, []int64{1}, []int32{1, 1}, []int64{1, 1}, []bool{true, true}),
		"2 values, 2 entities, 1": leafOf(fressian.Array{"a", "b"}, []int64{1, 1}, []int32{1}, []int64{1, 1}, []bool{true, true}),
		"1 transactions":          leafOf(fressian.Array{"a", "b"}, []int64{1, 1}, []int32{1, 1}, []int64{1}, []bool{true, true}),
		"0 flags":                 leafOf(fressian.Array{"a"}, []int64{1}, []int32{1}, []int64{1}, []bool{}),
		"0 values":                leafOf(fressian.Array{}, []int64{}, []int32{}, []int64{}, []bool{}),
		"the attributes":          leafOf(fressian.Array{"a"}, []int64{1}, []int64{1}, []int64{1}, []bool{true}),
		"a value is nil":          leafOf(fressian.Array{nil}, []int64{1}, []int32{1}, []int64{1}, []bool{true}),
		"clusterfs-chunk":         fressian.Tagged{Tag: "clusterfs-chunk", Fields: []any{[]byte{1}}},
	} {
		data := datomicsample.Pack(value, true)
		_, err := datomic.New().Leaf(idA, data)
		require.ErrorIs(t, err, graph.ErrCorrupt)
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, err, idA)
	}
	good := datomicsample.Pack(keydata, true)
	for i := range good {
		_, err := datomic.New().Leaf(idA, good[:i])
		require.ErrorIs(t, err, graph.ErrCorrupt, "cut to %d", i)
	}
	_, err := datomic.New().Leaf(idA, datomicsample.Pack(leafOf(fressian.Array{fressian.Tagged{Tag: "new", Fields: []any{}}}, []int64{7}, []int32{8}, []int64{1}, []bool{true}), true))
	require.ErrorIs(t, err, graph.ErrUnsupported)
	require.ErrorContains(t, err, `entity 7, attribute 8: not supported: a value with the unknown tag "new"`)
}

// TestBadChildren: keys, offsets and counts must be those of the children.
func TestBadChildren(t *testing.T) {
	id := fressian.UUID{1}
	one := leafOf(fressian.Array{nil}, []int64{1}, []int32{1}, []int64{1}, []bool{true})
	for says, value := range map[string]any{
		"more than the 1":  fressian.Tagged{Tag: "index-dir-node", Fields: []any{one, fressian.Array{id, id}, []int32{0}, []int32{1}}},
		"0 children and 1": fressian.Tagged{Tag: "index-dir-node", Fields: []any{one, fressian.Array{}, []int32{}, []int32{}}},
		"2 offsets":        fressian.Tagged{Tag: "index-dir-node", Fields: []any{one, fressian.Array{id}, []int32{0, 0}, []int32{1}}},
		"from -1 on":       fressian.Tagged{Tag: "index-dir-node", Fields: []any{one, fressian.Array{id}, []int32{-1}, []int32{1}}},
		"a leaf of 0":      fressian.Tagged{Tag: "index-dir-node", Fields: []any{one, fressian.Array{id}, []int32{0}, []int32{0}}},
		"search-root":      fressian.Tagged{Tag: "search-root", Fields: []any{fressian.Map{}}},
	} {
		level := graph.Level(1)
		if says == "search-root" {
			level = 2
		}
		_, err := datomic.New().Children(graph.Ref{ID: idA, Level: level}, datomicsample.Pack(value, true))
		require.ErrorIs(t, err, graph.ErrCorrupt, says)
		require.ErrorContains(t, err, says)
	}
}

func logged(t int64, data ...any) fressian.Map {
	return fressian.Map{{Key: kw("", "id"), Value: fressian.UUID{9}}, {Key: kw("", "t"), Value: t}, {Key: kw("", "data"), Value: data}}
}

func datumOf(fields ...any) fressian.Tagged { return fressian.Tagged{Tag: "datum", Fields: fields} }

// TestLogLeaf: an entity is its partition and its number in it.
func TestLogLeaf(t *testing.T) {
	leaf := []any{
		logged(5, datumOf(true, int64(4), int64(1001), int64(72), "v", int64(5))),
		logged(7, datumOf(false, int64(0), int64(72), int64(10), kw("a", "b"), int64(7)), datumOf(true, int64(1<<21-1), int64(1), int64(1), int64(2), int64(7))),
	}
	txs, err := datomic.New().LogLeaf(idA, datomicsample.Pack(leaf, false))
	require.NoError(t, err)
	require.Len(t, txs, 2)
	assert.Equal(t, []datomic.Datom{{E: 4<<42 | 1001, A: 72, V: "v", T: 5, Added: true}}, txs[0].Datoms)
	assert.Equal(t, []datomic.Datom{{E: 72, A: 10, V: kw("a", "b"), T: 7}, {E: 1<<63 - 1<<42 | 1, A: 1, V: int64(2), T: 7, Added: true}}, txs[1].Datoms)
	assert.Equal(t, "09000000-0000-0000-0000-000000000000", txs[1].ID)
}

func TestBadLog(t *testing.T) {
	good := datumOf(true, int64(4), int64(1), int64(2), "v", int64(5))
	for says, leaf := range map[string][]any{
		"transaction 5 follows 5": {logged(5, good), logged(5, good)},
		"[-1]":                    {logged(5, datumOf(true, int64(-1), int64(1), int64(2), "v", int64(5)))},
		"[2097152]":               {logged(5, datumOf(true, int64(1<<21), int64(1), int64(2), "v", int64(5)))},
		"[4 4398046511104]":       {logged(5, datumOf(true, int64(4), int64(1<<42), int64(2), "v", int64(5)))},
		"[4 1 2147483648]":        {logged(5, datumOf(true, int64(4), int64(1), int64(1<<31), "v", int64(5)))},
		"begins with string":      {logged(5, datumOf("true", int64(4), int64(1), int64(2), "v", int64(5)))},
		"a value is nil":          {logged(5, datumOf(true, int64(4), int64(1), int64(2), nil, int64(5)))},
		"no t or no data":         {fressian.Map{{Key: kw("", "t"), Value: int64(1)}}},
	} {
		_, err := datomic.New().LogLeaf(idA, datomicsample.Pack(leaf, false))
		require.ErrorIs(t, err, graph.ErrCorrupt, says)
		require.ErrorContains(t, err, says)
	}
	_, err := datomic.New().LogLeaf(idA, datomicsample.Pack([]any{logged(5, fressian.Tagged{Tag: "datum2", Fields: []any{}})}, false))
	require.ErrorIs(t, err, graph.ErrUnsupported)
	require.ErrorContains(t, err, "datum2")
	back := []any{fressian.Tagged{Tag: "log-dir", Fields: []any{int64(9), fressian.UUID{1}}}, fressian.Tagged{Tag: "log-dir", Fields: []any{int64(8), fressian.UUID{2}}}}
	_, err = datomic.New().LogChildren(idA, datomicsample.Pack(back, false))
	require.ErrorIs(t, err, graph.ErrCorrupt)
}

// FuzzLeaf: what is read as a leaf has values that can be compared, and is the
// same when it is written and read again.
func FuzzLeaf(f *testing.F) {
	var seed []datomic.Datom
	for _, values := range ordered {
		seed = append(seed, datomic.Datom{E: 1, A: 2, V: values[len(values)-1], T: 3, Added: true})
	}
	data, err := datomic.EncodeLeaf(seed)
	require.NoError(f, err)
	f.Add(data)
	f.Add(encode(f, keydata))
	f.Add(encode(f, tagged("index-dir-node", keydata, ids, []int32{0, 0}, []int32{1, 2})))
	f.Fuzz(func(t *testing.T, data []byte) {
		for level := graph.Level(1); level < 3; level++ {
			children, err := d.Children(graph.Ref{ID: idA, Level: level}, data)
			reported(t, err)
			for _, c := range children {
				require.NoError(t, datomic.CheckID(c.ID))
			}
		}
		datoms, err := d.Leaf(idA, data)
		reported(t, err)
		if err != nil {
			return
		}
		again, err := datomic.EncodeLeaf(datoms)
		require.NoError(t, err)
		back, err := d.Leaf(idA, again)
		require.NoError(t, err)
		require.Len(t, back, len(datoms))
		for i := range datoms {
			require.Zero(t, datomic.Compare(datom.EAVT, &datoms[i], &back[i]))
			other := &datoms[len(datoms)-1-i]
			require.Equal(t, datomic.Compare(datom.AVET, &datoms[i], other), -datomic.Compare(datom.AVET, other, &datoms[i]))
		}
	})
}

// FuzzLog: what is read as a leaf of the log, and as the tail, ascends.
func FuzzLog(f *testing.F) {
	w := fressian.NewWriter()
	require.NoError(f, w.Write([]any{logged(5, datumOf(true, int64(4), int64(1), int64(2), "v", int64(5)))}))
	f.Add(w.Bytes())
	f.Add(datomicsample.Make(datomicsample.Options{Tail: 3}).Value.Tail)
	f.Fuzz(func(t *testing.T, data []byte) {
		leaf, err := d.LogLeaf(idA, data)
		reported(t, err)
		v := &datomic.Value{Tail: data}
		tail, err := v.Transactions()
		reported(t, err)
		for _, txs := range [][]datomic.Logged{leaf, tail} {
			for i, tx := range txs {
				require.True(t, i == 0 || err != nil || txs[i-1].T < tx.T)
				for _, d := range tx.Datoms {
					require.True(t, err != nil || d.E >= 0 && d.A >= 0)
				}
			}
		}
	})
}
