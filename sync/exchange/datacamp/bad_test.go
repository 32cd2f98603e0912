package datacamp

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// packed makes the file of a chunk, and what a manifest says of it.
func packed(t testing.TB, id int64, m fressian.Map) ([]byte, Chunk) {
	t.Helper()
	w := fressian.NewWriter()
	require.NoError(t, w.Write(m))
	return zipped(t, id, w.Bytes())
}

func zipped(t testing.TB, id int64, raw []byte) ([]byte, Chunk) {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	_, err := zip.Write(raw)
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	sum := sha256.Sum256(b.Bytes())
	return b.Bytes(), Chunk{ID: id, Path: chunkPath(id), Size: int64(b.Len()), SHA256: hex.EncodeToString(sum[:])}
}

// chunkOf is a chunk's map with some of its entries changed.
func chunkOf(changed ...fressian.Entry) fressian.Map {
	m := fressian.Map{entry("format/type", keyword("datom-chunk")), entry("format/version", version), entry("format/serialization", keyword("fressian")),
		entry("chunk/id", int64(0)), entry("datoms", []any{[]any{int64(1), keyword("a/b"), "v", int64(536870913), true}})}
	for _, c := range changed {
		for i := range m {
			if m[i].Key == c.Key {
				m[i] = c
			}
		}
	}
	return m
}

// TestBadChunks: each is refused by name, with what is wrong and where.
func TestBadChunks(t *testing.T) {
	row := func(v ...any) fressian.Map { return chunkOf(entry("datoms", []any{v})) }
	good := func(c *Chunk) { c.Datoms, c.MinTx, c.MaxTx, c.MaxE = 1, 536870913, 536870913, 1 }
	for name, c := range map[string]struct {
		m     fressian.Map
		alter func(file []byte, c *Chunk) []byte
		match error
		say   string
	}{
		"sound":           {m: chunkOf()},
		"a vector":        {m: row(int64(1), keyword("a"), nil, int64(536870913), true)},
		"another id":      {m: chunkOf(entry("chunk/id", int64(7))), match: graph.ErrCorrupt, say: "id 7"},
		"another type":    {m: chunkOf(entry("format/type", keyword("transaction"))), match: graph.ErrCorrupt, say: "no chunk of datoms"},
		"another version": {m: chunkOf(entry("format/version", "2.0.0")), match: graph.ErrUnsupported, say: "2.0.0"},
		"no datoms":       {m: chunkOf()[:4], match: graph.ErrCorrupt, say: "no :datoms"},
		"datoms twice":    {m: append(chunkOf(), entry("datoms", []any{})), match: graph.ErrCorrupt, say: ":/datoms twice"},
		"datoms no list":  {m: chunkOf(entry("datoms", "none")), match: graph.ErrCorrupt, say: "want a list"},
		"four values":     {m: row(int64(1), keyword("a"), nil, int64(5)), match: graph.ErrCorrupt, say: "datom 0, at offset"},
		"entity no number": {
			m: row("1", keyword("a"), nil, int64(5), true), match: graph.ErrCorrupt, say: "datom 0, at offset",
		},
		"attribute no name": {m: row(int64(1), 1.5, nil, int64(5), true), match: graph.ErrCorrupt, say: "datom 0"},
		"count":             {m: chunkOf(), match: graph.ErrCorrupt, say: "1 datoms, and the manifest states 2", alter: func(f []byte, c *Chunk) []byte { c.Datoms = 2; return f }},
		"transactions":      {m: chunkOf(), match: graph.ErrCorrupt, say: "states 1 to 536870913", alter: func(f []byte, c *Chunk) []byte { c.MinTx = 1; return f }},
		"entity":            {m: chunkOf(), match: graph.ErrCorrupt, say: "largest entity is 1", alter: func(f []byte, c *Chunk) []byte { c.MaxE = 2; return f }},
		"truncated":         {m: chunkOf(), match: graph.ErrCorrupt, say: "bytes, and the manifest states", alter: func(f []byte, _ *Chunk) []byte { return f[:len(f)-3] }},
		"longer":            {m: chunkOf(), match: graph.ErrCorrupt, say: "or more", alter: func(f []byte, _ *Chunk) []byte { return append(f, 0) }},
		"a bit":             {m: chunkOf(), match: graph.ErrCorrupt, say: "SHA-256", alter: func(f []byte, _ *Chunk) []byte { f[30] ^= 1; return f }},
		"too large":         {m: chunkOf(), match: graph.ErrTooLarge, say: "more than", alter: func(f []byte, c *Chunk) []byte { c.Size = maxFile + 1; return f }},
	} {
		t.Run(name, func(t *testing.T) {
			file, chunk := packed(t, 0, c.m)
			good(&chunk)
			if c.alter != nil {
				file = c.alter(file, &chunk)
			}
			p := newPlace()
			p.files[chunk.Path] = file
			r := Reader{Open: p.open}
			err := r.Chunk(t.Context(), chunk, func(datom.Datom) error { return nil })
			if c.match == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, c.match)
			require.ErrorContains(t, err, "chunks/datoms-0.fressian.gz: ")
			require.ErrorContains(t, err, c.say)
		})
	}
}

