package datacamp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/sync/datoms"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// place is a destination in memory, which fails from some write on.
type place struct {
	mu    sync.Mutex
	files map[string][]byte
	// puts counts what has become visible; left is how many more may.
	puts, left int
}

var errPlace = errors.New("the place is gone")

func newPlace() *place { return &place{files: map[string][]byte{}, left: 1 << 30} }

func (p *place) Put(_ context.Context, path string, data []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left--; p.left < 0 {
		return errPlace
	}
	p.puts++
	p.files[path] = bytes.Clone(data)
	return nil
}

func (p *place) Draft(_ context.Context, path string) (Draft, error) {
	return &placeDraft{p: p, path: path}, nil
}

type placeDraft struct {
	bytes.Buffer
	p    *place
	path string
}

func (d *placeDraft) Finish(ctx context.Context) error { return d.p.Put(ctx, d.path, d.Bytes()) }
func (d *placeDraft) Discard()                         {}

func (p *place) open(_ context.Context, path string) (io.ReadCloser, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	data, ok := p.files[path]
	if !ok {
		return nil, fmt.Errorf("%s: %w", path, graph.ErrNotFound)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func (p *place) clone() *place {
	return &place{files: maps.Clone(p.files), left: 1 << 30}
}

// databases opens the branches of a store.
func databases(t testing.TB, dir, key string) map[string]*view.DatahikeView {
	t.Helper()
	r := &datoms.Reader{Dialect: datahike.New(key), Workers: 2, Get: func(_ context.Context, id graph.ID, buf []byte) ([]byte, error) {
		return readFile(filepath.Join(dir, string(id)), buf)
	}}
	heads, err := r.Dialect.Hold(t.Context(), func(ctx context.Context, id graph.ID) ([]byte, error) { return r.Get(ctx, id, nil) }, "")
	require.NoError(t, err)
	all := map[string]*view.DatahikeView{}
	for _, b := range heads.Branches {
		v, err := view.OpenDatahike(t.Context(), r, b.Head, b.Record)
		require.NoError(t, err)
		v.Describe(b.Name, "")
		all[b.Name] = v
	}
	return all
}

func readFile(name string, buf []byte) ([]byte, error) {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", graph.ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return readAll(buf[:0], f, 1<<30)
}

func stored(t testing.TB, name string) map[string]*view.DatahikeView {
	t.Helper()
	return databases(t, fixture.Unpack(t, name), fixture.Key(name))
}

// exporting is an export of a view to p.
func exporting(v view.View, p Output, history bool, chunk int64) *Export {
	began := time.Date(2026, 11, 21, 2, 21, 36, 0, time.UTC)
	info := v.Info()
	return &Export{
		Source: NewSource(v, history, chunk, nil), Output: p, Chunk: chunk, Parallel: 2,
		Manifest:   Manifest{ID: "20261121-022136-97a9ae", Database: info.Database, Branch: info.Branch, Kind: info.Kind, History: history, Created: began},
		Checkpoint: &Checkpoint{Backup: "20261121-022136-97a9ae", Token: "t", Started: began, Done: map[int64]Done{}},
		Schema:     []byte("{:attributes []}"), Config: []byte("{}"), Now: func() time.Time { return began.Add(time.Second) },
	}
}
