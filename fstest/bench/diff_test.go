package bench

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/sample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// BenchmarkDiff compares two values of a database with a million datoms, some
// hundred of which have changed, and counts what it reads.
func BenchmarkDiff(b *testing.B) {
	dir := filepath.Join(tmpfs(b), "src")
	db, err := sample.Create(dir, sample.Options{Seed: 1, Entities: 85_000})
	require.NoError(b, err)
	f, err := fs.NewFs(b.Context(), dir)
	require.NoError(b, err)
	src := dbsync.Source{Fs: f, Store: store.New(f, ""), Dialect: datahike.New("")}
	var reads atomic.Int64
	open := func() view.View {
		v, err := src.View(b.Context(), dbsync.ViewOptions{})
		require.NoError(b, err)
		d, ok := view.As[*view.DatahikeView](v)
		require.True(b, ok)
		get := d.Reader().Get
		d.Reader().Get = func(ctx context.Context, id graph.ID, buf []byte) ([]byte, error) {
			reads.Add(1)
			return get(ctx, id, buf)
		}
		return v
	}
	from := open()
	require.NoError(b, db.Transact(45))
	to := open()
	for b.Loop() {
		reads.Store(0)
		rep, err := dbsync.Diff(b.Context(), from, to, nil)
		require.NoError(b, err)
		b.ReportMetric(float64(rep.Added+rep.Retracted), "changes")
		b.ReportMetric(float64(reads.Load()), "segments-read")
		b.ReportMetric(float64(to.Info().Datoms), "datoms")
	}
}
