package view

import (
	"context"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
)

// OpenDatomicSmall opens a value with so many bytes of memory for recent datoms.
func OpenDatomicSmall(ctx context.Context, get datomic.Get, value *datomic.Value, memory int) (*DatomicView, error) {
	return openDatomic(ctx, datomic.New(), get, value, 1, memory)
}
