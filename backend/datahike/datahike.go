// Package datahike shows a live Datahike database as read-only files: the
// objects that its heads reach, at the moment when the remote was opened.
package datahike

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/cache"
	"github.com/rclone/rclone/fs/config/configmap"
	"github.com/rclone/rclone/fs/config/configstruct"
	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/hash"
	"github.com/rclone/rclone/fs/list"

	"github.com/rclone-datom/rclone-datom/backend/internal/registry"
	"github.com/rclone-datom/rclone-datom/backend/internal/segfs"
	dialect "github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

func init() {
	registry.Register(&fs.RegInfo{
		Name:        "datahike",
		Description: "Datahike database (read only, one consistent snapshot)",
		NewFs:       NewFs,
		CommandHelp: commandHelp,
		Options: []fs.Option{{
			Name:     "store",
			Help:     "Remote or path that holds the store's .ksv files.\n\nAny rclone remote, for instance \"/var/lib/datahike/mydb\" or \"s3:bucket/mydb\".\nFor a store that Datahike itself keeps on S3 it is the bucket, \"s3:bucket\".",
			Required: true,
		}, {
			Name: "store_id",
			Help: "Id of a store that Datahike itself keeps on S3.\n\nThe uuid under :store :id in the database's configuration, with which the names of its objects begin. " +
				"Leave blank for other stores, and to have it found by a listing of the bucket.",
			Advanced: true,
		}, {
			Name:     "branch",
			Help:     "Show this branch only.\n\nBy default all branches are shown.",
			Advanced: true,
		}, {
			Name:       "encryption_key",
			Help:       "Key of the store's AES encryption.\n\nThe string under :encryptor :key in the database's configuration. Leave blank if the store is not encrypted.",
			IsPassword: true,
			Sensitive:  true,
		}},
	})
}

// Options are the settings of a remote.
type Options struct {
	Store         string `config:"store"`
	StoreID       string `config:"store_id"`
	Branch        string `config:"branch"`
	EncryptionKey string `config:"encryption_key"`
}

// Fs is a snapshot of a Datahike store.
type Fs struct {
	segfs.ReadOnly
	name     string
	root     string
	opt      Options
	features *fs.Features
	base     fs.Fs
	files    *store.Files
	dialect  *dialect.Dialect
	heads    *dialect.Heads
	held     map[string][]byte
	opened   time.Time

	mu   sync.Mutex
	view *view // nil until a listing is needed
}

// Object is one file of the snapshot.
type Object struct {
	segfs.ReadOnlyObject
	f      *Fs
	remote string
	size   int64
	// data is set for the mutable objects, whose bytes are held.
	data []byte
}

func (f *Fs) newObject(remote string, size int64, data []byte) *Object {
	return &Object{ReadOnlyObject: segfs.ReadOnlyObject{ReadOnly: f.ReadOnly}, f: f, remote: remote, size: size, data: data}
}

// NewFs opens the store and holds its heads.
func NewFs(ctx context.Context, name, root string, m configmap.Mapper) (fs.Fs, error) {
	opt := new(Options)
	if err := configstruct.Set(m, opt); err != nil {
		return nil, err
	}
	if opt.Store == "" {
		return nil, errors.New("datahike: no store: say where the .ksv files lie, as :datahike,store=/var/lib/datahike/mydb: does")
	}
	if segfs.Itself(name, opt.Store) {
		return nil, errors.New("datahike: store points at the remote itself")
	}
	key, err := obscure.Reveal(opt.EncryptionKey)
	if opt.EncryptionKey != "" && err != nil {
		return nil, fmt.Errorf("datahike: encryption_key is not obscured (use rclone-datom obscure): %w", err)
	}
	base, err := cache.Get(ctx, opt.Store)
	if errors.Is(err, fs.ErrorIsFile) {
		return nil, errors.New("datahike: store names a file: name the directory that holds the .ksv files")
	}
	if err != nil {
		return nil, fmt.Errorf("datahike: cannot open the store: %w", err)
	}
	f := &Fs{
		ReadOnly: segfs.ReadOnly{Kind: "datahike"},
		name:     name, root: strings.Trim(root, "/"), opt: *opt, base: base,
		dialect: dialect.New(key), opened: time.Now(),
	}
	cache.PinUntilFinalized(base, f)
	f.features = (&fs.Features{Overlay: true, SlowHash: base.Features().SlowHash}).Fill(ctx, f)
	if err := f.hold(ctx); err != nil {
		return nil, fserrors.NoRetryError(err)
	}
	return f.resolveRoot(ctx)
}

// resolveRoot follows rclone's rule for a root that names a file.
func (f *Fs) resolveRoot(ctx context.Context) (fs.Fs, error) {
	if f.root == "" {
		return f, nil
	}
	leaf := f.root
	f.root = ""
	_, err := f.NewObject(ctx, leaf)
	if err == nil {
		return f, fs.ErrorIsFile
	}
	if !errors.Is(err, fs.ErrorObjectNotFound) {
		return nil, err
	}
	f.root = leaf
	return f, nil
}

