package cli

import (
	"context"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// Backup opens both ends, which are remotes as on a command line, and backs
// one up to the other.
func Backup(ctx context.Context, source, dest string, layout Layout, opt dbsync.BackupOptions) (*dbsync.BackupReport, error) {
	var err error
	if opt.Packing, err = layout.Packing(); err != nil {
		return nil, err
	}
	opt.Layout = layout.Layout
	src, err := Source(ctx, source)
	if err != nil {
		return nil, err
	}
	defer Close(ctx, src.Fs)
	dst, err := Backups(ctx, dest)
	if err != nil {
		return nil, err
	}
	return dbsync.Backup(ctx, src, dst, opt)
}
