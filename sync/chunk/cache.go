package chunk

import (
	"container/list"
	"context"
	"errors"
	"strconv"
	"sync"

	"golang.org/x/sync/singleflight"
)

// cache holds parts of chunks, those that were asked for last. It may be used
// from many goroutines; what several ask for at once is read once.
type cache struct {
	limit  int64
	flight singleflight.Group

	mu    sync.Mutex
	held  int64      // bytes
	order *list.List // of pages, the last used first
	pages map[string]*list.Element
}

// page is a part of a chunk. Nobody writes to its data.
type page struct {
	key  string
	data []byte
}

// newCache returns a cache of limit bytes.
func newCache(limit int64) *cache {
	return &cache{limit: limit, order: list.New(), pages: map[string]*list.Element{}}
}

// get returns the n bytes of a chunk from offset on, which the caller must not
// change.
func (p *cache) get(ctx context.Context, c *file, offset, n int64) ([]byte, error) {
	key := c.info.Chunk + ":" + strconv.FormatInt(offset, 10)
	for {
		data, err, shared := p.flight.Do(key, func() (any, error) {
			if data := p.look(key); data != nil {
				return data, nil
			}
			data := make([]byte, n)
			if err := c.read(ctx, offset, data); err != nil {
				return nil, err
			}
			p.put(key, data)
			return data, nil
		})
		if err == nil {
			return data.([]byte), nil //nolint:forcetypeassert // the function above returns nothing else
		}
		// Whoever came first has read, in a context of its own.
		given := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
		if !shared || !given || ctx.Err() != nil {
			return nil, err
		}
	}
}

// look returns what is held, or nil.
func (p *cache) look(key string) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.pages[key]
	if e == nil {
		return nil
	}
	p.order.MoveToFront(e)
	return e.Value.(*page).data //nolint:forcetypeassert // the list's own
}

// put holds data, and lets go what was not used for longest.
func (p *cache) put(key string, data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held += int64(len(data))
	p.pages[key] = p.order.PushFront(&page{key, data})
	for p.held > p.limit {
		last := p.order.Remove(p.order.Back()).(*page) //nolint:forcetypeassert // the list's own
		delete(p.pages, last.key)
		p.held -= int64(len(last.data))
	}
}
