package datacamp

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/sample"
)

func BenchmarkExport(b *testing.B) {
	dir := b.TempDir()
	if d := os.Getenv("H5DIR"); d != "" {
		dir = d
	}
	if _, err := os.Stat(dir + "/done"); err != nil {
		_, err := sample.Create(dir, sample.Options{Seed: 1, Entities: 200_000})
		require.NoError(b, err)
		os.WriteFile(dir+"/done", nil, 0o666)
	}
	v := databases(b, dir, "")[":db"]
	for b.Loop() {
		p := newPlace()
		m, err := exporting(v, p, false, DefaultChunk).Run(b.Context())
		require.NoError(b, err)
		b.ReportMetric(float64(m.Datoms), "datoms")
		b.ReportMetric(float64(m.Size), "bytes")
		b.ReportMetric(float64(len(m.Chunks)), "chunks")
	}
}
