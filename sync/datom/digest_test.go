package datom

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

func digestOf(t *testing.T, facts []Datom) (string, int64) {
	t.Helper()
	d := NewDigest()
	defer d.Close()
	for _, f := range facts {
		require.NoError(t, d.Add(f))
	}
	sum, n, err := d.Sum()
	require.NoError(t, err)
	return sum, n
}

// TestDigestAsClojure compares with what the functions in docs/datahike.md gave
// for the same datoms: every kind of value; strings whose order in UTF-16 is
// not that in UTF-8; lone surrogates; datoms that occur twice.
func TestDigestAsClojure(t *testing.T) {
	values, _ := sampleValues(t)
	values = append(values, values...)
	var each, same []Datom
	for i, v := range values {
		f := Datom{E: int64(i), A: int64(7), V: v, Tx: 536870913 + int64(i), Added: i < 20}
		if i%2 == 0 {
			f.A = fressian.Keyword{NS: "n.s", Name: "a"}
		}
		each = append(each, f)
	}
	for _, v := range append(values, "\uffff", "\ue000", "😀", "\xed\xa0\xbd\uff00", "z", "a") {
		same = append(same, Datom{E: 1, A: fressian.Keyword{Name: "a"}, V: v, Tx: 2, Added: true})
	}
	for _, c := range []struct {
		facts []Datom
		sum   string
		n     int64
	}{
		{each, "b8a53f04dc1e02cff44b9d64eccbe44dd3abd220369627ecc8eaea3f3090c0ae", 94},
		{same, "78de3178a976f2f7b0d17f099e1bdd81da0457d39ca3979863d69d6ffddba0f2", 52},
		{nil, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 0},
	} {
		sum, n := digestOf(t, c.facts)
		assert.Equal(t, c.sum, sum)
		assert.Equal(t, c.n, n)
	}
}

// TestDigestSpills: more lines than memory is meant for, from many goroutines,
// some of them with line breaks.
func TestDigestSpills(t *testing.T) {
	const each, workers = 20_000, 4
	fact := func(i int) Datom {
		return Datom{E: int64(i), A: fressian.Keyword{Name: strings.Repeat("\n", i%3) + "a"}, V: "😀\n"}
	}
	var lines []string
	for i := range each {
		text, err := AppendText(nil, fact(i))
		require.NoError(t, err)
		lines = append(lines, string(text)+"\n")
	}
	slices.Sort(lines)
	want := sha256.Sum256([]byte(strings.Join(lines, "")))

	d := NewDigest()
	defer d.Close()
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				assert.NoError(t, d.Add(fact((i*7+w)%each)))
			}
		})
	}
	wg.Wait()
	sum, n, err := d.Sum()
	require.NoError(t, err)
	assert.Equal(t, hex.EncodeToString(want[:]), sum)
	assert.EqualValues(t, each, n)
	d.Close()
}

func TestDigestWithoutText(t *testing.T) {
	d := NewDigest()
	defer d.Close()
	require.ErrorIs(t, d.Add(Datom{A: int64(1), V: fressian.Set{}}), ErrNoText)
}

// TestOrder: the sorted form compares as UTF-16 does, and loses nothing but
// lone surrogates.
func TestOrder(t *testing.T) {
	texts := []string{"", "a", "a\x00", "ab", "é", "\ud7ff", "\U00010000", "\U0010ffff", "😀", "😀a", "😁", "\ue000", "\uffff", "a😀", "a\ue000"}
	for _, a := range texts {
		assert.Equal(t, a, string(appendUTF8(nil, sortable([]byte(a)))))
		for _, b := range texts {
			want := slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
			assert.Equal(t, want, cmp.Compare(sortable([]byte(a)), sortable([]byte(b))), "%q %q", a, b)
		}
	}
	for in, want := range map[string]string{
		"\xed\xa0\xbd":              "?",
		"x\xed\xb8\x80\xed\xa0\xbd": "x??",
		"\xed\xa0\xbd\xed\xa0\xbdz": "??z",
		"\ud7ff\xed":                "\ud7ff\xed",
	} {
		assert.Equal(t, want, string(appendUTF8(nil, sortable([]byte(in)))))
	}
}
