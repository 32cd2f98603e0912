package dbsync

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// referred implements view.Objects. entry, if set, is what a point lists.
type referred struct {
	segments store.Segments
	entry    func(graph.ID) (graph.Entry, error)
}

// headRoom is more than the header and the metadata of an object take.
const headRoom = 64 << 10

// Object implements view.Objects. Objects that datoms refer to are not
// serialized, compressed or encrypted by konserve, only headed.
func (o referred) Object(ctx context.Context, ref fressian.UUID) (io.ReadCloser, error) {
	id := datahike.AddressID(ref)
	var e graph.Entry
	if o.entry != nil {
		var err error
		if e, err = o.entry(id); err != nil {
			return nil, err
		}
	}
	object, err := o.segments.Object(ctx, id)
	if err != nil {
		return nil, err
	}
	in, err := object.Open(ctx)
	if errors.Is(err, fs.ErrorObjectNotFound) {
		err = fmt.Errorf("%s: %w", id, graph.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	c := &summed{in: in, entry: e, sum: sha256.New()}
	r := bufio.NewReaderSize(c, headRoom)
	head, err := r.Peek(headRoom)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, in.Close())
	}
	h, err := konserve.ParseHeader(head)
	if err == nil {
		_, err = r.Discard(h.ValueAt())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w: %w", id, graph.ErrCorrupt, err), in.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{r, in}, nil
}

// summed reads an object whose digest is compared at its end.
type summed struct {
	in    io.Reader
	entry graph.Entry
	sum   hash.Hash
	size  int64
}

// Read implements io.Reader.
func (c *summed) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	_, _ = c.sum.Write(p[:n]) // never fails
	c.size += int64(n)
	if errors.Is(err, io.EOF) && c.entry.Digested() {
		if bad := checkSum(c.entry, c.size, [sha256.Size]byte(c.sum.Sum(nil))); bad != nil {
			return n, bad
		}
	}
	return n, err
}
