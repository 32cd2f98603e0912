package datom

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

func keyOf(t *testing.T, index Index, d Datom) []byte {
	t.Helper()
	key, err := AppendKey(nil, index, d)
	require.NoError(t, err)
	return key
}

// TestValueOrder: each of these is less than the next one.
func TestValueOrder(t *testing.T) {
	dec := func(n int64, scale int32) fressian.Decimal {
		return fressian.Decimal{Unscaled: big.NewInt(n), Scale: scale}
	}
	huge := new(big.Int).Lsh(big.NewInt(1), 2000)
	ascending := []any{
		[]byte{}, []byte{0x80}, []byte{0x80, 0x80}, []byte{0x80, 0}, []byte{0xff}, []byte{0}, []byte{0, 0x80}, []byte{1},
		[]float64{}, []float64{-1}, []float64{math.Copysign(0, -1)}, []float64{0}, []float64{0, -5}, []float64{math.NaN()},
		[]float32{}, []float32{-1}, []float32{2}, []float32{2, 1},
		fressian.Keyword{Name: "a"}, fressian.Keyword{Name: "z"}, fressian.Keyword{NS: "a", Name: "z"}, fressian.Keyword{NS: "a.b", Name: "a"},
		fressian.Vector{}, fressian.Vector{"z"}, fressian.Vector{nil, "b"}, fressian.Vector{int64(1), int64(2)}, fressian.Seq{"a", "b"}, fressian.Vector{"a", "c"},
		fressian.Symbol{Name: "a"}, fressian.Symbol{NS: "a", Name: "a"},
		false, true,
		math.Inf(-1), new(big.Int).Neg(new(big.Int).Add(huge, big.NewInt(1))), new(big.Int).Neg(huge),
		-1e300, int64(math.MinInt64), int64(math.MinInt64 + 1), -1.5, int64(-1), dec(-1, 1), dec(0, 0), math.SmallestNonzeroFloat64,
		dec(1, 30), dec(1, 1), 0.1, dec(10001, 5), float32(0.5), int64(1), 1.5, int64(1 << 53), int64(1<<53 + 1), int64(1<<53 + 2),
		int64(math.MaxInt64 - 1), int64(math.MaxInt64), new(big.Int).Add(big.NewInt(math.MaxInt64), big.NewInt(1)),
		1e300, huge, new(big.Int).Add(huge, big.NewInt(1)), math.NaN(),
		"", "\x00", "\x00\x00", "\x01", "a", "a\x00", "ab", "é", "\ud7ff", "😀", "😁", "\ue000", "\uffff",
		fressian.URI("http://a"), fressian.URI("http://b"),
		fressian.Inst(math.MinInt64), fressian.Inst(-1), fressian.Inst(0), fressian.Inst(1),
		fressian.UUID{0: 0x80}, fressian.UUID{0: 0xff}, fressian.UUID{8: 0x80}, fressian.UUID{}, fressian.UUID{15: 1}, fressian.UUID{0: 0x7f},
	}
	var last []byte
	for i, v := range ascending {
		key := keyOf(t, AVET, Datom{E: 1, A: fressian.Keyword{Name: "a"}, V: v, Tx: 1, Added: true})
		if i > 0 {
			assert.Negative(t, bytes.Compare(SameFact(last), SameFact(key)), "%v %v", ascending[i-1], v)
			assert.Negative(t, bytes.Compare(last, key), "%v %v", ascending[i-1], v)
		}
		last = key
	}
}

func (d Datom) with(v any) Datom { d.V = v; return d }

// TestEqualNumbers: numbers of different types that are worth the same are the
// same value to Datahike.
func TestEqualNumbers(t *testing.T) {
	d := Datom{E: 1, A: fressian.Keyword{Name: "a"}}
	for _, same := range [][]any{
		{int64(1), 1.0, float32(1), big.NewInt(1), fressian.Decimal{Unscaled: big.NewInt(100), Scale: 2}, fressian.Decimal{Unscaled: big.NewInt(1)}},
		{0.0, math.Copysign(0, -1), int64(0), fressian.Decimal{Unscaled: big.NewInt(0), Scale: 7}},
		{int64(math.MinInt64), big.NewInt(math.MinInt64), -0x1p63},
		{fressian.Decimal{Unscaled: big.NewInt(1), Scale: -20}, new(big.Int).Exp(big.NewInt(10), big.NewInt(20), nil), 1e20},
	} {
		for _, v := range same {
			assert.Equal(t, keyOf(t, EAVT, d.with(same[0])), keyOf(t, EAVT, d.with(v)), "%T %v", v, v)
		}
	}
}

