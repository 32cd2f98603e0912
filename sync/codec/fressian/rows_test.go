package fressian

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const rowTag = "a.Row"

var errTag = errors.New("unknown tag")

func acceptRow(tag string, _ int) error {
	if tag != rowTag {
		return errTag
	}
	return nil
}

// slowRows is ReadRows by the general ways alone.
func slowRows(r *Reader) (all []Row, err error) {
	r.rows = &rows{ids: map[Keyword]int64{}, names: map[string]int64{}}
	err = r.ReadList(func(int) error {
		all = append(all, Row{})
		return r.scanRow(&all[len(all)-1], acceptRow)
	})
	return all, err
}

// values are those of rows, in one list.
func values(t *testing.T, r *Reader, rows []Row) (all []any) {
	for _, row := range rows {
		for _, c := range row {
			v, err := r.Value(c)
			require.NoError(t, err)
			all = append(all, v)
			if c.Kind() == KindInt {
				require.Equal(t, v, r.Int(c))
			}
		}
	}
	return all
}

// rowList is the bytes of a list of rows with the values that are given in
// turn between what is usual at both ends.
func rowList(t testing.TB, values ...any) []byte {
	w := NewWriter()
	require.NoError(t, w.WriteStruct(tagVector, len(values)))
	for i, v := range values {
		require.NoError(t, w.WriteStruct(rowTag, 1))
		require.NoError(t, w.WriteStruct(tagVector, len(Row{})))
		for _, v := range []any{int64(i / 5 * 300), Keyword{NS: "p", Name: fmt.Sprint("attribute", i%5)}, v, int64(1<<29 + i/20), i%30 != 29} {
			require.NoError(t, w.Write(v))
		}
	}
	return w.Bytes()
}

// usual are values of every shape, each some times.
func usual() (all []any) {
	for i := range 6 {
		all = append(all, int64(i), int64(-1), int64(1)<<(7*i), -int64(1)<<(9*i), int64(math.MaxInt64)>>i, true, false, nil,
			1.0, 0.0, math.NaN(), 2.5, float32(i), Inst(i), Inst(1)<<40, Inst(math.MinInt64), UUID{byte(i)}, []byte{1, byte(i)}, make([]byte, 20*i),
			"", "short", "schön", strings.Repeat("x", 60+i), strings.Repeat("long ", 20*i), strings.Repeat("日本", 40), "\x00 and 😀", strings.Repeat("z", 5000),
			Keyword{Name: "bare"}, Keyword{NS: "a", Name: fmt.Sprint("k", i)}, Symbol{NS: "s", Name: "n"}, big.NewInt(int64(i)), Decimal{Unscaled: big.NewInt(5), Scale: 2},
			Vector{int64(1), "x"}, Vector{int64(1), Keyword{NS: "a", Name: "in"}}, Seq{nil}, []any{}, Map{{Key: "k", Value: "v"}}, Set{int64(3)}, []float64{1})
	}
	return all
}

func manyKeywords(n int) (all []any) {
	for i := range 3 * n {
		all = append(all, Keyword{NS: fmt.Sprint("ns", i%7), Name: fmt.Sprint("name", i%n)})
	}
	return all
}

// checkRows fails unless the quick ways, the general ways and Read make the
// same of b, to the node.
func checkRows(t *testing.T, b []byte) error {
	quick, slow := NewReader(b), NewReader(b)
	got, err := quick.ReadRows(nil, math.MaxInt32, acceptRow)
	want, slowErr := slowRows(slow)
	require.Equal(t, slowErr == nil, err == nil, "quick: %v, slow: %v", err, slowErr)
	if err != nil {
		return err
	}
	require.Equal(t, slow.Offset(), quick.Offset())
	require.Equal(t, slow.nodes, quick.nodes)
	require.Equal(t, slow.place, quick.place)
	require.Len(t, got, len(want))
	require.Equal(t, encode(t, values(t, slow, want)), encode(t, values(t, quick, got)))
	require.Equal(t, encode(t, readRows(t, b)), encode(t, values(t, quick, got)))
	for i := range got {
		for j := range got[i] {
			require.Equal(t, want[i][j].Kind(), got[i][j].Kind())
		}
	}
	return nil
}

// readRows are the values of rows as Read returns them.
func readRows(t *testing.T, b []byte) (all []any) {
	v, err := NewReader(b).Read()
	require.NoError(t, err)
	for _, v := range elements(v) {
		all = append(all, elements(v.(Tagged).Fields[0])...)
	}
	return all
}

func elements(v any) []any {
	switch v := v.(type) {
	case Vector:
		return v
	case Seq:
		return v
	case Set:
		return v
	case Array:
		return v
	}
	return v.([]any)
}

