package datomchunks

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"
	"testing/iotest"

	"github.com/rclone/rclone/fs/fserrors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// TestChecked: the bytes that a digest is of pass, whatever the steps; others do
// not, and their end is kept back.
func TestChecked(t *testing.T) {
	data := bytes.Repeat([]byte("segment "), 1000)
	sum := sha256.Sum256(data)
	other := bytes.Clone(data)
	other[10] ^= 1
	for name, tt := range map[string]struct {
		in  []byte
		sum string
		ok  bool
	}{
		"the same":    {data, hex.EncodeToString(sum[:]), true},
		"no digest":   {other, "", true},
		"a byte":      {other, hex.EncodeToString(sum[:]), false},
		"shorter":     {data[:len(data)-1], hex.EncodeToString(sum[:]), false},
		"nothing":     {nil, "", false},
		"longer":      {append(bytes.Clone(data), 0), hex.EncodeToString(sum[:]), false},
		"longer, any": {append(bytes.Clone(data), 0), "", false},
	} {
		for step, reader := range map[string]func(io.Reader) io.Reader{
			"all": func(r io.Reader) io.Reader { return r }, "one": iotest.OneByteReader, "half": iotest.HalfReader, "data with EOF": iotest.DataErrReader,
		} {
			o := &Object{path: "point/store/x", size: int64(len(data)), sum: tt.sum}
			got, err := io.ReadAll(o.check(io.NopCloser(reader(bytes.NewReader(tt.in)))))
			if tt.ok {
				require.NoError(t, err, "%s, %s", name, step)
				assert.Equal(t, tt.in, got)
				continue
			}
			require.ErrorIs(t, err, graph.ErrCorrupt, "%s, %s", name, step)
			assert.True(t, fserrors.IsNoLowLevelRetryError(err))
			if name == "a byte" {
				assert.Less(t, len(got), len(data), step)
			}
		}
	}
}

// TestCheckedError: what the remote says is passed on as it is.
func TestCheckedError(t *testing.T) {
	o := &Object{path: "point/store/x", size: 10}
	_, err := io.ReadAll(o.check(io.NopCloser(iotest.ErrReader(assert.AnError))))
	assert.Equal(t, assert.AnError, err)
}
