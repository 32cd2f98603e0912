package store

import (
	"context"
	"crypto/sha256"
	"io"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/operations"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Object is what holds a segment or a value, unread: values may be larger than
// what [Files.Get] takes. It returns graph.ErrNotFound where there is none.
func (s *Files) Object(ctx context.Context, id graph.ID) (fs.Object, error) {
	s.reads.Add(1)
	var o fs.Object
	err := retry(ctx, func() (err error) {
		o, err = s.f.NewObject(ctx, s.Remote(id))
		return notFound(id, err)
	})
	return o, err
}

// Sum reads an object of any length for its size and SHA-256.
func (s *Files) Sum(ctx context.Context, id graph.ID) (size int64, sum [sha256.Size]byte, err error) {
	o, err := s.Object(ctx, id)
	if err != nil {
		return 0, sum, err
	}
	size, sum, err = SumOf(ctx, o)
	return size, sum, notFound(id, err)
}

// SumOf is Sum for an object that was found.
func SumOf(ctx context.Context, o fs.Object) (size int64, sum [sha256.Size]byte, err error) {
	in, err := operations.Open(ctx, o)
	if err != nil {
		return 0, sum, err
	}
	defer fs.CheckClose(in, &err)
	h := sha256.New()
	size, err = io.Copy(h, in)
	h.Sum(sum[:0])
	return size, sum, err
}
