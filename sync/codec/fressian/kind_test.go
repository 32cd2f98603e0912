package fressian

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPeek(t *testing.T) {
	for _, test := range []struct {
		v    any
		want Kind
		name string
	}{
		{nil, KindNil, "nil"},
		{true, KindBool, "bool"},
		{int64(-5), KindInt, "int"},
		{float32(1), KindFloat32, "float32"},
		{1.0, KindFloat64, "float64"},
		{2.5, KindFloat64, "float64"},
		{"a", KindString, "string"},
		{[]byte{1}, KindBytes, "bytes"},
		{[]any{}, KindList, "list"},
		{Map{}, KindMap, "map"},
		{Set{}, KindSet, "set"},
		{UUID{}, KindUUID, "uuid"},
		{Keyword{"", "a"}, KindKeyword, "keyword"},
		{Symbol{"", "a"}, KindSymbol, "symbol"},
		{Inst(5), KindInst, "inst"},
		{URI("a"), KindURI, "uri"},
		{Regex("a"), KindRegex, "regex"},
		{big.NewInt(5), KindBigInt, "bigint"},
		{Decimal{}, KindDecimal, "decimal"},
		{Array{}, KindArray, "array"},
		{[]bool{}, KindArrays, "primitive array"},
		{[]float32{}, KindArrays, "primitive array"},
		{Meta{}, KindMeta, "meta"},
		{Vector{}, KindStruct, "struct"},
		{Tagged{Tag: "x"}, KindStruct, "struct"},
	} {
		// Plain, put into the cache after a reset, and referred to.
		b := append([]byte{codeClosedList, codeResetCaches, codePutPriority}, encode(t, test.v)...)
		b = append(b, codePriority0, codeEndCollection)
		r := NewReader(b)
		require.NoError(t, r.ReadList(func(i int) error {
			got, err := r.Peek()
			assert.Equal(t, test.want, got, "%d: %T", i, test.v)
			assert.Equal(t, test.name, got.String())
			require.NoError(t, err)
			return r.Skip()
		}))
	}
	kind, err := NewReader([]byte{codeEndCollection}).Peek()
	require.NoError(t, err)
	assert.Equal(t, KindInvalid, kind)
	for _, h := range []string{"cd", "80", "fe"} {
		_, err := NewReader(unhex(t, h)).Peek()
		assert.ErrorIs(t, err, ErrMalformed, h)
	}
}

func TestReadListAcceptsSequences(t *testing.T) {
	for _, b := range [][]byte{
		encode(t, []any{true, true}), encode(t, Set{true, true}), encode(t, Array{true, true}),
		encode(t, Vector{true, true}), encode(t, Seq{true, true}),
		{codeClosedList, codeTrue, codeTrue, codeEndCollection}, {codeOpenList, codeTrue, codeTrue},
	} {
		r := NewReader(b)
		n := 0
		require.NoError(t, r.ReadList(func(i int) error {
			assert.Equal(t, n, i)
			n++
			return r.Skip()
		}))
		assert.Equal(t, 2, n)
		assert.Zero(t, r.Len())
	}
}