// TestBadBytes: what has the checksum that the manifest states, and yet is none.
func TestBadBytes(t *testing.T) {
	w := fressian.NewWriter()
	require.NoError(t, w.Write(chunkOf()))
	bad := bytes.Clone(w.Bytes())
	at := bytes.Index(bad, []byte("\xdbv")) // the string "v"
	require.Positive(t, at)
	bad[at+1] = 0xff
	notGzip, truncated := []byte(strings.Repeat("no gzip ", 10)), func() []byte { f, _ := packed(t, 0, chunkOf()); return f[:len(f)-9] }()
	invalid, _ := zipped(t, 0, bad)
	bomb := bombOf(t, maxRaw+1)
	trailing, _ := zipped(t, 0, append(w.Bytes(), 0))
	endless, _ := zipped(t, 0, bytes.Repeat([]byte{0xed}, 10_000))
	for name, c := range map[string]struct {
		file  []byte
		match error
		say   string
	}{
		"no gzip": {notGzip, graph.ErrCorrupt, "offset 0"}, "cut": {truncated, graph.ErrCorrupt, "offset"}, "empty": {nil, graph.ErrCorrupt, "offset 0"},
		"no UTF-8": {invalid, graph.ErrCorrupt, fmt.Sprintf("offset %d: string byte 0xff", at+1)},
		"bomb":     {bomb, graph.ErrTooLarge, "makes too much"}, "more": {trailing, graph.ErrCorrupt, "1 bytes after the value"},
		"CBOR": {func() []byte { f, _ := zipped(t, 0, []byte{0xa1, 0x01, 0x02}); return f }(), graph.ErrUnsupported, "CBOR"},
		"deep": {endless, graph.ErrCorrupt, "nested"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace()
			sum := sha256.Sum256(c.file)
			p.files[chunkPath(0)] = c.file
			r := Reader{Open: p.open}
			err := r.Chunk(t.Context(), Chunk{Path: chunkPath(0), Size: int64(len(c.file)), SHA256: hex.EncodeToString(sum[:])}, func(datom.Datom) error {
				return assert.AnError
			})
			require.ErrorIs(t, err, c.match)
			require.ErrorContains(t, err, c.say)
		})
	}
}

// bombOf is a gzip file that makes so many zeros.
func bombOf(t *testing.T, size uint32) []byte {
	t.Helper()
	const part = 1 << 20
	var b bytes.Buffer
	zip, err := flate.NewWriter(&b, 9)
	require.NoError(t, err)
	_, err = zip.Write(make([]byte, part))
	require.NoError(t, err)
	require.NoError(t, zip.Flush())
	file := append(bytes.Clone(gzipHeader), bytes.Repeat(b.Bytes(), int(size/part)+1)...)
	return binary.LittleEndian.AppendUint64(file, uint64(size)<<32)
}

