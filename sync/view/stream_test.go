package view_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

var (
	colour = fressian.Keyword{NS: "t", Name: "colour"}
	friend = fressian.Keyword{NS: "t", Name: "friend"}
)

// streamed is a view of datoms that come in the order in which they are given.
func streamed(all []datom.Datom, sorted bool) view.View {
	schema := datom.NewSchema([]datom.Attribute{
		{Ident: colour, ID: 1, Indexed: true}, {Ident: friend, ID: 2, ValueType: fressian.Keyword{NS: "db.type", Name: "ref"}, Many: true},
	})
	return view.OfStream(view.Stream{
		Info: view.Info{Kind: view.Datomic, MaxTx: 1009, T: 9, History: true}, Schema: schema, Sorted: sorted,
		Each: func(_ context.Context, fn func(datom.Datom) error) error {
			for _, d := range all {
				if err := fn(d); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// life is what is said of a few entities over time, at random but in order, and
// what is true in the end.
func life(seed uint64) (said []datom.Datom, now map[[2]any]int64) {
	r := rand.New(rand.NewPCG(seed, 1))
	now = map[[2]any]int64{}
	for tx := int64(1001); tx < 1010; tx++ {
		for range 40 {
			e := r.Int64N(12)
			d := datom.Datom{E: e, A: colour, V: []string{"red", "blue"}[r.IntN(2)], Tx: tx, Added: true}
			if r.IntN(3) == 0 {
				d.A, d.V = friend, r.Int64N(12)
			}
			key := [2]any{[2]any{d.E, d.A}, d.V}
			if slices.ContainsFunc(said, func(o datom.Datom) bool { return o.Tx == tx && o.E == d.E && o.A == d.A && o.V == d.V }) {
				continue // an op a transaction
			}
			if _, is := now[key]; is {
				d.Added = false
				delete(now, key)
			} else {
				now[key] = tx
			}
			said = append(said, d)
		}
	}
	return said, now
}

// TestStreamFolds: what is true now follows from what was said, in every order,
// whatever order it was said in.
func TestStreamFolds(t *testing.T) {
	for seed := range uint64(20) {
		said, now := life(seed)
		byEntity := slices.Clone(said)
		slices.SortStableFunc(byEntity, func(a, b datom.Datom) int { return int(a.E - b.E) })
		for _, v := range []view.View{streamed(said, false), streamed(byEntity, true)} {
			for _, index := range []datom.Index{"", datom.AEVT} {
				got := map[[2]any]int64{}
				var last []byte
				require.NoError(t, v.Scan(t.Context(), datom.Query{Index: index}, func(d datom.Datom) error {
					key, err := datom.AppendKey(nil, datom.AEVT, d)
					if index == datom.AEVT {
						require.Less(t, string(last), string(key))
						last = key
					}
					got[[2]any{[2]any{d.E, d.A}, d.V}] = d.Tx
					return err
				}))
				require.Equal(t, now, got)
			}
			all := 0
			require.NoError(t, v.Scan(t.Context(), datom.Query{History: true}, func(datom.Datom) error { all++; return nil }))
			assert.Equal(t, len(said), all)
		}
	}
}

// TestStreamQueries: filters, the past, and the indexes that have not all.
func TestStreamQueries(t *testing.T) {
	said, _ := life(3)
	v := streamed(said, false)
	count := func(q datom.Query, is func(datom.Datom) bool) (n int) {
		require.NoError(t, v.Scan(t.Context(), q, func(d datom.Datom) error {
			require.True(t, is(d), "%+v", d)
			n++
			return nil
		}))
		return n
	}
	three := int64(3)
	want := 0
	for _, d := range said {
		if d.A == any(colour) {
			want++
		}
	}
	isColour := func(d datom.Datom) bool { return d.A == any(colour) }
	assert.Equal(t, want, count(datom.Query{Index: datom.AVET, History: true}, isColour))
	assert.Equal(t, len(said)-want, count(datom.Query{Index: datom.VAET, History: true}, func(d datom.Datom) bool { return d.A == any(friend) }))
	assert.Equal(t, want, count(datom.Query{Attr: &colour, History: true}, isColour))
	assert.Positive(t, count(datom.Query{Entity: &three}, func(d datom.Datom) bool { return d.E == 3 }))
	assert.Positive(t, count(datom.Query{AsOf: 1004}, func(d datom.Datom) bool { return d.Tx <= 1004 && d.Added }))
	assert.Positive(t, count(datom.Query{TxFrom: 1005, TxTo: 1006}, func(d datom.Datom) bool { return d.Tx == 1005 || d.Tx == 1006 }))

	next, n := int64(1002), 0
	require.NoError(t, v.Log(t.Context(), 1002, 1008, func(x view.Transaction) error {
		assert.Equal(t, next, x.Tx)
		assert.Equal(t, next-1000, x.T)
		next++
		n += len(x.Datoms)
		return nil
	}))
	assert.Equal(t, int64(1009), next)
	assert.Equal(t, n, count(datom.Query{History: true, TxFrom: 1002, TxTo: 1008}, func(datom.Datom) bool { return true }))
	require.ErrorIs(t, v.Log(t.Context(), 0, 0, func(view.Transaction) error { return assert.AnError }), assert.AnError)
	require.ErrorIs(t, v.Scan(t.Context(), datom.Query{}, func(datom.Datom) error { return assert.AnError }), assert.AnError)

	flat := view.OfStream(view.Stream{Info: view.Info{MaxTx: 5}, Each: func(context.Context, func(datom.Datom) error) error { return nil }})
	require.ErrorIs(t, flat.Scan(t.Context(), datom.Query{History: true}, nil), graph.ErrUnsupported)
	require.ErrorIs(t, flat.Scan(t.Context(), datom.Query{AsOf: 3}, nil), graph.ErrUnsupported)
}

// TestStreamOddTransaction: no bound passes over no datom, however damaged.
func TestStreamOddTransaction(t *testing.T) {
	odd := []datom.Datom{{E: 1, A: colour, V: "red", Tx: -7, Added: true}}
	for _, sorted := range []bool{false, true} {
		for _, history := range []bool{false, true} {
			assert.Equal(t, odd, scan(t, streamed(odd, sorted), datom.Query{History: history}))
		}
	}
	no := streamed(odd, true).Scan(t.Context(), datom.Query{Index: datom.AVET, Attr: &friend}, func(datom.Datom) error { return nil })
	assert.ErrorIs(t, no, graph.ErrUnsupported, "it is not indexed")
}
