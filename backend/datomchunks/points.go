package datomchunks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/rclone/rclone/fs"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// maxOpen is how many points are kept open. Each holds lists in temporary files,
// some megabytes of memory for a million segments, and up to 64 MiB of chunks.
const maxOpen = 3

// points are those that were asked for last. It may be used from many goroutines.
type points struct {
	base fs.Fs

	mu   sync.Mutex
	kept []*point // the last used first
}

// point is one of them.
type point struct {
	id string
	// users and dropped are guarded by points.mu: a point that is kept no more is
	// closed by its last user.
	users   int
	dropped bool

	mu   sync.Mutex // held while it is opened
	tree *tree
}

func newPoints(base fs.Fs) *points { return &points{base: base} }

// find returns the id of the point that a user means.
func (c *points) find(ctx context.Context, at string) (id string, err error) {
	t, err := openTree(ctx, c.base, at)
	if err != nil {
		return "", err
	}
	id = t.point.Manifest.Point
	p, err := c.acquire(id)
	p.mu.Lock()
	if p.tree != nil {
		err = errors.Join(err, t.close())
	} else {
		p.tree = t
	}
	p.mu.Unlock()
	return id, errors.Join(err, c.release(p))
}

// use calls fn with the tree of a point, which is fn's only until it returns.
// That there is no such point matches fs.ErrorObjectNotFound.
func (c *points) use(ctx context.Context, id string, fn func(*tree) error) error {
	if _, err := snapshot.IDTime(id); err != nil || graph.CheckName(id) != nil {
		return fs.ErrorObjectNotFound
	}
	p, err := c.acquire(id)
	var t *tree
	if err == nil {
		t, err = p.open(ctx, c.base)
	}
	if err == nil {
		err = fn(t)
	}
	return errors.Join(err, c.release(p))
}

// open reads the point when it is first needed. An attempt that failed, perhaps
// because its caller gave up, is no answer for the next one.
func (p *point) open(ctx context.Context, base fs.Fs) (*tree, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tree != nil {
		return p.tree, nil
	}
	t, err := openTree(ctx, base, p.id)
	if err != nil {
		return nil, err
	}
	if t.point.Manifest.Point != p.id { // it was the beginning of an id
		return nil, errors.Join(fmt.Errorf("point %s: %w", p.id, fs.ErrorObjectNotFound), t.close())
	}
	p.tree = t
	return t, nil
}

// acquire makes the caller a user of a point.
func (c *points) acquire(id string) (*point, error) {
	c.mu.Lock()
	i := slices.IndexFunc(c.kept, func(p *point) bool { return p.id == id })
	p := &point{id: id}
	if i >= 0 {
		p = c.kept[i]
		c.kept = slices.Delete(c.kept, i, i+1)
	}
	c.kept = slices.Insert(c.kept, 0, p)
	p.users++
	c.mu.Unlock()
	return p, c.drop(maxOpen)
}

// release ends what acquire began.
func (c *points) release(p *point) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.users--
	return p.closeUnused()
}

// drop keeps n points, and lets go those that were not used for longest.
func (c *points) drop(n int) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.kept) > n {
		p := c.kept[len(c.kept)-1]
		c.kept = c.kept[:len(c.kept)-1]
		p.dropped = true
		err = errors.Join(err, p.closeUnused())
	}
	return err
}

// closeUnused closes a point that is kept no more, if nobody uses it.
func (p *point) closeUnused() error {
	if p.users > 0 || !p.dropped {
		return nil
	}
	return p.tree.close()
}

// openTree opens a point as its database's files.
func openTree(ctx context.Context, base fs.Fs, at string) (*tree, error) {
	p, err := dbsync.OpenPoint(ctx, base, at)
	if err != nil {
		return nil, err
	}
	t, err := newTree(p)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("point %s: %w", p.Manifest.Point, err), p.Close())
	}
	return t, nil
}
