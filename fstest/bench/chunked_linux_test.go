package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/sample"
)

// BenchmarkChunkedTar is a first backup in chunks to a directory in memory, on
// one core and on all, against tar of the same files through a pipe.
func BenchmarkChunkedTar(b *testing.B) {
	bin, dir := binary(b), tmpfs(b)
	src := &source{dir: filepath.Join(dir, "src")}
	src.db = database(b, src.dir)
	ours, peer := filepath.Join(dir, "ours"), filepath.Join(dir, "peer.tar")
	backup := []string{bin, "backup", src.remote(), ours, "--layout", "chunked"}
	tar := []string{"sh", "-c", `tar cf - "$1" | cat >"$2"`, "sh", src.dir, peer}
	pair := func(first ...string) float64 {
		run := func(args []string) float64 {
			args = append(first[:len(first):len(first)], args...)
			return timed(b, args[0], args[1:]...).Seconds()
		}
		ratio := run(backup) / run(tar)
		require.NoError(b, os.RemoveAll(ours))
		require.NoError(b, os.Remove(peer))
		return ratio
	}
	var one, all []float64
	for b.Loop() {
		for range pairs {
			one = append(one, pair("taskset", "-c", "0", "env", "GOMAXPROCS=1"))
			all = append(all, pair("env"))
		}
	}
	report(b, "tar", one, src.segments())
	b.ReportMetric(median(all), "x-tar-all-cores")
	b.ReportMetric(float64(bytesIn(b, src.dir))/float64(src.segments()), "bytes/segment")
}

// BenchmarkChunkedMemory is the peak of memory of a first backup in chunks, of
// 100,000 and of 1,000,000 segments, to a bucket 20 ms away and to a directory,
// in MiB. The larger source takes a million files in memory.
func BenchmarkChunkedMemory(b *testing.B) {
	for b.Loop() {
		for _, size := range []struct {
			name   string
			people int
		}{{"few", 22_500}, {"many", 225_000}} {
			toS3, toDir, n := chunkedPeaks(b, size.people)
			b.ReportMetric(float64(n), "segments-"+size.name)
			b.ReportMetric(toS3, "MiB-S3-"+size.name)
			b.ReportMetric(toDir, "MiB-dir-"+size.name)
		}
		b.ReportMetric(0, "ns/op")
	}
}

// chunkedPeaks makes a database of so many people, about four segments each, and
// returns what first backups of it need of memory, in MiB, and its segments.
func chunkedPeaks(b *testing.B, people int) (toS3, toDir float64, segments int) {
	bin, dir := binary(b), tmpfs(b)
	src := &source{dir: filepath.Join(dir, "src")}
	var err error
	src.db, err = sample.Create(src.dir, sample.Options{Seed: 1, Entities: people, BranchingFactor: 16})
	require.NoError(b, err)
	segments = src.segments()
	farS3(b, dir)
	peak := func(to string) float64 {
		cmd := exec.Command(bin, "backup", src.remote(), to, "--layout", "chunked")
		cmd.Env = append(os.Environ(), "RCLONE_CONFIG=", "LC_ALL=C", "TMPDIR="+b.TempDir())
		took, mib := watched(b, cmd)
		b.Logf("%d segments to %s: %.0f MiB, %v", segments, to, mib, took.Round(time.Millisecond))
		return mib
	}
	toS3, toDir = peak("far:bucket/ours"), peak(filepath.Join(dir, "ours"))
	require.NoError(b, os.RemoveAll(src.dir))
	return toS3, toDir, segments
}
