package render_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/render"
)

func kw(ns, name string) fressian.Keyword { return fressian.Keyword{NS: ns, Name: name} }

// friends is an attribute of references.
var friends = kw("user", "friends")

func schema() *datom.Schema {
	return datom.NewSchema([]datom.Attribute{
		{ID: 9, Ident: friends, ValueType: kw("db.type", "ref"), Many: true},
		{ID: 10, Ident: kw("user", "age"), ValueType: kw("db.type", "long")},
	})
}

// written is what a format makes of datoms.
func written(t testing.TB, f render.Format, datoms ...datom.Datom) string {
	t.Helper()
	var out bytes.Buffer
	w, err := render.New(f, &out, schema())
	require.NoError(t, err)
	for _, d := range datoms {
		require.NoError(t, w.Datom(d))
	}
	require.NoError(t, w.Close())
	return out.String()
}

func bigint(digits string) *big.Int {
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		panic(digits)
	}
	return n
}

// golden is a value with its kind and its forms in JSON and CSV.
type golden struct {
	v               any
	kind, json, csv string
}

func goldens() []golden {
	return []golden{
		{"a,\"b\"\n\\\x00é😀", "string", `"a,\"b\"\u000a\\\u0000é😀"`, "a,\"b\"\n\\\x00é😀"},
		{"", "string", `""`, ""},
		{true, "boolean", `true`, "true"},
		{int64(-7), "long", `-7`, "-7"},
		{int64(1 << 53), "long", `9007199254740992`, "9007199254740992"},
		{int64(1<<53 + 1), "long", `"9007199254740993"`, "9007199254740993"},
		{int64(math.MinInt64), "long", `"-9223372036854775808"`, "-9223372036854775808"},
		{1.0, "double", `1.0`, "1.0"},
		{0.1, "double", `0.1`, "0.1"},
		{1e300, "double", `1e+300`, "1e+300"},
		{math.Copysign(0, -1), "double", `-0.0`, "-0.0"},
		{math.NaN(), "double", `"NaN"`, "NaN"},
		{math.Inf(1), "double", `"Infinity"`, "Infinity"},
		{math.Inf(-1), "double", `"-Infinity"`, "-Infinity"},
		{float32(0.1), "float", `0.1`, "0.1"},
		{float32(math.NaN()), "float", `"NaN"`, "NaN"},
		{bigint("-123456789012345678901234567890"), "bigint", `"-123456789012345678901234567890"`, "-123456789012345678901234567890"},
		{fressian.Decimal{Unscaled: big.NewInt(1250), Scale: 2}, "bigdec", `"12.50"`, "12.50"},
		{fressian.Decimal{Unscaled: big.NewInt(1), Scale: -3}, "bigdec", `"1E+3"`, "1E+3"},
		{fressian.Inst(1795225047410), "instant", `"2026-11-21T01:37:27.410Z"`, "2026-11-21T01:37:27.410Z"},
		{fressian.Inst(-1), "instant", `"1969-12-31T23:59:59.999Z"`, "1969-12-31T23:59:59.999Z"},
		{fressian.Inst(253402300800000), "instant", `"+010000-01-01T00:00:00.000Z"`, "+010000-01-01T00:00:00.000Z"},
		{fressian.Inst(-62198755200000), "instant", `"-000001-01-01T00:00:00.000Z"`, "-000001-01-01T00:00:00.000Z"},
		{fressian.Inst(math.MaxInt64), "instant", `"+292278994-08-17T07:12:55.807Z"`, "+292278994-08-17T07:12:55.807Z"},
		{fressian.Inst(math.MinInt64), "instant", `"-292275055-05-16T16:47:04.192Z"`, "-292275055-05-16T16:47:04.192Z"},
		{fressian.UUID{0x6b, 1, 15: 5}, "uuid", `"6b010000-0000-0000-0000-000000000005"`, "6b010000-0000-0000-0000-000000000005"},
		{fressian.URI("http://x/?a=\"b\""), "uri", `"http://x/?a=\"b\""`, "http://x/?a=\"b\""},
		{kw("n.s", "k"), "keyword", `":n.s/k"`, ":n.s/k"},
		{fressian.Symbol{Name: `a"b`}, "symbol", `"a\"b"`, `a"b`},
		{[]byte{0, 127, 255}, "bytes", `"AH//"`, "AH//"},
		{[]byte{}, "bytes", `""`, ""},
		{
			fressian.Vector{int64(1), nil, "x", kw("", "k"), []any{math.NaN()}}, "tuple",
			`[{"v":1,"type":"long"},{"v":null,"type":"nil"},{"v":"x","type":"string"},{"v":":k","type":"keyword"},{"v":[{"v":"NaN","type":"double"}],"type":"tuple"}]`,
			`[1 nil "x" :k [##NaN]]`,
		},
		{
			fressian.Tagged{Tag: "datomic/fn", Fields: []any{fressian.Map{{Key: kw("", "code"), Value: `"x"`}}}}, "fn",
			`"#db/fn {:code \"\\\"x\\\"\"}"`, `#db/fn {:code "\"x\""}`,
		},
		{[]float32{0.5, float32(math.Inf(1))}, "floats", `[0.5,"Infinity"]`, `#floats [0.5 Infinity]`},
		{[]float64{1, math.NaN()}, "doubles", `[1.0,"NaN"]`, `#doubles [1.0 NaN]`},
	}
}