// Store is where the segments are read from.
func (f *Fs) Store() *store.Files { return f.files }

// Dialect reads the segments.
func (f *Fs) Dialect() *dialect.Dialect { return f.dialect }

// Branch is the branch that the remote is restricted to, or empty.
func (f *Fs) Branch() string { return f.opt.Branch }

// Name of the remote (as passed into NewFs)
func (f *Fs) Name() string { return f.name }

// Root of the remote (as passed into NewFs)
func (f *Fs) Root() string { return f.root }

// String returns a description of the Fs
func (f *Fs) String() string { return fmt.Sprintf("Datahike database at %s", f.files) }

// Precision of the ModTimes in this Fs: segments have none of their own.
func (f *Fs) Precision() time.Duration { return fs.ModTimeNotSupported }

// Hashes returns the hash types that the store has.
func (f *Fs) Hashes() hash.Set { return f.base.Hashes() }

// Features returns the optional features of this Fs
func (f *Fs) Features() *fs.Features { return f.features }

// List the objects of the snapshot into entries.
func (f *Fs) List(ctx context.Context, dir string) (fs.DirEntries, error) {
	return list.WithListP(ctx, dir, f)
}

// page is how many entries ListP hands over at a time.
const page = 1000

// ListP lists the objects in pages.
func (f *Fs) ListP(ctx context.Context, dir string, callback fs.ListRCallback) error {
	if path.Join(f.root, dir) != "" {
		return fs.ErrorDirNotFound
	}
	v, err := f.snapshot(ctx)
	if err != nil {
		return err
	}
	var entries fs.DirEntries
	for o, err := range v.objects(f) {
		if err != nil {
			return err
		}
		if entries = append(entries, o); len(entries) == page {
			if err := callback(entries); err != nil {
				return err
			}
			entries = nil
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return callback(entries)
}

// ListR lists the objects recursively: there are no directories.
func (f *Fs) ListR(ctx context.Context, dir string, callback fs.ListRCallback) error {
	return f.ListP(ctx, dir, callback)
}

// NewObject finds the Object at remote.
func (f *Fs) NewObject(ctx context.Context, remote string) (fs.Object, error) {
	if f.root != "" {
		return nil, fs.ErrorObjectNotFound
	}
	if remote == "" {
		return nil, fs.ErrorIsDir
	}
	if data, ok := f.held[remote]; ok {
		return f.newObject(remote, int64(len(data)), data), nil
	}
	if !strings.HasSuffix(remote, dialect.Suffix) {
		return nil, fs.ErrorObjectNotFound // spares the walk
	}
	v, err := f.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return v.object(f, remote)
}

// snapshot walks the database when a listing is first needed. A walk that
// failed, perhaps because its caller gave up, is no answer for the next one.
func (f *Fs) snapshot(ctx context.Context) (*view, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.view != nil {
		return f.view, nil
	}
	v, err := newView(ctx, f)
	if err != nil {
		return nil, err
	}
	f.view = v
	return v, nil
}

// Shutdown frees the listing. It comes again if one is needed after all.
func (f *Fs) Shutdown(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.view
	f.view = nil
	if v == nil {
		return nil
	}
	return v.close()
}

// Fs returns the parent Fs
func (o *Object) Fs() fs.Info { return o.f }

// String returns the remote path
func (o *Object) String() string { return o.remote }

// Remote returns the remote path
func (o *Object) Remote() string { return o.remote }

// ModTime is the moment of the snapshot.
func (o *Object) ModTime(context.Context) time.Time { return o.f.opened }

// Size is exact.
func (o *Object) Size() int64 { return o.size }

// Hash returns what the store knows, or the hash of the held bytes.
func (o *Object) Hash(ctx context.Context, t hash.Type) (string, error) {
	if o.data == nil {
		under, err := o.under(ctx)
		if err != nil {
			return "", err
		}
		return under.Hash(ctx, t)
	}
	return segfs.Hash(o.data, o.f.Hashes(), t)
}

// under is the store's own object.
func (o *Object) under(ctx context.Context) (fs.Object, error) {
	under, err := o.f.base.NewObject(ctx, o.f.files.Remote(graph.ID(o.remote)))
	if errors.Is(err, fs.ErrorObjectNotFound) {
		return nil, fmt.Errorf("%s was collected since the snapshot was taken; open the remote again: %w", o.remote, err)
	}
	return under, err
}

// Open an object for reading, whole or in part.
func (o *Object) Open(ctx context.Context, options ...fs.OpenOption) (io.ReadCloser, error) {
	offset, limit := segfs.Part(o.size, options)
	if o.data == nil && (offset < o.size || o.size == 0) {
		under, err := o.under(ctx)
		if err != nil {
			return nil, err
		}
		return under.Open(ctx, options...)
	}
	// Held, or nothing is left to read, which some remotes take for an error.
	return segfs.Cut(o.data, offset, limit), nil
}

// ID is the segment's own uuid.
func (o *Object) ID() string { return string(graph.ID(strings.TrimSuffix(o.remote, dialect.Suffix))) }

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
