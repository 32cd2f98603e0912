package hasch

import (
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

type (
	keyword = fressian.Keyword
	symbol  = fressian.Symbol
	vector  = fressian.Vector
	seq     = fressian.Seq
)

// ints makes items of numbers.
func ints(n ...int64) []any {
	items := make([]any, len(n))
	for i := range n {
		items[i] = n[i]
	}
	return items
}

// mustParse is Parse for text that is right.
func mustParse(t testing.TB, s string) fressian.UUID {
	t.Helper()
	u, err := Parse(s)
	require.NoError(t, err)
	return u
}

// The digests, here their first 16 bytes, are those that hasch itself
// publishes for its values.
func TestSumPublishedDigests(t *testing.T) {
	uuid := mustParse(t, "242525f1-8ed7-5979-9232-6992dd1e11e4")
	decimal := fressian.Decimal{Unscaled: big.NewInt(1231), Scale: 1}
	for _, test := range []struct {
		name string
		v    any
		want string
	}{
		{"nil", nil, "b8244d028981d693af7b456af8efa4ca"},
		{"true", true, "dddffc2c673033c747b89cbbc98c2363"},
		{"false", false, "36006e3f9e89b059dceb6bd5549f1b19"},
		{"one letter", "f", "d385cbe0c2ae882cd84d625536bc7465"},
		{"two bytes", "ä", "33e871eef368d80a8f588f6f7adc238a"},
		{"string", "hello", "b27209f303960084ecd83c576c220223"},
		{"three bytes each", "小鳩ちゃんかわいいなぁ", "02bf5427222ce366876d11889f50fd07"},
		{"supplementary", "😡😡😡", "121181190db7aaa4b21261007b97a491"},
		{"long", int64(1234567890), "41c79ea4c15fd590e91d29567b6a6ed7"},
		{"bigint", big.NewInt(1234567890), "41c79ea4c15fd590e91d29567b6a6ed7"},
		{"double", float64(123.1), "9bb521fc7e71bc14d29b32187dd4cda0"},
		{"float", float32(123.1), "9bb521fc7e71bc14d29b32187dd4cda0"},
		{"decimal", decimal, "9bb521fc7e71bc14d29b32187dd4cda0"},
		{"keyword", keyword{NS: "core", Name: "test"}, "3e33d64e295425cd45c5691aeb371e57"},
		{"uuid", uuid, "2af3b7ede95ef6016e38e73140d9b511"},
		{"instant", fressian.Inst(1000000000000), "b1e2d4ebdd43b022b845652d75c15fbb"},
		{"symbol", symbol{NS: "core", Name: "+"}, "a43f404dbe9048502224feed65633972"},
		{"list", seq(ints(1, 2, 3)), "f469ba6eb775c34e4639fb84857286af"},
		{"vector", vector(ints(1, 2, 3, 4)), "ac34257bb36af3cf58b1da16aa190d9b"},
		{"plain list", ints(1, 2, 3, 4), "ac34257bb36af3cf58b1da16aa190d9b"},
		{"map", fressian.Map{
			{Key: keyword{Name: "a"}, Value: "hello"},
			{Key: keyword{Name: "balloon"}, Value: "world"},
		}, "87ccffce6d37f8c6dae2ad5b1bf44422"},
		{"set", fressian.Set(ints(1, 2, 3, 4)), "2ad8d9ee617dd2700253803e522f770e"},
		{"set, other order", fressian.Set(ints(4, 2, 1, 3)), "2ad8d9ee617dd2700253803e522f770e"},
		{"bytes", []byte{1, 2, 3, 42, 149}, "87d1f8aba25a29ddadd840dade5df23c"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sum, err := Sum(test.v)
			require.NoError(t, err)
			assert.Equal(t, test.want, hex.EncodeToString(sum[:16]))
		})
	}
}

// hasch's published name of a piece of code: lists, a vector and symbols.
func TestUUIDOfNestedLists(t *testing.T) {
	s := func(name string) symbol { return symbol{Name: name} }
	eq := func(n int64) seq { return seq{s("="), s("n"), n} }
	fib := func(n int64) seq { return seq{s("fib"), seq{s("-"), s("n"), n}} }
	code := seq{
		s("fn"), s("fib"), vector{s("n")},
		seq{s("if"), seq{s("or"), eq(0), eq(1)}, int64(1), seq{s("+"), fib(1), fib(2)}},
	}
	u, err := UUID(code)
	require.NoError(t, err)
	assert.Equal(t, "386eabb0-8adc-52a2-a715-5a74c9197646", String(u))
}