// TestNumberOrder compares random numbers of all types with exact arithmetic.
func TestNumberOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	number := func() (any, *big.Rat) {
		n := r.Int64() >> r.IntN(64)
		if r.IntN(2) == 0 {
			n = -n
		}
		switch r.IntN(4) {
		case 0:
			return n, new(big.Rat).SetInt64(n)
		case 1:
			f := float64(n) / float64(int64(1)<<r.IntN(60))
			return f, new(big.Rat).SetFloat64(f)
		case 2:
			b := new(big.Int).Mul(big.NewInt(n), big.NewInt(r.Int64()>>r.IntN(64)))
			return b, new(big.Rat).SetInt(b)
		}
		scale := r.IntN(12) - 4
		d := fressian.Decimal{Unscaled: big.NewInt(n), Scale: int32(scale)}
		return d, new(big.Rat).Mul(new(big.Rat).SetInt64(n), pow10(-scale))
	}
	for range 20_000 {
		a, x := number()
		b, y := number()
		got := bytes.Compare(keyOf(t, AVET, Datom{A: int64(1), V: a}), keyOf(t, AVET, Datom{A: int64(1), V: b}))
		require.Equal(t, x.Cmp(y), got, "%v %v", a, b)
	}
}

func pow10(n int) *big.Rat {
	p := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(n, -n))), nil))
	if n < 0 {
		p.Inv(p)
	}
	return p
}

// TestTextOrder compares random strings with Java's order.
func TestTextOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	alphabet := []rune{0, 1, 'a', 'b', 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff}
	text := func() string {
		s := make([]rune, r.IntN(4))
		for i := range s {
			s[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(s)
	}
	for range 20_000 {
		a, b := text(), text()
		want := slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
		got := bytes.Compare(keyOf(t, AVET, Datom{A: "x", V: a}), keyOf(t, AVET, Datom{A: "x", V: b}))
		require.Equal(t, want, got, "%q %q", a, b)
	}
}

// TestKeyParts: each index orders by its parts, prefixes fit its keys, and the
// end of a key is the time.
func TestKeyParts(t *testing.T) {
	a, b := fressian.Keyword{NS: "n", Name: "a"}, fressian.Keyword{NS: "n", Name: "b"}
	e, ref := int64(1), int64(7)
	first, second := Datom{E: 1, A: b, V: int64(9), Tx: 5}, Datom{E: 2, A: a, V: int64(8), Tx: 4}
	for index, want := range map[Index]int{EAVT: -1, AEVT: 1, AVET: 1, VAET: 1} {
		assert.Equal(t, want, bytes.Compare(keyOf(t, index, first), keyOf(t, index, second)), index)
		d := Datom{E: e, A: a, V: ref, Tx: 5, Added: true}
		key := keyOf(t, index, d)
		prefix := AppendPrefix(nil, index, &e, a)
		assert.True(t, bytes.HasPrefix(key, prefix), index)
		assert.Equal(t, index != VAET, len(prefix) > 0, index)
		d.Added = false
		assert.Negative(t, bytes.Compare(keyOf(t, index, d), key), "retractions first")
		assert.Equal(t, SameFact(keyOf(t, index, d)), SameFact(key))
		d.Tx = 4
		assert.Negative(t, bytes.Compare(keyOf(t, index, d), key), "older first")
		assert.Equal(t, SameFact(keyOf(t, index, d)), SameFact(key))
	}
	assert.Empty(t, AppendPrefix(nil, EAVT, nil, a))
	assert.Len(t, AppendPrefix(nil, EAVT, &e, nil), 8)
}

func TestNoOrder(t *testing.T) {
	for _, v := range []any{fressian.Map{}, fressian.Set{}, fressian.Record{}, fressian.Tagged{}, fressian.Vector{fressian.Set{}},
		fressian.Decimal{Unscaled: big.NewInt(1), Scale: math.MaxInt32}} {
		_, err := AppendKey(nil, EAVT, Datom{A: "x", V: v})
		assert.ErrorIs(t, err, ErrNoOrder, "%T", v)
	}
}
