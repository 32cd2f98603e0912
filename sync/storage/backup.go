package storage

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// Backup is a database in a backup of Datomic's own layout.
type Backup struct {
	f       fs.Fs
	files   *store.Files
	top     *store.Files
	t       int64
	workers int
}

// OpenBackup opens a backup as of the point t, or of its newest point if t is 0.
func OpenBackup(ctx context.Context, f fs.Fs, t int64) (*Backup, error) {
	b := &Backup{
		f: f, t: t, workers: fs.GetConfig(ctx).Checkers,
		files: store.Native(f), top: store.New(f, ""),
	}
	if _, err := b.at(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", b, err)
	}
	return b, nil
}

// at is the point that is read now.
func (b *Backup) at(ctx context.Context) (int64, error) {
	roots, err := store.Roots(ctx, b.f)
	switch {
	case err != nil:
		return 0, err
	case len(roots) == 0:
		return 0, fmt.Errorf("no point of a backup below %s: %w", store.RootsDir, ErrNoDatabase)
	case b.t == 0:
		return roots[len(roots)-1].T, nil
	case !slices.ContainsFunc(roots, func(r store.Root) bool { return r.T == b.t }):
		return 0, fmt.Errorf("the backup has no point at %d, its %d points are from %d to %d: %w", b.t, len(roots), roots[0].T, roots[len(roots)-1].T, graph.ErrNotFound)
	}
	return b.t, nil
}

// Pin implements [Storage].
func (b *Backup) Pin(ctx context.Context) (*datomic.Value, error) {
	t, err := b.at(ctx)
	if err != nil {
		return nil, err
	}
	name := store.RootName(t)
	data, err := b.top.Get(ctx, graph.ID(name))
	if err != nil {
		return nil, err
	}
	v, err := datomic.DecodeRoot(name, data)
	if err != nil {
		return nil, err
	}
	// Where it is not there Datomic restores all the same.
	owner, err := b.top.Get(ctx, store.OwnerName)
	if err != nil && !errors.Is(err, graph.ErrNotFound) {
		return nil, err
	}
	if err == nil && string(owner) != v.DatabaseID {
		return nil, fmt.Errorf("%s is %q, and %s is of %q: %w", store.OwnerName, owner, name, v.DatabaseID, graph.ErrCorrupt)
	}
	return v, nil
}

// Get implements [Storage].
func (b *Backup) Get(ctx context.Context, id graph.ID) ([]byte, error) { return b.files.Get(ctx, id) }

// few is how many objects of a folder are asked for one by one; more are taken
// from a listing of the folder.
const few = 4

// sized is a part of what Sizes has found.
type sized map[graph.ID]int64

// Sizes implements [Storage].
func (b *Backup) Sizes(ctx context.Context, ids []graph.ID) (map[graph.ID]int64, error) {
	folders := map[string][]graph.ID{}
	for _, id := range ids {
		folders[datomic.Folder(id)] = append(folders[datomic.Folder(id)], id)
	}
	all, parts := sized{}, make(chan sized, len(folders))
	err := pool.Run(ctx, b.workers, func(send func(string) error) error {
		for folder := range folders {
			if err := send(folder); err != nil {
				return err
			}
		}
		return nil
	}, func(ctx context.Context, folder string) error {
		part, err := b.folderSizes(ctx, folder, folders[folder])
		parts <- part
		return err
	})
	close(parts)
	for part := range parts {
		for id, size := range part {
			all[id] = size
		}
	}
	return all, err
}

func (b *Backup) folderSizes(ctx context.Context, folder string, ids []graph.ID) (sized, error) {
	sizes := sized{}
	if len(ids) <= few {
		for _, id := range ids {
			size, err := b.files.Size(ctx, id)
			if errors.Is(err, graph.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			sizes[id] = size
		}
		return sizes, nil
	}
	slices.Sort(ids)
	err := store.New(b.f, path.Join(store.ValuesDir, folder)).List(ctx, func(id graph.ID, o fs.Object) error {
		if _, wanted := slices.BinarySearch(ids, id); wanted {
			sizes[id] = o.Size()
		}
		return nil
	})
	if errors.Is(err, fs.ErrorDirNotFound) {
		err = nil
	}
	return sizes, err
}

// Reads implements [Storage].
func (b *Backup) Reads() int64 { return b.files.Reads() }

// Workers implements [Storage].
func (b *Backup) Workers() int { return b.workers }

// Database implements [Storage].
func (b *Backup) Database() string { return "" }

// Catalog implements [Storage].
func (b *Backup) Catalog(context.Context) (*datomic.Catalog, error) { return nil, nil }

// String implements [Storage].
func (b *Backup) String() string { return b.top.String() }

// Fs is where the backup lies.
func (b *Backup) Fs() fs.Fs { return b.f }

// Close implements [Storage].
func (b *Backup) Close() error { return nil }
