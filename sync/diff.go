package dbsync

import (
	"context"

	"github.com/rclone-datom/rclone-datom/sync/diff"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// Diff compares two values as [diff.Values] does.
func Diff(ctx context.Context, from, to view.View, fn func(diff.Change) error) (*diff.Report, error) {
	rep, err := diff.Values(ctx, from, to, fn)
	return rep, final(ctx, because(ctx, err))
}
