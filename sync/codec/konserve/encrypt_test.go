package konserve

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// encryptRaw encrypts blocks that have any end.
func encryptRaw(t *testing.T, c *Codec, blocks []byte) []byte {
	t.Helper()
	salt := make([]byte, saltSize)
	block, iv, err := c.cipher(salt)
	require.NoError(t, err)
	out := make([]byte, len(blocks))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, blocks)
	return append(salt, out...)
}

func TestDecryptChecksPadding(t *testing.T) {
	c := NewCodec("k")
	for last, want := range map[string]string{
		"\x01": "", "x\x02\x02": "", "\x00": "bad", "\x01\x02": "bad", "\x11": "bad", "\xff": "bad",
		"\x03\x02\x03": "bad", string(padding(16)): "", "\x0f" + string(padding(16)[1:]): "bad",
	} {
		blocks := append(make([]byte, 32-len(last)), last...)
		plain, err := c.decrypt(encryptRaw(t, c, blocks))
		if want == "bad" {
			assert.ErrorIs(t, err, ErrKey, "%q", last)
			continue
		}
		require.NoError(t, err, "%q", last)
		assert.Equal(t, blocks[:32-int(last[len(last)-1])], plain)
	}
}

func TestDecryptNeedsWholeBlocks(t *testing.T) {
	c := NewCodec("k")
	part, err := c.encrypt([]byte("0123456789abcdef"), noise())
	require.NoError(t, err)
	require.Len(t, part, saltSize+2*aes.BlockSize)
	for n := range part {
		_, err := c.decrypt(part[:n])
		if n == saltSize+aes.BlockSize {
			assert.ErrorIs(t, err, ErrKey, "the padding is gone")
		} else {
			assert.ErrorIs(t, err, ErrMalformed, "%d bytes", n)
		}
	}
}

func TestDecryptLeavesInput(t *testing.T) {
	c := NewCodec("k")
	part, err := c.encrypt([]byte("plain"), noise())
	require.NoError(t, err)
	before := bytes.Clone(part)
	plain, err := c.decrypt(part)
	require.NoError(t, err)
	assert.Equal(t, "plain", string(plain))
	assert.Equal(t, before, part)
}

// Key and salt both matter.
func TestCipherDependsOnKeyAndSalt(t *testing.T) {
	salt := make([]byte, saltSize)
	seen := map[string]bool{}
	for _, c := range []*Codec{NewCodec("a"), NewCodec("b")} {
		for _, last := range []byte{0, 1, 0x7f, 0x80, 0xff} {
			salt[saltSize-1] = last
			block, iv, err := c.cipher(salt)
			require.NoError(t, err)
			out := make([]byte, aes.BlockSize)
			block.Encrypt(out, make([]byte, aes.BlockSize))
			for _, b := range [][]byte{iv, out} {
				require.Len(t, b, aes.BlockSize)
				assert.False(t, seen[string(b)])
				seen[string(b)] = true
			}
		}
	}
}
