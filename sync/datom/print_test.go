package datom

import (
	"bufio"
	"math"
	"math/big"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

func decimal(t *testing.T, unscaled string, scale int32) fressian.Decimal {
	t.Helper()
	u, ok := new(big.Int).SetString(unscaled, 10)
	require.True(t, ok, unscaled)
	return fressian.Decimal{Unscaled: u, Scale: scale}
}

// sampleValues are values of every kind that has a text, and what Clojure 1.11
// prints of them with the functions in docs/datahike.md.
func sampleValues(t *testing.T) (values []any, texts []string) {
	for _, c := range []struct {
		v    any
		text string
	}{
		{nil, "nil"},
		{true, "true"},
		{false, "false"},
		{"", `""`},
		{"a\"b\\c\nd\te\rf\fg\bh", `"a\"b\\c\nd\te\rf\fg\bh"`},
		{"é \x00\a\x1f\x7f\u2028 \ufffd 😀", "\"é \x00\a\x1f\x7f\u2028 \ufffd 😀\""},
		{"\xed\xa0\xbd", "\"\xed\xa0\xbd\""},
		{"\xed\xb8\x80 \xed\xa0\xbdx", "\"\xed\xb8\x80 \xed\xa0\xbdx\""},
		{fressian.Keyword{Name: "k"}, ":k"},
		{fressian.Keyword{NS: "n.s", Name: "k"}, ":n.s/k"},
		{fressian.Keyword{Name: "a b\nc"}, ":a b\nc"},
		{fressian.Symbol{Name: "s"}, "s"},
		{fressian.Symbol{NS: "n.s", Name: "s"}, "n.s/s"},
		{int64(0), "0"},
		{int64(-1), "-1"},
		{int64(math.MaxInt64), "9223372036854775807"},
		{int64(math.MinInt64), "-9223372036854775808"},
		{1.5, "1.5"},
		{1e10, "1.0E10"},
		{1e-4, "1.0E-4"},
		{math.NaN(), "##NaN"},
		{math.Inf(1), "##Inf"},
		{math.Inf(-1), "##-Inf"},
		{math.Copysign(0, -1), "-0.0"},
		{float32(0.25), "#float 0.25"},
		{float32(1e10), "#float 1.0E10"},
		{float32(math.NaN()), "#float NaN"},
		{float32(math.Inf(-1)), "#float -Infinity"},
		{big.NewInt(12), "12N"},
		{decimal(t, "-123456789012345678901234567890", 0).Unscaled, "-123456789012345678901234567890N"},
		{new(big.Int), "0N"},
		{decimal(t, "1250", 2), "12.50M"},
		{decimal(t, "1", -3), "1E+3M"},
		{decimal(t, "0", 2), "0.00M"},
		{fressian.Inst(1795225047410), `#inst "2026-11-21T01:37:27.410-00:00"`},
		{fressian.Inst(-62135769600001), `#inst "0001-12-31T23:59:59.999-00:00"`},
		{fressian.UUID{0x6b, 1, 0x0f, 0x3e, 0x93, 0xc1, 0x51, 0x4a, 0x9e, 0x45, 0xc6, 0x86, 0x33, 0x46, 0x76, 5}, `#uuid "6b010f3e-93c1-514a-9e45-c68633467605"`},
		{[]byte{}, `#bytes ""`},
		{[]byte{0, 127, 255}, `#bytes "007fff"`},
		{fressian.Vector{}, "[]"},
		{fressian.Vector{int64(1), "two", fressian.Vector{fressian.Keyword{Name: "three"}, nil, 4.0, float32(0.5)}}, `[1 "two" [:three nil 4.0 #float 0.5]]`},
		{fressian.Seq{int64(1), int64(2)}, "[1 2]"},
		{[]any{int64(1), fressian.Symbol{Name: "x"}}, "[1 x]"},
		{[]float32{0.25, 1e10, float32(math.NaN())}, "#floats [0.25 1.0E10 NaN]"},
		{[]float32{}, "#floats []"},
		{[]float64{0.1, 1e-5, math.Inf(1), math.NaN()}, "#doubles [0.1 1.0E-5 Infinity NaN]"},
		{[]any{}, "[]"},
	} {
		values, texts = append(values, c.v), append(texts, c.text)
	}
	return values, texts
}

func TestAppendText(t *testing.T) {
	values, texts := sampleValues(t)
	for i, v := range values {
		got, err := AppendText([]byte("> "), Datom{E: 1, A: fressian.Keyword{NS: "p", Name: "name"}, V: v, Tx: 536870913, Added: true})
		require.NoError(t, err, texts[i])
		assert.Equal(t, "> [1 :p/name "+texts[i]+" 536870913 true]", string(got))
	}
	for a, text := range map[any]string{int64(7): "7", `a"`: `"a\""`, (fressian.Keyword{Name: "b"}): ":b"} {
		got, err := AppendText(nil, Datom{E: -5, A: a, V: int64(0)})
		require.NoError(t, err)
		assert.Equal(t, "[-5 "+text+" 0 0 false]", string(got))
	}
}

// TestNoText: what has no order or no form is refused by name, however deep.
func TestNoText(t *testing.T) {
	for name, v := range map[string]any{
		"map":       fressian.Map{},
		"set":       fressian.Set{},
		"record":    fressian.Record{Tag: fressian.Symbol{Name: "user.P"}},
		`"ratio"`:   fressian.Tagged{Tag: "ratio"},
		"Regex":     fressian.Regex("x"),
		"[]int64":   []int64{1},
		"[]int32":   []int32{1},
		"[]bool":    []bool{true},
		".Array":    fressian.Array{},
		".Meta":     fressian.Meta{Value: int64(1)},
		"entity 12": fressian.Set{},
	} {
		for _, v := range []any{v, fressian.Vector{int64(1), []any{v}}} {
			_, err := AppendText(nil, Datom{E: 12, A: fressian.Keyword{Name: "a"}, V: v})
			require.ErrorIs(t, err, ErrNoText)
			require.ErrorContains(t, err, name)
		}
	}
	_, err := AppendText(nil, Datom{A: 1.5})
	require.ErrorIs(t, err, ErrNoText)
}

// TestNumbers compares with a table that Java has printed: numbers at random,
// prices, results of arithmetic, powers of ten and two, the smallest ones, and
// dates around every change of form. Floating-point numbers are in the form of
// Java 19 and newer, by the algorithm that it took from Raffaello Giulietti.
func TestNumbers(t *testing.T) {
	table, err := os.Open("testdata/numbers.tsv")
	require.NoError(t, err)
	defer func() { _ = table.Close() }()
	n := 0
	for sc := bufio.NewScanner(table); sc.Scan(); n++ {
		f := strings.Split(sc.Text(), "\t")
		require.Len(t, f, 3)
		assert.Equal(t, f[2], printed(t, f[0], f[1]), "%s %s", f[0], f[1])
	}
	require.Greater(t, n, 500)
}

// printed is the text of a number in the table's notation.
func printed(t *testing.T, kind, in string) string {
	var text []byte
	var err error
	switch kind {
	case "double":
		bits, e := strconv.ParseUint(in, 16, 64)
		require.NoError(t, e)
		text = appendFloat(nil, math.Float64frombits(bits), 64)
	case "float":
		bits, e := strconv.ParseUint(in, 16, 32)
		require.NoError(t, e)
		text = appendFloat(nil, float64(math.Float32frombits(uint32(bits))), 32)
	case "decimal":
		unscaled, scale, _ := strings.Cut(in, " ")
		n, e := strconv.ParseInt(scale, 10, 32)
		require.NoError(t, e)
		text, err = AppendValue(nil, decimal(t, unscaled, int32(n)))
	case "inst":
		ms, e := strconv.ParseInt(in, 10, 64)
		require.NoError(t, e)
		text, err = AppendValue(nil, fressian.Inst(ms))
	default:
		require.Fail(t, "unknown kind", kind)
	}
	require.NoError(t, err)
	return string(text)
}

// FuzzAppendText: whatever can be decoded is printed or refused.
func FuzzAppendText(f *testing.F) {
	w := fressian.NewWriter()
	for _, v := range []any{"é😀\x00", 1.5, int64(7), []byte{1}, fressian.Keyword{NS: "a", Name: "b"}} {
		require.NoError(f, w.Write(v))
		f.Add(w.Bytes())
		w = fressian.NewWriter()
	}
	f.Add([]byte{0xc7, 0xd1, 0xff, 0x7a, 0x7f, 0xff, 0xff, 0xff}) // a decimal of an extreme scale
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := fressian.Decode(b)
		if err != nil {
			return
		}
		text, err := AppendText(nil, Datom{A: fressian.Keyword{Name: "a"}, V: v})
		if err != nil {
			require.ErrorIs(t, err, ErrNoText)
			return
		}
		once := appendUTF8(nil, sortable(text))
		require.Equal(t, once, appendUTF8(nil, sortable(once)), "there and back")
	})
}
