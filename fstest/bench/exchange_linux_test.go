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

// exchange runs commands on a database in memory.
type exchange struct {
	*testing.B
	bin, dir string
	started  time.Duration // what printing the version takes
	idle     float64       // of memory, in MiB
}

func newExchange(b *testing.B) *exchange {
	x := &exchange{B: b, bin: binary(b), dir: tmpfs(b)}
	x.started, x.idle = x.run("version")
	return x
}

func (x *exchange) path(name string) string { return filepath.Join(x.dir, name) }

func (x *exchange) run(args ...string) (time.Duration, float64) {
	cmd := exec.Command(x.bin, args...)
	cmd.Env = append(os.Environ(), "RCLONE_CONFIG=", "LC_ALL=C", "TMPDIR="+x.dir)
	return watched(x.B, cmd)
}

// create makes a store of so many people, twelve datoms each.
func (x *exchange) create(people int) (source string) {
	_, err := sample.Create(x.path("src"), sample.Options{Seed: 1, Entities: people})
	require.NoError(x, err)
	return ":datahike,store=" + x.path("src") + ":"
}

// rate is how many datoms a second a command handles, the program's start taken
// off.
func (x *exchange) rate(datoms float64, took time.Duration) float64 {
	return datoms / max(took-x.started, time.Millisecond).Seconds()
}

// BenchmarkExportDump is an export with history as a dump of Datahike's: how
// many datoms a second, and how much more memory ten times the database takes.
func BenchmarkExportDump(b *testing.B) {
	for b.Loop() {
		few := newExchange(b)
		src := few.create(exportPeople)
		var rates []float64
		var small, datoms float64
		for range pairs {
			took, peak := few.run("export", src, few.path("dump"), "--format", "datahike", "--history")
			datoms, _ = exportedIn(b, few.path("dump"))
			rates, small = append(rates, few.rate(datoms, took)), max(small, peak)
			require.NoError(b, os.RemoveAll(few.path("dump")))
		}
		require.NoError(b, os.RemoveAll(few.dir))
		many := newExchange(b)
		_, large := many.run("export", many.create(7*exportPeople), many.path("dump"), "--format", "datahike", "--history")
		more, _ := exportedIn(b, many.path("dump"))
		require.NoError(b, os.RemoveAll(many.dir))
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(median(rates), "datoms/s")
		b.ReportMetric(datoms, "datoms-few")
		b.ReportMetric(more, "datoms-many")
		b.ReportMetric(small-few.idle, "MiB-few")
		b.ReportMetric(large-many.idle, "MiB-many")
	}
}

// BenchmarkImport builds a store of a dump with history: how many datoms a
// second, and how much more memory than printing the version takes.
func BenchmarkImport(b *testing.B) {
	for b.Loop() {
		x := newExchange(b)
		x.run("export", x.create(exportPeople), x.path("dump"), "--format", "datahike", "--history")
		datoms, _ := exportedIn(b, x.path("dump"))
		var rates []float64
		var peak float64
		for range pairs {
			took, mib := x.run("import", x.path("dump"), x.path("store"))
			rates, peak = append(rates, x.rate(datoms, took)), max(peak, mib)
			require.NoError(b, os.RemoveAll(x.path("store")))
		}
		require.NoError(b, os.RemoveAll(x.dir))
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(median(rates), "datoms/s")
		b.ReportMetric(datoms, "datoms")
		b.ReportMetric(peak-x.idle, "MiB-more")
	}
}
