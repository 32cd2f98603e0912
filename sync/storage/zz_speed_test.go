package storage_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/sync/pool"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

func TestSpeed(t *testing.T) {
	for _, s := range []*dbserver.Server{dbserver.Postgres(t), dbserver.MariaDB(t)} {
		s = s.Database(t)
		var rows []table.Row
		for i := range 1741 {
			data := make([]byte, 30<<10)
			_, _ = rand.Read(data)
			rows = append(rows, table.Row{ID: fmt.Sprintf("e0000000-0000-4000-8000-%012x", i), Map: "{}", Val: data})
		}
		dbserver.Fill(t, s, rows)
		tab, err := table.Open(t.Context(), s.Config())
		require.NoError(t, err)
		for _, w := range []int{32, 64, 128, 256, 512, 256, 64} {
			start, q := time.Now(), tab.Queries()
			require.NoError(t, pool.Run(t.Context(), w, func(send func(string) error) error {
				for _, r := range rows {
					if err := send(r.ID); err != nil {
						return err
					}
				}
				return nil
			}, func(ctx context.Context, id string) error {
				_, err := tab.Get(ctx, id)
				return err
			}))
			t.Log(s.Kind, w, time.Since(start), tab.Queries()-q)
		}
		require.NoError(t, tab.Close())
	}
}
