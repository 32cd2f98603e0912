// Package dbsync backs up, checks and restores databases that keep their
// values as trees of immutable segments. It has the order of the steps, and what
// is refused; how to walk, write and record is the business of the rooms below.
package dbsync

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"github.com/rclone/rclone/fs/filter"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/operations"
	fssync "github.com/rclone/rclone/fs/sync"

	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/storage"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// Source is a database to copy from.
type Source struct {
	// Fs is the remote as the user named it, for messages and statistics.
	Fs      fs.Fs
	Store   *store.Files
	Dialect *datahike.Dialect
	// Branch restricts the copy to one branch; empty means all.
	Branch string
	// Datomic is where a Datomic database lies. If it is set, Store, Dialect
	// and Branch are not.
	Datomic storage.Storage
}

// remote is where the database lies, if that is a remote.
func (s Source) remote() fs.Fs {
	if s.Datomic == nil {
		return s.Store.Fs()
	}
	if on, ok := s.Datomic.(interface{ Fs() fs.Fs }); ok {
		return on.Fs()
	}
	return nil
}

// ErrRefused marks a run that was refused to protect what is at the
// destination. The message names the flag that overrides it.
var ErrRefused = errors.New("refused")

// refuse returns an error that no retry can heal.
func refuse(format string, args ...any) error {
	return fserrors.NoRetryError(fmt.Errorf("%w: "+format, append([]any{ErrRefused}, args...)...))
}

// final marks errors that a second attempt would meet again.
func final(ctx context.Context, err error) error {
	for _, hopeless := range []error{
		graph.ErrCorrupt, graph.ErrUnsupported, graph.ErrTooLarge, graph.ErrNotFound, konserve.ErrNoKey, konserve.ErrKey,
		table.ErrNoTable, table.ErrNoRow, table.ErrDenied, storage.ErrNoDatabase,
	} {
		if errors.Is(err, hopeless) {
			err = fserrors.NoRetryError(err)
			break
		}
	}
	if fserrors.IsNoRetryError(err) {
		// What it made others fail with must not look like worth a retry.
		accounting.Stats(ctx).ResetErrors()
	}
	return err
}

// begin checks the flags that make no sense here, asks once where the user
// wants to be asked, and sets the deadline of --max-duration.
func begin(ctx context.Context, what, where string) (context.Context, context.CancelFunc, error) {
	nothing := func() {}
	if f := filter.GetConfig(ctx); f != nil && !f.InActive() {
		return ctx, nothing, refuse("filters cannot be used with %s: a copy without some of its segments cannot be opened", what)
	}
	ctx, ci := fs.AddConfig(ctx)
	if len(ci.NameTransform) > 0 {
		return ctx, nothing, refuse("--name-transform cannot be used with %s: segments are found by their names", what)
	}
	if ci.Interactive {
		if operations.SkipDestructive(ctx, where, what) {
			return ctx, nothing, fserrors.NoRetryError(errors.New("not done, as was answered"))
		}
		ci.Interactive = false
	}
	if ci.MaxDuration > 0 {
		ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(ci.MaxDuration), fserrors.FatalError(fssync.ErrorMaxDurationReached))
		return ctx, cancel, nil
	}
	return ctx, nothing, nil
}

// overlap tells whether one remote lies within the other. rclone compares paths
// as they are given; on this computer's disks one may be relative, or a link.
func overlap(ctx context.Context, a, b fs.Fs) bool {
	one, ok1 := store.LocalRoot(a)
	two, ok2 := store.LocalRoot(b)
	if !ok1 || !ok2 {
		return operations.OverlappingFilterCheck(ctx, a, b)
	}
	one, two = realPath(one), realPath(two)
	return within(one, two) || within(two, one)
}

func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// realPath follows links as far as there is something.
func realPath(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	rest := ""
	for dir := abs; ; dir = filepath.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(real, rest)
		}
		if dir == filepath.Dir(dir) {
			return abs
		}
		rest = filepath.Join(filepath.Base(dir), rest)
	}
}

// because prefers the reason for which a context ended to the news that it has.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil && errors.Is(err, ctx.Err()) {
		return cause
	}
	return err
}
