package fressian

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMalformed(t *testing.T) {
	uuid15 := "c3 d9 0f " + strings.Repeat("00", 15)
	for _, test := range []struct {
		name, hex string
		offset    int
		reason    string
	}{
		{"empty", "", 0, "unexpected end"},
		{"unassigned code", "c2", 0, "0xc2"},
		{"precache", "ce 01 02", 0, "0xce"},
		{"end without a list", "fd", 0, "0xfd"},
		{"bytes after the value", "05 06", 1, "1 bytes after"},
		{"huge list", "ec 77ffffffff", 6, "8589934591 with 0"},
		{"negative list", "ec ff", 2, "length -1"},
		{"huge string", "e3 77ffffffff", 6, "length"},
		{"huge array", "b0 77ffffffff", 6, "length"},
		{"huge struct", "ef db 'x' 727fffff", 7, "struct of 8388607"},
		{"huger struct", "ef db 'x' 77ffffffff", 8, "32 bits"},
		{"negative struct", "ef db 'x' ff", 4, "struct of -1"},
		{"huge vector", "ef de 'pvec' 02 77ffffffff", 12, "length"},
		{"list length a string", "ec da", 1, "want an integer"},
		{"map of three", "c0 e7 01 02 03", 2, "map of 3"},
		{"closed map of three", "c0 ed 01 02 03 fd", 5, "0xfd"},
		{"map body a string", "c0 da", 1, "want a list"},
		{"uuid of 15", uuid15, 18, "15 bytes"},
		{"keyword without name", "ca f7 f7", 2, "want a string"},
		{"keyword named by a number", "ca f7 cd 05", 2, "another cached"},
		{"keyword named by a cached number", "e6 cd 5040 ca f7 80", 6, "another cached"},
		{"uri of bytes", "c5 d0", 1, "want a string"},
		{"bigint of nothing", "c6 d0", 2, "without bytes"},
		{"bigdec scale", "c7 d1 01 77ffffffff", 8, "32 bits"},
		{"int array element", "b3 01 77ffffffff", 7, "32 bits"},
		{"boolean array element", "b2 01 00", 2, "want a boolean"},
		{"tag a number", "ef 05 00", 1, "want a string"},
		{"record field of three", "ef e1 'irecord' 02 01 f7 e7 010203", 13, "of 3 values"},
		{"record field a struct", "ef e1 'irecord' 02 01 f7 ef db 'x' 00", 16, "is a struct"},
		{"priority reference", "80", 0, "reference 0 of 0"},
		{"priority reference ahead", "e6 81 cd db 'a'", 1, "reference 1 of 0"},
		{"negative priority reference", "e6 cd db 'a' cc ff", 4, "reference -1"},
		{"reference to itself", "cd 80", 1, "value around it"},
		{"reference around", "cd e5 cd e5 80", 4, "value around it"},
		{"struct reference", "a0", 0, "reference 0 of 0"},
		{"reference before a reset", "ed cd db 'a' fe 80 fd", 5, "reference 0 of 0"},
		{"struct before a reset", "ed ef db 'a' 00 fe a0 fd", 6, "reference 0 of 0"},
		{"reset in a cached value", "cd e5 fe 01", 2, "reset"},
		{"bare continuation", "db 80", 1, "CESU-8"},
		{"four byte sequence", "de f09f9880", 1, "CESU-8"},
		{"overlong", "dc c1bf", 1, "CESU-8"},
		{"overlong in three", "dd e08080", 1, "CESU-8"},
		{"unit in two chunks", "e2 01 c3 db a4", 2, "CESU-8"},
		{"chunked bytes end short", "d8 01 00 d1 00", 3, "chunked bytes"},
		{"chunked string ends in bytes", "e2 01 61 d0", 3, "want bytes or a string"},
		{"open list inside", "e5 ee 01", 3, "unexpected end"},
		{"footer inside", "e5 cfcfcfcf 00000001 00000000", 1, "0xcf"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := unhex(t, test.hex)
			_, err := Decode(b)
			assert.Equal(t, Scan(b), err)
			require.ErrorIs(t, err, ErrMalformed)
			var e *Error
			require.True(t, errors.As(err, &e))
			assert.Contains(t, e.Reason, test.reason)
			assert.Equal(t, test.offset, e.Offset, e.Reason)
		})
	}
}

func TestDepth(t *testing.T) {
	for _, nest := range []string{"e5", "c1e5", "cd", "b501", "c1ed"} {
		one := unhex(t, nest)
		end := []byte{5}
		if nest == "c1ed" {
			end = append(end, bytes.Repeat([]byte{codeEndCollection}, MaxDepth)...)
		}
		require.NoError(t, Scan(append(bytes.Repeat(one, MaxDepth), end...)), nest)
		err := Scan(append(bytes.Repeat(one, MaxDepth+1), end...))
		require.ErrorContains(t, err, "nested deeper", nest)
	}
	deep := any(int64(1))
	for range MaxDepth + 1 {
		deep = []any{deep}
	}
	require.ErrorIs(t, NewWriter().Write(deep), ErrValue)
}

// A chain of cached values, each a list around the one before, is as deep as
// if it were written out.
func TestDepthThroughCache(t *testing.T) {
	chain := func(n int) []byte {
		b := []byte{codeClosedList, codePutPriority, codeList0}
		for i := range n {
			b = append(b, codePutPriority, codeList0+1, codeGetPriority)
			b = append(b, encode(t, int64(i))...)
		}
		return append(b, codeEndCollection)
	}
	require.NoError(t, Scan(chain(MaxDepth-8)))
	require.ErrorContains(t, Scan(chain(MaxDepth+8)), "nested deeper")
}

// Twice the one before, sixty times: 2^60 values in 300 bytes.
func TestExpansion(t *testing.T) {
	b := []byte{codeClosedList, codePutPriority, codeList0 + 1, 0}
	for i := range 60 {
		b = append(b, codePutPriority, codeList0+2)
		for range 2 {
			b = append(b, codeGetPriority)
			b = append(b, encode(t, int64(i))...)
		}
	}
	b = append(b, codeEndCollection)
	_, err := Decode(b)
	require.ErrorContains(t, err, "expand")
}

// A claim of 4 GiB in a few bytes costs no memory.
func TestLengthsAreChecked(t *testing.T) {
	for _, head := range []string{"ec", "e3", "e2", "d9", "d8", "b0", "b5", "c0ec", "efde'pvec'02", "efdb'x'"} {
		b := unhex(t, head+"76ffffffff 0000000000")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(b)
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, ErrMalformed, head)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), head)
	}
}
