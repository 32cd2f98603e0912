package dbsync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// importMarker is the object that says that a database is being imported;
// konserve skips names that end so.
const importMarker graph.ID = "rclone-datom.importing.new"

// name decides what the store and its objects are called.
func (i *importing) name() (err error) {
	if i.opt.ObjectNames == "" {
		i.opt.ObjectNames = NamesFile
	}
	if i.opt.StoreID == "" {
		i.id, err = newUUID()
	} else if i.id, err = hasch.Parse(i.opt.StoreID); err != nil {
		err = refuse("--store-id %q is no uuid in lower case: %w", i.opt.StoreID, err)
	}
	if err == nil {
		i.names, err = namesAt(i.target, i.opt.ObjectNames, hasch.String(i.id), time.Now())
	}
	i.files = store.Named(i.target, "", i.names)
	return err
}

// storeConfig is what the database's :config says of where it lies. Datahike
// compares the id alone.
func (i *importing) storeConfig() fressian.Map {
	entry := func(name string, v any) fressian.Entry {
		return fressian.Entry{Key: fressian.Keyword{Name: name}, Value: v}
	}
	backend := func(name string) fressian.Entry { return entry("backend", fressian.Keyword{Name: name}) }
	bucket, path := placeOf(i.target)
	switch i.opt.ObjectNames {
	case NamesS3:
		return fressian.Map{backend("s3"), entry("bucket", bucket)}
	case NamesGCS:
		return fressian.Map{backend("gcs"), entry("bucket", bucket), entry("store-path", path)}
	}
	return fressian.Map{backend("file"), entry("path", path)}
}

// placeOf is where a target lies: bucket and path, or a local path alone.
func placeOf(f fs.Fs) (bucket, path string) {
	if dir, ok := store.LocalRoot(f); ok {
		if abs, err := filepath.Abs(dir); err == nil {
			dir = abs // the JVM may run elsewhere
		}
		return "", dir
	}
	if f.Features().BucketBased {
		bucket, path, _ = strings.Cut(f.Root(), "/")
		return bucket, path
	}
	return "", f.Root()
}

// prepare makes sure that the target is empty. What an import has left there
// that did not come to its end is taken away.
func (i *importing) prepare(ctx context.Context) error {
	_, err := i.files.Size(ctx, importMarker)
	if err != nil && !errors.Is(err, graph.ErrNotFound) {
		return err
	}
	marked := err == nil
	var left []fs.Object
	var foreign string
	n := 0
	err = i.files.Entries(ctx, func(name string, e fs.DirEntry) error {
		o, isObject := e.(fs.Object)
		switch id := graph.ID(name); {
		case id == importMarker:
			return nil
		case marked && (id == datahike.BranchesID() || id == datahike.KeyID(fressian.Keyword{Name: "db"})):
			return refuse("%s holds a database that an import has just made, or nearly so: remove all that is there (rclone-datom purge) to import again, or if it can be opened, %s alone",
				fs.ConfigString(i.target), i.files.Remote(importMarker))
		case marked && isObject && (strings.HasSuffix(name, datahike.Suffix) || strings.HasSuffix(name, ".new")):
			left = append(left, o)
			return nil
		}
		foreign = e.Remote()
		n++
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrorDirNotFound):
	case err != nil:
		return err
	case n > 0:
		return refuse("%s is not empty (it holds %s and %d more): import into an empty place, or remove what is there with rclone-datom purge", fs.ConfigString(i.target), foreign, n-1)
	}
	return i.begin(ctx, marked, left)
}

// begin takes away what is left, and puts the marker.
func (i *importing) begin(ctx context.Context, marked bool, left []fs.Object) error {
	if fs.GetConfig(ctx).DryRun {
		return nil
	}
	if !marked {
		if err := checkKey(ctx, i.target); err != nil {
			return err
		}
	}
	// An import that still runs there is told by its marker that it is not its any more.
	if err := i.copier.Replace(ctx, i.files.Remote(importMarker), i.marker()); err != nil {
		return err
	}
	if !marked {
		return nil
	}
	fs.Logf(i.target, "Removing %d objects that an interrupted import has left", len(left))
	return pool.Each(ctx, fs.GetConfig(ctx).Checkers, left, func(ctx context.Context, o fs.Object) error { return o.Remove(ctx) })
}

// marker is what the object says that tells of this import and no other.
func (i *importing) marker() []byte {
	return []byte("being imported by rclone-datom: " + hasch.String(i.database) + "\n")
}

// own refuses to go on where another import has begun meanwhile: it has removed
// what this one has written.
func (i *importing) own(ctx context.Context) error {
	data, err := i.files.Get(ctx, importMarker)
	if err != nil && !errors.Is(err, graph.ErrNotFound) {
		return err
	}
	if string(data) != string(i.marker()) {
		return refuse("another import into %s has begun while this one ran: let it come to its end, or run one of them again", fs.ConfigString(i.target))
	}
	return nil
}

// finish makes the database one that can be opened.
func (i *importing) finish(ctx context.Context, heads []graph.Held) error {
	if fs.GetConfig(ctx).DryRun {
		return nil
	}
	if err := transfer.SyncToDisk(i.target); err != nil {
		return err
	}
	if err := i.own(ctx); err != nil {
		return err
	}
	if i.names.Marker != "" {
		heads = append(heads, graph.Held{ID: i.names.Marker, Data: []byte(i.names.Text)})
	}
	for _, h := range heads {
		if err := i.copier.Replace(ctx, i.files.Remote(h.ID), h.Data); err != nil {
			return err
		}
	}
	o, err := i.target.NewObject(ctx, i.files.Remote(importMarker))
	if err == nil {
		err = o.Remove(ctx)
	}
	if err != nil {
		return err
	}
	return transfer.SyncToDisk(i.target)
}

// copyObjects copies the objects that datoms name, as far as the source has
// them: they may be kept elsewhere.
func (i *importing) copyObjects(ctx context.Context) error {
	source, _ := view.As[view.Objects](i.view)
	for line, err := range i.attrs.objects.Sorted() {
		if err != nil {
			return err
		}
		u := fressian.UUID([]byte(line))
		err = graph.ErrNotFound
		if source != nil {
			err = i.copyObject(ctx, source, u)
		}
		switch {
		case errors.Is(err, graph.ErrNotFound):
			i.rep.Absent++
			fs.Infof(i.target, "Object %s is not in the source", hasch.String(u))
		case err != nil:
			return fmt.Errorf("object %s: %w", hasch.String(u), err)
		default:
			i.rep.Objects++
		}
	}
	return nil
}

func (i *importing) copyObject(ctx context.Context, source view.Objects, u fressian.UUID) error {
	in, err := source.Object(ctx, u)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	head, err := konserve.NewCodec("").Seal(konserve.Header{Serializer: konserve.Fressian},
		konserve.Meta{Key: u, Type: konserve.TypeBinary, LastWrite: fressian.Inst(time.Now().UnixMilli())}, nil, nil)
	if err != nil {
		return err
	}
	d, err := i.copier.NewDraft(ctx, i.files.Remote(datahike.AddressID(u)))
	if err != nil {
		return err
	}
	_, err = d.Write(head)
	if err == nil {
		_, err = io.Copy(d, in)
	}
	if err != nil {
		d.Discard()
		return err
	}
	return d.Finish(ctx)
}
