// Package bench compares rclone-datom with a peer that does the same work, in
// the same run: the metric is the ratio of the two times, so that it means
// something on any machine. docs/benchmarks.md has results.
//
//	make bench
package bench

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/sample"
)

// people makes about 100,000 segments of 4 KiB on average.
const people = 48_000

// binary is what the Makefile has built.
func binary(b *testing.B) string {
	name, err := filepath.Abs("../../bin/rclone-datom")
	require.NoError(b, err)
	require.FileExists(b, name, "run make build first")
	return name
}

// tmpfs is a directory in memory where the system has one.
func tmpfs(b *testing.B) string {
	base := "/dev/shm"
	if st, err := os.Stat(base); err != nil || !st.IsDir() {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "datom-bench-")
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, os.RemoveAll(dir)) })
	return dir
}

// database makes the store that is copied.
func database(b *testing.B, dir string) *sample.DB {
	db, err := sample.Create(dir, sample.Options{Seed: 1, Entities: people, BranchingFactor: 32, NoteBytes: 1500})
	require.NoError(b, err)
	return db
}

// timed runs a command and returns how long it took, its start included.
func timed(b *testing.B, name string, args ...string) time.Duration {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "RCLONE_CONFIG=", "LC_ALL=C")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	require.NoError(b, err, "%s %s\n%s", name, strings.Join(args, " "), &out)
	return took
}

// median of the ratios of pairs.
func median(ratios []float64) float64 {
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

// report gives the median ratio and the sizes it was measured on.
func report(b *testing.B, peer string, ratios []float64, segments int) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(ratios), "x-"+peer)
	b.ReportMetric(float64(segments), "segments")
}

const pairs = 5

// BenchmarkFullMirror is a first backup to a directory in memory, digests
// included, against rclone copy and cp -r of the same files.
func BenchmarkFullMirror(b *testing.B) {
	bin, dir := binary(b), tmpfs(b)
	src := filepath.Join(dir, "src")
	db := database(b, src)
	n := len(db.Reachable())
	var copies, cps []float64
	for b.Loop() {
		for range pairs {
			ours := filepath.Join(dir, "ours")
			peer := filepath.Join(dir, "peer")
			cp := filepath.Join(dir, "cp")
			t := timed(b, bin, "backup", ":datahike,store="+src+":", ours)
			copies = append(copies, t.Seconds()/timed(b, bin, "copy", src, peer).Seconds())
			cps = append(cps, t.Seconds()/timed(b, "cp", "-r", src, cp).Seconds())
			for _, d := range []string{ours, peer, cp} {
				require.NoError(b, os.RemoveAll(d))
			}
		}
	}
	report(b, "rclone-copy", copies, n)
	b.ReportMetric(float64(bytesIn(b, src))/float64(n), "bytes/segment")
	b.ReportMetric(median(cps), "x-cp-r")
}

// BenchmarkIncrementalS3 is a backup of about 100 new segments among 100,000
// to a served S3 bucket, against rclone copy of just those files by name.
func BenchmarkIncrementalS3(b *testing.B) {
	bin, dir := binary(b), tmpfs(b)
	src := filepath.Join(dir, "src")
	db := database(b, src)
	bucket := filepath.Join(dir, "s3", "bucket")
	timed(b, bin, "backup", ":datahike,store="+src+":", filepath.Join(bucket, "ours"))
	timed(b, "cp", "-r", src, filepath.Join(bucket, "peer")) // it, too, has everything
	remote := serveS3(b, bin, filepath.Join(dir, "s3"))
	before := db.Reachable()
	var ratios []float64
	segments := 0
	for b.Loop() {
		for range pairs {
			require.NoError(b, db.Transact(12))
			now := db.Reachable()
			added := missing(now, before)
			before = now
			segments = len(added)
			names := filepath.Join(dir, "names")
			require.NoError(b, os.WriteFile(names, []byte(strings.Join(added, "\n")+"\n"), 0o600))
			t := timed(b, bin, "backup", ":datahike,store="+src+":", remote+"bucket/ours")
			peer := timed(b, bin, "copy", "--files-from-raw", names, "--no-traverse", src, remote+"bucket/peer")
			ratios = append(ratios, t.Seconds()/peer.Seconds())
		}
	}
	report(b, "rclone-files-from", ratios, segments)
}

// BenchmarkIncrementalLocal is a backup of about 100 new segments among
// 100,000 to a directory in memory, against rclone copy, which has to look at
// all of both sides to find them.
func BenchmarkIncrementalLocal(b *testing.B) {
	bin, dir := binary(b), tmpfs(b)
	src, ours, peer := filepath.Join(dir, "src"), filepath.Join(dir, "ours"), filepath.Join(dir, "peer")
	db := database(b, src)
	timed(b, bin, "backup", ":datahike,store="+src+":", ours)
	timed(b, "cp", "-rp", src, peer) // with its times, so that it counts as copied
	before := db.Reachable()
	var ratios []float64
	segments := 0
	for b.Loop() {
		for range pairs {
			require.NoError(b, db.Transact(12))
			now := db.Reachable()
			segments, before = len(missing(now, before)), now
			t := timed(b, bin, "backup", ":datahike,store="+src+":", ours)
			ratios = append(ratios, t.Seconds()/timed(b, bin, "copy", src, peer).Seconds())
		}
	}
	report(b, "rclone-copy", ratios, segments)
}

// bytesIn adds up the files in a directory.
func bytesIn(b *testing.B, dir string) (sum int64) {
	entries, err := os.ReadDir(dir)
	require.NoError(b, err)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(b, err)
		sum += info.Size()
	}
	return sum
}

// missing returns what now has and before has not.
func missing(now, before []string) []string {
	had := map[string]bool{}
	for _, n := range before {
		had[n] = true
	}
	return slices.DeleteFunc(slices.Clone(now), func(n string) bool { return had[n] })
}

// serveS3 serves a directory as S3 and returns the remote.
func serveS3(b *testing.B, bin, dir string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(b, l.Close())
	addr := "127.0.0.1:" + strconv.Itoa(port)
	cmd := exec.Command(bin, "serve", "s3", "--addr", addr, "--auth-key", "benchkey,benchsecret", dir)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.Eventually(b, func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, 20*time.Second, 50*time.Millisecond)
	return fmt.Sprintf(":s3,provider=Rclone,access_key_id=benchkey,secret_access_key=benchsecret,endpoint='http://%s':", addr)
}
