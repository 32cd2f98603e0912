package dump

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

const chunk1 = "datoms-000001.cbor.gz"

func zip(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(data)
	_ = z.Close()
	return b.Bytes()
}

func unzip(t testing.TB, data []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	raw, err := io.ReadAll(z)
	require.NoError(t, err)
	return raw
}

// forged is a dump of one chunk, about which the manifest says nothing wrong
// but for its records.
func forged(t testing.TB, raw []byte, count int64) *files {
	t.Helper()
	f := newFiles()
	sum := sha256.Sum256(raw)
	f.data[chunk1] = zip(raw)
	m := &Manifest{Compressed: true, Chunks: []Chunk{{
		File: chunk1, Count: count, Bytes: int64(len(f.data[chunk1])), RawBytes: int64(len(raw)), SHA256: hex.EncodeToString(sum[:]),
	}}}
	text, err := m.Text()
	require.NoError(t, err)
	f.data[ManifestName] = text
	return f
}

func code(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	require.NoError(t, err)
	return b
}

// TestBadRecords: each is told with the chunk's name and the offset.
func TestBadRecords(t *testing.T) {
	const start, end = "85 01 d827623a61 ", " 1a20000001 f5"
	for name, bad := range map[string]struct {
		code string
		kind error
	}{
		"no array":          {"01", graph.ErrCorrupt},
		"four parts":        {"84 01 d827623a61 01 1a20000001", graph.ErrCorrupt},
		"op is a number":    {"85 01 d827623a61 01 1a20000001 01", graph.ErrCorrupt},
		"a is a symbol":     {"85 01 d8276161 01 1a20000001 f5", graph.ErrCorrupt},
		"a is text":         {"85 01 6161 01 1a20000001 f5", graph.ErrCorrupt},
		"e is negative":     {"85 20 d827623a61 01 1a20000001 f5", graph.ErrCorrupt},
		"e is huge":         {"85 1bffffffffffffffff d827623a61 01 1a20000001 f5", graph.ErrCorrupt},
		"t is low":          {"85 01 d827623a61 01 05 f5", graph.ErrCorrupt},
		"v is nil":          {start + "f6" + end, graph.ErrCorrupt},
		"no UTF-8":          {start + "61ff" + end, graph.ErrCorrupt},
		"name without text": {"85 01 d82701 01 1a20000001 f5", graph.ErrCorrupt},
		"empty name":        {start + "d827613a" + end, graph.ErrCorrupt},
		"huge text":         {start + "7b00000fffffffffff 61", graph.ErrCorrupt},
		"long text":         {start + "7a00ffffff 61", graph.ErrCorrupt},
		"huge array":        {start + "9b00000fffffffffff 01", graph.ErrTooLarge},
		"deep":              {start + strings.Repeat("81", 100) + "01" + end, graph.ErrTooLarge},
		"deep tags":         {start + strings.Repeat("c1", 100) + "01" + end, graph.ErrTooLarge},
		"without length":    {start + "5f4100ff" + end, graph.ErrUnsupported},
		"unknown tag":       {start + "d8ff01" + end, graph.ErrUnsupported},
		"half":              {start + "f93c00" + end, graph.ErrUnsupported},
		"undefined":         {start + "f7" + end, graph.ErrUnsupported},
		"bad time":          {start + "c06161" + end, graph.ErrUnsupported},
		"far time":          {start + "c11b7fffffffffffffff" + end, graph.ErrUnsupported},
		"short UUID":        {start + "d8254100" + end, graph.ErrUnsupported},
		"bad decimal":       {start + "c4811863" + end, graph.ErrUnsupported},
		"wide scale":        {start + "c4821b0fffffffffffffff01" + end, graph.ErrUnsupported},
		"torn floats":       {start + "d855430000 00" + end, graph.ErrUnsupported},
		"other object":      {start + "d81b826161a0" + end, graph.ErrUnsupported},
		"torn":              {start, graph.ErrCorrupt},
	} {
		good := code(t, start+"01"+end)
		d := open(t, forged(t, append(good, code(t, bad.code)...), 2))
		var n int
		_, err := d.chunk(t.Context(), d.Manifest.Chunks[0], func(datom.Datom) error { n++; return nil })
		require.ErrorIs(t, err, bad.kind, name)
		require.ErrorContains(t, err, chunk1+": offset ", name)
		assert.Equal(t, 1, n, name)
		found, _ := faults(t, d)
		assert.Len(t, found, 1, name)
	}
}

