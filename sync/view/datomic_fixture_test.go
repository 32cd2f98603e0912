package view_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// datomicBackup is a backup in memory, which counts what is read.
type datomicBackup struct {
	segments map[graph.ID][]byte
	values   map[int64]*datomic.Value
	mu       sync.Mutex
	reads    map[graph.ID]int
}

func (b *datomicBackup) get(ctx context.Context, id graph.ID) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reads[id]++
	data, ok := b.segments[id]
	if !ok {
		return nil, fmt.Errorf("%s: %w", id, graph.ErrNotFound)
	}
	return data, ctx.Err()
}

func (b *datomicBackup) add(t testing.TB, name string, data []byte) {
	switch dir, file := filepath.Split(filepath.Clean(name)); {
	case strings.HasPrefix(dir, "values/"):
		b.segments[graph.ID(file)] = data
	case dir == "roots/":
		at, err := strconv.ParseInt(file, 10, 64)
		require.NoError(t, err)
		b.values[at], err = datomic.DecodeRoot(file, data)
		require.NoError(t, err)
	}
}

func (b *datomicBackup) open(t testing.TB, at int64) *view.DatomicView {
	t.Helper()
	v, err := view.OpenDatomic(t.Context(), datomic.New(), b.get, b.values[at], 4)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Close()) })
	clear(b.reads)
	return v
}

func newBackup() *datomicBackup {
	return &datomicBackup{segments: map[graph.ID][]byte{}, values: map[int64]*datomic.Value{}, reads: map[graph.ID]int{}}
}

// readDatomic reads a backup's directory.
func readDatomic(t testing.TB, dir string) *datomicBackup {
	t.Helper()
	b := newBackup()
	require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		b.add(t, filepath.ToSlash(name), data)
		return err
	}))
	return b
}

// tiered is a backup of a database with indexes of two tiers, which Datomic
// 1.0.7622 wrote with thresholds of its own lowered:
//
//	1342  mid retracts from main
//	1424  mid has history; the ident of an attribute has changed
//	1448  in the tail, indexes are added and dropped, and an attribute is new
//	1453  AVET is rebuilt for an attribute, into main, with its retractions
//
// Its attributes are of every type, with one value and with many, indexed and
// not; numbers of equal worth and different scale, URIs of all forms.
func tiered(t testing.TB) (b *datomicBackup, expected []facts) {
	t.Helper()
	data, err := os.ReadFile("testdata/datomic-tiered.tar.gz")
	require.NoError(t, err)
	z, err := gzip.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	b = newBackup()
	for files := tar.NewReader(z); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		data, err := io.ReadAll(files)
		require.NoError(t, err)
		b.add(t, h.Name, data)
	}
	return b, expectedFacts(t, "tiered")
}

// gens is the fixture of three moments of a database.
func gens(t testing.TB) (b *datomicBackup, expected []facts) {
	t.Helper()
	return readDatomic(t, fixture.DatomicBackup(t, "gen3")), expectedFacts(t, "gen3")
}

func expectedFacts(t testing.TB, name string) (expected []facts) {
	t.Helper()
	text, err := os.ReadFile("testdata/datomic-" + name + ".expected.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &expected))
	return expected
}

// facts are what Datomic says of a database.
type facts struct {
	fixture.DatomicFacts
	AEVTCurrent   int64  `json:"aevt-current"`
	AVETCurrent   int64  `json:"avet-current"`
	VAETCurrent   int64  `json:"vaet-current"`
	CurrentSHA256 string `json:"sha256-current"`
	HistoryAEVT   string `json:"sha256-history-aevt"`
}
