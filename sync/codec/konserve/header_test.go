package konserve

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseHeader(t *testing.T) {
	eachGolden(t, func(t *testing.T, g golden, b []byte) {
		h, err := ParseHeader(b)
		require.NoError(t, err)
		assert.Equal(t, g.header, h)
		assert.Equal(t, g.header.Size+g.header.MetaSize, h.ValueAt())
	})
}

// A short header is told from a long one by any byte that is not zero.
func TestParseHeaderShort(t *testing.T) {
	for i := shortSize; i < MinSize; i++ {
		b := make([]byte, 40)
		copy(b, []byte{1, 1, 2, 1, 0, 0, 0, 32})
		b[i] = 1
		h, err := ParseHeader(b)
		require.NoError(t, err)
		assert.Equal(t, Header{Fressian, Zstd, AES, shortSize, 32}, h)
		assert.Equal(t, len(b), h.ValueAt())
		b[7]++
		_, err = ParseHeader(b)
		assert.ErrorIs(t, err, ErrMalformed)
	}
}

func TestParseHeaderNeedsMinSize(t *testing.T) {
	b := read(t, goldens[0].file)
	for n := range MinSize {
		_, err := ParseHeader(b[:n])
		assert.ErrorIs(t, err, ErrMalformed, "%d bytes", n)
	}
}

// The metadata fit into the blob exactly, or the header is refused.
func TestParseHeaderBoundsMetaSize(t *testing.T) {
	b := make([]byte, 100)
	b[0], b[1] = 1, 1
	for size, ok := range map[uint32]bool{
		0: false, 1: true, 80: true, 81: false, 1 << 31: false, math.MaxUint32: false, math.MaxUint32 - 19: false,
	} {
		binary.BigEndian.PutUint32(b[4:], size)
		h, err := ParseHeader(b)
		if ok {
			require.NoError(t, err)
			assert.EqualValues(t, size, h.MetaSize)
		} else {
			assert.ErrorIs(t, err, ErrMalformed, "size %d", size)
		}
	}
}

// Errors say what was found where something else is read.
func TestParseHeaderNamesWhatItFound(t *testing.T) {
	for _, test := range []struct {
		at   int
		id   byte
		want string
	}{
		{0, 0, "storage version 0, not 1"},
		{0, 2, "storage version 2, not 1"},
		{1, 4, "serializer 4"},
		{1, 255, "serializer 255"},
		{2, 3, "compressor 3"},
		{3, 2, "encryptor 2"},
	} {
		b := read(t, goldens[0].file)
		b[test.at] = test.id
		_, err := ParseHeader(b)
		assert.ErrorIs(t, err, ErrUnsupported)
		assert.ErrorContains(t, err, test.want)
	}
}

func TestNames(t *testing.T) {
	for want, v := range map[string]interface{ String() string }{
		"StringSerializer": EDN, "FressianSerializer": Fressian, "CBORSerializer": CLJCBOR, "BoringSerializer": BoringCBOR,
		"serializer 9": Serializer(9), "no compressor": Uncompressed, "lz4": LZ4, "zstd": Zstd,
		"compressor 9": Compressor(9), "no encryptor": Unencrypted, "aes": AES, "encryptor 9": Encryptor(9),
	} {
		assert.Equal(t, want, v.String())
	}
}

func TestHeaderAppend(t *testing.T) {
	eachGolden(t, func(t *testing.T, g golden, b []byte) {
		assert.Equal(t, b[:MinSize], g.header.append(nil, uint32(g.header.MetaSize)))
	})
}

func FuzzParseHeader(f *testing.F) {
	for _, g := range goldens {
		f.Add(read(f, g.file)[:MinSize+30])
	}
	f.Add(append([]byte{1, 1, 0, 0, 0, 0, 0, 20, 0xc0}, make([]byte, 19)...))
	f.Add(append([]byte{1, 3, 0, 0, 0xff, 0xff, 0xff, 0xff}, make([]byte, 20)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		h, err := ParseHeader(b)
		require.Equal(t, before, b)
		if err != nil {
			require.Equal(t, Header{}, h)
			return
		}
		require.Contains(t, []int{shortSize, MinSize}, h.Size)
		require.Positive(t, h.MetaSize)
		require.LessOrEqual(t, h.ValueAt(), len(b))
		if h.Size == MinSize {
			require.Equal(t, b[:MinSize], h.append(nil, uint32(h.MetaSize)))
		}
	})
}
