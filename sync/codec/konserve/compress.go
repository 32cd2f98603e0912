package konserve

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// lz4Magic begins a frame. The library reads the legacy format as well, which
// konserve does not.
const lz4Magic = "\x04\x22\x4d\x18"

// minWindow is the window size that decoders of zstd are asked to support.
const minWindow = 8 << 20

func (c *Codec) decompress(how Compressor, b []byte) ([]byte, error) {
	switch how {
	case LZ4:
		return c.decodeLZ4(b)
	case Zstd:
		return c.decodeZstd(b)
	}
	return b, nil
}

func (c *Codec) decodeLZ4(b []byte) ([]byte, error) {
	if !bytes.HasPrefix(b, []byte(lz4Magic)) {
		return nil, fmt.Errorf("%w: no lz4 frame", ErrMalformed)
	}
	r, ok := c.lz4.Get().(*lz4.Reader)
	if !ok {
		r = lz4.NewReader(nil)
	}
	r.Reset(bytes.NewReader(b))
	// The usual ratio is 2 to 3; the cap keeps a large blob from paying for
	// a guess.
	out := bytes.NewBuffer(make([]byte, 0, len(b)+min(2*len(b), 1<<20)+bytes.MinRead))
	_, err := out.ReadFrom(io.LimitReader(r, int64(c.MaxPlain)+1))
	r.Reset(nil) // also gives back the buffers after an error
	c.lz4.Put(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return c.bounded(out.Bytes())
}

func (c *Codec) decodeZstd(b []byte) ([]byte, error) {
	d, err := c.unzstd()
	if err != nil {
		return nil, fmt.Errorf("konserve: zstd: %w", err)
	}
	plain, err := d.DecodeAll(b, nil)
	switch {
	case err == nil:
		return c.bounded(plain)
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, c.tooLarge()
	}
	return nil, fmt.Errorf("%w: zstd: %w", ErrMalformed, err)
}

// zstdMemory is the decoder's limit. It covers the window that a frame
// declares, which is 2 MiB and more however small the content.
func (c *Codec) zstdMemory() uint64 { return uint64(max(c.MaxPlain, minWindow)) }

// bounded refuses more than MaxPlain bytes.
func (c *Codec) bounded(plain []byte) ([]byte, error) {
	if len(plain) > c.MaxPlain {
		return nil, c.tooLarge()
	}
	return plain, nil
}

func (c *Codec) tooLarge() error {
	return fmt.Errorf("%w: more than %d bytes when decompressed", ErrTooLarge, c.MaxPlain)
}

// compress writes frames with checksums, which konserve leaves out, and checks
// where they are.
func (c *Codec) compress(how Compressor, b []byte) ([]byte, error) {
	switch how {
	case LZ4:
		var out bytes.Buffer
		w := lz4.NewWriter(&out)
		_, err := w.Write(b)
		if err = errors.Join(err, w.Close()); err != nil {
			return nil, fmt.Errorf("konserve: lz4: %w", err)
		}
		return out.Bytes(), nil
	case Zstd:
		e, err := c.zstd()
		if err != nil {
			return nil, fmt.Errorf("konserve: zstd: %w", err)
		}
		return e.EncodeAll(b, nil), nil
	}
	return b, nil
}
