package dump

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// values are values of every kind, and their bytes by RFC 8949 and the tags'
// registrations.
func values() map[string]any {
	huge := new(big.Int).Lsh(big.NewInt(1), 62)
	return map[string]any{
		"00": int64(0), "17": int64(23), "1818": int64(24), "190100": int64(256), "1b7fffffffffffffff": int64(math.MaxInt64),
		"20": int64(-1), "3b7fffffffffffffff": int64(math.MinInt64),
		"f4": false, "f5": true,
		"60": "", "63e697a5": "日", "43000180": []byte{0, 1, 128},
		"fb3ff0000000000000": 1.0, "fb7ff8000000000001": math.NaN(), "fa3e800000": float32(0.25),
		"c24100": new(big.Int), "c2410c": big.NewInt(12), "c34100": big.NewInt(-1), "c3420100": big.NewInt(-257),
		"c482211904e2":               fressian.Decimal{Unscaled: big.NewInt(1250), Scale: 2},
		"c4820320":                   fressian.Decimal{Unscaled: big.NewInt(-1), Scale: -3},
		"c48200c2484000000000000000": fressian.Decimal{Unscaled: huge},
		"c482003b3fffffffffffffff":   fressian.Decimal{Unscaled: new(big.Int).Neg(huge)},
		"c074313937302d30312d30315430303a30303a30305a":           fressian.Inst(0),
		"c07818313936392d31322d33315432333a35393a35392e3939395a": fressian.Inst(-1),
		"d82550" + strings.Repeat("ab", 16):                      fressian.UUID(bytes.Repeat([]byte{0xab}, 16)),
		"d827623a61":                                             kw("", "a"),
		"d827643a612f62":                                         kw("a", "b"),
		"d8276161":                                               fressian.Symbol{Name: "a"},
		"d827612f":                                               fressian.Symbol{Name: "/"},
		"d820613f":                                               fressian.URI("?"),
		"8201820280":                                             fressian.Vector{int64(1), fressian.Vector{int64(2), fressian.Vector{}}},
		"82f6f5":                                                 fressian.Vector{nil, true},
		"d855440000803e":                                         []float32{0.25},
		"d85648000000000000f03f":                                 []float64{1},
		"d9010282010a":                                           fressian.Set{int64(1), int64(10)},
		"a2010a1903e8f4":                                         fressian.Map{{Key: int64(1), Value: int64(10)}, {Key: int64(1000), Value: false}},
	}
}

func TestValues(t *testing.T) {
	for code, v := range values() {
		got, err := appendValue(nil, v, 0)
		require.NoError(t, err)
		assert.Equal(t, code, hex.EncodeToString(got), "%v", v)
		require.NoError(t, cbor.Wellformed(got))
		back, err := newItems(nil).value(got)
		require.NoError(t, err)
		if f, ok := v.(float64); ok && math.IsNaN(f) {
			assert.Equal(t, math.Float64bits(f), math.Float64bits(back.(float64)))
			continue
		}
		if n, ok := v.(*big.Int); ok {
			v, back = n.String(), back.(*big.Int).String()
		}
		assert.Equal(t, v, back)
	}
}

// TestSorted: elements and keys are written in the order of their bytes, and
// lists as vectors.
func TestSorted(t *testing.T) {
	got, err := appendValue(nil, fressian.Map{
		{Key: kw("", "b"), Value: fressian.Set{"b", "a"}},
		{Key: kw("", "a"), Value: fressian.Seq{int64(1)}},
	}, 0)
	require.NoError(t, err)
	back, err := newItems(nil).value(got)
	require.NoError(t, err)
	assert.Equal(t, fressian.Map{
		{Key: kw("", "a"), Value: fressian.Vector{int64(1)}},
		{Key: kw("", "b"), Value: fressian.Set{"a", "b"}},
	}, back)
}

// TestReadOnly: forms that are read and never written.
func TestReadOnly(t *testing.T) {
	for code, want := range map[string]any{
		"1805": int64(5), "1b0000000000000005": int64(5),
		"1b8000000000000000": new(big.Int).Lsh(big.NewInt(1), 63),
		"3bffffffffffffffff": new(big.Int).Not(new(big.Int).SetUint64(math.MaxUint64)),
		"c101":               fressian.Inst(1000), "c1fb3ff8000000000000": fressian.Inst(1500), "c1fabfc00000": fressian.Inst(-1500),
		"c0781e323032302d30312d30315430303a30303a30302e3132333435363738395a": fressian.Inst(1577836800123),
		"c07819323032302d30312d30315430323a30303a30302b30323a3030":           fressian.Inst(1577836800000),
	} {
		raw, err := hex.DecodeString(code)
		require.NoError(t, err, code)
		got, err := newItems(nil).value(raw)
		require.NoError(t, err, code)
		assert.Equal(t, want, got, code)
	}
}

