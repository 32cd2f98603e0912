package konserve

import (
	"fmt"
	"io"
	"math"
)

// Seal is the inverse of [Codec.Open]: it returns the blob of the serialized
// value, or of the raw bytes of a binary. Of h it takes the three ids; the
// header is always the 20-byte form. The salt of encryption comes from rand,
// which is not read otherwise. Errors match [ErrUnsupported] or [ErrNoKey], or
// are those of rand.
func (c *Codec) Seal(h Header, m Meta, value []byte, rand io.Reader) ([]byte, error) {
	if err := h.readable(); err != nil {
		return nil, err
	}
	plain, err := m.encode()
	if err != nil {
		return nil, err
	}
	meta, err := c.wrap(h, plain, rand)
	if err != nil {
		return nil, err
	}
	if len(meta) > math.MaxUint32 {
		return nil, fmt.Errorf("%w: metadata of %d bytes", ErrUnsupported, len(meta))
	}
	if m.Type != TypeBinary {
		if value, err = c.wrap(h, value, rand); err != nil {
			return nil, err
		}
	}
	b := make([]byte, 0, MinSize+len(meta)+len(value))
	b = append(h.append(b, uint32(len(meta))), meta...) //nolint:gosec // checked above
	return append(b, value...), nil
}

// wrap compresses and encrypts one part of a blob.
func (c *Codec) wrap(h Header, plain []byte, rand io.Reader) ([]byte, error) {
	part, err := c.compress(h.Compressor, plain)
	if err != nil || h.Encryptor == Unencrypted {
		return part, err
	}
	return c.encrypt(part, rand)
}
