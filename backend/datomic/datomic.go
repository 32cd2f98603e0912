// Package datomic shows a live Datomic database, or a backup of one, as
// read-only files: a backup in Datomic's own layout, of the value that the
// database had when the remote was opened.
//
//	owner             the database's id
//	roots/<t>         what the value consists of, and the log's tail
//	values/<xx>/<id>  the segments, by the last two characters of their ids
package datomic

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/cache"
	"github.com/rclone/rclone/fs/config/configmap"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/hash"
	"github.com/rclone/rclone/fs/list"

	"github.com/rclone-datom/rclone-datom/backend/internal/registry"
	"github.com/rclone-datom/rclone-datom/backend/internal/segfs"
	dialect "github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/storage"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

func init() {
	registry.Register(&fs.RegInfo{
		Name:        "datomic",
		Description: "Datomic database (read only, one consistent snapshot)",
		NewFs:       NewFs,
		CommandHelp: commandHelp,
		Options:     options,
	})
}

// Fs is a snapshot of a Datomic database.
type Fs struct {
	segfs.ReadOnly
	name     string
	root     string
	opt      Options
	features *fs.Features
	base     fs.Fs // nil where the storage is SQL
	dialect  *dialect.Dialect
	value    *dialect.Value
	last     dialect.Transaction
	held     map[string][]byte
	opened   time.Time

	conn struct {
		sync.Mutex
		storage storage.Storage
		closed  bool
	}
	mu   sync.Mutex
	view *view // nil until a listing is needed
}

// NewFs opens the database and pins its newest value.
func NewFs(ctx context.Context, name, root string, m configmap.Mapper) (fs.Fs, error) {
	opt, err := read(m)
	if err != nil {
		return nil, err
	}
	base, err := opt.base(ctx, name)
	if err != nil {
		return nil, err
	}
	f := &Fs{
		ReadOnly: segfs.ReadOnly{Kind: "datomic"},
		name:     name, root: strings.Trim(root, "/"), opt: opt, base: base,
		dialect: dialect.New(), opened: time.Now(),
	}
	features := &fs.Features{}
	if base != nil {
		cache.PinUntilFinalized(base, f)
		features.Overlay, features.SlowHash = true, base.Features().SlowHash
	}
	if f.conn.storage, err = opt.open(ctx, base); err != nil {
		if u := unnamed(ctx, &opt, name, f.root, err); base == nil && u != nil {
			return u, nil
		}
		return nil, final(err)
	}
	if err := f.hold(ctx); err != nil {
		return nil, final(errors.Join(fmt.Errorf("%s: %w", f.Storage(), err), f.Shutdown(ctx)))
	}
	f.features = features.Fill(ctx, f)
	return f.resolveRoot(ctx)
}

// final says what another attempt would not change.
func final(err error) error {
	if errors.Is(err, storage.ErrNoDatabase) {
		err = fmt.Errorf("%w: %w", fs.ErrorObjectNotFound, err)
	}
	return fserrors.NoRetryError(fmt.Errorf("datomic: %w", err))
}

// hold pins the snapshot.
func (f *Fs) hold(ctx context.Context) error {
	s := f.Storage()
	v, err := s.Pin(ctx)
	if err != nil {
		return err
	}
	last, err := f.dialect.Last(ctx, s.Get, v)
	if err != nil {
		return err
	}
	root, err := v.EncodeRoot()
	if err != nil {
		return err
	}
	f.value, f.last = v, last
	f.held = map[string][]byte{
		store.OwnerName:        []byte(v.DatabaseID),
		store.RootName(last.T): root,
	}
	return nil
}

// resolveRoot follows rclone's rule for a root that names a file.
func (f *Fs) resolveRoot(ctx context.Context) (fs.Fs, error) {
	if f.root == "" {
		return f, nil
	}
	root := f.root
	f.root = ""
	_, err := f.NewObject(ctx, root)
	f.root = root
	switch {
	case err == nil:
		f.root = parent(root)
		return f, fs.ErrorIsFile
	case errors.Is(err, fs.ErrorObjectNotFound), errors.Is(err, fs.ErrorIsDir):
		return f, nil
	}
	return nil, err
}

// parent is the directory of a path, empty for the root.
func parent(name string) string {
	return strings.TrimPrefix(path.Dir("/"+name), "/")
}

// Storage is where the database lies. It serves until Shutdown.
func (f *Fs) Storage() storage.Storage {
	f.conn.Lock()
	defer f.conn.Unlock()
	return f.conn.storage
}

// live is Storage for those who may come after Shutdown: rclone's cache shuts
// down what others still hold.
func (f *Fs) live(ctx context.Context) (storage.Storage, error) {
	f.conn.Lock()
	defer f.conn.Unlock()
	if f.conn.closed {
		s, err := f.opt.open(ctx, f.base)
		if err != nil {
			return nil, final(err)
		}
		f.conn.storage, f.conn.closed = s, false
	}
	return f.conn.storage, nil
}

// Dialect reads the segments.
func (f *Fs) Dialect() *dialect.Dialect { return f.dialect }

// Name of the remote (as passed into NewFs)
func (f *Fs) Name() string { return f.name }

// Root of the remote (as passed into NewFs)
func (f *Fs) Root() string { return f.root }

// String returns a description of the Fs
func (f *Fs) String() string { return fmt.Sprintf("Datomic database %s", f.Storage()) }

// Precision of the ModTimes in this Fs: segments have none of their own.
func (f *Fs) Precision() time.Duration { return fs.ModTimeNotSupported }

// Hashes returns the hash types that the backup's remote has; SQL has none.
func (f *Fs) Hashes() hash.Set {
	if f.base == nil {
		return hash.NewHashSet()
	}
	return f.base.Hashes()
}

// Features returns the optional features of this Fs
func (f *Fs) Features() *fs.Features { return f.features }

// List the objects and directories in dir into entries.
func (f *Fs) List(ctx context.Context, dir string) (fs.DirEntries, error) {
	return list.WithListP(ctx, dir, f)
}

// ListP lists a directory in pages.
func (f *Fs) ListP(ctx context.Context, dir string, callback fs.ListRCallback) error {
	return f.listTo(ctx, dir, false, callback)
}

// ListR lists a directory and all that is below it.
func (f *Fs) ListR(ctx context.Context, dir string, callback fs.ListRCallback) error {
	return f.listTo(ctx, dir, true, callback)
}

// Shutdown frees the listing and ends the connections. Both come again if they
// are needed after all.
func (f *Fs) Shutdown(context.Context) error {
	f.mu.Lock()
	v := f.view
	f.view = nil
	f.mu.Unlock()
	f.conn.Lock()
	defer f.conn.Unlock()
	if f.conn.closed {
		return v.close()
	}
	f.conn.closed = true
	return errors.Join(v.close(), f.conn.storage.Close())
}

var (
	_ fs.Fs         = (*Fs)(nil)
	_ fs.ListPer    = (*Fs)(nil)
	_ fs.ListRer    = (*Fs)(nil)
	_ fs.Commander  = (*Fs)(nil)
	_ fs.Purger     = (*Fs)(nil)
	_ fs.Shutdowner = (*Fs)(nil)
	_ fs.Object     = (*Object)(nil)
	_ fs.IDer       = (*Object)(nil)
)
