// Package transfer writes what a walk finds, children before parents.
//
// The order is the whole point, and it is kept in one place, Batch:
//
//  1. leaves and schema blobs are written as they come, many at a time;
//  2. inner nodes wait in a spool until everything below them is acknowledged,
//     then go level by level, lowest first;
//  3. the records of the batch's commits follow;
//  4. heads and markers are the caller's business, after the last batch.
//
// Segments may be written in place: an object that is merely present is never
// trusted, only acknowledged writes are. Heads and markers are replaced
// atomically: under a name ending in ".new" that is then moved, or in one
// request where the remote's uploads appear whole or not at all.
package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/object"
	"github.com/rclone/rclone/fs/operations"

	"github.com/rclone-datom/rclone-datom/sync/store"
)

// errSkipped is what a write returns that rclone skipped without an error.
// Nothing above a skipped segment may be written.
var errSkipped = fserrors.NoRetryError(errors.New("the write was skipped: what depends on it is not written either"))

// maxPut bounds the segments that go past the backend, in bytes. Larger ones
// are accounted bit by bit, and gain nothing.
const maxPut = 1 << 20

// Copier writes objects to one remote with the meaning that rclone's flags
// have. It may be used from many goroutines.
type Copier struct {
	f       fs.Fs
	from    fs.Info
	modTime time.Time
	local   string // the root in the operating system's terms, if it has one
	writes  atomic.Int64
	// Whole: segments are not written in place either, where somebody else
	// relies on what is there.
	Whole bool
}

// Writes is the number of objects that were written.
func (c *Copier) Writes() int64 { return c.writes.Load() }

// NewCopier returns a Copier that writes to f what comes from the remote from.
func NewCopier(f fs.Fs, from fs.Info, modTime time.Time) *Copier {
	dir, _ := store.LocalRoot(f)
	return &Copier{f: f, from: from, modTime: modTime, local: dir}
}

func (c *Copier) count(ctx context.Context) {
	if !fs.GetConfig(ctx).DryRun {
		c.writes.Add(1)
	}
}

// Segment writes an immutable object.
func (c *Copier) Segment(ctx context.Context, remote string, data []byte) error {
	return c.segment(ctx, remote, data, atOnce)
}

// ending ends a transfer, with the error if it failed.
type ending func(ctx context.Context, tr *accounting.Transfer, err error)

func atOnce(ctx context.Context, tr *accounting.Transfer, err error) { tr.Done(ctx, err) }

func (c *Copier) segment(ctx context.Context, remote string, data []byte, end ending) error {
	c.count(ctx)
	if fs.GetConfig(ctx).Immutable {
		if done, err := c.immutable(ctx, remote, data); done || err != nil {
			return err
		}
	}
	o := c.object(remote, data)
	if c.local == "" {
		_, err := c.copy(ctx, o, !c.Whole)
		return err
	}
	if len(data) > maxPut || len(fs.GetConfig(ctx).BwLimitFile) > 0 {
		_, err := c.copy(ctx, o, false)
		return err
	}
	return c.put(ctx, o, data, end)
}

// Replace writes a mutable object so that a reader sees the old bytes or the
// new ones and nothing else. --max-transfer does not stop it: what a run has
// sent is lost without the few bytes that say so.
func (c *Copier) Replace(ctx context.Context, remote string, data []byte) error {
	_, err := c.Put(ctx, remote, data)
	return err
}

// Put is Replace for those who need the object again. There is none with
// --dry-run.
func (c *Copier) Put(ctx context.Context, remote string, data []byte) (fs.Object, error) {
	c.count(ctx)
	ctx, ci := fs.AddConfig(ctx)
	ci.MaxTransfer = -1
	return c.copy(ctx, c.object(remote, data), false)
}

func (c *Copier) object(remote string, data []byte) *object.MemoryObject {
	o := object.NewMemoryObject(remote, c.modTime, data)
	if f, ok := c.from.(fs.Fs); ok {
		o.SetFs(f)
	}
	return o
}

