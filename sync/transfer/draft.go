package transfer

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"github.com/rclone/rclone/fs/hash"
	"github.com/rclone/rclone/fs/object"
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
			_ = os.Remove(d.name) // so that none stays when the process is killed; where that cannot be, remove does it
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
	if err := d.out.Flush(); err != nil {
		d.Discard()
		return fmt.Errorf("failed to write %s: %w", d.name, err)
	}
	if d.c.local == "" {
		defer d.Discard()
		return d.upload(ctx)
	}
	if err := d.file.Close(); err != nil {
		d.remove()
		return fmt.Errorf("failed to write %s: %w", d.name, err)
	}
	return d.appear(ctx)
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
	o := &spooled{object.NewStaticObjectInfo(d.remote, d.c.modTime, d.size, true, nil, d.c.from), d.file}
	got, err := operations.Copy(ctx, d.c.f, nil, d.remote, o)
	if err == nil && got == nil {
		err = errSkipped
	}
	return err
}

// spooled is a temporary file as an object that can be read more than once.
type spooled struct {
	fs.ObjectInfo
	file *os.File
}

// String implements fs.Object.
func (s *spooled) String() string { return s.Remote() }

// Open implements fs.Object.
func (s *spooled) Open(_ context.Context, options ...fs.OpenOption) (io.ReadCloser, error) {
	from, n := int64(0), s.Size()
	for _, option := range options {
		switch o := option.(type) {
		case *fs.SeekOption:
			from, n = o.Offset, s.Size()-o.Offset
		case *fs.RangeOption:
			if from, n = o.Decode(s.Size()); n < 0 {
				n = s.Size() - from
			}
		}
	}
	return io.NopCloser(io.NewSectionReader(s.file, from, n)), nil
}

// Hash implements fs.ObjectInfo: remotes that check what they get ask for it.
func (s *spooled) Hash(ctx context.Context, t hash.Type) (string, error) {
	in, _ := s.Open(ctx) // which cannot fail
	sums, err := hash.StreamTypes(in, hash.NewHashSet(t))
	return sums[t], err
}

// SetModTime implements fs.Object.
func (*spooled) SetModTime(context.Context, time.Time) error { return fs.ErrorCantSetModTime }

// Update implements fs.Object.
func (*spooled) Update(context.Context, io.Reader, fs.ObjectInfo, ...fs.OpenOption) error {
	return fs.ErrorNotImplemented
}

// Remove implements fs.Object.
func (*spooled) Remove(context.Context) error { return fs.ErrorNotImplemented }
