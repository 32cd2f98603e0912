package bench

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	_ "github.com/rclone/rclone/backend/local"
	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/sample"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// BenchmarkDatoms reads every datom of all leaves of a database with a million
// of them, on one core, against os.ReadFile of the same files.
func BenchmarkDatoms(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	dir := filepath.Join(tmpfs(b), "src")
	_, err := sample.Create(dir, sample.Options{Seed: 1, Entities: 85_000})
	require.NoError(b, err)
	f, err := fs.NewFs(b.Context(), dir)
	require.NoError(b, err)
	r := leafReader{dialect: datahike.New(""), files: store.New(f, ""), dir: dir}
	names := r.leaves(b)
	var ratios []float64
	var before, after runtime.MemStats
	datoms, allocs := 0, uint64(0)
	for b.Loop() {
		for range pairs {
			start := time.Now()
			for _, name := range names {
				_, err := os.ReadFile(filepath.Join(dir, name))
				require.NoError(b, err)
			}
			peer := time.Since(start)
			runtime.ReadMemStats(&before)
			start = time.Now()
			for _, name := range names {
				datoms += r.read(b, name)
			}
			ratios = append(ratios, time.Since(start).Seconds()/peer.Seconds())
			runtime.ReadMemStats(&after)
			allocs += after.Mallocs - before.Mallocs
		}
	}
	report(b, "os.ReadFile", ratios, len(names))
	b.ReportMetric(float64(datoms)/float64(len(ratios)), "datoms")
	b.ReportMetric(float64(allocs)/float64(datoms), "allocs/datom")
}

// leafReader reads leaves one after another into the same memory.
type leafReader struct {
	dialect *datahike.Dialect
	files   *store.Files
	dir     string
	leaf    datahike.Leaf
	data    []byte
	sum     int64 // of all that was read, so that nothing is left out
}

// leaves are the names of the files that hold leaves.
func (r *leafReader) leaves(b *testing.B) (names []string) {
	entries, err := os.ReadDir(r.dir)
	require.NoError(b, err)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(r.dir, e.Name()))
		require.NoError(b, err)
		n, err := r.dialect.Decode(graph.Ref{ID: graph.ID(e.Name())}, data)
		if err == nil && n.Level == graph.Leaf {
			names = append(names, e.Name())
		}
	}
	return names
}

// read reads the datoms of a leaf, as the product does, and returns how many
// there are.
func (r *leafReader) read(b *testing.B, name string) int {
	var err error
	r.data, err = r.files.GetInto(b.Context(), graph.ID(name), r.data)
	require.NoError(b, err)
	require.NoError(b, r.dialect.ReadLeaf(&r.leaf, graph.Ref{ID: graph.ID(name)}, r.data))
	for i := range r.leaf.Len() {
		d := r.leaf.Datom(i)
		r.sum += d.E + d.Tx + int64(d.A) + int64(d.V)
		if d.Added {
			r.sum++
		}
	}
	return r.leaf.Len()
}
