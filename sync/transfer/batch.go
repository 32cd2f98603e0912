package transfer

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// inFlight bounds the bytes of leaves that were read and are not yet written.
const inFlight = 64 << 20

// Journal remembers what is at the destination. Its methods are called from
// many goroutines.
type Journal interface {
	// Has returns the entry of a segment that need not be written: it is
	// part of the destination already.
	Has(id graph.ID) (graph.Entry, bool, error)
	// Ack notes a write that the destination has acknowledged.
	Ack(ctx context.Context, e graph.Entry) error
	// Reach notes that the point reaches the segment.
	Reach(e graph.Entry)
}

// Target is where a Batch writes.
type Target struct {
	Copier  *Copier
	Journal Journal
	// Remote maps an id to the object's path below the Copier's remote.
	Remote func(id graph.ID) string
	// Workers is how many segments are written at a time.
	Workers int
}

// Batch writes the nodes of one walk, children before parents.
type Batch struct {
	Target
	ctx   context.Context
	g     *errgroup.Group
	room  *semaphore.Weighted
	spool *spill.Spool

	mu    sync.Mutex
	inner [graph.MaxLevel + 1][]waiting
}

// waiting is an inner node whose children may not be written yet.
type waiting struct {
	entry graph.Entry
	held  spill.Held
}

// NewBatch begins a batch; end it with Flush or Abandon.
func (t Target) NewBatch(ctx context.Context) *Batch {
	b := &Batch{Target: t, room: semaphore.NewWeighted(inFlight), spool: spill.NewSpool()}
	b.g, b.ctx = errgroup.WithContext(ctx)
	b.g.SetLimit(max(t.Workers, 1))
	return b
}

// Visit takes a node from the walk; data is nil if the journal has it.
func (b *Batch) Visit(ctx context.Context, ref graph.Ref, data []byte) error {
	if e, ok, err := b.Journal.Has(ref.ID); ok || err != nil {
		if err == nil {
			e.Level = ref.Level
			b.Journal.Reach(e)
		}
		return err
	}
	e := graph.Entry{Ref: ref, Size: int64(len(data)), SHA256: sha256.Sum256(data)}
	if ref.Level > graph.Leaf {
		held, err := b.spool.Put(data)
		b.mu.Lock()
		b.inner[ref.Level] = append(b.inner[ref.Level], waiting{e, held})
		b.mu.Unlock()
		return err
	}
	n := min(int64(len(data)), inFlight)
	if err := b.room.Acquire(b.ctx, n); err != nil {
		return context.Cause(b.ctx)
	}
	b.g.Go(func() error {
		defer b.room.Release(n)
		return b.write(b.ctx, e, data)
	})
	return context.Cause(ctx)
}

// write puts a segment and notes the acknowledgement.
func (t Target) write(ctx context.Context, e graph.Entry, data []byte) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := t.Copier.Segment(ctx, t.Remote(e.ID), data); err != nil {
		return err
	}
	t.Journal.Reach(e)
	return t.Journal.Ack(ctx, e)
}

// Flush waits for the leaves and writes the inner nodes, lowest level first.
func (b *Batch) Flush(ctx context.Context) error {
	if err := b.g.Wait(); err != nil {
		return errors.Join(err, b.spool.Close())
	}
	for _, nodes := range b.inner {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(max(b.Workers, 1))
		for _, n := range nodes {
			g.Go(func() error {
				data, err := b.spool.Take(n.held)
				if err != nil {
					return err
				}
				return b.write(ctx, n.entry, data)
			})
		}
		if err := g.Wait(); err != nil {
			return errors.Join(err, b.spool.Close())
		}
	}
	return b.spool.Close()
}

// Abandon waits for what is being written and drops the rest. It returns the
// error of a write that failed, which is why the walk ended.
func (b *Batch) Abandon() error {
	return errors.Join(b.g.Wait(), b.spool.Close())
}

// Record writes a commit's own object. The caller has flushed the batch that
// has its nodes.
func (t Target) Record(ctx context.Context, id graph.ID, data []byte) error {
	if e, ok, err := t.Journal.Has(id); ok || err != nil {
		if err == nil {
			e.Level = graph.Commit
			t.Journal.Reach(e)
		}
		return err
	}
	e := graph.Entry{Ref: graph.Ref{ID: id, Level: graph.Commit}, Size: int64(len(data)), SHA256: sha256.Sum256(data)}
	return t.write(ctx, e, data)
}
