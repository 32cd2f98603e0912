package transfer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"github.com/rclone/rclone/fs/fserrors"
	"golang.org/x/sync/semaphore"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
)

// inFlight bounds the bytes of leaves that were read and are not yet written.
const inFlight = 64 << 20

// remembered is how many finished transfers rclone's statistics can list while
// a batch goes to a local disk. Each that ends is sorted in among them: with
// the hundred that rclone keeps, this takes as long as making a file.
const remembered = 10

// Journal remembers what is at the destination. Its methods are called from
// many goroutines.
type Journal interface {
	// Has returns the entry of a segment that need not be written: it is
	// part of the destination already.
	Has(id graph.ID) (graph.Entry, bool, error)
	// Recall looks at the destination itself for a segment that may have been
	// written for an earlier point.
	Recall(ctx context.Context, id graph.ID) (graph.Entry, bool, error)
	// Ack notes a write that the destination has acknowledged, of a segment
	// that the point reaches.
	Ack(ctx context.Context, e graph.Entry) error
	// Reach notes that the point reaches a segment that need not be written.
	Reach(e graph.Entry)
}

// Packer packs segments into larger objects. In which order these appear does
// not matter: nobody reads them before the point is made. The journal hears of a
// segment when the object that has it was acknowledged.
type Packer interface {
	// Pack takes a segment.
	Pack(ctx context.Context, e graph.Entry, data []byte) error
	// PackValue takes an object of any length, and returns how it begins.
	PackValue(ctx context.Context, ref graph.Ref, src fs.Object) (head []byte, err error)
}

// Target is where a Batch writes.
type Target struct {
	// Packer, if set, takes what would be written; Copier and Remote are not
	// used then.
	Packer  Packer
	Copier  *Copier
	Journal Journal
	// Old, if set, tells of a segment that may be there although the walk
	// found it missing from the parent point: it has come back.
	Old func(ref graph.Ref, data []byte) bool
	// WriteOnce: the id of a node never comes to mean other bytes, which is
	// checked where both are known.
	WriteOnce bool
	// Remote maps an id to the object's path below the Copier's remote.
	Remote func(id graph.ID) string
	// Workers is how many segments are written at a time.
	Workers int
}

// Batch writes the nodes of one walk, children before parents.
type Batch struct {
	Target
	leaves *pool.Pool[segment]
	room   *semaphore.Weighted
	inner  waiting

	last atomic.Pointer[accounting.Transfer] // that went well; see end
}

// segment is one on its way.
type segment struct {
	entry graph.Entry
	data  []byte
}

// NewBatch begins a batch; end it with Flush or Abandon.
func (t Target) NewBatch(ctx context.Context) *Batch {
	if t.Packer == nil && t.Copier.local != "" {
		accounting.Stats(ctx).SetMaxCompletedTransfers(remembered)
	}
	b := &Batch{Target: t, room: semaphore.NewWeighted(inFlight)}
	b.leaves = pool.New(ctx, t.Workers, func(ctx context.Context, l segment) error {
		defer b.room.Release(share(l.data))
		return b.write(ctx, l.entry, l.data, b.end)
	})
	return b
}

// Visit takes a node from the walk; data is nil if the journal has it.
func (b *Batch) Visit(ctx context.Context, ref graph.Ref, data []byte) error {
	if ok, err := b.had(ctx, ref, data); ok || err != nil {
		return err
	}
	e := graph.Entry{Ref: ref, Size: int64(len(data)), SHA256: sha256.Sum256(data)}
	if b.Packer != nil {
		return b.Packer.Pack(ctx, e, data)
	}
	if ref.Level > graph.Leaf {
		return b.inner.put(e, data)
	}
	if err := b.room.Acquire(ctx, share(data)); err != nil {
		return context.Cause(ctx)
	}
	if err := b.leaves.Do(segment{e, data}); err != nil {
		b.room.Release(share(data))
		return err
	}
	return nil
}

// had tells whether the segment need not be written, and then notes that it is
// reached. A segment of a point is never written a second time: a write that
// is cut short would damage that point.
func (t Target) had(ctx context.Context, ref graph.Ref, data []byte) (bool, error) {
	e, ok, err := t.Journal.Has(ref.ID)
	if err == nil && !ok && data != nil && t.Old != nil && t.Old(ref, data) {
		e, ok, err = t.Journal.Recall(ctx, ref.ID)
	}
	if ok && err == nil {
		if t.WriteOnce && ref.Level >= graph.Leaf && data != nil && sha256.Sum256(data) != e.SHA256 {
			return false, fserrors.NoRetryError(fmt.Errorf("%s has other bytes at the source than the newest points have under its name, "+
				"as if the database had run with :online-gc meanwhile, or the destination is another database's: choose a new destination: %w", ref.ID, graph.ErrUnsupported))
		}
		e.Level = ref.Level
		t.Journal.Reach(e)
	}
	return ok, err
}

// share is what a leaf takes of the bytes in flight.
func share(data []byte) int64 { return min(int64(len(data)), inFlight) }

// write puts a segment and notes the acknowledgement.
func (t Target) write(ctx context.Context, e graph.Entry, data []byte, end ending) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := t.Copier.segment(ctx, t.Remote(e.ID), data, end); err != nil {
		return err
	}
	return t.Journal.Ack(ctx, e)
}

// end ends a transfer, but one that went well only when the next has. Whenever
// none is under way rclone stops measuring the speed, and starts a goroutine
// and a timer for the next: with small segments that is after nearly each.
func (b *Batch) end(ctx context.Context, tr *accounting.Transfer, err error) {
	if err == nil {
		tr = b.last.Swap(tr)
	}
	if tr != nil {
		tr.Done(ctx, err)
	}
}

// close frees what the batch holds.
func (b *Batch) close(ctx context.Context) error {
	b.end(ctx, nil, nil)
	return b.inner.close()
}

// Flush waits for the leaves and writes the inner nodes, lowest level first.
func (b *Batch) Flush(ctx context.Context) error {
	err := b.leaves.Wait()
	for l := range b.inner {
		if err == nil && !b.inner[l].Empty() {
			err = b.flush(ctx, graph.Level(l))
		}
	}
	return errors.Join(err, b.close(ctx))
}

// flush writes the inner nodes of one level.
func (b *Batch) flush(ctx context.Context, l graph.Level) error {
	return pool.Run(ctx, b.Workers, func(send func(segment) error) error {
		for n, err := range b.inner.level(l) {
			if err != nil {
				return err
			}
			if err := send(n); err != nil {
				return err
			}
		}
		return nil
	}, func(ctx context.Context, n segment) error { return b.write(ctx, n.entry, n.data, b.end) })
}

// Abandon waits for what is being written and drops the rest. It returns the
// error of a write that failed, which is why the walk ended.
func (b *Batch) Abandon() error {
	return errors.Join(b.leaves.Wait(), b.close(context.Background()))
}

// Record writes a commit's own object. The caller has flushed the batch that
// has its nodes.
func (t Target) Record(ctx context.Context, id graph.ID, data []byte) error {
	ref := graph.Ref{ID: id, Level: graph.Commit}
	if ok, err := t.had(ctx, ref, data); ok || err != nil {
		return err
	}
	e := graph.Entry{Ref: ref, Size: int64(len(data)), SHA256: sha256.Sum256(data)}
	if t.Packer != nil {
		return t.Packer.Pack(ctx, e, data)
	}
	return t.write(ctx, e, data, atOnce)
}
