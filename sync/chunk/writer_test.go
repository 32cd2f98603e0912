package chunk

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// TestRoundTrip compares a chunk with what archive/zip, and then we, read of it.
func TestRoundTrip(t *testing.T) {
	for _, compress := range []bool{false, true} {
		t.Run(fmt.Sprint(compress), func(t *testing.T) {
			samples := mixed()
			data, info, entries := write(t, "b/7", compress, samples)
			assert.Equal(t, Info{"b/7", int64(len(data)), sha256.Sum256(data), int64(len(samples)), info.Directory}, info)
			assert.Equal(t, compress, entries[0].At.Stored < entries[0].Size)
			assert.Equal(t, entries[1].Size, entries[1].At.Stored, "noise is not compressed")

			z, err := zip.NewReader(bytes.NewReader(data), info.Size)
			require.NoError(t, err)
			z.RegisterDecompressor(methodZstd, zstd.ZipDecompressor())
			require.Len(t, z.File, len(samples))
			for i, h := range z.File {
				in, err := h.Open()
				require.NoError(t, err)
				got, err := io.ReadAll(in) // and compares the CRC
				require.NoError(t, err)
				assert.Equal(t, string(samples[i].data), string(got))
				assert.Equal(t, samples[i].name, h.Name)
				offset, err := h.DataOffset()
				require.NoError(t, err)
				assert.Equal(t, graph.Location{Chunk: "b/7", Offset: offset, Stored: int64(h.CompressedSize64)}, entries[i].At)
				assert.Zero(t, h.ModifiedDate|h.ModifiedTime)
			}

			f := remote(t)
			put(t, f, "db/b/chunks/segments-000007.zip", data)
			got, err := ReadDirectory(context.Background(), f, "db", info, parse)
			require.NoError(t, err)
			assert.Equal(t, append(entries[:3:3], entries[4:]...), got, "all but the root")
			assert.Equal(t, 2, f.Count(nil), f.Report())
		})
	}
}

func TestWriterIsDeterministic(t *testing.T) {
	for _, compress := range []bool{false, true} {
		a, _, _ := write(t, "b/0", compress, mixed())
		b, _, _ := write(t, "b/0", compress, mixed())
		assert.Equal(t, a, b)
	}
}

func TestStream(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, "b/0", true)
	data := bytes.Repeat([]byte("value "), 50_000)
	unknown := graph.Entry{Ref: graph.Ref{ID: "v", Level: graph.Value}, Size: -1}
	v, err := w.AddStream("values/v", unknown, iotest.OneByteReader(bytes.NewReader(data)))
	require.NoError(t, err)
	assert.Equal(t, graph.Entry{
		Ref: unknown.Ref, Size: int64(len(data)), SHA256: sha256.Sum256(data),
		At: graph.Location{Chunk: "b/0", Offset: localSize + 8, Stored: int64(len(data))},
	}, v)
	known := segment("known", graph.Value, []byte("x"))
	k, err := w.AddStream(known.name, known.e, bytes.NewReader(known.data))
	require.NoError(t, err)
	after := segment("after", graph.Leaf, []byte("a leaf behind descriptors"))
	a, err := w.Add(after.name, after.e, after.data)
	require.NoError(t, err)
	info, err := w.Close()
	require.NoError(t, err)

	f := remote(t)
	put(t, f, chunkPath, out.Bytes())
	got, err := ReadDirectory(context.Background(), f, "db", info, func(name string) (graph.ID, bool, error) {
		return graph.ID(name[strings.LastIndex(name, "/")+1:]), true, nil
	})
	require.NoError(t, err)
	assert.Equal(t, []graph.Entry{v, k, a}, got)
	for _, e := range got {
		stored := out.Bytes()[e.At.Offset : e.At.Offset+e.At.Stored]
		assert.Equal(t, e.SHA256, sha256.Sum256(stored), e.ID)
	}
	unzip(t, out.Bytes(), "-t")
}

