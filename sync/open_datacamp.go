package dbsync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/list"
	"github.com/rclone/rclone/fs/operations"

	"github.com/rclone-datom/rclone-datom/sync/exchange/datacamp"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// maxDatabases bounds the directories in which backups are looked for.
const maxDatabases = 256

// datacampID is the name of a backup's directory.
var datacampID = regexp.MustCompile(`^\d{8}-\d{6}-[0-9a-f]{6}$`)

// openDatacamp opens the newest complete backup of datacamp's format at f: a
// place with directories of databases, one of these, or that of a backup.
func openDatacamp(ctx context.Context, f fs.Fs) (view.View, error) {
	dir, err := findDatacamp(ctx, f, "")
	if err != nil {
		return nil, err
	}
	v, err := datacamp.OpenView(ctx, filesIn(f, dir))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path.Join(f.Root(), dir), err)
	}
	return v, nil
}

// filesIn opens the files of a directory.
func filesIn(f fs.Fs, dir string) datacamp.Open {
	return func(ctx context.Context, name string) (io.ReadCloser, error) {
		o, err := f.NewObject(ctx, path.Join(dir, name))
		if errors.Is(err, fs.ErrorObjectNotFound) || errors.Is(err, fs.ErrorDirNotFound) {
			return nil, fmt.Errorf("%w: %w", graph.ErrNotFound, err)
		}
		if err != nil {
			return nil, err
		}
		return operations.Open(ctx, o)
	}
}

// findDatacamp returns the directory of a backup of an id, or of the newest
// complete one.
func findDatacamp(ctx context.Context, f fs.Fs, id string) (dir string, err error) {
	dirs, err := datacampDirs(ctx, f)
	if err != nil {
		return "", err
	}
	databases := map[string]bool{}
	for _, d := range dirs {
		databases[path.Dir(d)] = true
	}
	switch {
	case len(dirs) == 0:
		return "", errNotForeign
	case len(databases) > 1:
		return "", fserrors.NoRetryError(fmt.Errorf("%s has datacamp's backups of %d databases, such as %s: name the directory of one of them", f, len(databases), path.Dir(dirs[0])))
	}
	for _, d := range slices.Backward(dirs) {
		if id != "" {
			if path.Base(d) == id {
				return d, nil
			}
			continue
		}
		_, err := f.NewObject(ctx, path.Join(d, datacamp.MarkerFile))
		if !errors.Is(err, fs.ErrorObjectNotFound) {
			return d, err
		}
	}
	if id != "" {
		return "", fserrors.NoRetryError(fmt.Errorf("%s has no backup %s: %w", f, id, fs.ErrorObjectNotFound))
	}
	return "", fserrors.NoRetryError(fmt.Errorf("%s: %w", path.Join(f.Root(), dirs[len(dirs)-1]), datacamp.ErrIncomplete))
}

// datacampDirs are the directories of backups at f, the newest of a database
// last: f itself, directories in it, or directories in those.
func datacampDirs(ctx context.Context, f fs.Fs) (dirs []string, err error) {
	databases, err := dirsIn(ctx, f, "")
	if err != nil {
		return nil, err
	}
	for _, d := range databases {
		if d == "snapshots" || d == "roots" { // what this program and Datomic call theirs
			return nil, nil
		}
	}
	if own, err := isDatacampBackup(ctx, f); own || err != nil {
		return []string{""}, err
	}
	if ids := backupIDs(databases); len(ids) > 0 || len(databases) > maxDatabases {
		return ids, nil
	}
	for _, d := range databases {
		ids, err := datacampIDs(ctx, f, d)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			dirs = append(dirs, path.Join(d, id))
		}
	}
	return dirs, nil
}

// isDatacampBackup tells whether f is a backup's own directory, by its name or
// its chunks.
func isDatacampBackup(ctx context.Context, f fs.Fs) (bool, error) {
	if datacampID.MatchString(path.Base(f.Root())) {
		return true, nil
	}
	entries, err := list.DirSorted(ctx, f, true, "chunks")
	if err != nil && !errors.Is(err, fs.ErrorDirNotFound) {
		return false, err
	}
	found := false
	entries.ForObject(func(o fs.Object) {
		found = found || strings.HasPrefix(path.Base(o.Remote()), "datoms-") && strings.HasSuffix(o.Remote(), ".fressian.gz")
	})
	return found, nil
}

// datacampIDs are the backups in a database's directory, oldest first.
func datacampIDs(ctx context.Context, f fs.Fs, dir string) (ids []string, err error) {
	dirs, err := dirsIn(ctx, f, dir)
	return backupIDs(dirs), err
}

// backupIDs are those of some directories that are named as backups.
func backupIDs(dirs []string) (ids []string) {
	for _, d := range dirs {
		if datacampID.MatchString(d) {
			ids = append(ids, d)
		}
	}
	return ids
}

// dirsIn lists the names of the directories in one, which need not be there.
func dirsIn(ctx context.Context, f fs.Fs, dir string) (dirs []string, err error) {
	entries, err := list.DirSorted(ctx, f, true, dir)
	if errors.Is(err, fs.ErrorDirNotFound) {
		return nil, nil
	}
	entries.ForDir(func(d fs.Directory) { dirs = append(dirs, path.Base(d.Remote())) })
	return dirs, err
}
