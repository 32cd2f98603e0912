package hasch

import (
	"bytes"
	"errors"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOfBytes(t *testing.T) {
	for _, n := range []int{0, 1, 2, 1023, 1024, 1025, 100_000} {
		b := bytes.Repeat([]byte{3}, n)
		want, err := UUID(b)
		require.NoError(t, err)
		got, size, err := OfBytes(iotest.HalfReader(bytes.NewReader(b)))
		require.NoError(t, err)
		assert.Equal(t, want, got, n)
		assert.EqualValues(t, n, size)
		fault := errors.New("fault")
		_, _, err = OfBytes(&failing{b, fault})
		require.ErrorIs(t, err, fault)
	}
}

// failing fails where it should end.
type failing struct {
	left []byte
	err  error
}

func (f *failing) Read(p []byte) (int, error) {
	if len(f.left) == 0 {
		return 0, f.err
	}
	n := copy(p, f.left)
	f.left = f.left[n:]
	return n, nil
}