func TestJSON(t *testing.T) {
	for _, g := range goldens() {
		line := written(t, render.JSON, datom.Datom{E: 1, A: kw("a", "b"), V: g.v, Tx: 536870913, Added: true})
		assert.Equal(t, `{"e":1,"a":":a/b","v":`+g.json+`,"type":"`+g.kind+`","tx":536870913,"added":true}`+"\n", line)
		assert.True(t, json.Valid([]byte(line)), line)
	}
	far := written(t, render.JSON, datom.Datom{E: 1<<62 + 1, A: `s"`, V: true, Tx: -1})
	assert.Equal(t, `{"e":"4611686018427387905","a":"\"s\\\"\"","v":true,"type":"boolean","tx":-1,"added":false}`+"\n", far)
}

// TestSurrogate: JSON has an escape for half a character, which Go's own
// decoder cannot keep. EDN has its three bytes, and the others refuse it.
func TestSurrogate(t *testing.T) {
	half := datom.Datom{E: 1, A: kw("a", "b"), V: "x\xed\xa0\xbdy\xed\xbf\xbf", Added: true}
	assert.Contains(t, written(t, render.JSON, half), `"v":"x\ud83dy\udfff"`)
	assert.Contains(t, written(t, render.EDN, half), "\"x\xed\xa0\xbdy\xed\xbf\xbf\"")
	refuses(t, render.CSV, half)
	refuses(t, render.Parquet, half)
	for _, f := range []render.Format{render.JSON, render.CSV, render.Parquet} {
		refuses(t, f, datom.Datom{E: 1, A: kw("a", "b"), V: "x\xff"})
		refuses(t, f, datom.Datom{E: 1, A: kw("a", "\xff"), V: "x"})
		refuses(t, f, datom.Datom{E: 1, A: kw("a", "b"), V: kw("", "\xed\xa0")})
	}
}

// refuses checks that a format names a datom that it has no form for, writes
// nothing of it, and goes on.
func refuses(t *testing.T, f render.Format, d datom.Datom) {
	t.Helper()
	good := datom.Datom{E: 2, A: kw("a", "b"), V: "good"}
	var out bytes.Buffer
	w, err := render.New(f, &out, schema())
	require.NoError(t, err)
	require.NoError(t, w.Datom(good))
	err = w.Datom(d)
	require.ErrorIs(t, err, datom.ErrNoText, f)
	require.ErrorContains(t, err, "entity 1: ")
	require.NoError(t, w.Datom(good))
	require.NoError(t, w.Close())
	assert.Equal(t, written(t, f, good, good), out.String(), f)
}

func TestRefused(t *testing.T) {
	for _, f := range render.Formats() {
		for _, v := range []any{fressian.Map{}, fressian.Tagged{Tag: "x"}, fressian.Vector{"a", fressian.Set{}}, []int64{1}, fressian.Regex("x"), fressian.Tagged{Tag: "datomic/fn"}} {
			refuses(t, f, datom.Datom{E: 1, A: kw("a", "b"), V: v})
		}
	}
	_, err := render.New("xml", nil, nil)
	require.ErrorContains(t, err, "xml")
	_, err = render.ParseFormat("xml")
	require.ErrorContains(t, err, "edn, json, csv, parquet")
}

func TestCSV(t *testing.T) {
	var all []datom.Datom
	for _, g := range goldens() {
		all = append(all, datom.Datom{E: 1, A: kw("a", "b"), V: g.v, Tx: 7, Added: true})
	}
	rows, err := csv.NewReader(strings.NewReader(written(t, render.CSV, all...))).ReadAll()
	require.NoError(t, err)
	assert.Equal(t, []string{"e", "a", "type", "v", "tx", "added"}, rows[0])
	for i, g := range goldens() {
		assert.Equal(t, []string{"1", ":a/b", g.kind, g.csv, "7", "true"}, rows[i+1])
	}
	assert.Equal(t, "e,a,type,v,tx,added\n", written(t, render.CSV), "there is a header without datoms")
}

// TestRefs: the schema tells references from numbers, by name and by id.
func TestRefs(t *testing.T) {
	for a, want := range map[any]string{friends: "ref", kw("user", "age"): "long", int64(9): "ref", int64(10): "long", kw("", "x"): "long", "s": "long"} {
		d := datom.Datom{E: 1, A: a, V: int64(5)}
		assert.Contains(t, written(t, render.JSON, d), `"v":5,"type":"`+want+`"`, a)
		assert.Contains(t, written(t, render.CSV, d), ","+want+",5,", a)
	}
}

// full is an output without room.
type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestOutputErrors(t *testing.T) {
	for _, f := range render.Formats() {
		w, err := render.New(f, full{}, nil)
		require.NoError(t, err)
		if err = w.Datom(datom.Datom{A: kw("", "a"), V: true}); err == nil {
			err = w.Close()
		}
		require.ErrorIs(t, err, errFull, f)
		require.NotErrorIs(t, err, datom.ErrNoText)
	}
}
