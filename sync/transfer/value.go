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
	"github.com/rclone/rclone/fs/operations"

	"github.com/rclone-datom/rclone-datom/sync/graph"
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
		if e, ok, err := t.Journal.Recall(ctx, id); ok || err != nil {
			if ok {
				e.Level = graph.Value
				t.Journal.Reach(e)
			}
			return err
		}
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

// Stream copies an object of any length and returns the size and SHA-256 of
// what was copied, and how it began.
func (c *Copier) Stream(ctx context.Context, remote string, src fs.Object) (e graph.Entry, head []byte, err error) {
	c.count(ctx)
	ctx, ci := fs.AddConfig(ctx)
	if ci.Immutable {
		if _, err := c.f.NewObject(ctx, remote); err == nil {
			return e, nil, fmt.Errorf("%s is there and no backup knows it, and --immutable is set: %w", remote, fs.ErrorImmutableModified)
		}
	}
	ci.MultiThreadStreams = 0 // a digest needs the bytes in their order
	ci.Inplace, ci.PartialSuffix = false, ".new"
	h := &hashed{Object: src, from: c.from, sum: sha256.New()}
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
	e.Size = h.n
	h.sum.Sum(e.SHA256[:0])
	return e, h.head, nil
}

// hashed is an object whose bytes are hashed as they are read. It claims to
// be the source remote's, so that no remote copies it without reading it.
type hashed struct {
	fs.Object
	from fs.Info

	mu   sync.Mutex
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
	switch at {
	case 0:
		h.sum.Reset()
		h.n, h.head = 0, nil
	case h.n:
	default:
		return nil, errors.New("a value can only be read from its beginning to its end")
	}
	in, err := h.Object.Open(ctx, options...)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.TeeReader(in, h), in}, nil
}

// Write takes what was read.
func (h *hashed) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if room := ValueHead - len(h.head); room > 0 {
		h.head = append(h.head, p[:min(room, len(p))]...)
	}
	h.n += int64(len(p))
	return h.sum.Write(p)
}
