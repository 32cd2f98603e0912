package dbsync

import (
	"context"
	"errors"
	"time"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// ParkedPoint is a point that was pruned and is not gone.
type ParkedPoint struct {
	Point
	// Until is the end of its grace: as long it can be brought back.
	Until time.Time `json:"parkedUntil"`
	// Going: it is over.
	Going bool `json:"going,omitempty"`
}

// ParkedPoints are those at dst, oldest first; there may be none.
func ParkedPoints(ctx context.Context, dst fs.Fs) ([]ParkedPoint, error) {
	place, err := snapshot.Find(ctx, dst)
	if err != nil {
		return nil, err
	}
	if err := anyPoint(ctx, place); err != nil {
		return nil, err
	}
	ids, err := place.IDs(ctx)
	if err != nil {
		return nil, err
	}
	points := []ParkedPoint{}
	for _, id := range ids {
		_, err := place.Manifest(ctx, id)
		if !errors.Is(err, graph.ErrNotFound) {
			continue // whatever it is, it is not parked
		}
		q, err := place.Parked(ctx, id)
		if errors.Is(err, graph.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		points = append(points, ParkedPoint{pointOf(q.Manifest), q.Until, q.Going})
	}
	return points, nil
}
