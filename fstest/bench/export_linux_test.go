package bench

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/sample"
)

// exportPeople makes some 1,440,000 datoms.
const exportPeople = 120_000

// BenchmarkExportDatacamp is an export of a store in datacamp's format to a
// directory in memory, on all cores: how many datoms a second, the start of the
// program taken off, and how much more memory than printing the version takes.
func BenchmarkExportDatacamp(b *testing.B) {
	bin, dir := binary(b), tmpfs(b)
	src, to := filepath.Join(dir, "src"), filepath.Join(dir, "ours")
	_, err := sample.Create(src, sample.Options{Seed: 1, Entities: exportPeople})
	require.NoError(b, err)
	export := []string{"export", ":datahike,store=" + src + ":", to, "--format", "datacamp"}
	run := func(args ...string) (time.Duration, float64) {
		cmd := exec.Command(bin, args...)
		cmd.Env = append(os.Environ(), "RCLONE_CONFIG=", "LC_ALL=C", "TMPDIR="+dir)
		return watched(b, cmd)
	}
	var rates, more []float64
	var datoms, bytes float64
	for b.Loop() {
		for range pairs {
			started, idle := run("version")
			took, peak := run(export...)
			datoms, bytes = exportedIn(b, to)
			rates = append(rates, datoms/max(took-started, time.Millisecond).Seconds())
			more = append(more, peak-idle)
			require.NoError(b, os.RemoveAll(to))
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(rates), "datoms/s")
	b.ReportMetric(median(more), "MiB-more")
	b.ReportMetric(datoms, "datoms")
	b.ReportMetric(bytes/datoms, "bytes/datom")
}

// exportedIn reads of an export how many datoms it has, and the bytes of them.
func exportedIn(b *testing.B, dir string) (datoms, bytes float64) {
	out, err := exec.Command(binary(b), "verify", dir, "--json").Output()
	require.NoError(b, err)
	var rep struct{ Datoms, Bytes float64 }
	require.NoError(b, json.Unmarshal(out, &rep))
	return rep.Datoms, rep.Bytes
}
