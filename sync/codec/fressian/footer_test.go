package fressian

import (
	"encoding/binary"
	"hash/adler32"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The first value is Datomic's, with the checksum that it wrote.
func TestFooter(t *testing.T) {
	b := samples(t, "other")["datomic-index-root-node.fress"]
	require.NoError(t, Scan(b))
	for i := len(b) - footerSize; i < len(b); i++ {
		bad := append([]byte(nil), b...)
		bad[i] ^= 1
		require.ErrorIs(t, Scan(bad), ErrMalformed, "byte %d", i)
		if i > len(b)-footerSize {
			require.ErrorIs(t, Scan(b[:i]), ErrMalformed, "cut to %d", i)
		}
	}
}

func TestFooters(t *testing.T) {
	w := NewWriter()
	for _, name := range []string{"a", "b"} {
		require.NoError(t, w.Write(Keyword{name, name}))
		w.WriteFooter()
	}
	require.NoError(t, w.Write(Keyword{"c", "c"}))
	b := w.Bytes()
	assert.Equal(t, unhex(t, "ca cd db 'a' 80"), b[:5])
	assert.Equal(t, adler32.Checksum(b[:5+8]), binary.BigEndian.Uint32(b[5+8:]))
	vs, err := readAll(t, b)
	require.NoError(t, err)
	assert.Equal(t, []any{Keyword{"a", "a"}, Keyword{"b", "b"}, Keyword{"c", "c"}}, vs)
	require.ErrorIs(t, Scan(b), ErrMalformed)
	require.NoError(t, Scan(b[:5+footerSize]))

	r := NewReader(b[:5+footerSize])
	require.NoError(t, r.Skip())
	assert.Equal(t, footerSize, r.Len())
	require.Equal(t, io.EOF, r.Skip())
	assert.Zero(t, r.Len())
}
