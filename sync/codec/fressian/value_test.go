package fressian

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func big10(t *testing.T, s string) *big.Int {
	t.Helper()
	v, ok := new(big.Int).SetString(s, 10)
	require.True(t, ok)
	return v
}

// Every code that has one written form: bytes and value, both ways.
func TestValues(t *testing.T) {
	id := UUID{0: 1, 15: 2}
	for _, test := range []struct {
		name, hex string
		want      any
	}{
		{"zero", "00", int64(0)},
		{"one byte end", "3f", int64(63)},
		{"minus one", "ff", int64(-1)},
		{"two bytes", "5040", int64(64)},
		{"two bytes low", "4f fe", int64(-2)},
		{"two bytes least", "4000", int64(-4096)},
		{"two bytes most", "5fff", int64(4095)},
		{"three bytes", "681000", int64(4096)},
		{"three bytes low", "67efff", int64(-4097)},
		{"three bytes most", "6fffff", int64(1<<19 - 1)},
		{"four bytes", "72080000", int64(1 << 19)},
		{"four bytes least", "70000000", int64(-1 << 25)},
		{"five bytes", "7602000000", int64(1 << 25)},
		{"five bytes most", "77ffffffff", int64(1<<33 - 1)},
		{"six bytes", "7a0200000000", int64(1 << 33)},
		{"six bytes instant", "7ba1fbc05128", int64(0x1a1fbc05128)},
		{"seven bytes", "7e020000000000", int64(1 << 41)},
		{"seven bytes least", "7c000000000000", int64(-1 << 49)},
		{"int64", "f8 0002000000000000", int64(1 << 49)},
		{"int64 least", "f8 8000000000000000", int64(math.MinInt64)},
		{"nil", "f7", nil},
		{"true", "f5", true},
		{"false", "f6", false},
		{"float", "f9 3e800000", float32(.25)},
		{"double", "fa 3fe0000000000000", .5},
		{"double 0", "fb", 0.0},
		{"double 1", "fc", 1.0},
		{"double infinite", "fa fff0000000000000", math.Inf(-1)},
		{"no string", "da", ""},
		{"short string", "e1 'seventy'", "seventy"},
		{"string", "e3 08 'eighteen'", "eighteen"},
		{"NUL", "dd 61 00 62", "a\x00b"},
		{"two byte unit", "dc c3a4", "ä"},
		{"three byte unit", "dd e282ac", "€"},
		{"supplementary", "e0 eda0bd edb880", "😀"},
		{"lone high surrogate", "dd eda0bd", "\xed\xa0\xbd"},
		{"surrogates the wrong way", "e0 edb880 eda0bd", "\xed\xb8\x80\xed\xa0\xbd"},
		{"Hangul near the surrogates", "dd ed9fbb", "\ud7fb"},
		{"no bytes", "d0", []byte{}},
		{"short bytes", "d2 ff00", []byte{0xff, 0}},
		{"bytes", "d9 08 0001020304050607", []byte{0, 1, 2, 3, 4, 5, 6, 7}},
		{"uuid", "c3 d9 10 01" + strings.Repeat("00", 14) + "02", id},
		{"inst", "c8 7ba1fbc05128", Inst(0x1a1fbc05128)},
		{"uri", "c5 dd 'a:b'", URI("a:b")},
		{"regex", "c4 dc '.*'", Regex(".*")},
		{"bigint 0", "c6 d1 00", new(big.Int).SetBytes([]byte{0})},
		{"bigint 128", "c6 d2 0080", big.NewInt(128)},
		{"bigint -128", "c6 d1 80", big.NewInt(-128)},
		{"bigint -129", "c6 d2 ff7f", big.NewInt(-129)},
		{"bigint 2^64", "c6 d9 09 010000000000000000", big10(t, "18446744073709551616")},
		{"bigdec", "c7 d2 0080 02", Decimal{big.NewInt(128), 2}},
		{"bigdec negative scale", "c7 d1 ff ff", Decimal{big.NewInt(-1), -1}},
		{"keyword", "ca f7 cd dd 'key'", Keyword{"", "key"}},
		{"keyword namespace", "ca cd dc 'db' cd de 'type'", Keyword{"db", "type"}},
		{"keyword twice", "e6 ca cd db 'a' cd db 'b' ca 81 80", []any{Keyword{"a", "b"}, Keyword{"b", "a"}}},
		{"symbol", "c9 f7 cd db 'x'", Symbol{"", "x"}},
		{"list", "e6 01 f7", []any{int64(1), nil}},
		{"long list", "ec 08 0001020304050607", []any{int64(0), int64(1), int64(2), int64(3), int64(4), int64(5), int64(6), int64(7)}},
		{"map", "c0 e8 02 f5 01 f6", Map{{int64(2), true}, {int64(1), false}}},
		{"empty map", "c0 e4", Map{}},
		{"set", "c1 e5 05", Set{int64(5)}},
		{"object array", "b5 02 01 da", Array{int64(1), ""}},
		{"long array", "b0 02 01 5040", []int64{1, 64}},
		{"double array", "b1 02 fb fa 3fe0000000000000", []float64{0, .5}},
		{"boolean array", "b2 02 f5 f6", []bool{true, false}},
		{"int array", "b3 02 ff 5040", []int32{-1, 64}},
		{"float array", "b4 01 f9 3e800000", []float32{.25}},
		{"meta", "f1 c0 e4 05", Meta{Map{}, int64(5)}},
		{"struct", "ef db 'x' 02 01 02", Tagged{"x", []any{int64(1), int64(2)}}},
		{"struct twice", "e6 ef db 'x' 01 01 a0 02", []any{Tagged{"x", []any{int64(1)}}, Tagged{"x", []any{int64(2)}}}},
		{"struct tag twice", "e6 ef db 'x' 01 01 ef db 'x' 00", []any{Tagged{"x", []any{int64(1)}}, Tagged{"x", []any{}}}},
		{"vector", "ef de 'pvec' 02 03 010203", Vector{int64(1), int64(2), int64(3)}},
		{"empty vector", "ef de 'pvec' 02 00", Vector{}},
		{"seq", "ef df 'plist' 02 01 05", Seq{int64(5)}},
		{"vector in vector", "ef de 'pvec' 02 02 a0 00 a0 01 07", Vector{Vector{}, Vector{int64(7)}}},
		{"record", "ef e1 'irecord' 02 02 c9 f7 cd db 'R' e6 01 02 e6 03 04",
			Record{Symbol{"", "R"}, Map{{int64(1), int64(2)}, {int64(3), int64(4)}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := unhex(t, test.hex)
			got, err := Decode(b)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
			require.NoError(t, Scan(b))
			assert.Equal(t, b, encode(t, test.want))
			for i := range b {
				_, err := Decode(b[:i])
				assert.ErrorIs(t, err, ErrMalformed, "cut to %d bytes", i)
			}
		})
	}
}

// Forms that are read but not written.
func TestReadOnlyForms(t *testing.T) {
	for _, test := range []struct {
		name, hex string
		want      any
	}{
		{"long form of an integer", "f8 0000000000000005", int64(5)},
		{"closed list", "ed 01 02 fd", []any{int64(1), int64(2)}},
		{"open list", "ee 01 02", []any{int64(1), int64(2)}},
		{"open list with an end", "ee 01 fd", []any{int64(1)}},
		{"map in a closed list", "c0 ed 01 02 fd", Map{{int64(1), int64(2)}}},
		{"modified UTF-8 NUL", "dc c080", "\x00"},
		{"chunked string", "e2 02 'ab' e2 01 'c' db 'd'", "abcd"},
		{"surrogates in two chunks", "e2 03 eda0bd dd edb880", "😀"},
		{"chunked bytes", "d8 02 0102 d9 01 03", []byte{1, 2, 3}},
		{"record field as vector", "ef e1 'irecord' 02 01 f7 ef de 'pvec' 02 02 01 02",
			Record{nil, Map{{int64(1), int64(2)}}}},
		{"cached list", "e6 cd e5 01 80", []any{[]any{int64(1)}, []any{int64(1)}}},
		{"cache reference in long form", "e6 cd e5 01 cc 00", []any{[]any{int64(1)}, []any{int64(1)}}},
		{"struct reference in long form", "e6 ef db 'x' 01 01 f0 00 02", []any{Tagged{"x", []any{int64(1)}}, Tagged{"x", []any{int64(2)}}}},
		{"nested puts", "e8 cd e5 cd db 'a' 81 80 80", []any{[]any{"a"}, "a", []any{"a"}, []any{"a"}}},
		{"cached struct tag", "e6 cd db 'x' ef 80 01 05", []any{"x", Tagged{"x", []any{int64(5)}}}},
		{"struct declared in a cached value", "e8 cd ef db 'x' 01 05 80 a0 06 ef db 'y' 00", []any{
			Tagged{"x", []any{int64(5)}}, Tagged{"x", []any{int64(5)}}, Tagged{"x", []any{int64(6)}}, Tagged{"y", []any{}}}},
		{"cached vector tag", "e6 cd de 'pvec' ef 80 02 01 05", []any{"pvec", Vector{int64(5)}}},
		{"resets", "ee fe e6 cd db 'a' 80 fe e6 cd db 'b' 80", []any{[]any{"a", "a"}, []any{"b", "b"}}},
		{"reset of structs", "ed ef db 'x' 00 fe ef db 'y' 00 a0 fd", []any{
			Tagged{"x", []any{}}, Tagged{"y", []any{}}, Tagged{"y", []any{}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := unhex(t, test.hex)
			vs, err := readAll(t, b)
			require.NoError(t, err)
			require.Equal(t, []any{test.want}, vs)
			again, err := Decode(encode(t, vs[0]))
			require.NoError(t, err)
			assert.Equal(t, test.want, again)
		})
	}
}

func TestNegativeZeroAndNaN(t *testing.T) {
	for _, bits := range []uint64{1 << 63, 0x7ff8000000000001, 0xfff8000000000000} {
		v, err := Decode(encode(t, math.Float64frombits(bits)))
		require.NoError(t, err)
		assert.Equal(t, bits, math.Float64bits(v.(float64)))
	}
}
