package fressian

import (
	"bytes"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// unhex decodes hex digits in which blanks and 'quoted' text may stand.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	var out []byte
	for i, part := range strings.Split(s, "'") {
		if i%2 == 1 {
			out = append(out, part...)
			continue
		}
		b, err := hex.DecodeString(strings.Join(strings.Fields(part), ""))
		require.NoError(t, err)
		out = append(out, b...)
	}
	return out
}

// samples returns the files of a testdata folder by name: whole values as
// Datahike, konserve and Datomic wrote them.
func samples(t testing.TB, folder string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.fress"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	out := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		out[filepath.Base(f)] = b
	}
	return out
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	w := NewWriter()
	require.NoError(t, w.Write(v))
	return bytes.Clone(w.Bytes())
}

// readAll reads every value of b, and passes every value of b, and requires
// that both stop at the same places with the same error.
func readAll(t testing.TB, b []byte) (vs []any, err error) {
	t.Helper()
	reader, skipper := NewReader(b), NewReader(b)
	for {
		v, err := reader.Read()
		serr := skipper.Skip()
		require.Equal(t, serr, err)
		if err == io.EOF {
			return vs, nil
		}
		if err != nil {
			return vs, err
		}
		require.Equal(t, skipper.Offset(), reader.Offset())
		vs = append(vs, v)
	}
}
