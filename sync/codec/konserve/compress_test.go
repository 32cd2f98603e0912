package konserve

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var packed = []Compressor{LZ4, Zstd}

// The limit is on what comes out, to the byte.
func TestMaxPlain(t *testing.T) {
	const size = 100_000
	for _, how := range packed {
		h := Header{Serializer: Fressian, Compressor: how}
		b, err := NewCodec("").Seal(h, Meta{Type: TypeEDN}, make([]byte, size), nil)
		require.NoError(t, err)
		for max, ok := range map[int]bool{size - 1: false, size: true, 1000: false} {
			c := NewCodec("")
			c.MaxPlain = max
			_, err := c.Open(b)
			if ok {
				assert.NoError(t, err, "%v", how)
			} else {
				assert.ErrorIs(t, err, ErrTooLarge, "%v", how)
				assert.ErrorContains(t, err, fmt.Sprint(max))
			}
			_, err = c.OpenMeta(b)
			assert.NoError(t, err, "%v: metadata are small", how)
		}
	}
}

// A small blob that unpacks to very much costs about what the limit says.
func TestBombStopsAtLimit(t *testing.T) {
	const limit, bomb = 1 << 20, 64 << 20
	for _, how := range packed {
		h := Header{Serializer: Fressian, Compressor: how}
		b, err := NewCodec("").Seal(h, Meta{Type: TypeEDN}, make([]byte, bomb), nil)
		require.NoError(t, err)
		require.Less(t, len(b), bomb/100)
		c := NewCodec("")
		c.MaxPlain = limit
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = c.Open(b)
		runtime.ReadMemStats(&after)
		assert.ErrorIs(t, err, ErrTooLarge, "%v", how)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(bomb/2), "%v", how)
	}
}

// Frames come back whole or not at all: no prefix, nothing appended.
func TestFramesAreExact(t *testing.T) {
	c := NewCodec("")
	plain := bytes.Repeat([]byte("some text, "), 500)
	for _, how := range packed {
		frame, err := c.compress(how, plain)
		require.NoError(t, err)
		require.Less(t, len(frame), len(plain))
		got, err := c.decompress(how, frame)
		require.NoError(t, err)
		assert.Equal(t, plain, got)
		for n := 1; n < len(frame); n++ {
			_, err := c.decompress(how, frame[:n])
			assert.ErrorIs(t, err, ErrMalformed, "%v: %d bytes", how, n)
		}
		for _, tail := range []string{"\x00", "\x00\x00\x00\x00", "text that is no frame"} {
			_, err := c.decompress(how, append(bytes.Clone(frame), tail...))
			assert.ErrorIs(t, err, ErrMalformed, "%v: %q", how, tail)
		}
	}
}

// The checksums in sealed blobs find any changed byte.
func TestSealedFramesAreChecked(t *testing.T) {
	c := NewCodec("")
	plain := bytes.Repeat([]byte("some text, "), 50)
	for _, how := range packed {
		frame, err := c.compress(how, plain)
		require.NoError(t, err)
		for i := range frame {
			frame[i] ^= 0x55
			got, err := c.decompress(how, frame)
			assert.True(t, err != nil || bytes.Equal(plain, got), "%v: byte %d", how, i)
			frame[i] ^= 0x55
		}
	}
}

// The library's other format, lz4's legacy one, is not konserve's.
func TestDecodeLZ4WantsFrame(t *testing.T) {
	c := NewCodec("")
	for _, b := range []string{"", "\x04\x22\x4d", "\x02\x21\x4c\x18\x01\x00\x00\x00\x10", "\x50\x2a\x4d\x18\x00\x00\x00\x00"} {
		_, err := c.decodeLZ4([]byte(b))
		assert.ErrorIs(t, err, ErrMalformed, "%q", b)
	}
}

// An empty part is not a serialized value, whatever it is packed in.
func TestEmptyPart(t *testing.T) {
	c := NewCodec("k")
	for _, h := range headers() {
		part, err := c.wrap(h, nil, noise())
		require.NoError(t, err)
		_, err = c.unwrap(h, part)
		assert.ErrorIs(t, err, ErrMalformed, "%v %v", h.Compressor, h.Encryptor)
	}
}
