package view_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// allOf is the datoms of an index that a query wants, picked out of all.
func allOf(all []datom.Datom, q datom.Query) (wanted []datom.Datom) {
	for _, d := range all {
		if (q.Attr == nil || d.A == *q.Attr) && (q.Entity == nil || d.E == *q.Entity) &&
			d.Tx >= q.TxFrom && (q.TxTo == 0 || d.Tx <= q.TxTo) {
			wanted = append(wanted, d)
		}
	}
	return wanted
}

var datomicIndexes = []datom.Index{datom.EAVT, datom.AEVT, datom.AVET, datom.VAET}

// raw is a datom with its attribute's id.
func raw(s *datom.Schema, d datom.Datom) *datomic.Datom {
	return &datomic.Datom{E: d.E, A: int32(s.Attr(d.A.(fressian.Keyword)).ID), V: d.V, T: datomic.T(d.Tx), Added: d.Added}
}

// TestDatomicOrder: each index is in its order, and has what EAVT has of the
// attributes that are in it.
func TestDatomicOrder(t *testing.T) {
	b, all := tiered(t)
	for _, want := range all {
		v := b.open(t, want.BasisT)
		s := v.Schema()
		for _, history := range []bool{false, true} {
			eavt := scanned(t, v, datom.Query{History: history})
			for _, index := range datomicIndexes {
				got := scanned(t, v, datom.Query{Index: index, History: history})
				assert.True(t, slices.IsSortedFunc(got, func(a, b datom.Datom) int {
					return datomic.Compare(index, raw(s, a), raw(s, b))
				}), "%d %s", want.BasisT, index)
				inIndex := map[any]bool{}
				for _, d := range got {
					inIndex[d.A] = true
				}
				var expected []datom.Datom
				for _, d := range eavt {
					if inIndex[d.A] {
						expected = append(expected, d)
					}
				}
				assert.ElementsMatch(t, lines(t, s, expected), lines(t, s, got), "%d %s", want.BasisT, index)
			}
		}
	}
}

func lines(t testing.TB, s *datom.Schema, datoms []datom.Datom) (text []string) {
	for _, d := range datoms {
		text = append(text, javaLine(t, s, d))
	}
	slices.Sort(text)
	return text
}

// TestDatomicAVET: it has the attributes that are unique or indexed, but for
// those that Datomic is about to index.
func TestDatomicAVET(t *testing.T) {
	b, _ := tiered(t)
	v := b.open(t, 1448)
	seen := map[string]bool{}
	for _, d := range scanned(t, v, datom.Query{Index: datom.AVET}) {
		seen[d.A.(fressian.Keyword).Name] = true
		a := v.Schema().Attr(d.A.(fressian.Keyword))
		assert.True(t, a.Indexed || a.Unique.Name != "", a.Ident)
	}
	assert.True(t, seen["attr"], "an attribute made in the tail")
	for _, absent := range []string{"string", "component"} {
		attr := fressian.Keyword{NS: "one", Name: absent}
		err := v.Scan(t.Context(), datom.Query{Index: datom.AVET, Attr: &attr}, nil)
		require.ErrorIs(t, err, graph.ErrUnsupported)
		require.ErrorContains(t, err, ":one/"+absent)
	}
	err := v.Scan(t.Context(), datom.Query{Index: "tave"}, nil)
	require.ErrorIs(t, err, graph.ErrUnsupported)
	unknown := fressian.Keyword{Name: "unknown"}
	assert.Empty(t, scanned(t, v, datom.Query{Attr: &unknown}))
}

// TestDatomicQueries: a query finds what is left of all datoms when the others
// are left out, whether recent datoms fit into memory or not.
func TestDatomicQueries(t *testing.T) {
	b, all := tiered(t)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, want := range all {
		v := b.open(t, want.BasisT)
		small, err := view.OpenDatomicSmall(t.Context(), b.get, b.values[want.BasisT], 5000)
		require.NoError(t, err)
		for _, index := range datomicIndexes {
			q := datom.Query{Index: index, History: true}
			whole := scanned(t, v, q)
			require.Equal(t, whole, scanned(t, small, q), "%d %s", want.BasisT, index)
			for range 12 {
				some := whole[rng.IntN(len(whole))]
				attr, entity := some.A.(fressian.Keyword), some.E
				q := datom.Query{Index: index, History: true}
				if rng.IntN(2) == 0 {
					q.Attr = &attr
				}
				if rng.IntN(2) == 0 {
					q.Entity = &entity
				}
				if rng.IntN(4) == 0 {
					q.TxFrom = some.Tx
				}
				if rng.IntN(4) == 0 {
					q.TxTo = some.Tx
				}
				require.Equal(t, allOf(whole, q), scanned(t, v, q), "%+v", q)
				q.History = false
				require.Equal(t, scanned(t, v, q), scanned(t, small, q), "%+v", q)
			}
		}
	}
}

// total is how many segments were read.
func (b *datomicBackup) total() (n int) {
	for _, c := range b.reads {
		n += c
	}
	clear(b.reads)
	return n
}

// TestDatomicReads: a scan reads the leaves that it needs and what leads
// there.
func TestDatomicReads(t *testing.T) {
	b, all := gens(t)
	v := b.open(t, all[0].BasisT)
	const path, trees = 3, 2 // root, dir and leaf of main and hist
	for _, d := range scanned(t, v, datom.Query{History: true})[:2000] {
		if d.A != (fressian.Keyword{NS: "v", Name: "string"}) {
			continue
		}
		b.total()
		scanned(t, v, datom.Query{Entity: &d.E, History: true})
		require.LessOrEqual(t, b.total(), trees*(path+1))
		scanned(t, v, datom.Query{Entity: &d.E})
		require.LessOrEqual(t, b.total(), path+1)
	}
	for _, a := range v.Schema().Attributes {
		found := scanned(t, v, datom.Query{Index: datom.AEVT, Attr: &a.Ident})
		assert.LessOrEqual(t, b.total(), path+1+len(found)/300, a.Ident)
	}
	scanned(t, v, datom.Query{})
	assert.Equal(t, 2+4, b.total())
	require.NoError(t, v.Log(t.Context(), 1708, 1708, func(view.Transaction) error { return nil }))
	assert.LessOrEqual(t, b.total(), path)
}

var errEnough = errors.New("enough")

// TestDatomicEnough: a scan ends at once when no more is wanted, and reads but
// a few leaves ahead.
func TestDatomicEnough(t *testing.T) {
	b, all := gens(t)
	v := b.open(t, all[0].BasisT)
	n := 0
	err := v.Scan(t.Context(), datom.Query{Index: datom.AEVT}, func(datom.Datom) error {
		if n++; n == 10 {
			return errEnough
		}
		return nil
	})
	require.Equal(t, errEnough, err)
	assert.Equal(t, 10, n)
	assert.LessOrEqual(t, b.total(), 2+4+1, "of 49 leaves")
	err = v.Log(t.Context(), 0, 0, func(view.Transaction) error { return errEnough })
	require.Equal(t, errEnough, err)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, v.Scan(ctx, datom.Query{}, func(datom.Datom) error { return nil }), context.Canceled)
}
