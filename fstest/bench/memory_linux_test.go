package bench

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/sample"
)

// BenchmarkMemory is by how much the peak of memory of a first backup grows from
// 10,000 to 1,000,000 segments, in MiB. Source and destination take two million
// files in memory.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		few, n := backupPeak(b, 2_250)
		many, m := backupPeak(b, 225_000)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(n), "segments-few")
		b.ReportMetric(float64(m), "segments-many")
		b.ReportMetric(few, "MiB-few")
		b.ReportMetric(many, "MiB-many")
		b.ReportMetric(many-few, "MiB-more")
	}
}

// backupPeak makes a database of so many people, about four segments each, and
// returns what its first backup needs of memory, in MiB, and its segments.
func backupPeak(b *testing.B, people int) (mib float64, segments int) {
	bin, dir := binary(b), tmpfs(b)
	src := filepath.Join(dir, "src")
	db, err := sample.Create(src, sample.Options{Seed: 1, Entities: people, BranchingFactor: 16})
	require.NoError(b, err)
	segments = len(db.Reachable())
	cmd := exec.Command(bin, "backup", ":datahike,store="+src+":", filepath.Join(dir, "ours"))
	cmd.Env = append(os.Environ(), "RCLONE_CONFIG=", "LC_ALL=C", "TMPDIR="+b.TempDir())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(b, cmd.Run(), "%s", &out)
	require.NoError(b, os.RemoveAll(dir))
	kib := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	return float64(kib) / 1024, segments
}