func TestRows(t *testing.T) {
	for _, vs := range [][]any{nil, {int64(1)}, usual(), manyKeywords(10), manyKeywords(40), manyKeywords(600)} {
		b := rowList(t, vs...)
		require.NoError(t, checkRows(t, b))
		require.NoError(t, checkRows(t, append([]byte{codeResetCaches}, b...)))
		for _, cut := range []int{1, 3, 20, len(b) / 2} {
			if cut < len(b) {
				require.ErrorIs(t, checkRows(t, b[:len(b)-cut]), ErrMalformed)
			}
		}
	}
}

// TestRowsAreTakenQuickly: the quick ways are taken, or testing them against
// the general ones proves nothing.
func TestRowsAreTakenQuickly(t *testing.T) {
	b := rowList(t, usual()...)
	r := NewReader(b)
	rows, err := r.ReadRows(nil, math.MaxInt32, acceptRow)
	require.NoError(t, err)
	own := 0
	for _, row := range rows {
		if row[2]&cellPlace == 0 {
			own++
		}
	}
	assert.Greater(t, own, len(rows)/2)
	allocs := testing.AllocsPerRun(10, func() {
		r.Reset(b)
		rows, err = r.ReadRows(rows[:0], math.MaxInt32, acceptRow)
	})
	require.NoError(t, err)
	assert.Less(t, allocs, float64(len(rows))/4)
}

func TestRowsOfOtherForms(t *testing.T) {
	for name, h := range map[string]string{
		"list":               "e5 ef df 'a.Row' 01 e9 01 ca f7 db 'k' 02 03 f5",
		"closed":             "ed ef df 'a.Row' 01 ed 01 ca f7 db 'k' 02 03 f5 fd fd",
		"values from caches": "e6 ef df 'a.Row' 01 e9 cd 01 ca cd db 'n' cd db 'k' cd e5 05 80 f5 a0 e9 80 ca 81 82 83 80 f5",
	} {
		require.NoError(t, checkRows(t, unhex(t, h)), name)
	}
	for name, h := range map[string]string{
		"four values": "e5 ef df 'a.Row' 01 e8 01 02 03 04",
		"six values":  "e5 ef df 'a.Row' 01 ea 01 02 03 04 05 06",
		"two fields":  "e5 ef df 'a.Row' 02 e9 01 02 03 04 05 06",
		"no struct":   "e5 e9 01 02 03 04 05",
		"no list":     "e5 ef df 'a.Row' 01 05",
		"no rows":     "05",
		"no end":      "cd ee ef df 'a.Row' 01 e9 01 02 03 04 f5", // which a list in the cache must have
	} {
		require.ErrorIs(t, checkRows(t, unhex(t, h)), ErrMalformed, name)
	}
	require.ErrorIs(t, checkRows(t, unhex(t, "e5 ef df 'b.Row' 01 e9 01 02 03 04 05")), errTag)
}

func TestRowLimit(t *testing.T) {
	b := rowList(t, usual()...)
	n := len(usual())
	rows, err := NewReader(b).ReadRows(make([]Row, 2), n, acceptRow)
	require.NoError(t, err)
	assert.Len(t, rows, n+2)
	_, err = NewReader(b).ReadRows(nil, n-1, acceptRow)
	require.ErrorIs(t, err, ErrMalformed)
}

// TestEqualKeywordCells: two cells are equal if the keywords are, from one
// input to the next too.
func TestEqualKeywordCells(t *testing.T) {
	r := NewReader(nil)
	ids := map[Cell]any{}
	for _, n := range []int{10, 40, 600} {
		r.Reset(rowList(t, manyKeywords(n)...))
		rows, err := r.ReadRows(nil, math.MaxInt32, acceptRow)
		require.NoError(t, err)
		for _, row := range rows {
			v, err := r.Value(row[2])
			require.NoError(t, err)
			if was, ok := ids[row[2]]; ok {
				require.Equal(t, was, v)
			}
			ids[row[2]] = v
		}
	}
	words := map[any]bool{}
	for _, v := range ids {
		require.False(t, words[v], "%v has two cells", v)
		words[v] = true
	}
}

// FuzzRows: no bytes are read otherwise by the quick ways than by the general
// ones.
func FuzzRows(f *testing.F) {
	f.Add(rowList(f, usual()[:20]...))
	f.Add(rowList(f, usual()[20:41]...))
	f.Add(rowList(f, manyKeywords(3)...))
	f.Add(rowList(f, manyKeywords(20)...))
	f.Add(unhex(f, "e6 ef df 'a.Row' 01 e9 cd 01 ca cd db 'n' cd db 'k' cd e5 05 80 f5 a0 e9 80 ca 81 82 83 80 f5"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := checkRows(t, b); err != nil && !errors.Is(err, errTag) && err.Error() != "EOF" {
			require.ErrorIs(t, err, ErrMalformed)
		}
	})
}
