package konserve

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var sentinels = []error{ErrMalformed, ErrUnsupported, ErrNoKey, ErrKey, ErrTooLarge, ErrWrongName}

// Each fault matches its sentinel and no other, and says where it is.
func TestErrorsTellFaultsApart(t *testing.T) {
	meta, err := Meta{Key: branches, Type: TypeEDN}.encode()
	require.NoError(t, err)
	lz4Meta, err := NewCodec("").compress(LZ4, meta)
	require.NoError(t, err)
	value := []byte("v")
	valueAt := func(n int) string { return fmt.Sprintf("value at offset %d", MinSize+n) }
	c := NewCodec("")
	c.MaxPlain = len(meta)
	large, err := c.compress(LZ4, make([]byte, len(meta)+1))
	require.NoError(t, err)
	for _, test := range []struct {
		name string
		blob []byte
		want error
		text string
	}{
		{"short", []byte{1, 1}, ErrMalformed, "2 bytes"},
		{"no metadata", blob(Uncompressed, Unencrypted, nil, value), ErrMalformed, "no metadata"},
		{"broken metadata", blob(Uncompressed, Unencrypted, meta[:9], value), ErrMalformed, "metadata at offset 20"},
		{"plain metadata said to be packed", blob(LZ4, Unencrypted, meta, value), ErrMalformed, "metadata at offset 20"},
		{"no zstd frame", blob(Zstd, Unencrypted, meta, value), ErrMalformed, "metadata at offset 20"},
		{"no value", blob(Uncompressed, Unencrypted, meta, nil), ErrMalformed, valueAt(len(meta))},
		{"broken value", blob(LZ4, Unencrypted, lz4Meta, value), ErrMalformed, valueAt(len(lz4Meta))},
		{"large value", blob(LZ4, Unencrypted, lz4Meta, large), ErrTooLarge, valueAt(len(lz4Meta))},
		{"encrypted", blob(Uncompressed, AES, meta, value), ErrNoKey, "metadata at offset 20"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := c.Open(test.blob)
			assert.Equal(t, Blob{}, got)
			assert.ErrorContains(t, err, test.text)
			for _, s := range sentinels {
				assert.Equal(t, s == test.want, errors.Is(err, s), "%v is %v", err, s)
			}
		})
	}
}

// What goes wrong after decryption may be the fault of the key, unless it is
// the limit that was met.
func TestErrorsAfterDecryption(t *testing.T) {
	c := NewCodec("k")
	seal := func(how Compressor, plain []byte) []byte {
		part, err := c.wrap(Header{Compressor: how, Encryptor: AES}, plain, noise())
		require.NoError(t, err)
		return part
	}
	good, err := Meta{Key: branches, Type: TypeEDN}.encode()
	require.NoError(t, err)
	for _, test := range []struct {
		name      string
		blob      []byte
		malformed bool
	}{
		{"metadata are nothing", blob(Uncompressed, AES, seal(Uncompressed, []byte("?")), nil), true},
		{"metadata are not packed", blob(Zstd, AES, seal(Uncompressed, good), nil), true},
		{"value is empty", blob(Uncompressed, AES, seal(Uncompressed, good), seal(Uncompressed, nil)), true},
		{"value is not packed", blob(LZ4, AES, seal(LZ4, good), seal(Uncompressed, good)), true},
		{"value is cut", blob(LZ4, AES, seal(LZ4, good), seal(LZ4, good)[:saltSize+16]), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := c.Open(test.blob)
			assert.ErrorIs(t, err, ErrKey)
			if test.malformed {
				assert.ErrorIs(t, err, ErrMalformed)
			}
		})
	}
	c.MaxPlain = 1000
	_, err = c.Open(blob(Zstd, AES, seal(Zstd, good), seal(Zstd, make([]byte, 5000))))
	assert.ErrorIs(t, err, ErrTooLarge)
	assert.NotErrorIs(t, err, ErrKey)
}
