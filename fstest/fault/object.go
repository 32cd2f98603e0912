package fault

import (
	"context"
	"io"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/hash"
)

// Object is an object of an Fs.
type Object struct {
	f    *Fs
	base fs.Object
}

// Fs implements fs.ObjectInfo.
func (o *Object) Fs() fs.Info { return o.f }

// String implements fs.ObjectInfo.
func (o *Object) String() string { return o.base.String() }

// Remote implements fs.ObjectInfo.
func (o *Object) Remote() string { return o.base.Remote() }

// ModTime implements fs.ObjectInfo.
func (o *Object) ModTime(ctx context.Context) time.Time { return o.base.ModTime(ctx) }

// Size implements fs.ObjectInfo.
func (o *Object) Size() int64 { return o.base.Size() }

// Hash implements fs.ObjectInfo.
func (o *Object) Hash(ctx context.Context, ty hash.Type) (string, error) {
	return o.base.Hash(ctx, ty)
}

// Storable implements fs.ObjectInfo.
func (o *Object) Storable() bool { return o.base.Storable() }

// SetModTime implements fs.Object.
func (o *Object) SetModTime(ctx context.Context, t time.Time) error {
	return o.base.SetModTime(ctx, t)
}

// Open implements fs.Object.
func (o *Object) Open(ctx context.Context, options ...fs.OpenOption) (in io.ReadCloser, err error) {
	v := o.f.tally.judge(Call{Open, o.Remote()})
	if v.err != nil && v.mode != During {
		return nil, v.err
	}
	in, err = o.base.Open(ctx, options...)
	if err == nil && v.err != nil {
		return &torn{in, o.Size() / 2, v.err}, nil
	}
	return in, err
}

// Update implements fs.Object.
func (o *Object) Update(ctx context.Context, in io.Reader, src fs.ObjectInfo, options ...fs.OpenOption) error {
	return o.f.upload(Update, in, src, func(in io.Reader, src fs.ObjectInfo) error {
		return o.base.Update(ctx, in, src, options...)
	})
}

// Remove implements fs.Object.
func (o *Object) Remove(ctx context.Context) error {
	return o.f.call(Remove, o.Remote(), func() error { return o.base.Remove(ctx) })
}

// torn is a reader that fails after some bytes.
type torn struct {
	io.ReadCloser
	left int64
	err  error
}

func (r *torn) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, r.err
	}
	n, err := r.ReadCloser.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	return n, err
}

var _ fs.Object = (*Object)(nil)
