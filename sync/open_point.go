package dbsync

import (
	"context"
	"errors"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// OpenedPoint is a point with all that reading it needs, in either layout. It
// may be used from many goroutines until Close.
type OpenedPoint struct {
	// Manifest describes the point.
	Manifest *snapshot.Manifest
	// Held are the mutable objects with their exact bytes, in the order of writing.
	Held []graph.Held

	closure  *spill.Table
	segments segmentsByPath
}

// segmentsByPath are segments that know where their database looks for them.
type segmentsByPath interface {
	store.Segments
	Remote(id graph.ID) string
}

// OpenPoint opens the point of dst that at means: "" or "latest" is the newest;
// an id or its beginning, a time, a commit or a t does as in RestoreOptions.At.
// That there is no such point matches fs.ErrorObjectNotFound. It reads
// the point's manifest and lists and those of its parents, and no segment.
func OpenPoint(ctx context.Context, dst fs.Fs, at string) (*OpenedPoint, error) {
	place, err := snapshot.Find(ctx, dst)
	if err != nil {
		return nil, err
	}
	m, err := findPoint(ctx, place, at)
	if err != nil {
		return nil, err
	}
	held, err := heldOf(ctx, place, m)
	if err != nil {
		return nil, err
	}
	closure, err := closureOf(ctx, place, m)
	if err != nil {
		return nil, err
	}
	segments, ok := place.Segments(m, closure).(segmentsByPath)
	if !ok {
		return nil, errors.Join(errors.ErrUnsupported, closure.Close())
	}
	return &OpenedPoint{m, held, closure, segments}, nil
}

// Lines lists what the point reaches, but for the mutable objects: one line a
// segment (see graph.ParseEntry), sorted by id.
func (p *OpenedPoint) Lines() snapshot.Lines { return p.closure.All() }

// Segments reads what Lines lists.
func (p *OpenedPoint) Segments() store.Segments { return p.segments }

// Path is where the database has a segment, below the root of a store of its own.
func (p *OpenedPoint) Path(id graph.ID) string { return p.segments.Remote(id) }

// HeldPath is where the database has one of the mutable objects.
func (p *OpenedPoint) HeldPath(id graph.ID) string {
	if p.Manifest.Kind == snapshot.Datomic {
		return snapshot.DatomicName(id)
	}
	return p.segments.Remote(id)
}

// Close frees the lists.
func (p *OpenedPoint) Close() error { return p.closure.Close() }
