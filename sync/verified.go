package dbsync

import (
	"context"
	"errors"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"github.com/rclone/rclone/fs/object"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// record notes at the destination that bytes were read and found sound. That it
// cannot be written is no failure: the destination may be read-only.
func (v *verify) record(ctx context.Context) {
	r := v.readRecord()
	if !v.opt.Record || fs.GetConfig(ctx).DryRun || r.Segments == 0 || isNative(v.m) {
		return // what a native point is, Datomic may change
	}
	if err := appendVerified(ctx, v.place, r); err != nil {
		fs.Logf(v.place.F, "What was read is not recorded, for verify --status: %v", err)
		accounting.Stats(ctx).ResetErrors()
	}
}

// readRecord says what this verification has read, each segment once.
func (v *verify) readRecord() snapshot.Verified {
	r := snapshot.Verified{Point: v.m.Point, Time: v.started.UTC().Truncate(time.Millisecond), Part: 1, Parts: 1}
	switch {
	case v.opt.partial():
		of, _ := parsePart(v.opt.Subset) // it was checked
		r.Part, r.Parts, r.Since = of.n, of.of, v.report.Since
		r.Segments, r.Bytes = v.reads.Load(), v.readBytes.Load()
	case v.opt.Deep:
		r.Segments, r.Bytes = v.report.Segments.Segments, v.report.Segments.Bytes
	}
	return r
}

// appendVerified adds a record to those of a place.
func appendVerified(ctx context.Context, place *snapshot.Place, r snapshot.Verified) error {
	records, err := verified(ctx, place)
	if err != nil {
		return err
	}
	data, err := snapshot.EncodeVerified(append(records, r))
	if err != nil {
		return err
	}
	return transfer.NewCopier(place.F, object.MemoryFs, r.Time).Replace(ctx, place.VerifiedName(), data)
}

// verified are the records of a place: none if they cannot be read.
func verified(ctx context.Context, place *snapshot.Place) ([]snapshot.Verified, error) {
	records, err := place.Verified(ctx)
	if errors.Is(err, graph.ErrCorrupt) {
		fs.Logf(place.F, "What was read before now counts for nothing: %v", err)
		return nil, nil
	}
	return records, err
}
