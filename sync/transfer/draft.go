package transfer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/rclone/rclone/backend/local"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"github.com/rclone/rclone/fs/config/configmap"
	"github.com/rclone/rclone/fs/operations"
)

// Draft is an object that is written bit by bit and appears as a whole when it
// is finished. Its bytes wait in a file, so that memory does not depend on its
// size and a failed upload can be repeated: in the very place where it will lie
// if that is on a local disk, in the directory for temporary files otherwise.
type Draft struct {
	c      *Copier
	remote string
	name   string // of the file; empty if nothing is to be written
	file   *os.File
	out    *bufio.Writer
	size   int64
}

// NewDraft begins an object.
func (c *Copier) NewDraft(ctx context.Context, remote string) (d *Draft, err error) {
	d = &Draft{c: c, remote: remote, out: bufio.NewWriterSize(io.Discard, 1<<17)}
	switch {
	case fs.GetConfig(ctx).DryRun:
		return d, nil
	case c.local != "":
		d.name = filepath.Join(c.local, filepath.FromSlash(remote)) + ".new"
		if err = os.MkdirAll(filepath.Dir(d.name), 0o777); err == nil {
			d.file, err = os.OpenFile(d.name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
		}
	default:
		if d.file, err = os.CreateTemp("", "rclone-datom-chunk-*"); err == nil {
			d.name = d.file.Name()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("failed to begin %s (TMPDIR chooses the place of temporary files): %w", remote, err)
	}
	d.out.Reset(d.file)
	return d, nil
}

// Write implements io.Writer.
func (d *Draft) Write(p []byte) (int, error) {
	d.size += int64(len(p))
	return d.out.Write(p)
}

// Finish makes the object appear. Whether that succeeds or not, the draft is
// gone then.
func (d *Draft) Finish(ctx context.Context) error {
	d.c.count(ctx)
	if d.file == nil {
		_, err := operations.Copy(ctx, d.c.f, nil, d.remote, d.c.object(d.remote, nil)) // which says what it would do
		return err
	}
	if err := errors.Join(d.out.Flush(), d.file.Close()); err != nil {
		d.remove()
		return fmt.Errorf("failed to write %s: %w", d.name, err)
	}
	if d.c.local != "" {
		return d.appear(ctx)
	}
	defer d.remove()
	return d.upload(ctx)
}

// Discard drops the draft.
func (d *Draft) Discard() {
	if d.file != nil {
		_ = d.file.Close()
		d.remove()
	}
}

func (d *Draft) remove() { _ = os.Remove(d.name) }

// appear renames the file, with the statistics and limits of a transfer.
func (d *Draft) appear(ctx context.Context) (err error) {
	stats := accounting.Stats(ctx)
	tr := stats.NewTransferRemoteSize(d.remote, d.size, d.c.f, d.c.f)
	defer func() { tr.Done(ctx, err) }()
	if err = withinMaxTransfer(ctx, d.size); err != nil {
		d.remove()
		return err
	}
	accounting.TokenBucket.LimitBandwidth(accounting.TokenBucketSlotAccounting, int(d.size))
	stats.Bytes(d.size)
	if err = os.Rename(d.name, d.name[:len(d.name)-len(".new")]); err != nil {
		d.remove()
		return fs.CountError(ctx, err)
	}
	fs.Infof(d.c.f, "%s: Copied (new)", d.remote)
	return nil
}

func (d *Draft) upload(ctx context.Context) error {
	temp, err := local.NewFs(ctx, "temporary", filepath.Dir(d.name), configmap.Simple{})
	if err != nil {
		return err
	}
	o, err := temp.NewObject(ctx, filepath.Base(d.name))
	if err != nil {
		return err
	}
	got, err := operations.Copy(ctx, d.c.f, nil, d.remote, &named{o, d.remote})
	if err == nil && got == nil {
		err = errSkipped
	}
	return err
}

// named is a temporary file under the name that it will have, for messages and
// statistics.
type named struct {
	fs.Object
	remote string
}

// Remote implements fs.Object.
func (n *named) Remote() string { return n.remote }

// String implements fs.Object.
func (n *named) String() string { return n.remote }
