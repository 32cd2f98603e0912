package hasch

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// reference is the table of the package's documentation, taken literally: it
// joins fresh slices where the package appends and hashes as it goes.
func reference(v any) []byte {
	text := func(tag byte, s string) []byte { return append([]byte{tag}, referenceSafe([]byte(s))...) }
	switch v := v.(type) {
	case nil:
		return []byte{0}
	case bool:
		return []byte{1, map[bool]byte{true: 0x29, false: 0x28}[v]}
	case int64:
		return []byte("\x02" + strconv.FormatInt(v, 10))
	case *big.Int:
		return []byte("\x02" + v.String())
	case string:
		return text(3, v)
	case symbol:
		return text(4, v.NS+"/"+v.Name)
	case keyword:
		return text(5, ":"+v.NS+"/"+v.Name)
	case fressian.Inst:
		return []byte("\x06" + strconv.Itoa(int(v)))
	case fressian.UUID:
		return fmt.Appendf([]byte{7}, "%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:])
	case seq:
		return append([]byte{8}, referenceItems(v)...)
	case vector:
		return append([]byte{9}, referenceItems(v)...)
	case fressian.Map:
		var forms [][]byte
		for _, e := range v {
			forms = append(forms, reference(vector{e.Key, e.Value}))
		}
		return append([]byte{10}, referenceXor(forms)...)
	case fressian.Set:
		var sums [][]byte
		for _, item := range v {
			sum := sha512.Sum512(reference(item))
			sums = append(sums, sum[:])
		}
		return append([]byte{11}, referenceXor(sums)...)
	case []byte:
		return append([]byte{13}, referenceSafe(v)...)
	}
	panic(fmt.Sprintf("no reference for %T", v))
}

func referenceSafe(b []byte) []byte {
	if len(b) >= 1024 {
		sum := sha512.Sum512(b)
		return sum[:]
	}
	mask := make([]byte, len(b))
	for i, c := range b {
		if 1 <= c && c <= 29 {
			mask[i] = 1
		}
	}
	return join(b, mask)
}

func referenceItems(items []any) []byte {
	if len(items) == 0 {
		return referenceItems([]any{nil})
	}
	var forms [][]byte
	for _, item := range items {
		forms = append(forms, reference(item))
	}
	sum := sha512.Sum512(join(forms...))
	return sum[:]
}

func referenceXor(forms [][]byte) []byte {
	if len(forms) == 0 {
		return nil
	}
	out := make([]byte, 32)
	for _, form := range forms {
		for i := range out {
			out[i] ^= form[i]
		}
	}
	return out
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// randomValue returns a value of any type, nested at most depth levels. Keys of
// maps and items of sets are numbered, so that none comes twice.
func randomValue(r *rand.Rand, depth int) any {
	kinds := 10
	if depth > 0 {
		kinds = 14
	}
	switch r.IntN(kinds) {
	case 0:
		return nil
	case 1:
		return r.IntN(2) == 0
	case 2:
		return r.Int64() - r.Int64()
	case 3:
		return new(big.Int).Lsh(big.NewInt(r.Int64()), 70)
	case 4:
		return string(randomBytes(r))
	case 5:
		return randomBytes(r)
	case 6:
		return symbol{NS: "ns", Name: string(randomBytes(r))}
	case 7:
		return keyword{NS: string(randomBytes(r)) + "n", Name: "name"}
	case 8:
		return fressian.Inst(r.Int32())
	case 9:
		var u fressian.UUID
		binary.NativeEndian.PutUint64(u[:], r.Uint64())
		binary.NativeEndian.PutUint64(u[8:], r.Uint64())
		return u
	}
	return randomCollection(r, depth-1)
}

func randomCollection(r *rand.Rand, depth int) any {
	kind, n := r.IntN(4), r.IntN(5)
	items := make([]any, n)
	entries := make(fressian.Map, n)
	for i := range items {
		items[i] = randomValue(r, depth)
		entries[i] = fressian.Entry{Key: int64(i), Value: items[i]}
		if kind == 3 {
			items[i] = vector{int64(i), items[i]}
		}
	}
	return [...]any{seq(items), vector(items), entries, fressian.Set(items)}[kind]
}

// randomBytes are short, or about as long as those that are hashed.
func randomBytes(r *rand.Rand) []byte {
	n := r.IntN(20)
	if r.IntN(8) == 0 {
		n = 1020 + r.IntN(8)
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.IntN(128))
	}
	return b
}

func TestSumEqualsReference(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		v := randomValue(r, 4)
		form, err := appendValue([]byte("kept"), v)
		require.NoError(t, err)
		require.Equal(t, append([]byte("kept"), reference(v)...), form, "%v", v)
		sum, err := Sum(v)
		require.NoError(t, err)
		require.Equal(t, sha512.Sum512(reference(v)), sum)
	}
}

// The order of a map's entries and of a set's items has no meaning.
func TestSumIgnoresOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		var m fressian.Map
		var s fressian.Set
		for i := range 1 + r.IntN(6) {
			m = append(m, fressian.Entry{Key: int64(i), Value: randomValue(r, 2)})
			s = append(s, vector{int64(i), randomValue(r, 2)})
		}
		firstMap, err := Sum(m)
		require.NoError(t, err)
		firstSet, err := Sum(s)
		require.NoError(t, err)
		r.Shuffle(len(m), func(i, j int) { m[i], m[j], s[i], s[j] = m[j], m[i], s[j], s[i] })
		again, err := Sum(m)
		require.NoError(t, err)
		assert.Equal(t, firstMap, again)
		again, err = Sum(s)
		require.NoError(t, err)
		assert.Equal(t, firstSet, again)
	}
}

// Whatever the digest, a name is a version 5 uuid whose first digit is 0 to 3.
func TestNamesHaveTheirBits(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		v := randomValue(r, 1)
		u, err := UUID(v)
		require.NoError(t, err)
		text := String(u)
		assert.Contains(t, "0123", text[:1])
		assert.Equal(t, "5", text[14:15])
		assert.Contains(t, "89ab", text[19:20])
		sum, err := Sum(v)
		require.NoError(t, err)
		for i, b := range u {
			kept := map[int]byte{0: 0x3f, 6: 0x0f, 8: 0x3f}[i]
			if kept == 0 {
				kept = 0xff
			}
			assert.Equal(t, sum[i]&kept, b&kept)
		}
	}
}
