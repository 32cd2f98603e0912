package dump

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// The samples are dumps that Datahike 0.8 wrote.
const (
	sampleCurrent = "a-default-current"
	sampleHistory = "a-default-history"
	sampleRefs    = "g2-storeref"
)

func kw(ns, name string) fressian.Keyword { return fressian.Keyword{NS: ns, Name: name} }

// files is a directory in memory, as a Sink and for Get.
type files struct {
	mu    sync.Mutex
	names []string // as they appeared
	data  map[string][]byte
	drop  func(name string) error // fails Finish
}

func newFiles() *files { return &files{data: map[string][]byte{}} }

// sample reads a sample's files.
func sample(t testing.TB, name string) *files {
	t.Helper()
	f := newFiles()
	root := filepath.Join("testdata", name)
	require.NoError(t, filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		f.data[filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))] = data
		return err
	}))
	return f
}

func (f *files) Get(_ context.Context, name string) (io.ReadCloser, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	data, ok := f.data[name]
	if !ok {
		return nil, graph.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func (f *files) Create(_ context.Context, name string) (File, error) {
	return &file{files: f, name: name}, nil
}

type file struct {
	bytes.Buffer
	files *files
	name  string
}

func (f *file) Finish(context.Context) error {
	if f.files.drop != nil {
		if err := f.files.drop(f.name); err != nil {
			return err
		}
	}
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	f.files.names = append(f.files.names, f.name)
	f.files.data[f.name] = f.Bytes()
	return nil
}

func (f *file) Discard() {}

func open(t testing.TB, f *files) *Dump {
	t.Helper()
	d, err := Open(t.Context(), f.Get, 2)
	require.NoError(t, err)
	return d
}

// records are a dump's, in the order of its chunks.
func records(t testing.TB, d *Dump) (all []datom.Datom) {
	t.Helper()
	for _, c := range d.Manifest.Chunks {
		_, err := d.chunk(t.Context(), c, func(r datom.Datom) error {
			all = append(all, r)
			return nil
		})
		require.NoError(t, err)
	}
	return all
}

// list is datoms as a Source.
type list []datom.Datom

func (l list) Each(_ context.Context, fn func([]datom.Datom) error) error {
	for i := 0; i < len(l); i += 7 {
		if err := fn(l[i:min(i+7, len(l))]); err != nil {
			return err
		}
	}
	return nil
}

// faults are what a verification finds.
func faults(t testing.TB, d *Dump) (all []error, done Checked) {
	t.Helper()
	done, err := d.Verify(t.Context(), func(err error) { all = append(all, err) })
	require.NoError(t, err)
	return all, done
}

func viewOf(t testing.TB, d *Dump) *View {
	t.Helper()
	v, err := d.View(t.Context())
	require.NoError(t, err)
	return v
}