// TestNoValues: what a dump cannot hold names itself.
func TestNoValues(t *testing.T) {
	deep := any(int64(1))
	for range maxDepth + 1 {
		deep = fressian.Vector{deep}
	}
	for _, v := range []any{
		nil, "\xed\xa0\xbd", kw("", "\xff"), fressian.Vector{"\xff"}, fressian.Set{"\xff"}, fressian.Map{{Key: "\xff"}}, fressian.Map{{Key: int64(1), Value: "\xff"}}, fressian.Map{{Key: int64(1)}, {Key: int64(1)}},
		fressian.Inst(253402300800000), fressian.Inst(-62167219200001), fressian.Tagged{Tag: "x"}, fressian.Regex("x"), fressian.Record{}, deep,
	} {
		_, err := (&liner{}).append(nil, datom.Datom{E: 1, A: kw("", "a"), V: v, Tx: tx0 + 1, Added: true})
		require.ErrorIs(t, err, ErrValue, "%v", v)
	}
	for _, d := range []datom.Datom{
		{E: -1, A: kw("", "a"), V: true, Tx: tx0 + 1}, {E: 1, A: kw("", "a"), V: true, Tx: 5}, {E: 1, A: int64(3), V: true, Tx: tx0 + 1},
		{E: 1, A: "text", V: true, Tx: tx0 + 1}, {E: 1, A: kw("", "a\x00"), V: true, Tx: tx0 + 1}, {E: 1, A: kw("", "\xff"), V: true, Tx: tx0 + 1},
	} {
		_, err := (&liner{}).append(nil, d)
		require.ErrorIs(t, err, ErrValue, "%v", d)
	}
}

// TestSkip: what cannot be written is left out and told of, if that is wanted.
func TestSkip(t *testing.T) {
	all := list{
		{E: 1, A: kw("", "a"), V: "\xed\xa0\xbd", Tx: tx0 + 1, Added: true},
		{E: 2, A: kw("", "a"), V: "b", Tx: tx0 + 1, Added: true},
	}
	err := Write(t.Context(), all, &Manifest{}, newFiles(), Options{})
	require.ErrorIs(t, err, ErrValue)
	require.ErrorContains(t, err, "entity 1")

	var skipped []datom.Datom
	to := newFiles()
	require.NoError(t, Write(t.Context(), all, &Manifest{}, to, Options{Skip: func(d datom.Datom, err error) {
		require.ErrorIs(t, err, ErrValue)
		skipped = append(skipped, d)
	}}))
	assert.Equal(t, []datom.Datom(all[:1]), skipped)
	assert.Equal(t, Stats{Datoms: 1, Source: -1, Transformed: true, MaxE: 2, MaxTx: tx0 + 1}, open(t, to).Manifest.Stats)
}

// TestSecondaryOnly: a hash is no value.
func TestSecondaryOnly(t *testing.T) {
	m := &Manifest{Schema: fressian.Map{{Key: kw("", "a"), Value: fressian.Map{{Key: kw("db.secondary", "only"), Value: true}}}}}
	all := list{{E: 1, A: kw("", "a"), V: "hash", Tx: tx0 + 1, Added: true}}
	err := Write(t.Context(), all, m, newFiles(), Options{})
	require.ErrorIs(t, err, ErrValue)
	require.ErrorContains(t, err, "secondary index")
	all[0].A = kw("", "b")
	require.NoError(t, Write(t.Context(), all, m, newFiles(), Options{}))
}

// TestAttributeRefs: what Datahike defines goes by its name.
func TestAttributeRefs(t *testing.T) {
	props := fressian.Map{{Key: kw("db", "valueType"), Value: kw("db.type", "ref")}}
	m := &Manifest{
		Config:       fressian.Map{{Key: key("attribute-refs?"), Value: true}},
		Schema:       fressian.Map{{Key: kw("", "friend"), Value: props}},
		SystemIdents: map[int64]fressian.Keyword{7: kw("db.type", "ref"), 9: kw("db.cardinality", "one")},
	}
	all := list{
		{E: 40, A: kw("", "age"), V: int64(7), Tx: tx0 + 1, Added: true},
		{E: 40, A: kw("", "friend"), V: int64(9), Tx: tx0 + 1, Added: true},
		{E: 40, A: kw("", "friend"), V: int64(41), Tx: tx0 + 1, Added: true},
		{E: 40, A: kw("db", "valueType"), V: int64(7), Tx: tx0 + 1, Added: true},
	}
	to := newFiles()
	require.NoError(t, Write(t.Context(), all, m, to, Options{}))
	d := open(t, to)
	assert.Contains(t, d.Manifest.Requires, needAttrRefs)
	assert.ElementsMatch(t, all, records(t, d))
	d.idents = nil
	_, err := d.chunk(t.Context(), d.Manifest.Chunks[0], func(datom.Datom) error { return nil })
	require.ErrorIs(t, err, graph.ErrCorrupt)
	require.ErrorContains(t, err, "system-idents")
}

// TestExternal: objects that are kept elsewhere are named.
func TestExternal(t *testing.T) {
	d := open(t, sample(t, sampleRefs))
	v := viewOf(t, d)
	lost := d.Manifest.StoreRefs.Carried[0]
	to := newFiles()
	blob := func(ctx context.Context, id fressian.UUID) (io.ReadCloser, error) {
		if id == lost {
			return nil, graph.ErrNotFound
		}
		return v.Object(ctx, id)
	}
	m := &Manifest{Schema: d.Manifest.Schema}
	require.NoError(t, Write(t.Context(), d, m, to, Options{Blob: blob}))
	assert.Equal(t, []fressian.UUID{lost}, m.StoreRefs.External)
	assert.Contains(t, open(t, to).Manifest.Requires, needExternal)
	require.NoError(t, Write(t.Context(), d, m, newFiles(), Options{}))
	assert.Len(t, m.StoreRefs.External, 2)
	broken := errors.New("broken")
	require.ErrorIs(t, Write(t.Context(), d, m, newFiles(), Options{Blob: func(context.Context, fressian.UUID) (io.ReadCloser, error) { return nil, broken }}), broken)
}
