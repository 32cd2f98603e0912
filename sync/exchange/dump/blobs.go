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

// check reads an object and checks that it has the name that its contents give
// it (datahike.blob/blob-id): import-db refuses one that has not. It returns its
// size in bytes.
func (d *Dump) check(ctx context.Context, id fressian.UUID) (int64, error) {
	name := blobName(id)
	in, err := d.get(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	defer in.Close() //nolint:errcheck // it was only read
	sum, size, err := hasch.OfBytes(in)
	if err == nil && sum != id {
		err = fmt.Errorf("%w: its contents have the name %s", graph.ErrCorrupt, hasch.String(sum))
	}
	if err != nil {
		return size, fmt.Errorf("%s: %w", name, err)
	}
	return size, nil
}

// Object implements view.Objects. What the dump does not carry matches
// graph.ErrNotFound; what it carries is read twice: to be checked, and by whoever
// wants it.
func (v *View) Object(ctx context.Context, id fressian.UUID) (io.ReadCloser, error) {
	if !v.carried[id] {
		return nil, fmt.Errorf("%s: %w", blobName(id), graph.ErrNotFound)
	}
	_, err := v.dump.check(ctx, id)
	if errors.Is(err, graph.ErrNotFound) { // which would be taken for one that is kept elsewhere
		err = fmt.Errorf("%s: %w: it is not there, though %s says that the dump carries it", blobName(id), graph.ErrCorrupt, ManifestName)
	}
	if err != nil {
		return nil, err
	}
	return v.dump.get(ctx, blobName(id))
}
