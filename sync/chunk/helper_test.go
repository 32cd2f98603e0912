package chunk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	_ "github.com/rclone/rclone/backend/memory"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/object"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// sample is something to put into a chunk.
type sample struct {
	name string
	e    graph.Entry
	data []byte
}

// segment is a sample under Datahike's kind of path.
func segment(id string, level graph.Level, data []byte) sample {
	e := graph.Entry{Ref: graph.Ref{ID: graph.ID(id), Level: level}, Size: int64(len(data)), SHA256: sha256.Sum256(data)}
	return sample{"store/" + id, e, data}
}

// noise is n bytes that cannot be compressed, the same for the same seed.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

// leaves are n segments of size bytes.
func leaves(n, size int) []sample {
	all := make([]sample, n)
	for i := range all {
		all[i] = segment(fmt.Sprintf("leaf-%05d", i), graph.Leaf, noise(uint64(i), size))
	}
	return all
}

// mixed is a bit of everything.
func mixed() []sample {
	root := segment("root", graph.Root, []byte("what is no segment"))
	root.name = "roots/1024"
	return []sample{
		segment("text", graph.Leaf, []byte(strings.Repeat("a leaf that repeats itself ", 99))),
		segment("noise", 3, noise(1, 1000)),
		segment("empty", graph.Leaf, nil),
		root,
		segment("schema", graph.Schema, []byte("{}")),
		segment("commit", graph.Commit, bytes.Repeat([]byte{7}, 100)),
	}
}

// write makes a chunk of samples and returns it, and what Add has returned.
func write(t testing.TB, chunk string, compress bool, samples []sample) ([]byte, Info, []graph.Entry) {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out, chunk, compress)
	entries := make([]graph.Entry, len(samples))
	for i, s := range samples {
		var err error
		entries[i], err = w.Add(s.name, s.e, s.data)
		require.NoError(t, err)
	}
	size := w.Size()
	info, err := w.Close()
	require.NoError(t, err)
	require.Equal(t, size, info.Directory)
	return out.Bytes(), info, entries
}

// parse is the grammar of the samples' names.
func parse(name string) (graph.ID, bool, error) {
	if name == "owner" || strings.HasPrefix(name, "roots/") {
		return "", false, nil
	}
	id, ok := strings.CutPrefix(name, "store/")
	if !ok {
		return "", false, fmt.Errorf("%q is no native path: %w", name, graph.ErrCorrupt)
	}
	return graph.ID(id), true, nil
}

// chunkPath is where the chunk "b/0" of the database "db" lies.
const chunkPath = "db/b/chunks/segments-000000.zip"

// remote is a remote in memory whose calls are counted and can fail.
func remote(t testing.TB) *fault.Fs {
	t.Helper()
	f, err := fs.NewFs(context.Background(), ":memory:"+strings.ReplaceAll(t.Name(), "/", "-"))
	require.NoError(t, err)
	return fault.New(f, fault.Options{})
}

// put writes an object, and forgets that it did.
func put(t testing.TB, f *fault.Fs, path string, data []byte) {
	t.Helper()
	o := object.NewMemoryObject(path, time.Unix(1e9, 0), data)
	_, err := f.Put(context.Background(), bytes.NewReader(data), o)
	require.NoError(t, err)
	f.Heal()
}

// place is a remote with chunks.
type place struct {
	f     *fault.Fs
	infos map[string]Info
	lines map[graph.ID]string
	data  map[graph.ID][]byte
}

// newPlace is a remote with one chunk of each list of samples.
func newPlace(t testing.TB, compress bool, chunks ...[]sample) *place {
	t.Helper()
	p := &place{remote(t), map[string]Info{}, map[graph.ID]string{}, map[graph.ID][]byte{}}
	for i, samples := range chunks {
		chunk := fmt.Sprintf("backup/%d", i)
		data, info, entries := write(t, chunk, compress, samples)
		path, err := Path(chunk)
		require.NoError(t, err)
		put(t, p.f, "db/"+path, data)
		p.infos[chunk] = info
		for i, e := range entries {
			p.lines[e.ID], p.data[e.ID] = graph.FormatEntry(e), samples[i].data
		}
	}
	return p
}

func (p *place) find(id graph.ID) (string, bool, error) {
	line, ok := p.lines[id]
	return line, ok, nil
}

func (p *place) segments() *Segments {
	return NewSegments(p.f, "db", p.find, p.infos, func(id graph.ID) string { return "store/" + string(id) })
}

// requests are all calls since the last Heal.
func (p *place) requests() int { return p.f.Count(nil) }
