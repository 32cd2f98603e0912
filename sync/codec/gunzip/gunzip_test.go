package gunzip_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"testing"

	stdlib "compress/gzip"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/gunzip"
)

const limit = 1 << 20

// contents are bytes of several kinds, which make blocks of all kinds.
func contents() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 100_000)
	words := []byte{}
	skewed := make([]byte, 200_000)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	for len(words) < 300_000 {
		words = append(words, random[r.IntN(90):][:1+r.IntN(300)]...)
	}
	for i := range skewed { // codes of up to 15 bits
		skewed[i] = byte(r.ExpFloat64() * 12)
	}
	return map[string][]byte{
		"nothing": {}, "a byte": {1}, "random": random, "zeros": make([]byte, limit), "words": words, "skewed": skewed,
		"pairs": bytes.Repeat([]byte{1, 2}, 5000), "sevens": bytes.Repeat([]byte("abcdefg"), 3000), "nines": bytes.Repeat([]byte("abcdefghi"), 3000),
		"far": append(append(bytes.Clone(random[:32768]), random[:300]...), random[1:32768]...),
	}
}

// pack compresses with the standard library.
func pack(t testing.TB, content []byte, level int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := stdlib.NewWriterLevel(&out, level)
	require.NoError(t, err)
	_, err = w.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

// TestDecode what two compressors make at all levels, with one Decoder.
func TestDecode(t *testing.T) {
	d := &gunzip.Decoder{}
	for name, content := range contents() {
		for level := stdlib.HuffmanOnly; level <= stdlib.BestCompression; level++ {
			got, err := d.Decode(pack(t, content, level), limit)
			require.NoError(t, err, "%s at level %d", name, level)
			require.True(t, bytes.Equal(content, got), "%s at level %d", name, level)

			var out bytes.Buffer
			w, err := gzip.NewWriterLevel(&out, level)
			require.NoError(t, err)
			_, err = w.Write(content)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			got, err = d.Decode(out.Bytes(), limit)
			require.NoError(t, err, "%s at level %d", name, level)
			require.True(t, bytes.Equal(content, got), "%s at level %d", name, level)
			d.Forget()
		}
	}
}

// member makes one of blocks of deflate that say what content they have.
func member(deflate, content []byte) []byte {
	b := append([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"), deflate...)
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(content))
	return binary.LittleEndian.AppendUint32(b, uint32(len(content)))
}

func TestRefused(t *testing.T) {
	sound := pack(t, []byte("a sound member, sound, sound"), stdlib.BestCompression)
	altered := func(at int, b byte) []byte {
		bad := bytes.Clone(sound)
		bad[(at+len(bad))%len(bad)] ^= b
		return bad
	}
	large := pack(t, make([]byte, limit+1), stdlib.BestCompression)
	for _, tc := range []struct {
		name  string
		data  []byte
		class error
		says  string
	}{
		{"nothing", nil, gunzip.ErrMalformed, "offset 0"},
		{"a header", sound[:10], gunzip.ErrMalformed, "offset 0"},
		{"another magic", altered(1, 1), gunzip.ErrMalformed, "offset 0"},
		{"another method", altered(2, 1), gunzip.ErrMalformed, "offset 0"},
		{"a name in the header", altered(3, 8), gunzip.ErrMalformed, "offset 0"},
		{"a CRC that differs", altered(-8, 1), gunzip.ErrMalformed, "CRC-32"},
		{"a length less", altered(-4, 4), gunzip.ErrMalformed, "more is made"},
		{"a length more", altered(-4, 1), gunzip.ErrMalformed, "made 28 of 29"},
		{"a length that cannot be", altered(-1, 0x80), gunzip.ErrMalformed, "cannot make"},
		{"two members", append(bytes.Clone(sound), sound...), gunzip.ErrMalformed, "deflate ends"},
		{"a byte in between", append(append(bytes.Clone(sound[:len(sound)-8]), 0), sound[len(sound)-8:]...), gunzip.ErrMalformed, "deflate ends"},
		{"too much", large, gunzip.ErrTooLarge, "1048577"},
		{"too much, and denied", append(bytes.Clone(large[:len(large)-4]), 5, 0, 0, 0), gunzip.ErrMalformed, "more is made"},
		{"a block of no kind", member([]byte{0x07}, nil), gunzip.ErrMalformed, "no kind"},
		{"a stored block", member([]byte{1, 1, 0, 0, 0, 'x'}, []byte("x")), gunzip.ErrMalformed, "contradicts"},
		{"a stored block cut", member([]byte{1, 2, 0, 0xfd, 0xff, 'x'}, []byte("x")), gunzip.ErrMalformed, "unexpected end"},
		{"a stored block without a length", member([]byte{1, 2}, []byte("x")), gunzip.ErrMalformed, "unexpected end"},
		{"a stored block beyond", member([]byte{1, 1, 0, 0xfe, 0xff, 'x'}, nil), gunzip.ErrMalformed, "more is made"},
		{"blocks without an end", member([]byte{0, 1, 0, 0xfe, 0xff, 'x'}, []byte("x")), gunzip.ErrMalformed, "unexpected end"},
		{"a distance too far", member([]byte{0x03, 0x02, 0x00}, []byte("xxx")), gunzip.ErrMalformed, "beginning"},
		{"no code of lengths", member([]byte{0x05, 0, 0, 0, 0, 0, 0, 0}, nil), gunzip.ErrMalformed, "length"},
	} {
		_, err := (&gunzip.Decoder{}).Decode(tc.data, limit)
		require.ErrorIs(t, err, tc.class, tc.name)
		require.ErrorContains(t, err, tc.says, tc.name)
	}
	got, err := (&gunzip.Decoder{}).Decode(member([]byte{1, 1, 0, 0xfe, 0xff, 'x'}, []byte("x")), limit)
	require.NoError(t, err)
	assert.Equal(t, "x", string(got))
}

// agree compares with the standard library, which is more tolerant: of header
// fields, of several members.
func agree(t *testing.T, d *gunzip.Decoder, data []byte) {
	t.Helper()
	got, err := d.Decode(data, limit)
	if err != nil && !errors.Is(err, gunzip.ErrMalformed) && !errors.Is(err, gunzip.ErrTooLarge) {
		t.Fatalf("an error of no class: %v", err)
	}
	want, wantErr := stdlibDecode(data)
	if err == nil && (wantErr != nil || !bytes.Equal(got, want)) {
		t.Fatalf("%d bytes, not %d: %v", len(got), len(want), wantErr)
	}
	if wantErr == nil && err != nil {
		t.Fatalf("refused: %v", err)
	}
}

var errMore = errors.New("more than one member, or header fields")

func stdlibDecode(data []byte) ([]byte, error) {
	if len(data) > 3 && data[3] != 0 {
		return nil, errMore
	}
	in := bytes.NewReader(data)
	r, err := stdlib.NewReader(in)
	if err != nil {
		return nil, err
	}
	r.Multistream(false)
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && (in.Len() > 0 || len(content) > limit) {
		err = errMore
	}
	return content, err
}

// TestDamage: flips and cuts are judged as the standard library judges them.
func TestDamage(t *testing.T) {
	d := &gunzip.Decoder{}
	r := rand.New(rand.NewPCG(3, 4))
	for _, content := range contents() {
		if content = content[:min(len(content), 3000)]; len(content) < 100 {
			continue
		}
		for _, level := range []int{stdlib.NoCompression, stdlib.BestSpeed, stdlib.BestCompression} {
			data := pack(t, content, level)
			for range 400 {
				bad := bytes.Clone(data)
				bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
				agree(t, d, bad)
				agree(t, d, data[:r.IntN(len(data))])
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, content := range contents() {
		if content = content[:min(len(content), 2000)]; len(content) > 0 {
			f.Add(pack(f, content, stdlib.BestCompression))
			f.Add(pack(f, content, stdlib.NoCompression))
		}
	}
	d := &gunzip.Decoder{}
	f.Fuzz(func(t *testing.T, data []byte) { agree(t, d, data) })
}

// FuzzDeflate is FuzzDecode with a header and a trailer that fit.
func FuzzDeflate(f *testing.F) {
	for _, content := range contents() {
		b := pack(f, content[:min(len(content), 2000)], stdlib.BestCompression)
		f.Add(b[10 : len(b)-8])
	}
	d := &gunzip.Decoder{}
	f.Fuzz(func(t *testing.T, deflate []byte) {
		data := member(deflate, nil)
		content, err := stdlibDecode(data)
		if err == nil || errors.Is(err, stdlib.ErrChecksum) {
			data = member(deflate, content)
		}
		agree(t, d, data)
	})
}

func BenchmarkDecode(b *testing.B) {
	data := pack(b, contents()["skewed"], stdlib.DefaultCompression)
	d := &gunzip.Decoder{}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := d.Decode(data, limit); err != nil {
			b.Fatal(err)
		}
	}
}
