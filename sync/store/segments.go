package store

import (
	"context"
	"crypto/sha256"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Segments is where segments are read, one object each or packed in chunks. It
// may be used from many goroutines.
type Segments interface {
	// Get reads a whole segment. It returns graph.ErrNotFound where there is
	// none and graph.ErrTooLarge beyond MaxSize.
	Get(ctx context.Context, id graph.ID) ([]byte, error)
	// GetInto is Get, perhaps into the memory of buf.
	GetInto(ctx context.Context, id graph.ID, buf []byte) ([]byte, error)
	// Size returns a segment's size without reading it.
	Size(ctx context.Context, id graph.ID) (int64, error)
	// Object is what holds a segment or a value of any length, unread.
	Object(ctx context.Context, id graph.ID) (fs.Object, error)
	// Sum reads an object of any length for its size and SHA-256.
	Sum(ctx context.Context, id graph.ID) (size int64, sum [sha256.Size]byte, err error)
	// Reads is the number of requests that were made.
	Reads() int64
}

var _ Segments = (*Files)(nil)
