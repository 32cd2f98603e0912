package view_test

import (
	"cmp"
	"encoding/json"
	"os"
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

// factsOf reads all of a value, as Datomic did for what is expected.
func factsOf(t testing.TB, v view.View) (f facts) {
	t.Helper()
	f.DatabaseID, f.BasisT = v.Info().Database, v.Info().T
	count := func(index datom.Index) int64 { return int64(len(scanned(t, v, datom.Query{Index: index}))) }
	f.EAVTCurrent, f.AEVTCurrent, f.AVETCurrent, f.VAETCurrent = count(datom.EAVT), count(datom.AEVT), count(datom.AVET), count(datom.VAET)
	f.EAVTHistory = int64(len(scanned(t, v, datom.Query{History: true})))
	f.CurrentSHA256 = sumOf(t, v, datom.Query{})
	f.HistorySHA256 = sumOf(t, v, datom.Query{History: true})
	f.HistoryAEVT = sumOf(t, v, datom.Query{Index: datom.AEVT, History: true})
	var log javaDigest
	require.NoError(t, v.Log(t.Context(), 0, 0, func(tx view.Transaction) error {
		f.LogTxs++
		f.LogDatoms += int64(len(tx.Datoms))
		for _, d := range tx.Datoms {
			log.add(javaLine(t, v.Schema(), d))
		}
		return nil
	}))
	f.LogSHA256 = log.sum()
	return f
}

// TestDatomicFacts: each value holds what Datomic says that it holds, now and
// ever, in each order and in the log.
func TestDatomicFacts(t *testing.T) {
	for _, fixture := range []func(testing.TB) (*datomicBackup, []facts){tiered, gens} {
		b, expected := fixture(t)
		require.NotEmpty(t, expected)
		for _, want := range expected {
			got := factsOf(t, b.open(t, want.BasisT))
			if want.BasisT == 1448 {
				// Datomic has in AVET what was transacted since it was told to index
				// an attribute, and what is left of one that it shall not index.
				want.AVETCurrent -= 19 + 94
			}
			assert.Equal(t, want, got, "t %d", want.BasisT)
		}
	}
}

// TestDatomicAsOf: what Datomic says of the past, from a later value. What was
// excised since, and what has no history, is not the same as it was then.
func TestDatomicAsOf(t *testing.T) {
	for name, fixture := range map[string]func(testing.TB) (*datomicBackup, []facts){"tiered": tiered, "gen3": gens} {
		text, err := os.ReadFile("testdata/datomic-" + name + ".asof.json")
		require.NoError(t, err)
		var expected []struct {
			T       int64  `json:"t"`
			Current string `json:"sha256-current"`
			History string `json:"sha256-history"`
		}
		require.NoError(t, json.Unmarshal(text, &expected))
		b, all := fixture(t)
		v := b.open(t, all[0].BasisT)
		for _, want := range expected {
			for _, at := range []int64{want.T, datomic.TxEntity(want.T)} {
				assert.Equal(t, want.Current, sumOf(t, v, datom.Query{AsOf: at}), "%s %d", name, at)
			}
			assert.Equal(t, want.Current, sumOf(t, v, datom.Query{AsOf: want.T, Index: datom.AEVT}), "%s %d", name, want.T)
			assert.Equal(t, want.History, sumOf(t, v, datom.Query{AsOf: want.T, History: true}), "%s %d", name, want.T)
		}
	}
}

// TestDatomicInfo: what describes a value.
func TestDatomicInfo(t *testing.T) {
	b, _ := tiered(t)
	v := b.open(t, 1448)
	v.Describe("p1")
	assert.Equal(t, view.Info{
		Kind: view.Datomic, Database: b.values[1448].DatabaseID, Point: "p1",
		MaxTx: 3<<42 | 1448, T: 1448, MaxE: -1, History: true, Datoms: -1,
	}, v.Info())
}

// TestDatomicSchema: attributes of the trees and of the tail, as they are now.
func TestDatomicSchema(t *testing.T) {
	b, _ := tiered(t)
	s := b.open(t, 1448).Schema()
	attr := func(ns, name string) datom.Attribute {
		a := s.Attr(fressian.Keyword{NS: ns, Name: name})
		require.NotNil(t, a, name)
		assert.Same(t, a, s.AttrOf(a.ID))
		return *a
	}
	prop := func(a datom.Attribute, name string) any {
		v, _ := a.Props.Get("db", name)
		return v
	}
	assert.Nil(t, s.Attr(fressian.Keyword{NS: "one", Name: "old"}), "it was renamed")
	assert.Equal(t, "renamed", attr("one", "renamed").Ident.Name)
	assert.True(t, attr("one", "string").Indexed, "since a moment ago")
	assert.False(t, attr("many", "long").Indexed, "since a moment ago")
	assert.True(t, attr("new", "attr").Indexed)
	assert.True(t, attr("many", "uri").Many)
	assert.Equal(t, "many :uri", prop(attr("many", "uri"), "doc"))
	assert.Equal(t, fressian.Keyword{NS: "db.cardinality", Name: "many"}, prop(attr("many", "uri"), "cardinality"))
	assert.Equal(t, fressian.Keyword{NS: "db.unique", Name: "identity"}, attr("one", "key").Unique)
	assert.True(t, attr("one", "nohist").NoHistory)
	assert.True(t, attr("one", "component").Component)
	assert.Equal(t, fressian.Keyword{NS: "db.type", Name: "ref"}, attr("one", "component").ValueType)
	assert.Equal(t, fressian.Vector{fressian.Keyword{NS: "one", Name: "long"}, fressian.Keyword{NS: "one", Name: "string"}}, prop(attr("one", "composite"), "tupleAttrs"))
	for _, a := range s.Attributes {
		assert.Equal(t, a.ID < 72, a.System, a.Ident)
	}
	assert.Nil(t, s.Attr(fressian.Keyword{NS: "db.type", Name: "ref"}), "it is no attribute")
}

// TestDatomicLog: ranges of it are what lies between, each in order.
func TestDatomicLog(t *testing.T) {
	for _, fixture := range []func(testing.TB) (*datomicBackup, []facts){tiered, gens} {
		b, all := fixture(t)
		v := b.open(t, all[0].BasisT)
		var log []view.Transaction
		walk := func(from, to int64) (found []view.Transaction) {
			require.NoError(t, v.Log(t.Context(), from, to, func(tx view.Transaction) error {
				found = append(found, tx)
				return nil
			}))
			return found
		}
		log = walk(0, 0)
		for _, tx := range log {
			assert.Equal(t, datomic.TxEntity(tx.T), tx.Tx)
			assert.NoError(t, datomic.CheckID(graph.ID(tx.ID)))
			assert.Equal(t, fressian.Keyword{NS: "db", Name: "txInstant"}, tx.Datoms[0].A)
			assert.Equal(t, tx.Tx, tx.Datoms[0].E)
			assert.True(t, slices.IsSortedFunc(tx.Datoms[1:], func(a, b datom.Datom) int { return cmp.Compare(a.E, b.E) }))
			for _, d := range tx.Datoms {
				assert.Equal(t, tx.Tx, d.Tx)
			}
		}
		for i := 0; i < len(log); i += 7 {
			for _, n := range []int{0, 1, 30} {
				j := min(i+n, len(log)-1)
				assert.Equal(t, log[i:j+1], walk(log[i].T, log[j].Tx))
			}
		}
		assert.Empty(t, walk(all[0].BasisT+1, 0))
	}
}
