package konserve

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

func TestOpen(t *testing.T) {
	eachGolden(t, func(t *testing.T, g golden, b []byte) {
		c := NewCodec(g.key())
		before := bytes.Clone(b)
		got, err := c.Open(b)
		require.NoError(t, err)
		assert.Equal(t, before, b)
		assert.Equal(t, g.header, got.Header)
		assert.Equal(t, g.meta, got.Meta)
		assert.NoError(t, VerifyName(path.Base(g.file), got.Meta.Key))
		assert.Len(t, got.Value, g.size)
		sum := sha256.Sum256(got.Value)
		assert.Equal(t, g.digest, hex.EncodeToString(sum[:8]))
	})
}

func TestOpenMeta(t *testing.T) {
	eachGolden(t, func(t *testing.T, g golden, b []byte) {
		c := NewCodec(g.key())
		m, err := c.OpenMeta(b[:g.header.ValueAt()])
		require.NoError(t, err)
		assert.Equal(t, g.meta, m)
		_, err = c.OpenMeta(b[:g.header.ValueAt()-1])
		assert.ErrorIs(t, err, ErrMalformed)
	})
}

// The same parts behind the header of konserve 0.6.0-alpha.
func TestOpenShortHeader(t *testing.T) {
	eachGolden(t, func(t *testing.T, g golden, b []byte) {
		c := NewCodec(g.key())
		got, err := c.Open(append(bytes.Clone(b[:shortSize]), b[MinSize:]...))
		require.NoError(t, err)
		assert.Equal(t, shortSize, got.Size)
		assert.Equal(t, g.meta, got.Meta)
		assert.Len(t, got.Value, g.size)
	})
}

// A plain value is a part of the blob, not a copy of it.
func TestOpenDoesNotCopy(t *testing.T) {
	b := read(t, goldens[0].file)
	got, err := NewCodec("").Open(b)
	require.NoError(t, err)
	assert.Same(t, &b[got.ValueAt()], &got.Value[0])
}

func TestOpenNeedsKey(t *testing.T) {
	c := NewCodec("")
	for _, g := range goldens {
		_, err := c.Open(read(t, g.file))
		if g.header.Encryptor == AES {
			assert.ErrorIs(t, err, ErrNoKey, g.file)
		} else {
			assert.NoError(t, err, g.file)
		}
	}
}

// Some wrong keys pass the check of the padding; what they decrypt to is no
// metadata, which is the key's fault all the same.
func TestOpenWrongKey(t *testing.T) {
	past := 0
	b := read(t, "aes/1643fed1-9f2d-514e-b007-53bbb8682214")
	for i := range 1500 {
		_, err := NewCodec(goldenKey + string(rune('a'+i))).Open(b)
		require.ErrorIs(t, err, ErrKey)
		require.ErrorContains(t, err, "wrong key or damaged")
		if _, err := NewCodec(goldenKey + string(rune('a'+i))).decrypt(b[20:148]); err == nil {
			past++
		}
	}
	assert.Positive(t, past, "no key came past the padding")
}

func TestOpenRefusesSerializers(t *testing.T) {
	for dir, want := range map[string]string{"cbor": "CBORSerializer", "boring": "BoringSerializer"} {
		b := read(t, dir+"/1643fed1-9f2d-514e-b007-53bbb8682214")
		_, err := ParseHeader(b)
		require.NoError(t, err)
		_, err = NewCodec("").Open(b)
		assert.ErrorIs(t, err, ErrUnsupported)
		assert.ErrorContains(t, err, want)
	}
	b := read(t, goldens[0].file)
	b[1] = byte(EDN)
	_, err := NewCodec("").OpenMeta(b)
	assert.ErrorIs(t, err, ErrUnsupported)
	assert.ErrorContains(t, err, "StringSerializer")
}

// Every prefix is refused, but for those that end inside a value without
// frame or padding: nothing in the blob tells its length.
func TestOpenTruncated(t *testing.T) {
	eachGolden(t, func(t *testing.T, g golden, b []byte) {
		c := NewCodec(g.key())
		open := g.meta.Type == TypeBinary || g.header.Compressor == Uncompressed && g.header.Encryptor == Unencrypted
		for n := 0; n < len(b); n += step(b) {
			got, err := c.Open(b[:n])
			switch {
			case !open || n < g.header.ValueAt():
				assert.True(t, isDamage(err), "%d bytes: %v", n, err)
			case g.meta.Type == TypeEDN && n == g.header.ValueAt():
				assert.ErrorIs(t, err, ErrMalformed)
			default:
				assert.NoError(t, err)
				assert.Len(t, got.Value, n-g.header.ValueAt())
			}
		}
	})
}

// No bit of the header can change without notice.
func TestOpenFlippedHeader(t *testing.T) {
	eachGolden(t, func(t *testing.T, g golden, b []byte) {
		for _, key := range []string{"", g.key()} {
			c := NewCodec(key)
			for bit := range 8 * MinSize {
				b[bit/8] ^= 1 << (bit % 8)
				_, err := c.Open(b)
				assert.Error(t, err, "bit %d", bit)
				b[bit/8] ^= 1 << (bit % 8)
			}
		}
	})
}

// A changed byte is an error or changes what is read, or lies in a frame's
// header where several spellings mean the same; it never makes another kind of
// error or panics.
func TestOpenChangedByte(t *testing.T) {
	eachGolden(t, func(t *testing.T, g golden, b []byte) {
		c := NewCodec(g.key())
		c.MaxPlain = 1 << 20
		for i := MinSize; i < len(b); i += step(b) {
			for _, flip := range []byte{1, 0x80, 0xff} {
				b[i] ^= flip
				_, err := c.Open(b)
				assert.True(t, err == nil || isDamage(err), "byte %d: %v", i, err)
				b[i] ^= flip
			}
		}
	})
}

func TestCodecIsConcurrent(t *testing.T) {
	codecs := map[string]*Codec{goldenKey: NewCodec(goldenKey), shortKey: NewCodec(shortKey)}
	var all sync.WaitGroup
	for range 4 {
		for _, g := range goldens {
			b, c := read(t, g.file), codecs[g.key()]
			all.Go(func() {
				for range 20 {
					got, err := c.Open(b)
					assert.NoError(t, err)
					assert.Len(t, got.Value, g.size)
				}
			})
		}
	}
	all.Wait()
}

func TestVerifyName(t *testing.T) {
	db := fressian.Keyword{Name: "db"}
	assert.NoError(t, VerifyName("0594e3b6-9635-5c99-8142-412accf3023b", db))
	for _, name := range []string{"", "0594E3B6-9635-5C99-8142-412ACCF3023B", "1643fed1-9f2d-514e-b007-53bbb8682214"} {
		err := VerifyName(name, db)
		assert.ErrorIs(t, err, ErrWrongName)
		assert.ErrorContains(t, err, "0594e3b6-9635-5c99-8142-412accf3023b")
	}
	assert.ErrorIs(t, VerifyName("x", struct{}{}), ErrUnsupported)
}

// step is 1 for small blobs and spares time with the others.
func step(b []byte) int { return 1 + len(b)/100 }

// isDamage tells whether err is one of those for blobs that are damaged.
func isDamage(err error) bool {
	for _, want := range []error{ErrMalformed, ErrKey, ErrTooLarge, ErrUnsupported} {
		if errors.Is(err, want) {
			return true
		}
	}
	return false
}
