package view_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/forge"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// only filters what a scan of everything found.
func only(all []datom.Datom, keep func(datom.Datom) bool) (kept []datom.Datom) {
	for _, d := range all {
		if keep(d) {
			kept = append(kept, d)
		}
	}
	return kept
}

// TestDatahikeQueries: on databases of every form, whatever is asked for is
// what one who filters everything finds, in that order.
func TestDatahikeQueries(t *testing.T) {
	for name, o := range map[string]sample.Options{
		"deep":        {Seed: 1, Entities: 120, BranchingFactor: 8},
		"diff buffer": {Seed: 2, Entities: 150, BranchingFactor: 16, DiffBuffer: 24},
		"fused":       {Seed: 3, Entities: 120, BranchingFactor: 32, FuseRoots: true, DiffBuffer: 8},
		"no history":  {Seed: 4, Entities: 60, BranchingFactor: 8, NoHistory: true, CryptoHash: true},
		"empty":       {Seed: 5},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := made(t, o, 9, 30)
			v := s.branches(t)[":db"]
			for _, index := range []datom.Index{datom.EAVT, datom.AEVT, datom.AVET} {
				for _, history := range []bool{false, !o.NoHistory} {
					checkQueries(t, v, datom.Query{Index: index, History: history})
				}
			}
			if !o.NoHistory {
				checkPast(t, v)
			}
		})
	}
}

func checkQueries(t *testing.T, v *view.DatahikeView, q datom.Query) {
	all := scan(t, v, q)
	ascending(t, v, q.Index, all)
	require.NotEmpty(t, all)
	for i := 0; i < len(all); i += 1 + len(all)/4 {
		d := all[i]
		attr := d.A.(fressian.Keyword)
		ask := func(change func(*datom.Query), keep func(datom.Datom) bool) {
			q := q
			change(&q)
			require.Equal(t, only(all, keep), scan(t, v, q), "%v", d)
		}
		ask(func(q *datom.Query) { q.Entity = &d.E }, func(o datom.Datom) bool { return o.E == d.E })
		ask(func(q *datom.Query) { q.Attr = &attr }, func(o datom.Datom) bool { return o.A == d.A })
		ask(func(q *datom.Query) { q.Entity, q.Attr = &d.E, &attr }, func(o datom.Datom) bool { return o.E == d.E && o.A == d.A })
		ask(func(q *datom.Query) { q.TxFrom, q.TxTo = d.Tx, d.Tx+3 }, func(o datom.Datom) bool { return o.Tx >= d.Tx && o.Tx <= d.Tx+3 })
	}
	for _, a := range v.Schema().Attributes {
		if q.Index == datom.AVET && !a.Indexed && a.Unique.Name == "" { // it may have datoms, but not there
			q.Attr = &a.Ident
			require.ErrorIs(t, v.Scan(t.Context(), q, func(datom.Datom) error { return nil }), graph.ErrUnsupported)
		}
	}
	none := fressian.Keyword{Name: "no-such"}
	q.Attr = &none
	require.Empty(t, scan(t, v, q))
}

// checkPast compares what was true at each time with what a map of facts says
// that the history goes through.
func checkPast(t *testing.T, v *view.DatahikeView) {
	history := scan(t, v, datom.Query{History: true})
	slices.SortStableFunc(history, func(a, b datom.Datom) int { return int(a.Tx - b.Tx) })
	for tx := int64(view.DatahikeTx0); tx <= v.Info().MaxTx; tx += 3 {
		facts := map[string]datom.Datom{}
		for _, d := range history {
			if d.Tx > tx {
				break
			}
			fact := fmt.Sprint(d.E, d.A, d.V)
			if delete(facts, fact); d.Added {
				facts[fact] = d
			}
		}
		var want []datom.Datom
		for _, d := range facts {
			want = append(want, d)
		}
		same(t, want, scan(t, v, datom.Query{AsOf: tx}))
		recent := only(want, func(d datom.Datom) bool { return d.Tx > tx-4 })
		same(t, recent, scan(t, v, datom.Query{Index: datom.AEVT, AsOf: tx, TxFrom: tx - 3}))
		require.Len(t, scan(t, v, datom.Query{History: true, AsOf: tx}), len(only(history, func(d datom.Datom) bool { return d.Tx <= tx })))
	}
}