// TestDamage: what happens to files is found and named, by Verify and by a Scan.
func TestDamage(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(t *testing.T, f *files)
		want   string
	}{
		"missing":        {func(_ *testing.T, f *files) { delete(f.data, chunk1) }, chunk1},
		"cut short":      {func(_ *testing.T, f *files) { f.data[chunk1] = f.data[chunk1][:9000] }, "offset"},
		"empty":          {func(_ *testing.T, f *files) { f.data[chunk1] = nil }, chunk1},
		"not gzip":       {func(_ *testing.T, f *files) { f.data[chunk1] = []byte("these are no datoms") }, "gzip"},
		"garbage behind": {func(_ *testing.T, f *files) { f.data[chunk1] = append(f.data[chunk1], 'x') }, "more than"},
		"a bomb": {func(t *testing.T, f *files) {
			f.data[chunk1] = zip(append(unzip(t, f.data[chunk1]), make([]byte, 10<<20)...))
		}, "more than"},
		"a flipped bit": {func(t *testing.T, f *files) {
			raw := unzip(t, f.data[chunk1])
			raw[bytes.Index(raw, []byte("person-7"))] ^= 1
			f.data[chunk1] = zip(raw)
		}, "SHA-256"},
		"a record too few": {func(t *testing.T, f *files) {
			raw := unzip(t, f.data[chunk1])
			f.data[chunk1] = zip(raw[:bytes.LastIndex(raw, []byte("\x85"))])
		}, "records"},
	} {
		t.Run(name, func(t *testing.T) {
			f := sample(t, sampleHistory)
			c.damage(t, f)
			d := open(t, f)
			found, done := faults(t, d)
			require.Len(t, found, 1)
			require.ErrorContains(t, found[0], c.want)
			require.ErrorContains(t, found[0], chunk1)
			assert.Zero(t, done.Chunks)
			require.Error(t, viewOf(t, d).Scan(t.Context(), datom.Query{}, func(datom.Datom) error { return nil }))
		})
	}
}

// TestWrongManifest: what the manifest says of all chunks is compared.
func TestWrongManifest(t *testing.T) {
	for want, change := range map[string]func(m *Manifest){
		"digest":   func(m *Manifest) { m.Digest.Sum++ },
		"missing":  func(m *Manifest) { m.Stats.Source++ },
		"datoms":   func(m *Manifest) { m.Stats.Datoms++ },
		"entity":   func(m *Manifest) { m.Stats.MaxE = 3 },
		"largest":  func(m *Manifest) { m.Stats.MaxTx-- },
		"-000001.": func(m *Manifest) { m.Chunks[0].Count++ },
	} {
		d := open(t, sample(t, sampleHistory))
		change(d.Manifest)
		found, _ := faults(t, d)
		require.Len(t, found, 1, want)
		require.ErrorIs(t, found[0], graph.ErrCorrupt)
		require.ErrorContains(t, found[0], want)
	}
	d := open(t, sample(t, sampleRefs))
	lost := blobName(d.Manifest.StoreRefs.Carried[0])
	f := sample(t, sampleRefs)
	f.data[lost] = append(f.data[lost], 'x')
	found, _ := faults(t, open(t, f))
	require.Len(t, found, 1)
	require.ErrorContains(t, found[0], lost)
	delete(f.data, lost)
	found, _ = faults(t, open(t, f))
	require.Len(t, found, 1)
	require.ErrorIs(t, found[0], graph.ErrNotFound)
}

// TestUnordered: a dump that was made without sorting is sound.
func TestUnordered(t *testing.T) {
	d := open(t, sample(t, sampleHistory))
	all := records(t, d)
	var raw []byte
	for i := len(all) - 1; i >= 0; i-- {
		line, err := (&liner{}).append(nil, all[i])
		require.NoError(t, err)
		raw, _, _ = appendRecord(raw, line)
	}
	f := forged(t, raw, int64(len(all)))
	again := open(t, f)
	again.Manifest.Digest, again.Manifest.Stats, again.Manifest.History = d.Manifest.Digest, d.Manifest.Stats, true
	found, done := faults(t, again)
	assert.Empty(t, found)
	assert.False(t, done.Ordered)
}

// TestReadFails: an error of the store is returned, and is no fault.
func TestReadFails(t *testing.T) {
	f := sample(t, sampleHistory)
	down := errors.New("down")
	d, err := Open(t.Context(), func(ctx context.Context, name string) (io.ReadCloser, error) {
		if name == chunk1 {
			return nil, down
		}
		return f.Get(ctx, name)
	}, 1)
	require.NoError(t, err)
	_, err = d.Verify(t.Context(), func(err error) { t.Error(err) })
	require.ErrorIs(t, err, down)
}

