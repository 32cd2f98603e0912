// Package segfs has what remotes that show a database's segments share: they
// refuse every attempt to write, and some of their objects lie in memory.
package segfs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/hash"
)

// ReadOnly has the methods of fs.Fs and fs.Purger that write. A remote embeds
// it.
type ReadOnly struct {
	// Kind is the remote's, for the message.
	Kind string
}

// Refusal is what every attempt to write gets, once: it is
// fs.ErrorPermissionDenied. It is not fatal: rclone's delete waits for ever
// after a fatal error.
func (r ReadOnly) Refusal() error {
	return fserrors.NoRetryError(fmt.Errorf(
		"a %s remote shows a database and cannot be written to; to put a backup back use rclone-datom restore: %w",
		r.Kind, fs.ErrorPermissionDenied))
}

// Put is refused.
func (r ReadOnly) Put(context.Context, io.Reader, fs.ObjectInfo, ...fs.OpenOption) (fs.Object, error) {
	return nil, r.Refusal()
}

// Mkdir is refused.
func (r ReadOnly) Mkdir(context.Context, string) error { return r.Refusal() }

// Rmdir is refused.
func (r ReadOnly) Rmdir(context.Context, string) error { return r.Refusal() }

// Purge is refused here, lest it be tried object by object.
func (r ReadOnly) Purge(context.Context, string) error { return r.Refusal() }

// ReadOnlyObject has the methods of fs.Object that write, and says that it can
// be copied. An object embeds its remote's.
type ReadOnlyObject struct{ ReadOnly ReadOnly }

// SetModTime is refused.
func (r ReadOnlyObject) SetModTime(context.Context, time.Time) error { return r.ReadOnly.Refusal() }

// Update is refused.
func (r ReadOnlyObject) Update(context.Context, io.Reader, fs.ObjectInfo, ...fs.OpenOption) error {
	return r.ReadOnly.Refusal()
}

// Remove is refused.
func (r ReadOnlyObject) Remove(context.Context) error { return r.ReadOnly.Refusal() }

// Storable says that the object can be copied.
func (r ReadOnlyObject) Storable() bool { return true }

// Part tells which part of an object of size bytes the options ask for: limit
// bytes from offset, or all that follow if limit is negative.
func Part(size int64, options []fs.OpenOption) (offset, limit int64) {
	limit = -1
	for _, option := range options {
		switch x := option.(type) {
		case *fs.SeekOption:
			offset = x.Offset
		case *fs.RangeOption:
			offset, limit = x.Decode(size)
		}
	}
	return offset, limit
}

// Cut opens what Part has told of data.
func Cut(data []byte, offset, limit int64) io.ReadCloser {
	data = data[min(max(offset, 0), int64(len(data))):]
	if limit >= 0 {
		data = data[:min(limit, int64(len(data)))]
	}
	return io.NopCloser(bytes.NewReader(data))
}

// Hash is the hash of data, if the remote has that kind.
func Hash(data []byte, kinds hash.Set, kind hash.Type) (string, error) {
	if !kinds.Contains(kind) {
		return "", hash.ErrUnsupported
	}
	sums, err := hash.StreamTypes(bytes.NewReader(data), hash.NewHashSet(kind))
	return sums[kind], err
}

// Itself tells whether a remote that lies below another, as one of its settings
// says, is that one. Where settings come from elsewhere than the configuration,
// rclone appends a digest of them to the name.
func Itself(name, below string) bool {
	own, _, _ := strings.Cut(name, "{")
	return strings.HasPrefix(below, own+":")
}