// TestDatahikeSeeks: a scan of one entity or attribute reads what leads there
// and little else.
func TestDatahikeSeeks(t *testing.T) {
	s, _ := made(t, sample.Options{Seed: 7, Entities: 8000, BranchingFactor: 64, NoHistory: true}, 0, 0)
	v := s.branches(t)[":db"]
	all := scan(t, v, datom.Query{})
	require.Greater(t, len(all), 90_000)
	const depth = 3 // 64^3 is enough, 64^2 is not
	for i := 0; i < len(all); i += len(all) / 50 {
		s.gets.Store(0)
		found := scan(t, v, datom.Query{Entity: &all[i].E})
		require.Contains(t, found, all[i])
		require.LessOrEqual(t, s.gets.Load(), int64(depth+2))
	}
	byAttr := map[fressian.Keyword]int64{}
	for _, d := range all {
		byAttr[d.A.(fressian.Keyword)]++
	}
	for attr, n := range byAttr {
		s.gets.Store(0)
		require.Len(t, scan(t, v, datom.Query{Index: datom.AEVT, Attr: &attr}), int(n))
		require.LessOrEqual(t, s.gets.Load(), n/32+n/32/32+2*depth, attr)
	}
}

// TestDatahikeStops: the error of who listens comes back as it is, and little is
// read before.
func TestDatahikeStops(t *testing.T) {
	s, _ := made(t, sample.Options{Seed: 8, Entities: 600, BranchingFactor: 16}, 3, 100)
	v := s.branches(t)[":db"]
	enough := errors.New("enough")
	for _, q := range []datom.Query{{}, {History: true}, {AsOf: v.Info().MaxTx - 2}} {
		s.gets.Store(0)
		n := 0
		err := v.Scan(t.Context(), q, func(datom.Datom) error {
			if n++; n == 10 {
				return enough
			}
			return nil
		})
		assert.Same(t, enough, err)
		assert.Equal(t, 10, n)
		assert.Less(t, s.gets.Load(), int64(40))
	}
	assert.Same(t, enough, v.Log(t.Context(), 0, 0, func(view.Transaction) error { return enough }))
	ctx, cancel := context.WithCancel(t.Context())
	err := v.Scan(ctx, datom.Query{}, func(datom.Datom) error { cancel(); return nil })
	require.ErrorIs(t, err, context.Canceled)
}

// unordered is a database of values that have no order, many of one entity and
// attribute, some of them in both trees.
func unordered(t *testing.T, n int) (*store, []datom.Datom) {
	s := forge.New(t)
	var past, now []any
	var want []datom.Datom
	add := func(list *[]any, d datom.Datom) {
		*list = append(*list, forge.Tag("datahike.datom.Datom", []any{d.E, d.A, d.V, d.Tx, d.Added}))
	}
	for i := range n {
		d := datom.Datom{E: 5, A: forge.K("m"), V: forge.M("i", int64(i*7919%n)), Tx: view.DatahikeTx0 + 1, Added: true}
		want = append(want, d)
		if i%2 == 0 {
			add(&past, d)
		}
		if i%3 == 0 || i%2 == 1 {
			add(&now, d)
		}
	}
	tree := func(datoms []any) fressian.Tagged {
		leaf := s.UUID()
		s.Put(leaf, forge.Tag("pss/leaf", forge.M("keys", datoms)))
		return forge.Index(leaf, len(datoms))
	}
	schema, id := s.UUID(), s.UUID()
	s.Put(schema, forge.M("schema", forge.M("m", forge.M(forge.K("db", "ident"), forge.K("m"), forge.K("db", "cardinality"), forge.K("db.cardinality", "many"))),
		"rschema", forge.M(forge.K("db.cardinality", "many"), fressian.Set{forge.K("m")})))
	rec := forge.With(s.Record(id, 1, schema, map[string]fressian.Tagged{"eavt": tree(now)}), "temporal-eavt-key", tree(past))
	s.Commit(id, rec, "db")
	s.Branches("db")
	return openStore(s.Dir, "", 2), want
}

// TestDatahikeUnordered: values that no key orders are merged all the same, in
// memory and on disk.
func TestDatahikeUnordered(t *testing.T) {
	for _, n := range []int{20, 30_000} {
		s, want := unordered(t, n)
		v := s.branches(t)[":db"]
		same(t, want, scan(t, v, datom.Query{History: true}))
		var logged []datom.Datom
		require.NoError(t, v.Log(t.Context(), 0, 0, func(tx view.Transaction) error {
			logged = append(logged, tx.Datoms...)
			return nil
		}))
		assert.Len(t, logged, n)
	}
}
