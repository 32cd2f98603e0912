package konserve

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// What opens can be sealed again, and sealing is stable from then on. A key of
// a type that is only read is not written.
func FuzzOpen(f *testing.F) {
	for _, g := range goldens {
		b := read(f, g.file)
		f.Add(b)
		f.Add(append(b[:shortSize:shortSize], b[MinSize:]...))
		f.Add(b[:len(b)-1])
	}
	c := NewCodec(goldenKey)
	c.MaxPlain = 1 << 20
	f.Fuzz(func(t *testing.T, b []byte) {
		first, err := c.Open(b)
		if err != nil {
			require.Equal(t, Blob{}, first)
			return
		}
		sealed, err := c.Seal(first.Header, first.Meta, first.Value, noise())
		if err != nil {
			require.ErrorIs(t, err, ErrUnsupported)
			return
		}
		second, err := c.Open(sealed)
		require.NoError(t, err)
		require.Equal(t, first.Value, second.Value)
		again, err := c.Seal(second.Header, second.Meta, second.Value, noise())
		require.NoError(t, err)
		require.Equal(t, sealed, again)
	})
}

// Nothing comes out that is larger than the limit, and every refusal is one of
// the two that damage explains.
func FuzzDecompress(f *testing.F) {
	c := NewCodec("")
	for i, how := range packed {
		for _, plain := range []string{"x", "some text, some text, some text", string(make([]byte, 5000))} {
			frame, err := c.compress(how, []byte(plain))
			require.NoError(f, err)
			f.Add(byte(i), frame)
		}
	}
	c = NewCodec("")
	c.MaxPlain = 1 << 12
	f.Fuzz(func(t *testing.T, how byte, frame []byte) {
		plain, err := c.decompress(packed[how%2], frame)
		if err != nil {
			require.True(t, isDamage(err), "%v", err)
			require.Nil(t, plain)
			return
		}
		require.LessOrEqual(t, len(plain), c.MaxPlain)
		again, err := c.compress(packed[how%2], plain)
		require.NoError(t, err)
		back, err := c.decompress(packed[how%2], again)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plain, back))
	})
}