// immutable serves --immutable: an object that is there must be equal.
func (c *Copier) immutable(ctx context.Context, remote string, data []byte) (same bool, err error) {
	o, err := c.f.NewObject(ctx, remote)
	if errors.Is(err, fs.ErrorObjectNotFound) || errors.Is(err, fs.ErrorDirNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	in, err := operations.Open(ctx, o)
	if err != nil {
		return false, err
	}
	defer fs.CheckClose(in, &err)
	have, err := io.ReadAll(io.LimitReader(in, int64(len(data))+1))
	if err == nil && !bytes.Equal(have, data) {
		err = fmt.Errorf("%s differs from what should be written and --immutable is set: %w", remote, fs.ErrorImmutableModified)
	}
	return err == nil, err
}

// copy goes through operations.Copy, which keeps the promises of every flag.
func (c *Copier) copy(ctx context.Context, o *object.MemoryObject, inPlace bool) (fs.Object, error) {
	ctx, ci := fs.AddConfig(ctx)
	ci.Inplace = inPlace
	ci.PartialSuffix = ".new" // konserve skips this suffix and no other
	if c.local != "" {
		ci.IgnoreChecksum = true // what comes out of the system's cache proves nothing
	}
	got, err := operations.Copy(ctx, c.f, nil, o.Remote(), o)
	if err == nil && got == nil && !ci.DryRun {
		err = errSkipped
	}
	return got, err
}

// put is copy for a small segment on a local disk: it goes past the backend
// straight to the file, without the renaming, hashing and looking again that a
// digested segment does not need. Statistics, --bwlimit, --max-transfer, --low-level-retries,
// --dry-run and the log line are the same.
func (c *Copier) put(ctx context.Context, o *object.MemoryObject, data []byte, end ending) (err error) {
	stats := accounting.Stats(ctx)
	tr := stats.NewTransfer(o, c.f)
	defer func() { end(ctx, tr, err) }()
	if operations.SkipDestructive(ctx, o, "copy") {
		stats.Bytes(o.Size())
		return nil
	}
	for range max(fs.GetConfig(ctx).LowLevelRetries, 1) {
		if err = withinMaxTransfer(ctx, o.Size()); err != nil {
			return err
		}
		accounting.TokenBucket.LimitBandwidth(accounting.TokenBucketSlotAccounting, len(data))
		stats.Bytes(o.Size())
		if err = c.putOnce(o.Remote(), data); err == nil {
			fs.Infof(o, "Copied (new)")
			return nil
		}
		if fserrors.ContextError(ctx, &err) || !fserrors.IsRetryError(err) && !fserrors.ShouldRetry(err) {
			break
		}
		fs.Debugf(o, "Received error: %v - low level retry", err)
	}
	if ctx.Err() != nil {
		return err // stopped by another's failure, which is reported
	}
	fs.Errorf(o, "Failed to copy: %v", err)
	return fs.CountError(ctx, err)
}

func (c *Copier) putOnce(remote string, data []byte) error {
	name := c.local + string(filepath.Separator) + filepath.FromSlash(remote)
	err := store.WriteNew(name, data)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err = os.MkdirAll(filepath.Dir(name), 0o777); err == nil {
			err = store.WriteNew(name, data)
		}
	case errors.Is(err, os.ErrExist):
		// What lies there is most likely torn, but it is not ours to cut short.
		if err = os.Remove(name + ".new"); err == nil || errors.Is(err, os.ErrNotExist) {
			if err = store.WriteNew(name+".new", data); err == nil {
				err = os.Rename(name+".new", name)
			}
		}
	}
	return err
}

// withinMaxTransfer serves --max-transfer and --cutoff-mode.
func withinMaxTransfer(ctx context.Context, size int64) error {
	ci := fs.GetConfig(ctx)
	if ci.MaxTransfer < 0 {
		return nil
	}
	limit, sent := int64(ci.MaxTransfer), accounting.Stats(ctx).GetBytes()
	switch ci.CutoffMode {
	case fs.CutoffModeHard:
		if sent+size > limit {
			return accounting.ErrorMaxTransferLimitReachedFatal
		}
	case fs.CutoffModeCautious:
		if sent+size >= limit {
			return accounting.ErrorMaxTransferLimitReachedGraceful
		}
	default:
		if sent >= limit {
			return accounting.ErrorMaxTransferLimitReachedGraceful
		}
	}
	return nil
}