// TestBadManifests alters a real one.
func TestBadManifests(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(sampleDir, ManifestFile))
	require.NoError(t, err)
	for _, c := range []struct {
		old, now string
		match    error
		say      string
	}{
		{":chunks\n [", ":chunks\n [[] ", graph.ErrCorrupt, "chunk 0"},
		{":id 0,", ":id 1,", graph.ErrCorrupt, "chunk 0: its file is"},
		{":id 0,", ":id -1,", graph.ErrCorrupt, ":chunk/id"},
		{":datom-count 2079,\n          :size", ":size", graph.ErrCorrupt, ":chunk/datom-count"},
		{"chunks/datoms-0.fressian.gz", "../../secret", graph.ErrCorrupt, "its file is"},
		{"chunks/datoms-0.fressian.gz", "chunks/../datoms-0.fressian.gz", graph.ErrCorrupt, "its file is"},
		{`"3a6528c7`, `"`, graph.ErrCorrupt, "its checksum is"},
		{":stats/chunk-count 1", ":stats/chunk-count 2", graph.ErrCorrupt, "states 2 chunks and lists 1"},
		{":gzip", ":zstd", graph.ErrUnsupported, "compression"},
		{":format/encryption nil", ":format/encryption :aes", graph.ErrUnsupported, "encryption"},
		{":backup/type :full", ":backup/type :incremental", graph.ErrUnsupported, "type"},
		{`:format/version "1.0.0"`, `:format/version "2"`, graph.ErrUnsupported, "version"},
		{":database/id", ":database/id 1 :x", graph.ErrCorrupt, ":database/id"},
		{"#inst", "#when", graph.ErrCorrupt, ":backup/created-at"},
		{"{:backup/version", "{:backup/version {", graph.ErrCorrupt, "offset"},
		{"2026-11-21T02:21:36.616", "2026-13-21T02:21:36.616", graph.ErrCorrupt, "offset"},
		{":_comment", ":backup/id", graph.ErrCorrupt, "twice"},
	} {
		_, err := ParseManifest([]byte(strings.ReplaceAll(string(text), c.old, c.now)))
		require.ErrorIs(t, err, c.match, c.now)
		require.ErrorContains(t, err, ManifestFile)
		require.ErrorContains(t, err, c.say, c.now)
	}
	// What is written to a bucket has the object's whole name.
	m, err := ParseManifest([]byte(strings.ReplaceAll(string(text), `"chunks/datoms-0`, `"backups/a/b/chunks/datoms-0`)))
	require.NoError(t, err)
	assert.Equal(t, "chunks/datoms-0.fressian.gz", m.Chunks[0].Path)
}

// TestVerifyFinds: what is wrong among the files.
func TestVerifyFinds(t *testing.T) {
	whole := newPlace()
	m, err := exporting(stored(t, "a-default")[":db"], whole, false, 30_000).Run(t.Context())
	require.NoError(t, err)
	second := m.Chunks[1]
	altered := func(alter func(*Manifest)) func(p *place) {
		return func(p *place) {
			other, err := ParseManifest(p.files[ManifestFile])
			require.NoError(t, err)
			alter(other)
			p.files[ManifestFile], err = other.Append(nil)
			require.NoError(t, err)
		}
	}
	for name, c := range map[string]struct {
		harm  func(p *place)
		match error
		say   string
	}{
		"missing chunk": {func(p *place) { delete(p.files, second.Path) }, graph.ErrNotFound, second.Path},
		"damaged chunk": {func(p *place) { p.files[second.Path] = bytes.Repeat([]byte{1}, int(second.Size)) }, graph.ErrCorrupt, second.Path},
		"swapped": {func(p *place) {
			p.files[second.Path], p.files[m.Chunks[2].Path] = p.files[m.Chunks[2].Path], p.files[second.Path]
			altered(func(m *Manifest) {
				a, b := &m.Chunks[1], &m.Chunks[2]
				a.Size, a.SHA256, b.Size, b.SHA256 = b.Size, b.SHA256, a.Size, a.SHA256
			})(p)
		}, graph.ErrCorrupt, "it has the id"},
		"datoms in all": {altered(func(m *Manifest) { m.Datoms++ }), graph.ErrCorrupt, "datoms, and its chunks have"},
		"bytes in all":  {altered(func(m *Manifest) { m.Size++ }), graph.ErrCorrupt, "bytes, and its chunks have"},
		"largest":       {altered(func(m *Manifest) { m.MaxTx++ }), graph.ErrCorrupt, "as the largest"},
		"order":         {reordered(t), graph.ErrCorrupt, "the chunk before ends with"},
		"schema":        {func(p *place) { p.files[SchemaFile] = []byte("{:attributes 1}") }, graph.ErrCorrupt, SchemaFile},
		"history":       {unhistoric(t), graph.ErrCorrupt, "retractions"},
	} {
		t.Run(name, func(t *testing.T) {
			p := whole.clone()
			c.harm(p)
			found, err := Verify(t.Context(), p.open, 2)
			require.NoError(t, err)
			require.NotEmpty(t, found.Faults)
			for _, f := range found.Faults {
				require.ErrorIs(t, f.Err, c.match)
			}
			require.ErrorContains(t, found.Faults[0].Err, c.say)
		})
	}
	for _, missing := range []string{MarkerFile, ManifestFile} {
		p := whole.clone()
		delete(p.files, missing)
		_, err := Verify(t.Context(), p.open, 2)
		require.ErrorContains(t, err, missing)
	}
	p := whole.clone()
	delete(p.files, MarkerFile)
	_, err = Verify(t.Context(), p.open, 2)
	require.ErrorIs(t, err, ErrIncomplete)
	p.files[MarkerFile] = []byte("not yet")
	_, err = Verify(t.Context(), p.open, 2)
	require.ErrorIs(t, err, graph.ErrCorrupt)
}

