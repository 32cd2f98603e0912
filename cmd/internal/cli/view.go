package cli

import (
	"context"

	"github.com/rclone-datom/rclone-datom/sync/view"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// View opens a database remote, a point of a backup, or an export of datoms, to
// be read as datoms. Close it.
func View(ctx context.Context, remote, at, branch string) (view.View, error) {
	f, err := Place(ctx, remote)
	if err != nil {
		return nil, err
	}
	opt := dbsync.ViewOptions{At: at, Branch: branch}
	if src, ok := Database(f); ok {
		v, err := src.View(ctx, opt)
		if err != nil {
			Close(ctx, f)
			return nil, err
		}
		return view.Opened(v, nil, func() error { Close(ctx, f); return nil }), nil
	}
	if opt.Dialect, err = Dialect(); err != nil {
		return nil, err
	}
	return dbsync.OpenView(ctx, f, opt)
}
