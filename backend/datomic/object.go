package datomic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/hash"

	"github.com/rclone-datom/rclone-datom/backend/internal/segfs"
	dialect "github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// Object is one file of the snapshot.
type Object struct {
	segfs.ReadOnlyObject
	f    *Fs
	path string // from the snapshot's root, not the remote's
	size int64
	// data is set for what is no segment and held in memory.
	data []byte
}

func (f *Fs) newObject(path string, size int64, data []byte) *Object {
	return &Object{ReadOnlyObject: segfs.ReadOnlyObject{ReadOnly: f.ReadOnly}, f: f, path: path, size: size, data: data}
}

// NewObject finds the Object at remote.
func (f *Fs) NewObject(ctx context.Context, remote string) (fs.Object, error) {
	at := path.Join(f.root, remote)
	if at == "" || at == store.RootsDir || at == store.ValuesDir {
		return nil, fs.ErrorIsDir
	}
	if data, ok := f.held[at]; ok {
		return f.newObject(at, int64(len(data)), data), nil
	}
	id := graph.ID(path.Base(at))
	isDir := inValues(parent(at), string(id))
	if !isDir && (dialect.CheckID(id) != nil || segmentPath(id) != at) {
		return nil, fs.ErrorObjectNotFound // spares the walk
	}
	v, err := f.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if isDir && v.hasFolder(string(id)) {
		return nil, fs.ErrorIsDir
	}
	return v.object(f, at)
}

// segmentPath is where a segment lies in a backup.
func segmentPath(id graph.ID) string {
	return path.Join(store.ValuesDir, dialect.Folder(id), string(id))
}

// inValues tells whether name may be a folder of segments in dir.
func inValues(dir, name string) bool {
	return dir == store.ValuesDir && len(name) == 2 && strings.Trim(name, "0123456789abcdefABCDEF") == ""
}

// id is the segment that the object is.
func (o *Object) id() graph.ID { return graph.ID(path.Base(o.path)) }

// Fs returns the parent Fs
func (o *Object) Fs() fs.Info { return o.f }

// String returns the remote path
func (o *Object) String() string { return o.Remote() }

// Remote returns the remote path
func (o *Object) Remote() string { return o.f.relative(o.path) }

// relative is a path as seen from the remote's root.
func (f *Fs) relative(at string) string {
	return strings.TrimPrefix(strings.TrimPrefix(at, f.root), "/")
}

// ModTime is the moment of the snapshot.
func (o *Object) ModTime(context.Context) time.Time { return o.f.opened }

// Size is exact.
func (o *Object) Size() int64 { return o.size }

// ID is the segment's own uuid; other files have none.
func (o *Object) ID() string {
	if o.data != nil {
		return ""
	}
	return string(o.id())
}

// Hash returns what the backup's remote knows, or the hash of the held bytes.
func (o *Object) Hash(ctx context.Context, kind hash.Type) (string, error) {
	if o.data != nil || o.f.base == nil {
		return segfs.Hash(o.data, o.f.Hashes(), kind)
	}
	under, err := o.f.base.NewObject(ctx, o.path)
	if err != nil {
		return "", err
	}
	return under.Hash(ctx, kind)
}

// Open an object for reading, whole or in part. A segment is read whole: it is
// a row, and few have more than a hundred kilobytes.
func (o *Object) Open(ctx context.Context, options ...fs.OpenOption) (io.ReadCloser, error) {
	offset, limit := segfs.Part(o.size, options)
	data := o.data
	if data == nil {
		s, err := o.f.live(ctx)
		if err != nil {
			return nil, err
		}
		data, err = s.Get(ctx, o.id())
		if errors.Is(err, graph.ErrNotFound) {
			return nil, fmt.Errorf("%s was collected since the snapshot was taken; open the remote again: %w", o, err)
		}
		if err != nil {
			return nil, err
		}
	}
	return segfs.Cut(data, offset, limit), nil
}
