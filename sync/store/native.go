package store

import (
	"cmp"
	"context"
	"errors"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// The names in a backup of Datomic's own layout, version 3: the database's id,
// a file for each value, named by its t, and the segments in folders.
const (
	OwnerName = "owner"
	RootsDir  = "roots"
	ValuesDir = "values"
)

// Native returns the segments of a backup in Datomic's own layout:
// "values/<last two characters of the id>/<id>".
func Native(f fs.Fs) *Files { return Named(f, ValuesDir, Names{Folders: true}) }

// Root is a value that a backup in Datomic's own layout has.
type Root struct {
	T    int64
	Time time.Time // of the object
}

// RootName is the path of the root at t.
func RootName(t int64) string { return path.Join(RootsDir, strconv.FormatInt(t, 10)) }

// ParseT reads a t that is written as Datomic does.
func ParseT(s string) (int64, bool) {
	t, err := strconv.ParseInt(s, 10, 64)
	return t, err == nil && t >= 0 && strconv.FormatInt(t, 10) == s
}

// Roots lists the roots of a backup, oldest first. Like Datomic it passes over
// names that are no plain decimal numbers.
func Roots(ctx context.Context, f fs.Fs) (roots []Root, err error) {
	err = New(f, RootsDir).List(ctx, func(name graph.ID, o fs.Object) error {
		if t, ok := ParseT(string(name)); ok {
			roots = append(roots, Root{T: t, Time: o.ModTime(ctx)})
		}
		return nil
	})
	if errors.Is(err, fs.ErrorDirNotFound) {
		err = nil
	}
	slices.SortFunc(roots, func(a, b Root) int { return cmp.Compare(a.T, b.T) })
	return roots, err
}
