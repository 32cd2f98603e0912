package konserve

import (
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// DefaultMaxPlain is the limit of a new codec, in bytes.
const DefaultMaxPlain = 256 << 20

// Codec opens and seals blobs. It may be used by many goroutines at a time.
type Codec struct {
	// MaxPlain limits the size in bytes of a decompressed part, above 0. It
	// is not to be changed after the first use.
	MaxPlain int

	key    string
	lz4    sync.Pool // of *lz4.Reader
	unzstd func() (*zstd.Decoder, error)
	zstd   func() (*zstd.Encoder, error)
}

// NewCodec returns a codec with the key that the database's configuration
// gives as a string; "" is no key.
func NewCodec(key string) *Codec {
	c := &Codec{MaxPlain: DefaultMaxPlain, key: key}
	c.unzstd = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(c.zstdMemory()))
	})
	c.zstd = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(0))
	})
	return c
}

// Blob is an opened blob.
type Blob struct {
	Header
	Meta Meta

	// Value is the serialized value, or the raw bytes of a binary. A binary,
	// and any value of a blob that is neither compressed nor encrypted, shares
	// the memory of the blob.
	Value []byte
}

// Open decodes header and metadata of the blob b, and decrypts and
// decompresses the value. The value is not decoded: damage inside it may go
// unnoticed. Errors match the sentinels of this package.
func (c *Codec) Open(b []byte) (Blob, error) {
	h, m, err := c.openMeta(b)
	if err != nil {
		return Blob{}, err
	}
	value := b[h.ValueAt():]
	if m.Type != TypeBinary {
		if value, err = c.unwrap(h, value); err != nil {
			return Blob{}, fmt.Errorf("%w (value at offset %d)", err, h.ValueAt())
		}
	}
	return Blob{Header: h, Meta: m, Value: value}, nil
}

// OpenMeta is Open for the metadata alone; b may end where they end.
func (c *Codec) OpenMeta(b []byte) (Meta, error) {
	_, m, err := c.openMeta(b)
	return m, err
}

func (c *Codec) openMeta(b []byte) (Header, Meta, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return Header{}, Meta{}, err
	}
	if err := h.readable(); err != nil {
		return Header{}, Meta{}, err
	}
	var m Meta
	plain, err := c.unwrap(h, b[h.Size:h.ValueAt()])
	if err == nil {
		m, err = decodeMeta(plain)
		err = h.blameKey(err)
	}
	if err != nil {
		return Header{}, Meta{}, fmt.Errorf("%w (metadata at offset %d)", err, h.Size)
	}
	return h, m, nil
}

// unwrap undoes encryption and compression of one part of a blob.
func (c *Codec) unwrap(h Header, part []byte) ([]byte, error) {
	if h.Encryptor == AES {
		var err error
		if part, err = c.decrypt(part); err != nil {
			return nil, err
		}
	}
	plain, err := c.decompress(h.Compressor, part)
	if err == nil && len(plain) == 0 {
		err = fmt.Errorf("%w: nothing there", ErrMalformed)
	}
	return plain, h.blameKey(err)
}

// blameKey adds ErrKey to the error that decrypted bytes are malformed: a
// wrong key passes the check of the padding once in 256 times.
func (h Header) blameKey(err error) error {
	if h.Encryptor == Unencrypted || !errors.Is(err, ErrMalformed) || errors.Is(err, ErrKey) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrKey, err)
}
