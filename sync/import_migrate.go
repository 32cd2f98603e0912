package dbsync

import (
	"context"

	"github.com/rclone-datom/rclone-datom/sync/exchange/migrate"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// migrated is a Datomic database as one of Datahike's, and what is to be said
// of that.
func migrated(ctx context.Context, v view.View) (view.View, []string, error) {
	return migrate.FromDatomic(ctx, v, nil)
}
