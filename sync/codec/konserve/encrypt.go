package konserve

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"io"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
)

const (
	saltSize = 64
	keySize  = 32
)

// decrypt undoes [Codec.encrypt] into new memory.
func (c *Codec) decrypt(part []byte) ([]byte, error) {
	if c.key == "" {
		return nil, ErrNoKey
	}
	n := len(part) - saltSize
	if n < aes.BlockSize || n%aes.BlockSize != 0 {
		return nil, fmt.Errorf("%w: %d bytes are no salt and blocks", ErrMalformed, len(part))
	}
	block, iv, err := c.cipher(part[:saltSize])
	if err != nil {
		return nil, err
	}
	plain := make([]byte, n)
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, part[saltSize:])
	pad := int(plain[n-1])
	if pad < 1 || pad > aes.BlockSize || !bytes.Equal(plain[n-pad:], padding(pad)) {
		return nil, ErrKey
	}
	return plain[:n-pad], nil
}

// encrypt returns 64 bytes of salt read from rand, and plain, padded and
// encrypted.
func (c *Codec) encrypt(plain []byte, rand io.Reader) ([]byte, error) {
	if c.key == "" {
		return nil, ErrNoKey
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	part := make([]byte, saltSize, saltSize+len(plain)+pad)
	if _, err := io.ReadFull(rand, part); err != nil {
		return nil, fmt.Errorf("konserve: salt: %w", err)
	}
	block, iv, err := c.cipher(part)
	if err != nil {
		return nil, err
	}
	part = append(append(part, plain...), padding(pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(part[saltSize:], part[saltSize:])
	return part, nil
}

// padding returns n bytes of value n, as PKCS #7 has it.
func padding(n int) []byte { return bytes.Repeat([]byte{byte(n)}, n) } //nolint:gosec // at most a block

// cipher derives key and initial vector from the configured key. To hasch, the
// salt is the list of signed bytes that it is in Clojure.
func (c *Codec) cipher(salt []byte) (cipher.Block, []byte, error) {
	list := make(fressian.Seq, len(salt))
	for i, b := range salt {
		list[i] = int64(int8(b)) //nolint:gosec // Java bytes have a sign
	}
	key, err := hasch.Sum(fressian.Vector{"key", list, c.key})
	if err != nil {
		return nil, nil, err
	}
	iv, err := hasch.Sum(fressian.Vector{"initial-value", list, c.key})
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(key[:keySize])
	return block, iv[:aes.BlockSize], err
}
