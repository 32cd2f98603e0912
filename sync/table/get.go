package table

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// asked is one caller's wish for a value.
type asked struct {
	ctx context.Context
	id  string
	got chan answer // has room for the answer, so that nobody waits for callers
}

type answer struct {
	val []byte
	err error
}

// queue has what no query asks for yet.
type queue struct {
	mu      sync.Mutex
	waiting []asked
	workers int // goroutines that serve it, at most one for each connection
}

// Get returns the value of a row. Calls that wait at the same time share
// queries: whenever a connection is free, what waits is fetched over it, up to
// [Config].Batch rows at a time. So it pays to call it from as many goroutines as
// connections times batch. A call whose context ends returns at once and
// disturbs no other. The bytes are the caller's.
func (t *Table) Get(ctx context.Context, id string) ([]byte, error) {
	a := asked{ctx: ctx, id: id, got: make(chan answer, 1)}
	if t.ctx.Err() != nil {
		return nil, errClosed
	}
	t.queue.mu.Lock()
	t.queue.waiting = append(t.queue.waiting, a)
	if t.queue.workers < t.config.Connections {
		t.queue.workers++
		go t.serve()
	}
	t.queue.mu.Unlock()
	select {
	case got := <-a.got:
		return got.val, got.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.ctx.Done():
		return nil, errClosed
	}
}

// serve fetches until nothing waits. It takes what waits only when it has a
// connection: the longer that takes, the more it takes at once.
func (t *Table) serve() {
	for {
		s, err := t.acquire(t.ctx)
		if err != nil {
			return // the table is closed, and all callers know
		}
		batch := t.take()
		if batch != nil {
			pause := t.restFor(len(batch)) // fetch empties the batch
			t.fetch(s, batch)
			_ = rest(t.ctx, pause)
		}
		t.slots <- s
		if batch == nil {
			return
		}
	}
}

// take removes a batch from the queue: the wishes by their ids. When none is
// left the worker that asked is discharged, under the same lock, so that no
// wish can arrive unseen.
func (t *Table) take() map[string][]asked {
	q := &t.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := make(map[string][]asked)
	for len(q.waiting) > 0 && len(batch) < t.config.Batch {
		a := q.waiting[0]
		q.waiting[0] = asked{}
		q.waiting = q.waiting[1:]
		if a.ctx.Err() == nil {
			batch[a.id] = append(batch[a.id], a)
		}
	}
	if len(batch) == 0 {
		q.workers--
		return nil
	}
	return batch
}

// fetch answers a batch. Answers are given as the rows arrive: while the rest of
// them do, callers work, and their next wishes come together.
func (t *Table) fetch(s *slot, batch map[string][]asked) {
	err := t.persist(t.ctx, s, func(ctx context.Context, s *slot) error {
		maps.DeleteFunc(batch, func(_ string, wishes []asked) bool {
			return !slices.ContainsFunc(wishes, func(a asked) bool { return a.ctx.Err() == nil })
		})
		if len(batch) == 0 {
			return nil
		}
		condition, args := t.engine.in(slices.Collect(maps.Keys(batch)))
		query := "SELECT id, val, val IS NULL FROM " + t.config.Table + " WHERE " + condition
		return s.query(ctx, query, args, func(scan func(...any) error) error {
			var id string
			var got answer
			var null bool
			if err := scan(&id, &got.val, &null); err != nil {
				return err
			}
			if null {
				got.err = fmt.Errorf("%s: row %s: %w", t, id, ErrNull)
			}
			// A collation may find a row by another id than its own; so look
			// whether anybody wants this one.
			tell(batch[id], got)
			delete(batch, id)
			return nil
		})
	})
	for id, wishes := range batch {
		missing := answer{err: err}
		if err == nil {
			missing.err = fmt.Errorf("%s: row %s: %w", t, id, ErrNoRow)
		}
		tell(wishes, missing)
	}
}

// tell answers all who want the same row, each with bytes of its own.
func tell(wishes []asked, got answer) {
	for i, a := range wishes {
		if i > 0 {
			got.val = bytes.Clone(got.val)
		}
		a.got <- got
	}
}
