package datomchunks

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/list"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// listTo lists a directory, and what is below it if deep is set.
func (f *Fs) listTo(ctx context.Context, dir string, deep bool, callback fs.ListRCallback) error {
	to := list.NewHelper(callback)
	var err error
	if at := f.path(dir); at == "" {
		err = f.listPoints(ctx, deep, to.Add)
	} else {
		err = f.listPoint(ctx, at, deep, to.Add)
	}
	if err != nil {
		return err
	}
	return to.Flush()
}

// listPoints emits a directory for each point, also for one that is damaged:
// whoever looks into it is told so.
func (f *Fs) listPoints(ctx context.Context, deep bool, emit func(fs.DirEntry) error) error {
	all, err := dbsync.Points(ctx, f.base)
	if err != nil {
		return err
	}
	for _, p := range all {
		if !p.Complete && p.Damaged == "" {
			continue
		}
		if err := emit(fs.NewDir(f.relative(p.ID), p.Time)); err != nil {
			return err
		}
		if !deep {
			continue
		}
		if err := f.listPoint(ctx, p.ID, deep, emit); err != nil {
			return err
		}
	}
	return nil
}

// listPoint emits what is in a directory of a point.
func (f *Fs) listPoint(ctx context.Context, at string, deep bool, emit func(fs.DirEntry) error) error {
	id, dir, _ := strings.Cut(at, "/")
	err := f.points.use(ctx, id, func(t *tree) error { return t.list(f, dir, deep, emit) })
	if errors.Is(err, fs.ErrorObjectNotFound) {
		return fmt.Errorf("%w: %w", fs.ErrorDirNotFound, err)
	}
	return err
}

// NewObject finds the Object at remote.
func (f *Fs) NewObject(ctx context.Context, remote string) (fs.Object, error) {
	id, name, _ := strings.Cut(f.path(remote), "/")
	if id == "" {
		return nil, fs.ErrorIsDir
	}
	var o *Object
	err := f.points.use(ctx, id, func(t *tree) (err error) {
		o, err = t.find(f, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return o, nil
}
