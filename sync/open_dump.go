package dbsync

import (
	"context"
	"errors"
	"fmt"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/rclone-datom/rclone-datom/sync/exchange/dump"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// findDump reads the manifest of the dump at f. Where there is none, but
// something of a dump, that is an interrupted one; where there is nothing of
// the kind the error matches errNotForeign.
func findDump(ctx context.Context, f fs.Fs) (*dump.Dump, error) {
	d, err := dump.Open(ctx, dump.Get(filesIn(f, "")), fs.GetConfig(ctx).Checkers)
	switch {
	case err == nil:
		return d, nil
	case errors.Is(err, dump.ErrNoDump):
		return nil, errNotForeign
	case !errors.Is(err, graph.ErrNotFound):
		return nil, fmt.Errorf("%s: %w", f, err)
	}
	if _, err := f.NewObject(ctx, "datoms-000001.cbor.gz"); err == nil {
		return nil, fserrors.NoRetryError(fmt.Errorf("%s has chunks of a dump and no %s: the export was interrupted: make it again: %w", f, dump.ManifestName, graph.ErrNotFound))
	}
	return nil, errNotForeign
}

// openDump opens the dump at f.
func openDump(ctx context.Context, f fs.Fs) (view.View, error) {
	d, err := findDump(ctx, f)
	if err != nil {
		return nil, err
	}
	return d.View(ctx)
}