// TestRefused: what is refused ends the chunk.
func TestRefused(t *testing.T) {
	good := segment("a", graph.Leaf, []byte("data"))
	undigested, short := good.e, good.e
	undigested.SHA256 = [32]byte{}
	short.Size = 3
	add := func(name string, e graph.Entry) func(*Writer) error {
		return func(w *Writer) error { _, err := w.Add(name, e, good.data); return err }
	}
	stream := func(e graph.Entry, r io.Reader) func(*Writer) error {
		return func(w *Writer) error { _, err := w.AddStream("store/v", e, r); return err }
	}
	other := good.e
	other.SHA256[0]++
	tests := map[string]struct {
		do  func(*Writer) error
		err string
	}{
		"no digest":    {add("store/a", undigested), "must be known"},
		"another size": {add("store/a", short), "must be known"},
		"absolute":     {add("/store/a", good.e), "cannot be a name"},
		"upwards":      {add("store/../a", good.e), "cannot be a name"},
		"a folder":     {add("store/", good.e), "cannot be a name"},
		"umlaut":       {add("store/ä", good.e), "cannot be a name"},
		"short value":  {stream(good.e, strings.NewReader("dat")), "not those expected"},
		"long value":   {stream(short, strings.NewReader("data")), "not those expected"},
		"other value":  {stream(other, strings.NewReader("data")), "not those expected"},
		"torn value":   {stream(good.e, iotest.ErrReader(errors.New("torn"))), "torn"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := NewWriter(io.Discard, "b/0", false)
			require.NoError(t, add("store/first", good.e)(w))
			err := test.do(w)
			require.ErrorContains(t, err, test.err)
			assert.ErrorContains(t, err, "chunk b/0 at offset 45:")
			assert.Equal(t, err, add("store/b", good.e)(w))
			_, again := w.Close()
			assert.Equal(t, err, again)
		})
	}
	w := NewWriter(io.Discard, "../0", false)
	assert.ErrorIs(t, add("store/a", good.e)(w), graph.ErrCorrupt)
}

func TestWriterPassesErrorsOn(t *testing.T) {
	full := errors.New("full")
	w := NewWriter(iotestWriter{full}, "b/0", false)
	s := segment("a", graph.Leaf, noise(0, 1<<16))
	_, err := w.Add(s.name, s.e, s.data)
	require.ErrorIs(t, err, full)
	w = NewWriter(iotestWriter{full}, "b/0", false)
	_, err = w.Close()
	require.ErrorIs(t, err, full)
}

type iotestWriter struct{ err error }

func (w iotestWriter) Write([]byte) (int, error) { return 0, w.err }

// TestManyEntries: from 65,535 entries on, a ZIP file needs what came with ZIP64.
func TestManyEntries(t *testing.T) {
	for _, n := range []int{65_534, 65_535} {
		data, info, entries := write(t, "b/0", false, leaves(n, 8))
		f := remote(t)
		put(t, f, chunkPath, data)
		got, err := ReadDirectory(context.Background(), f, "db", info, parse)
		require.NoError(t, err)
		require.True(t, slices.Equal(entries, got))
		listed := unzip(t, data, "-l")
		assert.Contains(t, listed, fmt.Sprintf("%d files", n))
	}
}

func TestUnzip(t *testing.T) {
	data, _, _ := write(t, "b/0", false, mixed())
	tested := unzip(t, data, "-t")
	assert.Contains(t, tested, "No errors detected")
	for _, s := range mixed() {
		assert.Contains(t, tested, s.name)
	}
}

// unzip runs Info-ZIP's unzip on a chunk.
func unzip(t *testing.T, data []byte, option string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), Name(0))
	require.NoError(t, os.WriteFile(name, data, 0o600))
	program, err := exec.LookPath("unzip")
	if err != nil && os.Getenv("DATOM_REQUIRE_SERVERS") == "" {
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
	require.NoError(t, err)
	out, err := exec.Command(program, option, name).CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

func BenchmarkWriter(b *testing.B) {
	samples := leaves(1000, 4096)
	for i := range samples {
		if i%2 == 0 { // half of the bytes can be compressed
			samples[i] = segment(string(samples[i].e.ID), graph.Leaf, bytes.Repeat(samples[i].data[:64], 64))
		}
	}
	for _, compress := range []bool{false, true} {
		b.Run(fmt.Sprintf("compress=%v", compress), func(b *testing.B) {
			b.SetBytes(1000 * 4096)
			b.ReportAllocs()
			for b.Loop() {
				w := NewWriter(io.Discard, "b/0", compress)
				for _, s := range samples {
					if _, err := w.Add(s.name, s.e, s.data); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
