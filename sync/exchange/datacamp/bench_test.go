package datacamp

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/sample"
)

// BenchmarkExport is an export of some 240,000 datoms, read from files and
// written to memory.
func BenchmarkExport(b *testing.B) {
	dir := b.TempDir()
	_, err := sample.Create(dir, sample.Options{Seed: 1, Entities: 20_000})
	require.NoError(b, err)
	v := databases(b, dir, "")[":db"]
	var m *Manifest
	for b.Loop() {
		m, err = exporting(v, newPlace(), false, DefaultChunk).Run(b.Context())
		require.NoError(b, err)
	}
	b.ReportMetric(float64(m.Datoms)*float64(b.N)/b.Elapsed().Seconds(), "datoms/s")
	b.ReportMetric(float64(m.Size)/float64(m.Datoms), "bytes/datom")
}
