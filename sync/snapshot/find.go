package snapshot

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// Find returns the place at f as a reader finds it: that of a database in
// chunks, if f has one or is its directory, or one whose segments lie one object
// each.
func Find(ctx context.Context, f fs.Fs) (*Place, error) {
	p := Open(f)
	dirs, err := p.rootDirs(ctx)
	if err != nil {
		return p, err
	}
	if slices.ContainsFunc(dirs, isID) { // the directory of a database
		p.chunks = newChunks()
		return p, nil
	}
	databases, err := p.databases(ctx, dirs)
	switch {
	case err != nil:
		return nil, err
	case len(databases) == 0:
		return p, nil
	case slices.Contains(dirs, snapshotsDir):
		return nil, fserrors.NoRetryError(fmt.Errorf("%s has backups in the native layout and, in %s, some in chunks: move one of them to a place of its own", p, databases[0]))
	case len(databases) == 1:
		return p, p.Chunk(databases[0])
	}
	return nil, fserrors.NoRetryError(fmt.Errorf("%s has backups of %d databases, such as %s: name the directory of one of them", p, len(databases), databases[0]))
}

// databases are those of some directories in which a database has points.
func (p *Place) databases(ctx context.Context, dirs []string) (databases []string, err error) {
	for _, dir := range dirs {
		if !isDatabase(dir) {
			continue
		}
		if ids, err := p.dirs(ctx, dir); err != nil {
			return nil, err
		} else if len(ids) > 0 {
			databases = append(databases, dir)
		}
	}
	return databases, nil
}

// Layouts tells whether the place has points one object a segment, or something
// else that is laid out so, and whether it has points in chunks: of the database,
// or of others.
func (p *Place) Layouts(ctx context.Context, database string) (native, chunked bool, err error) {
	dirs, err := p.rootDirs(ctx)
	switch {
	case err != nil:
		return false, false, err
	case slices.ContainsFunc(dirs, isID):
		return false, false, fserrors.NoRetryError(fmt.Errorf("%s is the directory of one database in chunks: name the directory above it", p))
	case slices.ContainsFunc(dirs, isNativeName):
		return true, slices.Contains(dirs, database), nil
	case slices.Contains(dirs, database):
		return false, true, nil
	}
	others, err := p.databases(ctx, dirs)
	return false, len(others) > 0, err
}

// rootDirs lists the directories at the place's root, and owner, Datomic's claim.
func (p *Place) rootDirs(ctx context.Context) (dirs []string, err error) {
	entries, err := p.F.List(ctx, "")
	if errors.Is(err, fs.ErrorDirNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("failed to list %s: %w", p, err)
	}
	for _, e := range entries {
		name := path.Base(e.Remote())
		if _, ok := e.(fs.Directory); name == store.OwnerName || ok && graph.CheckName(name) == nil {
			dirs = append(dirs, name)
		}
	}
	return dirs, nil
}

// isNativeName tells of a name at a place's root whether only places have it
// whose segments lie one object each.
func isNativeName(name string) bool {
	switch name {
	case snapshotsDir, storesDir, StoreDir, store.RootsDir, store.ValuesDir, store.OwnerName:
		return true
	}
	return false
}

// isDatabase tells of a name whether it may be a database's id: they end with a
// uuid. There may be thousands of other directories.
func isDatabase(name string) bool {
	_, err := hasch.Parse(name[max(len(name)-uuidLength, 0):])
	return err == nil
}

const uuidLength = 36

func isID(name string) bool {
	_, err := IDTime(name)
	return err == nil && graph.CheckName(name) == nil
}
