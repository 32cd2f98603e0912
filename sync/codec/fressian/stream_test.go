package fressian

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rowsOf encodes rows as Datahike's leaves have them.
func rowsOf(t testing.TB, values []any) []byte {
	t.Helper()
	w := NewWriter()
	w.WriteListHeader(len(values))
	for i, v := range values {
		require.NoError(t, w.WriteStruct("datahike.datom.Datom", 1))
		require.NoError(t, w.Write(Vector{int64(i), Keyword{NS: "p", Name: "a"}, v, int64(536870913), true}))
	}
	return w.Bytes()
}

// TestWriteCell: cells of every kind that are written without being built read
// back as the same, and the others are left alone.
func TestWriteCell(t *testing.T) {
	values := []any{
		nil, true, false, int64(0), int64(-1), int64(64), int64(1 << 40), int64(math.MaxInt64), "", "short", strings.Repeat("ä", 100),
		strings.Repeat("long", 30_000), 0.0, 1.5, float32(2.5), UUID{1, 2}, Inst(0), Inst(1 << 40), []byte{1}, big.NewInt(7),
		Keyword{NS: "p", Name: "b"}, Keyword{Name: "c"}, Keyword{NS: "p", Name: "b"}, Vector{int64(1)}, Symbol{Name: "s"},
	}
	r, w := NewReader(nil), NewWriter()
	for range 3 { // the same memory again, with caches that go on
		r.Reset(rowsOf(t, values))
		rows, err := r.ReadRows(nil, 100, func(string, int) error { return nil })
		require.NoError(t, err)
		var copied []any
		w.Drop()
		w.ForgetCaches()
		w.BeginList()
		for i, row := range rows {
			before := len(w.Bytes())
			ok, err := w.WriteCell(r, row[2])
			require.NoError(t, err)
			if ok {
				copied = append(copied, values[i])
			} else {
				require.Len(t, w.Bytes(), before)
			}
		}
		w.EndList()
		assert.GreaterOrEqual(t, len(copied), 16)
		got, err := Decode(w.Bytes())
		require.NoError(t, err)
		assert.Equal(t, copied, got)
	}
}

// TestForgetCaches: parts that were written apart make one list.
func TestForgetCaches(t *testing.T) {
	all := NewWriter()
	all.BeginList()
	for range 2 {
		w := NewWriter()
		w.ForgetCaches()
		require.NoError(t, w.Write(Keyword{NS: "a", Name: "b"}))
		require.NoError(t, w.Write(Keyword{NS: "a", Name: "b"}))
		all.buf = append(all.buf, w.Bytes()...)
	}
	all.EndList()
	k := Keyword{NS: "a", Name: "b"}
	got, err := Decode(all.Bytes())
	require.NoError(t, err)
	assert.Equal(t, []any{k, k, k, k}, got)
}

// TestWordsOfManyReaders: the number of a keyword is another in another Reader.
func TestWordsOfManyReaders(t *testing.T) {
	w, want := NewWriter(), []any{}
	w.BeginList()
	for _, names := range []string{"abc", "cba", "bca"} {
		var values []any
		for _, n := range names {
			values = append(values, Keyword{Name: string(n)})
		}
		r := NewReader(rowsOf(t, values))
		rows, err := r.ReadRows(nil, 10, func(string, int) error { return nil })
		require.NoError(t, err)
		for i, row := range append(rows, rows...) {
			ok, err := w.WriteCell(r, row[2])
			require.True(t, ok)
			require.NoError(t, err)
			want = append(want, values[i%len(values)])
		}
	}
	w.EndList()
	got, err := Decode(w.Bytes())
	require.NoError(t, err)
	assert.Equal(t, want, got)
}
