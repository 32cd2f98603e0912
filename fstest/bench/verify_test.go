package bench

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkVerifyDeep is verify --deep of a mirror in memory, in bytes of
// segments per second, against a plain program that reads, hashes and scans
// the same files in a loop. What gzip -d makes of them is there for scale.
func BenchmarkVerifyDeep(b *testing.B) {
	bin, dir := binary(b), tmpfs(b)
	src, mirror := filepath.Join(dir, "src"), filepath.Join(dir, "mirror")
	n := len(database(b, src).Reachable())
	timed(b, bin, "backup", ":datahike,store="+src+":", mirror)
	plain, packed := buildReadall(b, dir), gzipAll(b, src, filepath.Join(dir, "all.gz"))
	var speeds, loops, gzips []float64
	size := float64(bytesIn(b, src)) / 1e6
	for b.Loop() {
		for range pairs {
			t := timed(b, bin, "verify", "--deep", mirror)
			loop := timed(b, plain, filepath.Join(mirror, "store"))
			speeds = append(speeds, loop.Seconds()/t.Seconds())
			loops = append(loops, size/loop.Seconds())
			gzips = append(gzips, size/timed(b, "gzip", "-t", packed).Seconds())
		}
	}
	report(b, "readall-speed", speeds, n)
	b.ReportMetric(median(loops), "readall-MB/s")
	b.ReportMetric(median(gzips), "gzip-d-MB/s")
}

// buildReadall builds the plain program.
func buildReadall(b *testing.B, dir string) string {
	name := filepath.Join(dir, "readall")
	out, err := exec.Command("go", "build", "-o", name, "./readall").CombinedOutput()
	require.NoError(b, err, "%s", out)
	return name
}

// gzipAll packs the files of a directory, one after the other.
func gzipAll(b *testing.B, dir, name string) string {
	out, err := os.Create(name)
	require.NoError(b, err)
	cmd := exec.Command("gzip", "-c")
	cmd.Stdout = out
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	entries, err := os.ReadDir(dir)
	require.NoError(b, err)
	for _, e := range entries {
		f, err := os.Open(filepath.Join(dir, e.Name()))
		require.NoError(b, err)
		_, err = io.Copy(in, f)
		require.NoError(b, err)
		require.NoError(b, f.Close())
	}
	require.NoError(b, in.Close())
	require.NoError(b, cmd.Wait())
	require.NoError(b, out.Close())
	return name
}
