package datomic

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/list"

	"github.com/rclone-datom/rclone-datom/sync/store"
)

// listTo lists a directory, and what is below it if deep is set.
func (f *Fs) listTo(ctx context.Context, dir string, deep bool, callback fs.ListRCallback) error {
	to := list.NewHelper(callback)
	if err := f.entries(ctx, path.Join(f.root, dir), deep, to.Add); err != nil {
		return err
	}
	return to.Flush()
}

// entries emits what is in a directory, which is named from the snapshot's root.
func (f *Fs) entries(ctx context.Context, at string, deep bool, emit func(fs.DirEntry) error) error {
	switch {
	case at == "":
		if err := f.heldIn(at, emit); err != nil {
			return err
		}
		return f.dirs(ctx, at, []string{store.RootsDir, store.ValuesDir}, deep, emit)
	case at == store.RootsDir:
		return f.heldIn(at, emit)
	case at != store.ValuesDir && !inValues(parent(at), path.Base(at)):
		return fs.ErrorDirNotFound // spares the walk
	}
	v, err := f.snapshot(ctx)
	if err != nil {
		return err
	}
	if at == store.ValuesDir {
		return f.dirs(ctx, at, v.folders, deep, emit)
	}
	return v.folder(f, at, emit)
}

// dirs emits directories, each followed by what is below it if deep is set.
func (f *Fs) dirs(ctx context.Context, at string, names []string, deep bool, emit func(fs.DirEntry) error) error {
	for _, name := range names {
		dir := path.Join(at, name)
		if err := emit(fs.NewDir(f.relative(dir), f.opened)); err != nil {
			return err
		}
		if !deep {
			continue
		}
		if err := f.entries(ctx, dir, deep, emit); err != nil {
			return err
		}
	}
	return nil
}

// heldIn emits the held objects of a directory.
func (f *Fs) heldIn(at string, emit func(fs.DirEntry) error) error {
	for _, name := range slices.Sorted(maps.Keys(f.held)) {
		if parent(name) != at {
			continue
		}
		data := f.held[name]
		if err := emit(f.newObject(name, int64(len(data)), data)); err != nil {
			return err
		}
	}
	return nil
}

// folder emits the segments of a folder.
func (v *view) folder(f *Fs, at string, emit func(fs.DirEntry) error) error {
	if !v.hasFolder(path.Base(at)) {
		return fs.ErrorDirNotFound
	}
	for line, err := range v.table.From(at + "/") {
		if err != nil {
			return err
		}
		if !strings.HasPrefix(line, at+"/") {
			break
		}
		s, err := parseSegment(line)
		if err != nil {
			return err
		}
		if err := emit(f.newObject(s.path, s.size, nil)); err != nil {
			return err
		}
	}
	return nil
}

// hasFolder tells whether there are segments in a folder.
func (v *view) hasFolder(name string) bool {
	_, found := slices.BinarySearch(v.folders, name)
	return found
}

// object finds one segment's object.
func (v *view) object(f *Fs, at string) (fs.Object, error) {
	line, ok, err := v.table.Get(at)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fs.ErrorObjectNotFound
	}
	s, err := parseSegment(line)
	if err != nil {
		return nil, err
	}
	return f.newObject(s.path, s.size, nil), nil
}
