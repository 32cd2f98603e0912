package edn

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

func kw(ns, name string) fressian.Keyword { return fressian.Keyword{NS: ns, Name: name} }

// TestParse: what Clojure's printer makes of each kind of value.
func TestParse(t *testing.T) {
	for text, want := range map[string]any{
		"nil": nil, " true ": true, "false": false, "; why\n-7": int64(-7), "+7": int64(7),
		"9223372036854775808":   new(big.Int).SetUint64(1 << 63),
		"12N":                   big.NewInt(12),
		"1.5":                   1.5,
		"1.0E10":                1e10,
		"##-Inf":                math.Inf(-1),
		"-12.50M":               fressian.Decimal{Unscaled: big.NewInt(-1250), Scale: 2},
		"1E+3M":                 fressian.Decimal{Unscaled: big.NewInt(1), Scale: -3},
		`"a\"b\\c\né\u00e9😀"`:   "a\"b\\c\néé😀",
		`"\ud83d\ude00\ud83dx"`: "😀\xed\xa0\xbdx",
		":k":                    kw("", "k"), ":n.s/k": kw("n.s", "k"),
		"s": fressian.Symbol{Name: "s"}, "-": fressian.Symbol{Name: "-"}, "/": fressian.Symbol{Name: "/"},
		"a/b":   fressian.Symbol{NS: "a", Name: "b"},
		"[1 2]": fressian.Vector{int64(1), int64(2)}, "()": fressian.Seq{}, "#{1}": fressian.Set{int64(1)},
		"{:a 1, :b [nil]}":                             fressian.Map{{Key: kw("", "a"), Value: int64(1)}, {Key: kw("", "b"), Value: fressian.Vector{nil}}},
		"#:c{:a 1 :x/b 2}":                             fressian.Map{{Key: kw("c", "a"), Value: int64(1)}, {Key: kw("x", "b"), Value: int64(2)}},
		"#:c{:_/a 1 \"s\" 2}":                          fressian.Map{{Key: kw("", "a"), Value: int64(1)}, {Key: "s", Value: int64(2)}},
		`#inst "2026-11-21T02:21:36.648-00:00"`:        fressian.Inst(1795227696648),
		`#uuid "6b010f3e-93c1-514a-9e45-c68633467605"`: fressian.UUID{0x6b, 1, 0x0f, 0x3e, 0x93, 0xc1, 0x51, 0x4a, 0x9e, 0x45, 0xc6, 0x86, 0x33, 0x46, 0x76, 5},
		"#a/b 1": fressian.Tagged{Tag: "a/b", Fields: []any{int64(1)}},
	} {
		got, err := Parse([]byte(text))
		if assert.NoError(t, err, text) {
			assert.Equal(t, want, got, text)
		}
	}
}

// TestRefused: what is not EDN, or not surely.
func TestRefused(t *testing.T) {
	for text, why := range map[string]string{
		"": "offset 0", "1 2": "offset 2", "[1": "offset 0", "{:a 1 :b}": "offset 0", "{:a 1 :a 2}": "twice",
		"#:c{:a 1 :c/a 2}": "twice", `"a`: "", `"\x"`: "", `"\u12"`: "", "12x": "12x",
		":": "", "::a": "", ")": "offset 0", `#inst "yesterday"`: "", `#uuid "1"`: "",
		"##Foo": "", "#": "", "#:a 1": "", "#:c{:a 1 :x/b 2": "",
		"\"\xff\"": "offset 1", strings.Repeat("[", 100): "nested",
		strings.Repeat("9", 1<<20) + "N": "", "1.5.2": "", "1E99999999999M": "",
	} {
		_, err := Parse([]byte(text))
		if assert.ErrorIs(t, err, ErrMalformed, "%.40s", text) {
			assert.ErrorContains(t, err, why, "%.40s", text)
			assert.Less(t, len(err.Error()), 200, "an error is no place for what was read")
		}
	}
}

func TestAppend(t *testing.T) {
	got, err := Append(nil, fressian.Map{
		{Key: kw("a", "b"), Value: fressian.Vector{fressian.Map{{Key: kw("", "x"), Value: 1.0}, {Key: kw("", "y"), Value: nil}}, fressian.Map{}}},
		{Key: kw("", "set"), Value: fressian.Set{int64(1), int64(2)}},
	})
	require.NoError(t, err)
	assert.Equal(t, "{:a/b [{:x 1.0,\n   :y nil}\n  {}],\n :set #{1 2}}", string(got))
	for _, v := range []any{
		fressian.Keyword{Name: "a b"}, fressian.Keyword{NS: "a", Name: ""}, fressian.Symbol{Name: "("},
		fressian.Tagged{Tag: "x"}, []byte{1}, fressian.Inst(math.MaxInt64),
	} {
		_, err := Append(nil, fressian.Vector{v})
		require.ErrorIs(t, err, ErrNoText)
	}
}

// FuzzParse: what was read and can be written reads back as the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{:a #{1 2.5 "x\ny"} :b/c [nil true (s 1N 1.5M)] #uuid "6b010f3e-93c1-514a-9e45-c68633467605" #inst "2026-11-21T02:21:36.648-00:00"}`, "#:a{:b \"\\ud800\"}", "##NaN"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Parse(text)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		out, err := Append(nil, v)
		if err != nil {
			require.ErrorIs(t, err, ErrNoText)
			return
		}
		back, err := Parse(out)
		require.NoError(t, err, "%s", out)
		again, err := Append(nil, back)
		require.NoError(t, err)
		require.Equal(t, string(out), string(again))
	})
}
