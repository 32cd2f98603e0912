package dbsync

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// checkDigest compares bytes with what was recorded when they were backed up.
func checkDigest(e graph.Entry, data []byte) error {
	return checkSum(e, int64(len(data)), sha256.Sum256(data))
}

// checkSegment does so too, and one that was never read here must be sound: it
// is of a backup that Datomic has made.
func checkSegment(e graph.Entry, data []byte, sound func(graph.Ref, []byte) error) error {
	if err := checkDigest(e, data); err != nil || e.Digested() {
		return err
	}
	return sound(e.Ref, data)
}

// checkObject does so for an object of any length.
func checkObject(ctx context.Context, files store.Segments, e graph.Entry) error {
	size, sum, err := files.Sum(ctx, e.ID)
	if err != nil {
		return err
	}
	return checkSum(e, size, sum)
}

// checkWhole does so for one that was found.
func checkWhole(ctx context.Context, o fs.Object, e graph.Entry) error {
	size, sum, err := store.SumOf(ctx, o)
	if err != nil {
		return err
	}
	return checkSum(e, size, sum)
}

// checkSum compares what is known of a segment with what was read of it.
func checkSum(e graph.Entry, size int64, sum [sha256.Size]byte) error {
	if e.Size >= 0 && size != e.Size {
		return fmt.Errorf("%s has %d bytes, had %d when it was backed up: %w", e.ID, size, e.Size, graph.ErrCorrupt)
	}
	if e.Digested() && sum != e.SHA256 {
		return fmt.Errorf("%s has other bytes than were backed up (SHA-256 differs): %w", e.ID, graph.ErrCorrupt)
	}
	return nil
}

// damaged tells errors that say of a segment that it is gone, or is not what was
// written, from trouble with reading it.
func damaged(err error) bool {
	return errors.Is(err, graph.ErrNotFound) || errors.Is(err, graph.ErrCorrupt)
}
