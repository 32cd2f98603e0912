package fault

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/hash"
	"github.com/rclone/rclone/fs/object"
)

// Options say what the wrapped remote can do.
type Options struct {
	// Partial: uploads may be seen half written, and objects can be moved, so
	// that rclone uploads under another name and renames. Without it an
	// upload that fails leaves nothing, whatever the Mode: that is what a
	// remote promises that has no partial uploads.
	Partial bool
}

// Fs is a remote whose calls can fail. It may be used from many goroutines.
type Fs struct {
	base     fs.Fs
	opt      Options
	features *fs.Features
	tally    *tally
}

// New wraps base.
func New(base fs.Fs, opt Options) *Fs {
	f := &Fs{base: base, opt: opt, tally: new(tally)}
	f.features = &fs.Features{
		CanHaveEmptyDirectories: base.Features().CanHaveEmptyDirectories,
		BucketBased:             base.Features().BucketBased,
		PartialUploads:          opt.Partial,
	}
	if opt.Partial {
		f.features.Move = f.move
	}
	return f
}

// Name implements fs.Info.
func (f *Fs) Name() string { return f.base.Name() }

// Root implements fs.Info.
func (f *Fs) Root() string { return f.base.Root() }

// String implements fs.Info.
func (f *Fs) String() string { return "faulty " + f.base.String() }

// Precision implements fs.Info.
func (f *Fs) Precision() time.Duration { return f.base.Precision() }

// Hashes implements fs.Info.
func (f *Fs) Hashes() hash.Set { return f.base.Hashes() }

// Features implements fs.Info.
func (f *Fs) Features() *fs.Features { return f.features }

// call runs do as the verdict says. What cannot be done by halves happens
// whole.
func (f *Fs) call(op Op, path string, do func() error) error {
	v := f.tally.judge(Call{op, path})
	if v.err != nil && v.mode == Before {
		return v.err
	}
	if err := do(); err != nil {
		return err
	}
	return v.err
}

// List implements fs.Fs.
func (f *Fs) List(ctx context.Context, dir string) (entries fs.DirEntries, err error) {
	err = f.call(List, dir, func() (err error) {
		entries, err = f.base.List(ctx, dir)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, e := range entries {
		if o, ok := e.(fs.Object); ok {
			entries[i] = &Object{f, o}
		}
	}
	return entries, nil
}

// NewObject implements fs.Fs.
func (f *Fs) NewObject(ctx context.Context, remote string) (o fs.Object, err error) {
	err = f.call(NewObject, remote, func() (err error) {
		o, err = f.base.NewObject(ctx, remote)
		return err
	})
	return f.wrap(o, err)
}

func (f *Fs) wrap(o fs.Object, err error) (fs.Object, error) {
	if err != nil {
		return nil, err
	}
	return &Object{f, o}, nil
}

// Put implements fs.Fs.
func (f *Fs) Put(ctx context.Context, in io.Reader, src fs.ObjectInfo, options ...fs.OpenOption) (o fs.Object, err error) {
	err = f.upload(Put, in, src, func(in io.Reader, src fs.ObjectInfo) (err error) {
		o, err = f.base.Put(ctx, in, src, options...)
		return err
	})
	return f.wrap(o, err)
}

// upload runs a call that writes src's bytes.
func (f *Fs) upload(op Op, in io.Reader, src fs.ObjectInfo, put func(io.Reader, fs.ObjectInfo) error) error {
	v := f.tally.judge(Call{op, src.Remote()})
	switch {
	case v.err == nil:
		return put(in, src)
	case v.mode == Before || v.mode == During && !f.opt.Partial:
		return v.err
	case v.mode == During:
		half := src.Size() / 2
		in = io.LimitReader(in, half)
		src = object.NewStaticObjectInfo(src.Remote(), src.ModTime(context.Background()), half, true, nil, src.Fs())
	}
	if err := put(in, src); err != nil {
		return fmt.Errorf("failed to inject a fault: %w", err)
	}
	return v.err
}

// Mkdir implements fs.Fs.
func (f *Fs) Mkdir(ctx context.Context, dir string) error {
	return f.call(Mkdir, dir, func() error { return f.base.Mkdir(ctx, dir) })
}

// Rmdir implements fs.Fs.
func (f *Fs) Rmdir(ctx context.Context, dir string) error {
	return f.call(Rmdir, dir, func() error { return f.base.Rmdir(ctx, dir) })
}

// move is the Move feature. Where the base has none, it is copied from the
// base's own bytes and then removed; nobody sees that it took two steps,
// since the call is one.
func (f *Fs) move(ctx context.Context, src fs.Object, remote string) (o fs.Object, err error) {
	from, ok := src.(*Object)
	if !ok {
		return nil, fs.ErrorCantMove
	}
	err = f.call(Move, remote, func() (err error) {
		o, err = rename(ctx, f.base, from.base, remote)
		return err
	})
	return f.wrap(o, err)
}

func rename(ctx context.Context, f fs.Fs, src fs.Object, remote string) (fs.Object, error) {
	if move := f.Features().Move; move != nil {
		return move(ctx, src, remote)
	}
	doCopy := f.Features().Copy
	if doCopy == nil {
		return nil, fs.ErrorCantMove
	}
	o, err := doCopy(ctx, src, remote)
	if err != nil {
		return nil, err
	}
	return o, src.Remove(ctx)
}

var _ fs.Fs = (*Fs)(nil)