// Names that konserve gave to the blobs of these keys.
func TestNamesOfKeys(t *testing.T) {
	for _, test := range []struct {
		key  any
		want string
	}{
		{keyword{Name: "db"}, "0594e3b6-9635-5c99-8142-412accf3023b"},
		{keyword{Name: "branches"}, "1643fed1-9f2d-514e-b007-53bbb8682214"},
		{keyword{Name: "feature"}, "09acd133-3082-5ad1-be37-991eeb5afa1a"},
		{mustParse(t, "6b00f5d9-5a97-4278-b72f-697021d07144"), "0001a94f-e079-5263-9449-d36ddc227fc8"},
	} {
		u, err := UUID(test.key)
		require.NoError(t, err)
		assert.Equal(t, test.want, String(u))
		switch key := test.key.(type) {
		case keyword:
			assert.Equal(t, u, OfKeyword(key.NS, key.Name))
		case fressian.UUID:
			assert.Equal(t, u, OfUUID(key))
		}
	}
}

func TestOfKeywordEqualsUUID(t *testing.T) {
	long := strings.Repeat("x", 1200)
	for _, k := range []keyword{{}, {Name: "a"}, {NS: "n", Name: "a"}, {NS: long, Name: "a"}, {Name: "\x01\x1d\x1e\x00é"}} {
		u, err := UUID(k)
		require.NoError(t, err)
		assert.Equal(t, u, OfKeyword(k.NS, k.Name), "%.20v", k)
	}
}

func TestForms(t *testing.T) {
	for _, test := range []struct {
		name string
		v    any
		want string
	}{
		{"control characters are masked", "\x00\x01\x1d\x1e~", "03" + "00011d1e7e" + "0001010000"},
		{"high bytes are not", []byte{0x80, 0xff, 0x81}, "0d" + "80ff81" + "000000"},
		{"symbol without namespace", symbol{Name: "n"}, "04" + "6e" + "00"},
		{"keyword", keyword{NS: "a", Name: "b"}, "05" + "3a612f62" + "00000000"},
		{"negative instant", fressian.Inst(-5), "06" + "2d35"},
		{"empty map", fressian.Map{}, "0a"},
		{"empty set", fressian.Set{}, "0b"},
	} {
		form, err := appendValue(nil, test.v)
		require.NoError(t, err)
		assert.Equal(t, test.want, hex.EncodeToString(form), test.name)
	}
}

// A payload of 1023 bytes is masked, one of 1024 is hashed.
func TestFormSwitchesToDigest(t *testing.T) {
	short, err := appendValue(nil, strings.Repeat("a", maskBelow-1))
	require.NoError(t, err)
	assert.Len(t, short, 1+2*(maskBelow-1))
	long, err := appendValue(nil, strings.Repeat("a", maskBelow))
	require.NoError(t, err)
	assert.Len(t, long, 1+64)
}

// hasch takes the first item of an empty sequence, which is nil.
func TestEmptySequencesHoldNil(t *testing.T) {
	for _, pair := range [][2]any{{vector{}, vector{nil}}, {seq{}, seq{nil}}} {
		a, err := Sum(pair[0])
		require.NoError(t, err)
		b, err := Sum(pair[1])
		require.NoError(t, err)
		assert.Equal(t, a, b)
	}
}

func TestSumRefusesTypes(t *testing.T) {
	for _, v := range []any{
		1, fressian.URI("x"), []int64{1}, vector{int32(1)}, seq{vector{struct{}{}}},
		fressian.Set{uint8(1)}, fressian.Map{{Key: 'x'}}, fressian.Map{{Value: []float64{1}}},
	} {
		_, err := Sum(v)
		assert.ErrorIs(t, err, ErrType, "%T", v)
		_, err = UUID(v)
		assert.ErrorIs(t, err, ErrType, "%T", v)
	}
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	u := OfKeyword("", "db")
	assert.Zero(t, testing.AllocsPerRun(100, func() { u = OfUUID(u) }))
	assert.Zero(t, testing.AllocsPerRun(100, func() { u = OfKeyword("schema", "name") }))
}

func BenchmarkOfUUID(b *testing.B) {
	b.ReportAllocs()
	u := OfKeyword("", "db")
	for b.Loop() {
		u = OfUUID(u)
	}
}

func BenchmarkSumVector(b *testing.B) {
	b.ReportAllocs()
	v := vector{"key", seq(ints(make([]int64, 64)...)), "secret"}
	for b.Loop() {
		if _, err := Sum(v); err != nil {
			b.Fatal(err)
		}
	}
}