func TestOpen(t *testing.T) {
	f := sample(t, sampleCurrent)
	text := string(f.data[ManifestName])
	for _, c := range []struct {
		from, to string
		kind     error
		names    string
	}{
		{":datahike.migrate/format-version 1", ":a 1", ErrNoDump, "format-version"},
		{"format-version 1", "format-version 2", graph.ErrUnsupported, "version 2"},
		{"format-version 1", "format-version nil", graph.ErrUnsupported, "version"},
		{":compression :gzip", ":compression :zstd", graph.ErrUnsupported, ":zstd"},
		{":compression :gzip", ":compression :none", graph.ErrCorrupt, "compression"},
		{":cbor-seq", ":edn", graph.ErrUnsupported, ":edn"},
		{":datahike.migrate/cbor-seq", ":datahike.migrate/more", graph.ErrUnsupported, "more"},
		{":requires [", ":requires [:db.type/polygon ", graph.ErrUnsupported, "polygon"},
		{"datoms-000001.cbor.gz", "../000001.cbor.gz", graph.ErrCorrupt, "name of a chunk"},
		{":sha256 ", ":sha255 ", graph.ErrCorrupt, ":sha256"},
		{":count 2079", ":count -1", graph.ErrCorrupt, "negative"},
		{":count 2079", ":count nope", graph.ErrCorrupt, ":count"},
		{":xor \"", ":xor \"x", graph.ErrCorrupt, "semantic-digest"},
		{":xor64+sum64", ":md5", graph.ErrUnsupported, ":md5"},
		{"{:store-backend", "[:store-backend", graph.ErrCorrupt, "offset"},
		{":system-idents {}", ":system-idents {1 2}", graph.ErrCorrupt, "system-idents"},
		{":store-refs nil", ":store-refs {:carried [1]}", graph.ErrCorrupt, "store-refs"},
		{text, "[1]", ErrNoDump, "format-version"},
		{text, "", graph.ErrCorrupt, "offset"},
	} {
		require.Contains(t, text, c.from)
		f.data[ManifestName] = []byte(strings.Replace(text, c.from, c.to, 1))
		_, err := Open(t.Context(), f.Get, 1)
		require.ErrorIs(t, err, c.kind, c.to)
		require.ErrorContains(t, err, c.names)
		require.ErrorContains(t, err, ManifestName)
	}
	delete(f.data, ManifestName)
	_, err := Open(t.Context(), f.Get, 1)
	require.ErrorIs(t, err, graph.ErrNotFound)

	// Chunks without compression.
	f = forged(t, code(t, "85 01 d827623a61 01 1a20000001 f5"), 1)
	f.data["datoms-000001.cbor"] = unzip(t, f.data[chunk1])
	f.data[ManifestName] = []byte(strings.NewReplacer(".cbor.gz", ".cbor", ":gzip", ":none").Replace(string(f.data[ManifestName])))
	assert.Len(t, records(t, open(t, f)), 1)
}

func FuzzRecords(f *testing.F) {
	z, err := gzip.NewReader(bytes.NewReader(sample(f, sampleHistory).data[chunk1]))
	require.NoError(f, err)
	raw, err := io.ReadAll(z)
	require.NoError(f, err)
	f.Add(raw[:3000])
	f.Add(raw[50_000:50_500])
	for digits, v := range values() {
		if v != nil {
			f.Add(code(f, "85 01 d827623a61 "+digits+" 1a20000001 f5"))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := openChunk(Chunk{}, nil, false, bytes.NewReader(raw))
		require.NoError(t, err)
		for {
			d, err := r.next()
			if err != nil {
				return
			}
			line, err := (&liner{}).append(nil, d)
			if err != nil {
				require.ErrorIs(t, err, ErrValue)
				continue
			}
			record, e, tx := appendRecord(nil, line)
			require.Equal(t, []int64{d.E, d.Tx}, []int64{e, tx})
			again, err := openChunk(Chunk{}, nil, false, bytes.NewReader(record))
			require.NoError(t, err)
			_, err = again.next()
			require.NoError(t, err, "%x", record)
		}
	})
}

func FuzzManifest(f *testing.F) {
	for _, name := range []string{sampleCurrent, sampleRefs} {
		f.Add(sample(f, name).data[ManifestName])
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseManifest(text)
		if err != nil {
			return
		}
		out, err := m.Text()
		if err != nil {
			return // a name that EDN cannot have
		}
		_, err = ParseManifest(out)
		require.NoError(t, err)
	})
}
