package konserve

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// noise is a reader of bytes that do not change from run to run.
func noise() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1}) }

// Sealing what was opened gives the blob that konserve wrote, if the salts are
// taken from it. Compressors may differ in what they write.
func TestSealWritesRealBlobs(t *testing.T) {
	eachGolden(t, func(t *testing.T, g golden, b []byte) {
		c := NewCodec(g.key())
		got, err := c.Open(b)
		require.NoError(t, err)
		var salts []byte
		if g.header.Encryptor == AES {
			salts = append(salts, b[g.header.Size:][:saltSize]...)
			salts = append(salts, b[g.header.ValueAt():]...)
		}
		again, err := c.Seal(got.Header, got.Meta, got.Value, bytes.NewReader(salts))
		require.NoError(t, err)
		if g.header.Compressor == Uncompressed {
			assert.Equal(t, b, again)
			return
		}
		reopened, err := c.Open(again)
		require.NoError(t, err)
		assert.Equal(t, got.Meta, reopened.Meta)
		assert.Equal(t, got.Value, reopened.Value)
	})
}

// headers are all forms that are written.
func headers() []Header {
	var all []Header
	for _, c := range []Compressor{Uncompressed, LZ4, Zstd} {
		for _, e := range []Encryptor{Unencrypted, AES} {
			all = append(all, Header{Serializer: Fressian, Compressor: c, Encryptor: e, Size: MinSize})
		}
	}
	return all
}

func TestSealRoundTrip(t *testing.T) {
	c := NewCodec("key")
	key := fressian.Vector{fressian.Keyword{NS: "ns", Name: "name"}, int64(7), "text"}
	for _, h := range headers() {
		for _, m := range []Meta{
			{Key: key, Type: TypeEDN, LastWrite: 1}, {Key: key, Type: TypeEDN, LastWrite: 1 << 40, Immutable: true},
			{Key: "k", Type: TypeBinary}, {Key: nil, Type: TypeBinary, Immutable: true},
		} {
			for _, n := range []int{1, 15, 16, 17, 5000, 300_000} {
				t.Run(fmt.Sprint(h.Compressor, h.Encryptor, m.Type, m.Immutable, n), func(t *testing.T) {
					value := bytes.Repeat([]byte("0123456789abcde"), n/15+1)[:n]
					b, err := c.Seal(h, m, value, noise())
					require.NoError(t, err)
					got, err := c.Open(b)
					require.NoError(t, err)
					h.MetaSize = got.MetaSize
					assert.Equal(t, Blob{h, m, value}, got)
				})
			}
		}
	}
}

// A binary is stored as it is, also beside encrypted metadata, and may be empty.
func TestSealBinaryIsRaw(t *testing.T) {
	c := NewCodec("key")
	for _, h := range headers() {
		b, err := c.Seal(h, Meta{Type: TypeBinary}, []byte("raw"), noise())
		require.NoError(t, err)
		assert.True(t, bytes.HasSuffix(b, []byte("raw")))
		b, err = c.Seal(h, Meta{Type: TypeBinary}, nil, noise())
		require.NoError(t, err)
		got, err := c.Open(b)
		require.NoError(t, err)
		assert.Empty(t, got.Value)
	}
}

// Metadata and value get a salt each, and nothing else depends on chance.
func TestSealSalts(t *testing.T) {
	c := NewCodec("key")
	h := Header{Serializer: Fressian, Encryptor: AES}
	b, err := c.Seal(h, Meta{Type: TypeEDN}, []byte("v"), noise())
	require.NoError(t, err)
	want := make([]byte, 2*saltSize)
	_, _ = noise().Read(want)
	parsed, err := ParseHeader(b)
	require.NoError(t, err)
	assert.Equal(t, want[:saltSize], b[MinSize:][:saltSize])
	assert.Equal(t, want[saltSize:], b[parsed.ValueAt():][:saltSize])
}

func TestSealErrors(t *testing.T) {
	aes := Header{Serializer: Fressian, Encryptor: AES}
	m := Meta{Key: branches, Type: TypeEDN}
	for _, h := range []Header{
		{Serializer: EDN}, {Serializer: BoringCBOR}, {Serializer: 9},
		{Serializer: Fressian, Compressor: 3}, {Serializer: Fressian, Encryptor: 2},
	} {
		_, err := NewCodec("k").Seal(h, m, []byte("v"), noise())
		assert.ErrorIs(t, err, ErrUnsupported, "%+v", h)
	}
	_, err := NewCodec("k").Seal(aes, Meta{}, nil, noise())
	assert.ErrorIs(t, err, ErrUnsupported)
	_, err = NewCodec("").Seal(aes, m, []byte("v"), noise())
	assert.ErrorIs(t, err, ErrNoKey)
	broken := errors.New("broken")
	_, err = NewCodec("k").Seal(aes, m, []byte("v"), iotest.ErrReader(broken))
	assert.ErrorIs(t, err, broken)
	_, err = NewCodec("k").Seal(aes, m, []byte("v"), bytes.NewReader(make([]byte, 2*saltSize-1)))
	assert.Error(t, err)
}
