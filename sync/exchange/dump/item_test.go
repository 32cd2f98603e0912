package dump

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// TestFloatsKeepBits: a signalling NaN becomes no other by being read.
func TestFloatsKeepBits(t *testing.T) {
	v, err := newItems(nil).value(code(t, "fa7f800001"))
	require.NoError(t, err)
	assert.Equal(t, uint32(0x7f800001), math.Float32bits(v.(float32)))
	v, err = newItems(nil).value(code(t, "fb7ff0000000000001"))
	require.NoError(t, err)
	assert.Equal(t, uint64(0x7ff0000000000001), math.Float64bits(v.(float64)))
}

// TestHostile: what a record promises takes no memory, and what it has takes
// some times its size.
func TestHostile(t *testing.T) {
	many := append(code(t, "9a00100000"), bytes.Repeat([]byte{0x81, 1}, maxItems)...)
	nested := append(bytes.Repeat([]byte{0x81}, 50), append(code(t, "590800"), make([]byte, 2048)...)...)
	for name, c := range map[string]struct {
		in  io.Reader
		max int64
	}{
		"a text without end": {io.MultiReader(bytes.NewReader(code(t, "7b00000fffffffffff")), endless{}), 1 << 16},
		"arrays of arrays":   {bytes.NewReader(many), maxRecord},
		"a record of arrays": {bytes.NewReader(append(code(t, "85"), bytes.Repeat(many, 5)...)), maxRecord},
		"nested copies":      {bytes.NewReader(nested), 4096},
	} {
		r := newItems(c.in)
		r.max = c.max
		err := r.next()
		if err == nil {
			_, err = r.value(r.raw)
		}
		require.ErrorIs(t, err, graph.ErrTooLarge, name)
		require.ErrorContains(t, err, "offset 0: ", name)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestDuplicateKeys: no map that Datahike writes has a key twice.
func TestDuplicateKeys(t *testing.T) {
	_, err := newItems(nil).value(code(t, "a201010102"))
	require.ErrorIs(t, err, graph.ErrCorrupt)
}

// TestLibraryLeniency: what the library would see through is no record, and no
// name.
func TestLibraryLeniency(t *testing.T) {
	const record = "85 01 d827623a61 01 1a20000001 f5"
	for digits, kind := range map[string]error{
		"c6" + record:                            graph.ErrCorrupt,
		"85 c241 01 d827623a61 01 1a20000001 f5": graph.ErrCorrupt,
		"85 01 d827d820623a61 01 1a20000001 f5":  graph.ErrCorrupt,
		"85 01 d827623a61 01 1a20000001 f7":      graph.ErrUnsupported,
		"85 f6 d827623a61 01 1a20000001 f5":      graph.ErrCorrupt,
	} {
		r, err := openChunk(Chunk{}, nil, false, bytes.NewReader(code(t, record+digits)))
		require.NoError(t, err)
		_, err = r.next()
		require.NoError(t, err)
		_, err = r.next()
		require.ErrorIs(t, err, kind, digits)
		require.ErrorContains(t, err, "offset 14: ", digits)
	}
}

// TestReadError: an error of the file is told as such, once what came before it
// has been read, and not in place of what is wrong with that.
func TestReadError(t *testing.T) {
	down := errors.New("down")
	const record = "85 01 d827623a61 01 1a20000001 f5"
	in := func(digits string) io.Reader {
		return io.MultiReader(iotest.OneByteReader(bytes.NewReader(code(t, digits))), iotest.ErrReader(down))
	}
	for _, half := range []string{"", strings.Fields(record)[0]} {
		r := newItems(in(record + half))
		require.NoError(t, r.next())
		require.ErrorIs(t, r.next(), down)
	}
	r := newItems(in(record + "1f"))
	require.NoError(t, r.next())
	err := r.next()
	require.ErrorIs(t, err, graph.ErrCorrupt)
	require.ErrorContains(t, err, "offset 14: ")
}
