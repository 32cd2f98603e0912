package table_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// BenchmarkGet gets 1,741 values of 30 kB, as many as Datomic's sample of
// 100,000 entities has.
func BenchmarkGet(b *testing.B) {
	random := rand.NewChaCha8([32]byte{})
	rows := make([]table.Row, 1741)
	size := 0
	for i := range rows {
		rows[i] = table.Row{ID: fmt.Sprintf("6b00f51f-7d86-4ff1-9443-%012x", random.Uint64()>>16), Map: "{}", Val: make([]byte, 30_000)}
		_, _ = random.Read(rows[i].Val)
		size += len(rows[i].Val)
	}
	for kind, make := range servers {
		b.Run(kind, func(b *testing.B) {
			s := make(b)
			dbserver.Fill(b, s, rows)
			from, err := table.Open(b.Context(), s.Config())
			require.NoError(b, err)
			b.SetBytes(int64(size))
			before := from.Queries()
			for b.Loop() {
				_, err := getAll(b.Context(), from, values(rows))
				require.NoError(b, err)
			}
			b.ReportMetric(float64(from.Queries()-before)/float64(b.N), "queries/op")
			require.NoError(b, from.Close())
		})
	}
}
