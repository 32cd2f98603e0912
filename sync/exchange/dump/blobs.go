package dump

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// blobName is the file of an object that datoms name.
func blobName(id fressian.UUID) string { return "store-refs/" + hasch.String(id) }

// blobs carries the objects that the datoms name. There is nothing to tell of
// if they name none.
func (w *writer) blobs(ctx context.Context) (*StoreRefs, error) {
	if w.refs.Empty() {
		return nil, nil //nolint:nilnil // that is what a manifest has
	}
	r := &StoreRefs{}
	err := w.refs.Each(func(line []byte) error {
		id := fressian.UUID(line)
		err := w.carry(ctx, id)
		switch {
		case err == nil:
			r.Carried = append(r.Carried, id)
		case errors.Is(err, graph.ErrNotFound):
			r.External = append(r.External, id)
		default:
			return err
		}
		return nil
	})
	return r, err
}

// carry copies one object.
func (w *writer) carry(ctx context.Context, id fressian.UUID) error {
	if w.opt.Blob == nil {
		return graph.ErrNotFound
	}
	in, err := w.opt.Blob(ctx, id)
	if err != nil {
		return fmt.Errorf("object %s: %w", hasch.String(id), err)
	}
	defer in.Close() //nolint:errcheck // it was only read
	return put(ctx, w.sink, blobName(id), func(to io.Writer) error {
		_, err := io.Copy(to, in)
		return err
	})
}
