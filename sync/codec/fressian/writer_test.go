package fressian

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestChunks(t *testing.T) {
	for _, test := range []struct {
		name string
		v    any
		head []byte
		tail []byte
	}{
		{"string of one chunk", strings.Repeat("a", 65536), []byte{codeString, 0x69, 0, 0, 'a'}, []byte("a")},
		{"string of two", strings.Repeat("a", 65537), []byte{codeStringChunk, 0x69, 0, 0, 'a'}, []byte{codeString0 + 1, 'a'}},
		{"between units", strings.Repeat("€", 21846), []byte{codeStringChunk, 0x68, 0xff, 0xff}, []byte{codeString0 + 3, 0xe2, 0x82, 0xac}},
		{"between surrogates", "a" + strings.Repeat("😀", 10923), []byte{codeStringChunk, 0x69, 0, 0}, []byte{codeString0 + 3, 0xed, 0xb8, 0x80}},
		{"bytes of one chunk", make([]byte, 65535), []byte{codeBytes, 0x68, 0xff, 0xff}, []byte{0}},
		{"bytes of two", make([]byte, 65536), []byte{codeBytesChunk, 0x68, 0xff, 0xff}, []byte{codeBytes, 1, 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := encode(t, test.v)
			assert.True(t, bytes.HasPrefix(b, test.head), "% x", b[:8])
			assert.True(t, bytes.HasSuffix(b, test.tail), "% x", b[len(b)-8:])
			v, err := Decode(b)
			require.NoError(t, err)
			assert.Equal(t, test.v, v)
		})
	}
}

func TestWriteCached(t *testing.T) {
	for _, v := range []any{"a", int64(4096), int64(-4097), 2.5, UUID{}, Inst(0), Keyword{"", "a"}, Symbol{"a", "b"}} {
		w := NewWriter()
		require.NoError(t, w.WriteCached(v))
		n := len(w.Bytes())
		require.NoError(t, w.WriteCached(v))
		assert.Equal(t, []byte{codePriority0}, w.Bytes()[n:], "%v", v)
		vs, err := readAll(t, w.Bytes())
		require.NoError(t, err)
		assert.Equal(t, []any{v, v}, vs)
	}
	for _, v := range []any{"", int64(4095), int64(-4096), 0.0, 1.0, nil, true, []any{}, Map{}, []byte{1}} {
		w := NewWriter()
		require.NoError(t, w.WriteCached(v))
		assert.Equal(t, encode(t, v), w.Bytes(), "%v", v)
	}
}

// More names and tags than there are one-byte references.
func TestLongReferences(t *testing.T) {
	var names, structs []any
	for range 2 {
		for c := range 40 {
			s := strings.Repeat("x", c+1)
			names = append(names, Keyword{"", s})
			structs = append(structs, Tagged{s, []any{true}})
		}
	}
	want := []any{names, structs}
	b := encode(t, want)
	assert.Contains(t, string(b), string([]byte{codeGetPriority, 39}))
	assert.Contains(t, string(b), string([]byte{codeStruct, 39, codeTrue}))
	v, err := Decode(b)
	require.NoError(t, err)
	assert.Equal(t, want, v)
}

func TestWriteRefuses(t *testing.T) {
	for _, v := range []any{
		1, struct{}{}, "\xff", "\xed\xa0", "\xc0\x80", Keyword{"\xff", "a"}, []any{1},
		Tagged{"irecord", nil}, Tagged{strings.Repeat("x", 65537), nil},
	} {
		assert.ErrorIs(t, NewWriter().Write(v), ErrValue, "%q", v)
	}
}

// A caller that names incognito's tags gets their real form.
func TestWriteStructOfIncognito(t *testing.T) {
	v, err := Decode(encode(t, Tagged{"pvec", []any{true, nil, false}}))
	require.NoError(t, err)
	assert.Equal(t, Vector{true, nil, false}, v)
	v, err = Decode(encode(t, Tagged{"irecord", []any{"tag", []any{"k", "v"}}}))
	require.NoError(t, err)
	assert.Equal(t, Record{"tag", Map{{"k", "v"}}}, v)
}

func TestWriterReset(t *testing.T) {
	w := NewWriter()
	v := Vector{Keyword{"", "a"}}
	require.NoError(t, w.Write(v))
	first := bytes.Clone(w.Bytes())
	w.Reset()
	require.NoError(t, w.Write(v))
	assert.Equal(t, first, w.Bytes())
}
