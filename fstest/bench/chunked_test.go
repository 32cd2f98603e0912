package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/sample"
	"github.com/rclone-datom/rclone-datom/fstest/slowlink"
)

// roundTrip is what every request to the far bucket waits: that of a cloud's
// storage from the next region.
const roundTrip = 20 * time.Millisecond

// fewPeople makes about 2,000 segments like those of people. Native backups take
// so long over the far link that their speed is measured on these.
const fewPeople = 940

// far is a bucket behind a slow link: "far:bucket" to the programs that the
// benchmark starts.
type far struct {
	*slowlink.Proxy
	// bucket is the directory that is served.
	bucket string
}

func farS3(b *testing.B, dir string) *far {
	served := filepath.Join(dir, "s3")
	p, remote := slowlink.SlowS3(b, served, roundTrip, "bucket")
	slowlink.Configure(b, "far", remote)
	return &far{Proxy: p, bucket: filepath.Join(served, "bucket")}
}

// databases makes one store for chunks, and a small one for the native layout.
func databases(b *testing.B, dir string) (big, small *source) {
	big, small = &source{dir: filepath.Join(dir, "big")}, &source{dir: filepath.Join(dir, "small")}
	big.db = database(b, big.dir)
	var err error
	small.db, err = sample.Create(small.dir, sample.Options{Seed: 2, Entities: fewPeople, BranchingFactor: 32, NoteBytes: 1500})
	require.NoError(b, err)
	return big, small
}

// source is a store that is backed up.
type source struct {
	db  *sample.DB
	dir string
}

func (s *source) remote() string { return ":datahike,store=" + s.dir + ":" }

func (s *source) segments() int { return len(s.db.Reachable()) }

// perSecond is how many segments went by in a time.
func (s *source) perSecond(t time.Duration) float64 { return float64(s.segments()) / t.Seconds() }

// chunksIn counts the chunks of all points in a directory.
func chunksIn(b *testing.B, dir string) int {
	names, err := filepath.Glob(filepath.Join(dir, "*", "*", "chunks", "*.zip"))
	require.NoError(b, err)
	return len(names)
}

// countRequests reports the requests since the last time, by method.
func (f *far) countRequests(b *testing.B, of string) {
	for method, n := range f.Counts() {
		b.ReportMetric(float64(n), method+of)
	}
	b.ReportMetric(float64(f.Total()), "requests"+of)
	f.Reset()
}

// BenchmarkChunkedS3 is a first backup in chunks to a bucket 20 ms away, in
// segments a second, against one in the native layout of a smaller database.
func BenchmarkChunkedS3(b *testing.B) {
	bin, dir := binary(b), tmpfs(b)
	big, small := databases(b, dir)
	f := farS3(b, dir)
	var ratios, speeds, natives []float64
	for b.Loop() {
		for i := range pairs {
			// The server remembers directories: each backup has one of its own.
			ours, peer := fmt.Sprint("ours", i), fmt.Sprint("peer", i)
			f.Reset()
			t := timed(b, bin, "backup", big.remote(), "far:bucket/"+ours, "--layout", "chunked")
			chunks := chunksIn(b, filepath.Join(f.bucket, ours))
			b.ReportMetric(float64(chunks), "chunks")
			f.countRequests(b, "")
			native := timed(b, bin, "backup", small.remote(), "far:bucket/"+peer)
			speeds, natives = append(speeds, big.perSecond(t)), append(natives, small.perSecond(native))
			ratios = append(ratios, big.perSecond(t)/small.perSecond(native))
			require.NoError(b, os.RemoveAll(filepath.Join(f.bucket, ours)))
			require.NoError(b, os.RemoveAll(filepath.Join(f.bucket, peer)))
		}
	}
	report(b, "native", ratios, big.segments())
	b.ReportMetric(median(speeds), "segments/s")
	b.ReportMetric(median(natives), "native-segments/s")
}

// BenchmarkChunkedIncrementalS3 counts the requests of a backup in chunks of
// about 100 new segments among 100,000 to a bucket, and those that are left if
// rclone is told not to look at what it has just written.
func BenchmarkChunkedIncrementalS3(b *testing.B) {
	bin, dir := binary(b), tmpfs(b)
	src := &source{dir: filepath.Join(dir, "src")}
	src.db = database(b, src.dir)
	f := farS3(b, dir)
	timed(b, bin, "backup", src.remote(), filepath.Join(f.bucket, "ours"), "--layout", "chunked")
	incremental := func(of string, flags ...string) float64 {
		before := src.db.Reachable()
		require.NoError(b, src.db.Transact(12))
		b.ReportMetric(float64(len(missing(src.db.Reachable(), before))), "segments"+of)
		f.Reset()
		t := timed(b, bin, append([]string{"backup", src.remote(), "far:bucket/ours", "--layout", "chunked"}, flags...)...)
		f.countRequests(b, of)
		return t.Seconds()
	}
	for b.Loop() {
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(incremental(""), "s")
		b.ReportMetric(incremental("-no-head", "--s3-no-head"), "s-no-head")
	}
}

// BenchmarkChunkedRestoreS3 is a restore from chunks in a bucket 20 ms away, in
// segments a second, against one of a smaller database in the native layout.
func BenchmarkChunkedRestoreS3(b *testing.B) {
	bin, dir := binary(b), tmpfs(b)
	big, small := databases(b, dir)
	f := farS3(b, dir)
	ours, peer := filepath.Join(f.bucket, "ours"), filepath.Join(f.bucket, "peer")
	timed(b, bin, "backup", big.remote(), ours, "--layout", "chunked")
	timed(b, bin, "backup", small.remote(), peer)
	var ratios, speeds, natives []float64
	for b.Loop() {
		for range pairs {
			got := filepath.Join(dir, "got")
			f.Reset()
			t := timed(b, bin, "restore", "far:bucket/ours", got)
			f.countRequests(b, "")
			require.NoError(b, os.RemoveAll(got))
			native := timed(b, bin, "restore", "far:bucket/peer", got)
			require.NoError(b, os.RemoveAll(got))
			speeds, natives = append(speeds, big.perSecond(t)), append(natives, small.perSecond(native))
			ratios = append(ratios, big.perSecond(t)/small.perSecond(native))
		}
	}
	report(b, "native", ratios, big.segments())
	b.ReportMetric(float64(chunksIn(b, ours)), "chunks")
	b.ReportMetric(median(speeds), "segments/s")
	b.ReportMetric(median(natives), "native-segments/s")
}