// TestViewOfLess: a manifest with a chunk less than it states is not read as a
// smaller database.
func TestViewOfLess(t *testing.T) {
	p := newPlace()
	_, err := exporting(stored(t, "a-default")[":db"], p, false, 30_000).Run(t.Context())
	require.NoError(t, err)
	m, err := ParseManifest(p.files[ManifestFile])
	require.NoError(t, err)
	m.Chunks = m.Chunks[:len(m.Chunks)-1]
	p.files[ManifestFile], err = m.Append(nil)
	require.NoError(t, err)
	_, err = OpenView(t.Context(), p.open)
	require.ErrorIs(t, err, graph.ErrCorrupt)
	require.ErrorContains(t, err, ManifestFile)
}

// unhistoric makes a backup with retractions whose manifest has no history.
func unhistoric(t *testing.T) func(*place) {
	return func(p *place) {
		_, err := exporting(stored(t, "a-default")[":db"], p, true, 30_000).Run(t.Context())
		require.NoError(t, err)
		m, err := ParseManifest(p.files[ManifestFile])
		require.NoError(t, err)
		require.True(t, m.History)
		m.History = false
		p.files[ManifestFile], err = m.Append(nil)
		require.NoError(t, err)
	}
}

// reordered makes a backup of two chunks that do not go on where the other ends.
func reordered(t *testing.T) func(*place) {
	return func(p *place) {
		m := Manifest{ID: "x", Database: "d", Kind: "datahike", Complete: true, Created: time.Unix(0, 0), Finished: time.Unix(1, 0)}
		for id, e := range []int64{5, 4} {
			file, c := packed(t, int64(id), chunkOf(entry("chunk/id", int64(id)), entry("datoms", []any{[]any{e, keyword("a"), "v", int64(7), true}})))
			c.Datoms, c.MinTx, c.MaxTx, c.MaxE = 1, 7, 7, e
			p.files[c.Path] = file
			m.Chunks = append(m.Chunks, c)
		}
		m.sum()
		var err error
		p.files[ManifestFile], err = m.Append(nil)
		require.NoError(t, err)
	}
}

// FuzzChunk: no bytes make the reader fail otherwise than by refusing them.
func FuzzChunk(f *testing.F) {
	w := fressian.NewWriter()
	require.NoError(f, w.Write(chunkOf()))
	f.Add(w.Bytes())
	w.Reset()
	require.NoError(f, w.Write(chunkOf(entry("datoms", fressian.Vector{fressian.Vector{int64(1), "a", fressian.Set{}, int64(2), false}}))))
	f.Add(w.Bytes())
	f.Add([]byte{0xc0, 0xed, 0xfd})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r Reader
		n := 0
		err := r.datoms(raw, 0, func(datom.Datom) error { n++; return nil })
		if err != nil {
			require.True(t, isFault(err), err)
		}
		require.LessOrEqual(t, n, len(raw))
	})
}

// FuzzManifest: what is read can be written, and reads as the same.
func FuzzManifest(f *testing.F) {
	text, err := os.ReadFile(filepath.Join(sampleDir, ManifestFile))
	require.NoError(f, err)
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := ParseCheckpoint(text); err != nil {
			require.True(t, isFault(err), err)
		}
		m, err := ParseManifest(text)
		if err != nil {
			require.True(t, isFault(err), err)
			return
		}
		again, err := m.Append(nil)
		if err != nil {
			return // a name that cannot be printed
		}
		back, err := ParseManifest(again)
		require.NoError(t, err)
		require.Equal(t, m.Chunks, back.Chunks)
	})
}
