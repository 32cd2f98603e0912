package datahike

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rclone/rclone/fs"

	dialect "github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// hold pins the snapshot.
func (f *Fs) hold(ctx context.Context) error {
	set, err := f.find(ctx)
	if err != nil {
		return fmt.Errorf("datahike: %s: %w", f.files, err)
	}
	heads, err := f.dialect.Hold(ctx, func(ctx context.Context, id graph.ID) ([]byte, error) {
		if set != nil && id == dialect.BranchesID() {
			return set, nil // read already
		}
		return f.files.Get(ctx, id)
	}, f.opt.Branch)
	if errors.Is(err, graph.ErrNotFound) {
		return fmt.Errorf("datahike: %s: %w: %w", f.files, fs.ErrorObjectNotFound, err)
	}
	if err != nil {
		return fmt.Errorf("datahike: %s: %w", f.files, err)
	}
	f.heads, f.held = heads, map[string][]byte{}
	for _, h := range heads.Held() {
		f.held[string(h.ID)] = h.Data
	}
	return nil
}

// find decides how the store's objects are named: as store_id says, or as
// files, or as on S3 if the marker of one such store is there and no files are.
// It returns the set of branches if that was read.
func (f *Fs) find(ctx context.Context) (set []byte, err error) {
	f.files = store.New(f.base, "")
	if f.opt.StoreID != "" {
		return nil, f.useS3Names(f.opt.StoreID)
	}
	set, err = dialect.Present(ctx, f.files.Get, dialect.BranchesID())
	if !errors.Is(err, graph.ErrNotFound) {
		return set, err
	}
	ids, err := f.files.S3Stores(ctx)
	switch {
	case errors.Is(err, fs.ErrorDirNotFound), err == nil && len(ids) == 0:
		return nil, nil // it may be coming into being
	case err != nil:
		return nil, fmt.Errorf("no Datahike database among the files, and what else is there cannot be looked at: %w", err)
	case len(ids) > 1:
		return nil, fmt.Errorf("there are several stores: set store_id to one of %s", strings.Join(ids, " "))
	}
	fs.Logf(f, "Found the store %s by a listing, which store_id=%s would spare", ids[0], ids[0])
	return nil, f.useS3Names(ids[0])
}

// useS3Names takes a store's names on S3.
func (f *Fs) useS3Names(storeID string) error {
	names, err := store.S3Names(storeID)
	if err != nil {
		return fmt.Errorf("store_id: %w", err)
	}
	f.files = store.Named(f.base, "", names)
	return nil
}
