// Package datomchunks shows the points of a backup in chunks as read-only files:
// each point as the tree of files that its database reads.
//
//	<point>/store/<id>.ksv         Datahike: the segments, and the heads
//	<point>/owner                  Datomic: its own layout of a backup
//	<point>/roots/<t>
//	<point>/values/<xx>/<id>
//
// Where a point is chosen its tree is at the root. Everything is known from
// manifests and lists; a file is read from its chunk.
package datomchunks

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/cache"
	"github.com/rclone/rclone/fs/config/configmap"
	"github.com/rclone/rclone/fs/config/configstruct"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/hash"
	"github.com/rclone/rclone/fs/list"

	"github.com/rclone-datom/rclone-datom/backend/internal/registry"
	"github.com/rclone-datom/rclone-datom/backend/internal/segfs"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

func init() {
	registry.Register(&fs.RegInfo{
		Name:        "datomchunks",
		Description: "Backups of Datahike and Datomic in chunks (read only, as the files that are packed in them)",
		NewFs:       NewFs,
		CommandHelp: commandHelp,
		Options: []fs.Option{{
			Name:     "remote",
			Help:     "Remote or path of the backup: the DEST of rclone-datom backup --layout chunked.\n\nFor instance \"s3:bucket/mydb\". Where backups of several databases lie side by side it is the directory of one.",
			Required: true,
		}, {
			Name: "at",
			Help: "Show this point alone, at the root.\n\nThe id of a point or its beginning, a time, a commit, a Datomic database's t, or \"latest\". " +
				"By default the root has a directory for each point.",
		}},
	})
}

// Options are the settings of a remote.
type Options struct {
	Remote string `config:"remote"`
	At     string `config:"at"`
}

// Fs is a backup, or one point of it. The path of a file in it, as it is called
// below, begins with the point's id, wherever the remote's root is.
type Fs struct {
	segfs.ReadOnly
	name     string
	root     string
	opt      Options
	features *fs.Features
	base     fs.Fs
	// point is the id of the one that is at the root; empty if all are shown.
	point  string
	points *points
}

// NewFs opens the backup.
func NewFs(ctx context.Context, name, root string, m configmap.Mapper) (fs.Fs, error) {
	opt := new(Options)
	if err := configstruct.Set(m, opt); err != nil {
		return nil, err
	}
	if opt.Remote == "" {
		return nil, errors.New("datomchunks: no remote: say where the backup lies, as :datomchunks,remote='s3:bucket/mydb': does")
	}
	if segfs.Itself(name, opt.Remote) {
		return nil, errors.New("datomchunks: remote points at the remote itself")
	}
	base, err := cache.Get(ctx, opt.Remote)
	if errors.Is(err, fs.ErrorIsFile) {
		return nil, errors.New("datomchunks: remote names a file: name the directory of the backup")
	}
	if err != nil {
		return nil, fmt.Errorf("datomchunks: cannot open the remote: %w", err)
	}
	f := &Fs{
		ReadOnly: segfs.ReadOnly{Kind: "datomchunks"},
		name:     name, root: strings.Trim(root, "/"), opt: *opt, base: base, points: newPoints(base),
	}
	cache.PinUntilFinalized(base, f)
	f.features = (&fs.Features{Overlay: true}).Fill(ctx, f)
	if err := f.open(ctx); err != nil {
		return nil, errors.Join(fserrors.NoRetryError(fmt.Errorf("datomchunks: %w", err)), f.Shutdown(ctx))
	}
	return f.resolveRoot(ctx)
}

// open makes sure that there is such a backup, and finds the point.
func (f *Fs) open(ctx context.Context) error {
	place, err := snapshot.Find(ctx, f.base)
	if err != nil {
		return err
	}
	if !place.Chunked() {
		if _, err := dbsync.Points(ctx, f.base); err != nil {
			return err // there is nothing, or it cannot be decrypted
		}
		return fmt.Errorf("%s has no chunks: its backups lie one file a segment, which any remote shows as they are", place)
	}
	if f.opt.At == "" {
		return nil
	}
	f.point, err = f.points.find(ctx, f.opt.At)
	return err
}

// resolveRoot follows rclone's rule for a root that names a file.
func (f *Fs) resolveRoot(ctx context.Context) (fs.Fs, error) {
	if f.root == "" {
		return f, nil
	}
	_, err := f.NewObject(ctx, "")
	switch {
	case err == nil:
		f.root = parent(f.root)
		return f, fs.ErrorIsFile
	case errors.Is(err, fs.ErrorObjectNotFound), errors.Is(err, fs.ErrorIsDir):
		return f, nil
	}
	return nil, errors.Join(err, f.Shutdown(ctx))
}

// path is where a name leads: the id of a point and what follows it.
func (f *Fs) path(remote string) string { return path.Join(f.point, f.root, remote) }

// relative is a path as seen from the remote's root.
func (f *Fs) relative(at string) string {
	return strings.TrimPrefix(strings.TrimPrefix(at, path.Join(f.point, f.root)), "/")
}

// parent is the directory of a path, empty for the root.
func parent(name string) string {
	return strings.TrimPrefix(path.Dir("/"+name), "/")
}

// Name of the remote (as passed into NewFs)
func (f *Fs) Name() string { return f.name }

// Root of the remote (as passed into NewFs)
func (f *Fs) Root() string { return f.root }

// String returns a description of the Fs
func (f *Fs) String() string {
	if f.point == "" {
		return fmt.Sprintf("Backups in chunks at %s", fs.ConfigString(f.base))
	}
	return fmt.Sprintf("Backup %s in chunks at %s", f.point, fs.ConfigString(f.base))
}

// Precision of the ModTimes in this Fs: segments have none of their own.
func (f *Fs) Precision() time.Duration { return fs.ModTimeNotSupported }

// Hashes returns the one that lists have.
func (f *Fs) Hashes() hash.Set { return hash.NewHashSet(hash.SHA256) }

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

// Shutdown frees the lists. They come again if they are needed after all.
func (f *Fs) Shutdown(context.Context) error { return f.points.drop(0) }

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
