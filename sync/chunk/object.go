package chunk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/hash"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// errReadOnly is what writing to an object in a chunk returns.
var errReadOnly = errors.New("what lies in a chunk cannot be changed")

// inside is a segment or a value in a chunk, as an object under its native path.
type inside struct {
	s       *Segments
	c       *file
	modTime time.Time // of the chunk
	e       graph.Entry
}

// Object is what holds a segment or a value of any length, unread. It can only be
// read, also in parts, and has no hashes; its time is the chunk's. The error
// matches graph.ErrNotFound where no list has it or the chunk is gone.
func (s *Segments) Object(ctx context.Context, id graph.ID) (fs.Object, error) {
	e, _, err := s.locate(id)
	if err != nil {
		return nil, err
	}
	return s.ObjectAt(ctx, e)
}

// ObjectAt is Object for what a list says of it.
func (s *Segments) ObjectAt(ctx context.Context, e graph.Entry) (fs.Object, error) {
	c, err := s.place(e)
	if err != nil {
		return nil, err
	}
	o, err := c.take(ctx)
	if err != nil {
		return nil, err
	}
	defer c.give(o)
	return &inside{s, c, o.ModTime(ctx), e}, nil
}

// Fs implements fs.ObjectInfo.
func (o *inside) Fs() fs.Info { return o.s.f }

// String implements fs.ObjectInfo.
func (o *inside) String() string { return o.Remote() }

// Remote implements fs.ObjectInfo.
func (o *inside) Remote() string { return o.s.remote(o.e.ID) }

// ModTime implements fs.ObjectInfo.
func (o *inside) ModTime(context.Context) time.Time { return o.modTime }

// Size implements fs.ObjectInfo.
func (o *inside) Size() int64 { return o.e.Size }

// Hash implements fs.ObjectInfo.
func (o *inside) Hash(context.Context, hash.Type) (string, error) { return "", hash.ErrUnsupported }

// Storable implements fs.ObjectInfo.
func (o *inside) Storable() bool { return true }

// Open implements fs.Object. What is compressed is read whole for any part.
func (o *inside) Open(ctx context.Context, options ...fs.OpenOption) (io.ReadCloser, error) {
	from, n := part(o.e.Size, options)
	if o.e.At.Stored != o.e.Size {
		packed := make([]byte, o.e.At.Stored)
		err := o.c.read(ctx, o.e.At.Offset, packed)
		if err != nil {
			return nil, err
		}
		data, err := o.s.unpack(o.e, o.c, packed, nil)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(bytes.NewReader(data[from : from+n])), nil
	}
	if n == 0 {
		return io.NopCloser(eof{}), nil
	}
	from += o.e.At.Offset
	in, err := o.c.open(ctx, from, n)
	if err != nil {
		return nil, err
	}
	return &exact{in, o.c, from, n}, nil
}

// part tells which part of size bytes the options ask for.
func part(size int64, options []fs.OpenOption) (from, n int64) {
	n = size
	for _, option := range options {
		switch x := option.(type) {
		case *fs.SeekOption:
			from, n = x.Offset, size
		case *fs.RangeOption:
			if from, n = x.Decode(size); n < 0 {
				n = size
			}
		}
	}
	from = min(max(from, 0), size)
	return from, min(n, size-from)
}

// exact is a reader that must have left more bytes. Whoever reads it begins anew
// if it fails.
type exact struct {
	io.ReadCloser
	c    *file
	at   int64
	left int64
}

// Read implements io.Reader.
func (r *exact) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.ReadCloser.Read(p[:min(int64(len(p)), r.left)])
	r.at += int64(n)
	r.left -= int64(n)
	if r.left == 0 {
		return n, nil
	}
	return n, r.c.failed(r.at, err)
}

// SetModTime implements fs.Object.
func (o *inside) SetModTime(context.Context, time.Time) error { return errReadOnly }

// Update implements fs.Object.
func (o *inside) Update(context.Context, io.Reader, fs.ObjectInfo, ...fs.OpenOption) error {
	return errReadOnly
}

// Remove implements fs.Object.
func (o *inside) Remove(context.Context) error { return errReadOnly }

var _ fs.Object = (*inside)(nil)
