package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	_, mib = watched(b, cmd)
	require.NoError(b, os.RemoveAll(dir))
	return mib, segments
}

// watched runs a command and returns how long it took and the peak of its
// memory, in MiB. (What wait reports has the parent's in it.)
func watched(b *testing.B, cmd *exec.Cmd) (took time.Duration, mib float64) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	require.NoError(b, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		mib = max(mib, highWater(cmd.Process.Pid))
		select {
		case err := <-ended:
			took = time.Since(start)
			require.NoError(b, err, "%v\n%s", cmd.Args, &out)
			return took, mib
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// highWater is the most memory that a running process has had, in MiB; 0 if it
// has ended. (Its rusage will not do: that is no less than the parent's, whose
// memory the sample has filled.)
func highWater(pid int) (mib float64) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	_, _ = fmt.Sscanf(line, "%f kB", &mib)
	return mib / 1024
}
