package datomic_test

import (
	"cmp"
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
)

// ordered are values of one type, each less than the next, as the comparator of
// Datomic 1.0.7622 says, but for NaN, and numbers too large for it.
var ordered = map[string][]any{
	"boolean": {nil, false, true},
	"long":    {nil, int64(math.MinInt64), int64(-1), int64(0), int64(math.MaxInt64)},
	"double":  {math.NaN(), math.Inf(-1), -1.5, 0.0, 5e-324, 1.0, math.Inf(1)},
	"float":   {float32(-1), float32(0), float32(0.5)},
	"bigint":  {big.NewInt(-5), big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 100)},
	"bigdec": {
		dec(-1, math.MinInt32), dec(-1000, 0), dec(-1001, 1), dec(-1, 0), dec(-1, math.MaxInt32), dec(0, 0),
		dec(1, math.MaxInt32), dec(99, 2), dec(1, 0), dec(1001, 3), dec(25, 1), dec(1, -3), dec(1001, 0), dec(1, math.MinInt32),
	},
	"string": {
		"", "\x00", "a", "a\x00", "aa", "b", "é", "\ud7ff", "\xed\xa0\xbd", "😀", "\xed\xa0\xbd\uffff", "\xed\xb8\x80", "\ue000", "\uffff",
	},
	"keyword": {kw("", "a"), kw("", "b"), kw("a", "b"), kw("a.b", "a"), kw("b", "a")},
	"symbol":  {sym("", "a"), sym("", "b"), sym("a", "b"), sym("b", "a")},
	"instant": {fressian.Inst(-1), fressian.Inst(0), fressian.Inst(1)},
	"uuid": {
		fressian.UUID{0: 0xff}, fressian.UUID{8: 0xff}, fressian.UUID{}, fressian.UUID{15: 1}, fressian.UUID{7: 1}, fressian.UUID{0: 0x7f},
	},
	"bytes": {[]byte{}, []byte{0xff}, []byte{1}, []byte{0xff, 0}, []byte{0, 0}, []byte{1, 0}},
	"tuple": {
		[]any{nil, nil}, []any{nil, int64(1)}, []any{int64(1)}, []any{int64(1), nil}, []any{int64(1), int64(2)},
		[]any{int64(1), int64(2), int64(3)}, []any{int64(2)}, []any{int64(2), int64(0), int64(0)},
	},
	"uri": {
		uri(""), uri("#f"), uri("?q"), uri("/a"), uri("a"), uri("//a"), uri("http://a"), uri("http://a#f"), uri("http://a?x"), uri("http://a/"),
		uri("http://a/%41"), uri("http://a/%4a"), uri("http://a/%4B"), uri("http://a:80/"), uri("http://a_B"), uri("http://a_b"), uri("http://b"),
		uri("http://u@a"), uri("mailto:X"), uri("mailto:x"), uri("urn:x:1"), uri("urn:x:2"),
	},
}

func dec(unscaled int64, scale int32) fressian.Decimal {
	return fressian.Decimal{Unscaled: big.NewInt(unscaled), Scale: scale}
}
func kw(ns, name string) fressian.Keyword { return fressian.Keyword{NS: ns, Name: name} }
func sym(ns, name string) fressian.Symbol { return fressian.Symbol{NS: ns, Name: name} }
func uri(s string) fressian.URI           { return fressian.URI(s) }

func TestCompareValues(t *testing.T) {
	for name, values := range ordered {
		for i, a := range values {
			for j, b := range values {
				got := datomic.Compare(datom.AVET, &datomic.Datom{V: a}, &datomic.Datom{V: b})
				assert.Equal(t, cmp.Compare(i, j), got, "%s: %v and %v", name, a, b)
			}
		}
	}
}

func TestEqualValues(t *testing.T) {
	fn := func(code string) any {
		return fressian.Tagged{Tag: "datomic/fn", Fields: []any{fressian.Map{{Key: kw("", "code"), Value: code}}}}
	}
	for _, same := range [][]any{
		{dec(10, 1), dec(100, 2), dec(1, 0)},
		{dec(0, 5), dec(0, -5), dec(0, 0)},
		{dec(1000, 0), dec(1, -3)},
		{dec(-25, 1), dec(-2500, 3)},
		{0.0, math.Copysign(0, -1)},
		{uri("http://a/p"), uri("HTTP://A/p")},
		{uri("http://a/%4a"), uri("http://a/%4A")},
		{uri("MAILTO:x"), uri("mailto:x")},
		{fn("a"), fn("a")},
	} {
		for _, a := range same {
			for _, b := range same {
				assert.Zero(t, datomic.CompareFact(datom.EAVT, &datomic.Datom{V: a}, &datomic.Datom{V: b}), "%v and %v", a, b)
			}
		}
	}
	assert.NotZero(t, datomic.CompareFact(datom.EAVT, &datomic.Datom{V: fn("a")}, &datomic.Datom{V: fn("b")}))
}

func TestCompareParts(t *testing.T) {
	less := map[datom.Index][]datomic.Datom{
		datom.EAVT: {{E: 1, A: 9, V: int64(9)}, {E: 2, A: 1, V: int64(9)}, {E: 2, A: 2, V: int64(1)}, {E: 2, A: 2, V: int64(2)}},
		datom.AEVT: {{A: 1, E: 9, V: int64(9)}, {A: 2, E: 1, V: int64(9)}, {A: 2, E: 2, V: int64(1)}, {A: 2, E: 2, V: int64(2)}},
		datom.AVET: {{A: 1, V: int64(9), E: 9}, {A: 2, V: int64(1), E: 9}, {A: 2, V: int64(2), E: 1}, {A: 2, V: int64(2), E: 2}},
		datom.VAET: {{V: int64(1), A: 9, E: 9}, {V: int64(2), A: 1, E: 9}, {V: int64(2), A: 2, E: 1}, {V: int64(2), A: 2, E: 2}},
	}
	for index, d := range less {
		last := d[len(d)-1]
		newest := []datomic.Datom{last, last, last, last}
		for i := range newest { // the newest comes first, and what it added
			newest[i].T, newest[i].Added = int64(9-i/2), i%2 == 0
		}
		d = append(d[:len(d)-1:len(d)-1], newest...)
		for i := range d {
			for j := range d {
				assert.Equal(t, cmp.Compare(i, j), datomic.Compare(index, &d[i], &d[j]), "%s: %v and %v", index, d[i], d[j])
			}
		}
	}
}
