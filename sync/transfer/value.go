package transfer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/operations"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// ValueHead is how much of a value's beginning its check gets, in bytes.
const ValueHead = 4 << 10

// Value copies an object to which datoms refer. It may be of any length, so it
// streams. check is given the first bytes that were copied. If the object is
// not at the source the error is graph.ErrNotFound.
func (t Target) Value(ctx context.Context, id graph.ID, find func(context.Context, graph.ID) (fs.Object, error), check func(head []byte) error) error {
	ref := graph.Ref{ID: id, Level: graph.Value}
	if ok, err := t.had(ctx, ref, nil); ok || err != nil {
		return err
	}
	src, err := find(ctx, id)
	if err != nil {
		return err
	}
	if t.Old != nil {
		e, ok, err := t.Journal.Recall(ctx, id)
		if err != nil {
			return err
		}
		if ok {
			return t.recalled(ctx, e, src)
		}
	}
	if t.Packer != nil {
		head, err := t.Packer.PackValue(ctx, ref, src)
		if err == nil && !fs.GetConfig(ctx).DryRun {
			err = check(head)
		}
		return err
	}
	e, head, err := t.Copier.Stream(ctx, t.Remote(id), src)
	if err != nil {
		return err
	}
	e.Ref = ref
	if !fs.GetConfig(ctx).DryRun {
		if err := check(head); err != nil {
			return err
		}
	}
	return t.Journal.Ack(ctx, e)
}

// recalled takes an object that a point has already. Its id was chosen by users,
// so only the bytes tell that it is the same.
func (t Target) recalled(ctx context.Context, e graph.Entry, src fs.Object) error {
	size, sum, err := store.SumOf(ctx, src)
	if err != nil {
		return err
	}
	if size != e.Size || sum != e.SHA256 {
		return fserrors.NoRetryError(fmt.Errorf("object %s has other bytes than the one that a point here has under its name: choose another destination", e.ID))
	}
	e.Level = graph.Value
	t.Journal.Reach(e)
	return nil
}

// Stream copies an object of any length and returns the size and SHA-256 of
// what was copied, and how it began.
func (c *Copier) Stream(ctx context.Context, remote string, src fs.Object) (e graph.Entry, head []byte, err error) {
	c.count(ctx)
	ctx, ci := fs.AddConfig(ctx)
	if ci.Immutable {
		if e, head, err := c.streamed(ctx, remote, src); e.Size > 0 || err != nil {
			return e, head, err
		}
	}
	ci.MultiThreadStreams = 0 // a digest needs the bytes in their order
	ci.Inplace, ci.PartialSuffix = false, ".new"
	h := &hashed{Object: src, from: c.from}
	got, err := operations.Copy(ctx, c.f, nil, remote, h)
	if err == nil && got == nil && !ci.DryRun {
		err = errSkipped
	}
	if err != nil {
		return e, nil, err
	}
	if ci.DryRun {
		return graph.Entry{Size: src.Size()}, nil, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	e.Size = h.whole.n
	h.whole.sum.Sum(e.SHA256[:0])
	return e, h.whole.head, nil
}

// streamed serves --immutable: an object that is there must be equal. The
// entry is empty if there is none.
func (c *Copier) streamed(ctx context.Context, remote string, src fs.Object) (e graph.Entry, head []byte, err error) {
	have, err := c.f.NewObject(ctx, remote)
	if errors.Is(err, fs.ErrorObjectNotFound) || errors.Is(err, fs.ErrorDirNotFound) {
		return e, nil, nil
	}
	if err != nil {
		return e, nil, err
	}
	size, sum, err := store.SumOf(ctx, src)
	if err != nil {
		return e, nil, err
	}
	if n, other, err := store.SumOf(ctx, have); err != nil || n != size || other != sum {
		return e, nil, errors.Join(err, fmt.Errorf("%s differs from what should be written and --immutable is set: %w", remote, fs.ErrorImmutableModified))
	}
	in, err := src.Open(ctx, &fs.RangeOption{Start: 0, End: ValueHead - 1})
	if err != nil {
		return e, nil, err
	}
	defer fs.CheckClose(in, &err)
	head, err = io.ReadAll(io.LimitReader(in, ValueHead))
	return graph.Entry{Size: size, SHA256: sum}, head, err
}

// hashed is an object whose bytes are hashed as they are read. It claims to
// be the source remote's, so that no remote copies it without reading it.
type hashed struct {
	fs.Object
	from fs.Info

	mu sync.Mutex
	// last was begun last, whole has come to the end: some remotes read an
	// object twice, even at the same time.
	last, whole *reading
}

// reading is what has come through one reader.
type reading struct {
	h    *hashed
	sum  hash.Hash
	n    int64
	head []byte
}

// Fs implements fs.ObjectInfo.
func (h *hashed) Fs() fs.Info { return h.from }

// Open implements fs.Object. A transfer that failed begins anew, or goes on
// where it was.
func (h *hashed) Open(ctx context.Context, options ...fs.OpenOption) (io.ReadCloser, error) {
	at := int64(0)
	for _, o := range options {
		switch o := o.(type) {
		case *fs.SeekOption:
			at = o.Offset
		case *fs.RangeOption:
			at, _ = o.Decode(h.Size())
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r := &reading{h: h, sum: sha256.New()}
	if at != 0 {
		if r = h.last; r == nil || at != r.n {
			return nil, errors.New("a value can only be read from its beginning to its end")
		}
	}
	in, err := h.Object.Open(ctx, options...)
	if err != nil {
		return nil, err
	}
	h.last = r
	if h.Size() == 0 || h.whole == nil {
		h.whole = r // until another comes to the end
	}
	return struct {
		io.Reader
		io.Closer
	}{io.TeeReader(in, r), in}, nil
}

// Write takes what was read.
func (r *reading) Write(p []byte) (int, error) {
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	if room := ValueHead - len(r.head); room > 0 {
		r.head = append(r.head, p[:min(room, len(p))]...)
	}
	r.n += int64(len(p))
	if r.n >= r.h.Size() {
		r.h.whole = r
	}
	return r.sum.Write(p)
}
