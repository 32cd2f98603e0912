package datomic

import (
	"context"
	"errors"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/hash"

	"github.com/rclone-datom/rclone-datom/backend/internal/segfs"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/storage"
)

// Unnamed is a remote whose storage has several databases, of which its settings
// name none, or none at all. All that it can do is to say which there are.
type Unnamed struct {
	segfs.ReadOnly
	name, root string
	why        error
	catalog    *datomic.Catalog
	features   *fs.Features
}

// unnamed makes one of the error for which no database was opened; nil if that
// was for another reason.
func unnamed(ctx context.Context, opt *Options, name, root string, why error) fs.Fs {
	if opt.Database != "" || !errors.Is(why, storage.ErrSeveral) && !errors.Is(why, storage.ErrNoDatabase) {
		return nil
	}
	t, err := opt.table(ctx, false)
	if err != nil {
		return nil
	}
	defer func() { _ = t.Close() }()
	c, err := storage.Catalog(ctx, t)
	if err != nil {
		return nil
	}
	u := &Unnamed{ReadOnly: segfs.ReadOnly{Kind: "datomic"}, name: name, root: root, why: final(why), catalog: c}
	u.features = (&fs.Features{}).Fill(ctx, u)
	return u
}

// Err is why no database was opened.
func (u *Unnamed) Err() error { return u.why }

// Name of the remote (as passed into NewFs)
func (u *Unnamed) Name() string { return u.name }

// Root of the remote (as passed into NewFs)
func (u *Unnamed) Root() string { return u.root }

// String returns a description of the Fs
func (u *Unnamed) String() string { return "Datomic storage" }

// Precision of the ModTimes in this Fs
func (u *Unnamed) Precision() time.Duration { return fs.ModTimeNotSupported }

// Hashes returns none.
func (u *Unnamed) Hashes() hash.Set { return hash.NewHashSet() }

// Features returns the optional features of this Fs
func (u *Unnamed) Features() *fs.Features { return u.features }

// List says why there is nothing to list.
func (u *Unnamed) List(context.Context, string) (fs.DirEntries, error) { return nil, u.why }

// NewObject says why there is nothing to be found.
func (u *Unnamed) NewObject(context.Context, string) (fs.Object, error) { return nil, u.why }

// Command answers which databases there are.
func (u *Unnamed) Command(_ context.Context, name string, _ []string, _ map[string]string) (any, error) {
	if name == "databases" {
		return databasesOf(u.catalog), nil
	}
	return nil, u.why
}

var (
	_ fs.Fs        = (*Unnamed)(nil)
	_ fs.Commander = (*Unnamed)(nil)
)
