// Package exchange tests datoms end to end: what is read of databases and
// backups in every layout, exports, imports and differences, against what the
// real databases say of themselves.
package exchange

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"github.com/stretchr/testify/require"

	_ "github.com/rclone/rclone/backend/local"
	_ "github.com/rclone/rclone/backend/memory"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/storage"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

var number atomic.Int64

// quick retries nothing and counts for itself.
func quick() context.Context {
	ctx, ci := fs.AddConfig(context.Background())
	ci.LowLevelRetries = 1
	return accounting.WithStatsGroup(ctx, fmt.Sprintf("exchange-%d", number.Add(1)))
}

func remote(t testing.TB, path string) fs.Fs {
	t.Helper()
	f, err := fs.NewFs(context.Background(), path)
	require.NoError(t, err)
	return f
}

// memory is a new, empty remote.
func memory(t testing.TB) fs.Fs {
	t.Helper()
	return remote(t, fmt.Sprintf(":memory:exchange-%d", number.Add(1)))
}

// source is a fixture's database.
func source(t testing.TB, name string) dbsync.Source {
	t.Helper()
	f := remote(t, fixture.Unpack(t, name))
	return dbsync.Source{Fs: f, Store: store.New(f, ""), Dialect: datahike.New(fixture.Key(name))}
}

// datomicSource is the newest value of Datomic's own backup of a generation.
func datomicSource(t testing.TB, gen string, at int64) dbsync.Source {
	t.Helper()
	f := remote(t, fixture.DatomicBackup(t, gen))
	st, err := storage.OpenBackup(quick(), f, at)
	require.NoError(t, err)
	return dbsync.Source{Fs: f, Datomic: st}
}

// backup makes a backup in a layout.
func backup(t testing.TB, src dbsync.Source, dst fs.Fs, layout string) *dbsync.BackupReport {
	t.Helper()
	rep, err := dbsync.Backup(quick(), src, dst, dbsync.BackupOptions{Layout: layout, OnlineGCCopy: src.Datomic == nil})
	require.NoError(t, err)
	return rep
}

// digest is that of what a query finds, and how many datoms these are.
func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func digest(t testing.TB, v view.View, q datom.Query) (sum string, n int64) {
	t.Helper()
	d := datom.NewDigest()
	defer d.Close()
	require.NoError(t, v.Scan(quick(), q, d.Add))
	sum, n, err := d.Sum()
	require.NoError(t, err)
	return sum, n
}
