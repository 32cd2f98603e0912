package migrate

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

func kw(ns, name string) fressian.Keyword { return fressian.Keyword{NS: ns, Name: name} }

// A Datomic database of a few datoms: tx and user make entities.
const (
	user0 = 4 << partitionBits
	txs0  = txPartition << partitionBits
)

// attrs declares attributes by their types.
type attrs map[int64]datom.Attribute

// fake is a view of datoms.
func fake(maxT int64, declared attrs, datoms ...datom.Datom) view.View {
	system := func(id int64, name fressian.Keyword) datom.Datom {
		return datom.Datom{E: id, A: kw("db", "ident"), V: name, Tx: txs0, Added: true}
	}
	all := []datom.Datom{
		system(0, kw("db.part", "db")), system(20, dbType("ref")), system(22, dbType("long")), system(23, dbType("string")),
		system(35, kw("db.cardinality", "one")), system(38, kw("db.unique", "identity")), system(40, db("valueType")), system(59, uriType), system(60, dbType("fn")),
	}
	var list []datom.Attribute
	for id, a := range declared {
		a.ID = id
		list = append(list, a)
		all = append(all, datom.Datom{E: id, A: db("ident"), V: a.Ident, Tx: txs0 + firstT, Added: true})
	}
	return view.OfStream(view.Stream{
		Info:   view.Info{Kind: view.Datomic, MaxTx: txs0 + maxT, T: maxT, History: true},
		Schema: datom.NewSchema(list),
		Each: func(_ context.Context, fn func(datom.Datom) error) error {
			for _, d := range append(all, datoms...) {
				if err := fn(d); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

var declared = attrs{
	72: {Ident: kw("", "name"), ValueType: dbType("string")},
	73: {Ident: kw("", "friend"), ValueType: dbType("ref"), Many: true},
	74: {Ident: kw("", "site"), ValueType: uriType, Props: fressian.Map{
		{Key: db("ident"), Value: kw("", "site")}, {Key: db("valueType"), Value: uriType}, {Key: db("fulltext"), Value: true},
	}},
	75: {Ident: kw("", "pair"), ValueType: dbType("tuple"), Props: fressian.Map{{Key: db("tupleTypes"), Value: []any{dbType("ref"), dbType("long"), uriType}}}},
	76: {Ident: kw("", "list"), ValueType: dbType("tuple"), Props: fressian.Map{{Key: db("tupleType"), Value: dbType("ref")}}},
	77: {Ident: kw("", "both"), ValueType: dbType("tuple"), Props: fressian.Map{{Key: db("tupleAttrs"), Value: fressian.Vector{kw("", "name"), kw("", "friend")}}}},
}

func text(t *testing.T, v view.View, q datom.Query) (all []string) {
	t.Helper()
	require.NoError(t, v.Scan(t.Context(), q, func(d datom.Datom) error {
		line, err := datom.AppendText(nil, d)
		all = append(all, string(line))
		return err
	}))
	return all
}

func d(e int64, name string, v any, t int64, added bool) datom.Datom {
	return datom.Datom{E: e, A: kw("", name), V: v, Tx: txs0 + t, Added: added}
}

func schema(e int64, name string, v any, t int64) datom.Datom {
	return datom.Datom{E: e, A: db(name), V: v, Tx: txs0 + t, Added: true}
}

// TestTranslate: numbers, references, types and what is left out.
func TestTranslate(t *testing.T) {
	a, b := int64(user0+1001), int64(user0+1002)
	v := fake(1005, declared,
		schema(72, "valueType", int64(23), 1000), schema(72, "cardinality", int64(35), 1000), schema(72, "unique", int64(38), 1000),
		schema(72, "fulltext", true, 1000), schema(74, "valueType", int64(59), 1000),
		schema(75, "tupleTypes", []any{dbType("ref"), uriType}, 1000), schema(76, "tupleType", uriType, 1000),
		schema(txs0+1000, "txInstant", fressian.Inst(5), 1000),
		datom.Datom{E: 0, A: kw("db.install", "attribute"), V: int64(72), Tx: txs0 + 1000, Added: true},
		schema(b, "fn", fressian.Tagged{Tag: "datomic/fn"}, 1000),
		d(a, "name", "x", 1003, true), d(a, "name", "x", 1005, false), d(a, "name", "y", 1005, true),
		d(a, "friend", b, 1003, true), d(a, "friend", int64(txs0+1000), 1003, true), d(a, "friend", int64(72), 1003, true),
		d(b, "site", fressian.URI("urn:x"), 1003, true),
		d(b, "pair", []any{a, a, fressian.URI("u")}, 1003, true), d(b, "list", []any{a, nil}, 1003, true), d(b, "both", []any{"z", a}, 1003, true),
	)
	m, notes, err := FromDatomic(t.Context(), v, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{
		`[72 :db/cardinality :db.cardinality/one 536871912 true]`,
		`[72 :db/ident :name 536871912 true]`,
		`[72 :db/unique :db.unique/identity 536871912 true]`,
		`[72 :db/valueType :db.type/string 536871912 true]`,
		`[73 :db/ident :friend 536871912 true]`,
		`[74 :db/ident :site 536871912 true]`,
		`[74 :db/valueType :db.type/string 536871912 true]`,
		`[75 :db/ident :pair 536871912 true]`,
		`[75 :db/tupleTypes [:db.type/ref :db.type/string] 536871912 true]`,
		`[76 :db/ident :list 536871912 true]`,
		`[76 :db/tupleType :db.type/string 536871912 true]`,
		`[77 :db/ident :both 536871912 true]`,
		`[1001 :friend 72 536871915 true]`,
		`[1001 :friend 1002 536871915 true]`,
		`[1001 :friend 536871912 536871915 true]`,
		`[1001 :name "y" 536871917 true]`,
		`[1002 :both ["z" 1001] 536871915 true]`,
		`[1002 :list [1001 nil] 536871915 true]`,
		fmt.Sprintf(`[1002 :pair [1001 %d "u"] 536871915 true]`, a), // a number that is no reference
		`[1002 :site "urn:x" 536871915 true]`,
		`[536871912 :db/txInstant #inst "1970-01-01T00:00:00.005-00:00" 536871912 true]`,
	}, text(t, m, datom.Query{}))
	assert.Len(t, text(t, m, datom.Query{History: true}), 23)
	for _, history := range []bool{false, true} {
		n := 0
		require.NoError(t, m.Unsorted(t.Context(), history, func(some []datom.Datom) error { n += len(some); return nil }))
		assert.Equal(t, map[bool]int{false: 21, true: 23}[history], n)
	}
	info := m.Info()
	assert.Equal(t, []any{view.Datahike, int64(tx0 + 1005), int64(1005), true}, []any{info.Kind, info.MaxTx, info.T, info.History})
	site := m.Schema().Attr(kw("", "site"))
	assert.Equal(t, stringType, site.ValueType)
	assert.Equal(t, fressian.Map{{Key: db("ident"), Value: kw("", "site")}, {Key: db("valueType"), Value: stringType}}, site.Props)
	assert.Contains(t, notes, ":/site has strings in place of URIs")
	assert.Contains(t, notes, ":/site loses :db/fulltext")
}

// TestShift: where the schema has grown beyond 1000, all others move up.
func TestShift(t *testing.T) {
	more := attrs{72: declared[72], 73: declared[73], 1500: {Ident: kw("", "late"), ValueType: dbType("long")}}
	m, _, err := FromDatomic(t.Context(), fake(1003, more, d(user0+1000, "late", int64(7), 1003, true), d(user0+1001, "friend", int64(user0+1000), 1003, true)), nil)
	require.NoError(t, err)
	got := text(t, m, datom.Query{})
	assert.Contains(t, got, `[1501 :late 7 536871915 true]`)
	assert.Contains(t, got, `[1502 :friend 1501 536871915 true]`)
	assert.Contains(t, got, `[1500 :db/ident :late 536871912 true]`)
}

// TestRefused: what Datahike cannot have ends it, or is left out and told of.
func TestRefused(t *testing.T) {
	withFn := attrs{72: declared[72], 73: declared[73], 90: {Ident: kw("", "code"), ValueType: dbType("fn")}}
	for name, bad := range map[string]datom.Datom{
		"reference to Datomic's own": d(user0+1001, "friend", int64(40), 1003, true),
		"fact about Datomic's own":   d(40, "name", "x", 1003, true),
		"far entity":                 d(user0+1<<30, "name", "x", 1003, true),
		"far reference":              d(user0+1001, "friend", int64(user0+1<<30), 1003, true),
		"no such attribute":          d(user0+1001, "other", "x", 1003, true),
		"attribute without a name":   {E: user0 + 1001, A: int64(3), V: "x", Tx: txs0 + 1003, Added: true},
		"unknown type":               schema(72, "valueType", int64(user0+9), 1003),
		"attribute of functions":     schema(90, "cardinality", int64(35), 1003),
		"function":                   d(user0+1001, "code", fressian.Tagged{Tag: "datomic/fn"}, 1003, true),
		"function in a string":       d(user0+1001, "name", fressian.Tagged{Tag: "datomic/fn"}, 1003, true),
	} {
		declared := withFn
		if name != "attribute of functions" && name != "function" {
			declared = attrs{72: withFn[72], 73: withFn[73]}
		}
		v := fake(1003, declared, bad, d(user0+1005, "name", "good", 1003, true))
		m, _, err := FromDatomic(t.Context(), v, nil)
		require.NoError(t, err, name)
		err = m.Scan(t.Context(), datom.Query{}, func(datom.Datom) error { return nil })
		require.ErrorIs(t, err, ErrRefused, name)

		var told []datom.Datom
		m, _, err = FromDatomic(t.Context(), v, func(d datom.Datom, err error) {
			require.ErrorIs(t, err, ErrRefused)
			told = append(told, d)
		})
		require.NoError(t, err)
		assert.Contains(t, text(t, m, datom.Query{}), `[1005 :name "good" 536871915 true]`, name)
		assert.Contains(t, told, bad, name)
	}
}

// TestTwoOfOneNumber: two entities never become one.
func TestTwoOfOneNumber(t *testing.T) {
	m, _, err := FromDatomic(t.Context(), fake(1003, declared, d(user0+1001, "name", "x", 1003, true), d(5<<partitionBits+1001, "name", "y", 1003, true)), nil)
	require.NoError(t, err)
	err = m.Scan(t.Context(), datom.Query{}, func(datom.Datom) error { return nil })
	require.ErrorIs(t, err, graph.ErrUnsupported)
	require.ErrorContains(t, err, "another partition")
}

func TestErrors(t *testing.T) {
	_, _, err := FromDatomic(t.Context(), fake(1<<32, declared), nil)
	require.ErrorIs(t, err, graph.ErrUnsupported)
	m, _, err := FromDatomic(t.Context(), fake(1003, declared, d(user0+1001, "name", "x", 1003, true)), nil)
	require.NoError(t, err)
	stop := errors.New("stop")
	require.ErrorIs(t, m.Unsorted(t.Context(), true, func([]datom.Datom) error { return stop }), stop)
}

// TestWithoutHistory: a view that knows only what is true now, such as an export
// without --history, is translated as far as that.
func TestWithoutHistory(t *testing.T) {
	from := fake(1003, declared, d(user0+1001, "name", "x", 1003, true))
	info := from.Info()
	info.History = false
	v := view.OfStream(view.Stream{Info: info, Schema: from.Schema(), Each: func(ctx context.Context, fn func(datom.Datom) error) error {
		return from.Scan(ctx, datom.Query{}, fn)
	}})
	m, _, err := FromDatomic(t.Context(), v, nil)
	require.NoError(t, err)
	assert.Contains(t, text(t, m, datom.Query{}), `[1001 :name "x" 536871915 true]`)
	require.ErrorIs(t, m.Scan(t.Context(), datom.Query{History: true}, nil), graph.ErrUnsupported)
}
