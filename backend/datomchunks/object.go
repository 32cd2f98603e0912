package datomchunks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/hash"
	"github.com/rclone/rclone/fs/operations"

	"github.com/rclone-datom/rclone-datom/backend/internal/segfs"
	dialect "github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// maxWhole is the largest file, in bytes, that is read whole for any part of it,
// so that no byte is handed over which the digest does not vouch for. Few
// segments are larger.
const maxWhole = 1 << 20

// Object is one file of a point.
type Object struct {
	segfs.ReadOnlyObject
	f    *Fs
	path string // from the point's id on
	size int64
	sum  string // SHA-256 in hex, empty if it is not known
	time time.Time
	// data is set for the mutable objects, whose bytes are in the manifest.
	data []byte
}

func (f *Fs) newObject(path string) *Object {
	return &Object{ReadOnlyObject: segfs.ReadOnlyObject{ReadOnly: f.ReadOnly}, f: f, path: path}
}

// Fs returns the parent Fs
func (o *Object) Fs() fs.Info { return o.f }

// String returns the remote path
func (o *Object) String() string { return o.Remote() }

// Remote returns the remote path
func (o *Object) Remote() string { return o.f.relative(o.path) }

// ModTime is the time of the point.
func (o *Object) ModTime(context.Context) time.Time { return o.time }

// Size is exact.
func (o *Object) Size() int64 { return o.size }

// Hash returns what the point's list has.
func (o *Object) Hash(_ context.Context, kind hash.Type) (string, error) {
	if kind != hash.SHA256 {
		return "", hash.ErrUnsupported
	}
	return o.sum, nil
}

// id is the segment that the object is.
func (o *Object) id() graph.ID { return graph.ID(path.Base(o.path)) }

// ID is the segment's own uuid; the mutable objects have none.
func (o *Object) ID() string {
	if o.data != nil {
		return ""
	}
	return strings.TrimSuffix(string(o.id()), dialect.Suffix)
}

// Open an object for reading, whole or in part. What is read whole is compared
// with the digest that the list has.
func (o *Object) Open(ctx context.Context, options ...fs.OpenOption) (io.ReadCloser, error) {
	offset, limit := segfs.Part(o.size, options)
	switch {
	case o.data != nil:
		return segfs.Cut(o.data, offset, limit), nil
	case o.size <= maxWhole:
		data, err := o.read(ctx)
		if err != nil {
			return nil, err
		}
		return segfs.Cut(data, offset, limit), nil
	case offset >= o.size || limit == 0:
		return segfs.Cut(nil, 0, 0), nil
	}
	return o.stream(ctx, offset, limit)
}

// read reads the whole object into memory.
func (o *Object) read(ctx context.Context) (data []byte, err error) {
	under, err := o.under(ctx)
	if err != nil {
		return nil, err
	}
	in, err := operations.Open(ctx, under)
	if err != nil {
		return nil, o.failed(err)
	}
	defer fs.CheckClose(in, &err)
	return io.ReadAll(o.check(in))
}

// stream reads a part as it comes: limit bytes, or all that follow if limit is
// negative.
func (o *Object) stream(ctx context.Context, offset, limit int64) (io.ReadCloser, error) {
	under, err := o.under(ctx)
	if err != nil {
		return nil, err
	}
	end := o.size
	if limit >= 0 {
		end = min(end, offset+limit)
	}
	in, err := under.Open(ctx, &fs.RangeOption{Start: offset, End: end - 1})
	if err != nil || offset > 0 || end < o.size {
		return in, o.failed(err)
	}
	return o.check(in), nil
}

// under is what lies in the chunk.
func (o *Object) under(ctx context.Context) (under fs.Object, err error) {
	point, _, _ := strings.Cut(o.path, "/")
	err = o.f.points.use(ctx, point, func(t *tree) (err error) {
		under, err = t.point.Segments().Object(ctx, o.id())
		return err
	})
	return under, o.failed(err)
}

// failed says what is wrong if the object is not there any more or is not what
// was backed up: another attempt would not change that.
func (o *Object) failed(err error) error {
	var why string
	switch {
	case errors.Is(err, graph.ErrNotFound):
		why = "the point was pruned since the remote was opened, or it is damaged"
	case errors.Is(err, graph.ErrCorrupt):
		why = "the point is damaged"
	default:
		return err
	}
	point, _, _ := strings.Cut(o.path, "/")
	return fserrors.NoRetryError(fserrors.NoLowLevelRetryError(fmt.Errorf(
		"%w: %s; see what else is with: rclone-datom verify --deep --at %s DEST", err, why, point)))
}
