// Package descent finds what one set of trees has and another has not.
//
// It walks wants and haves together, from the highest level down. At each
// level both sides are sorted sets of ids:
//
//	in both       equal references are equal subtrees: neither side goes deeper
//	wanted only   read, decoded, visited; its children join the wants below
//	had only      released, if anybody asks; its children join the haves below
//
// so the cost is the inner nodes on paths that differ, whatever the trees'
// size. The sets spill to disk when they are large, so memory does not grow.
// Nodes that two trees share are read once.
//
// The height of a root is known only from its bytes, and trees grow and
// shrink: what was a root may be an inner node on the other side. So roots
// are read first, unless both sides name the same, and then take part at the
// level that they turn out to have.
package descent

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// Decoder gives segments their meaning.
type Decoder interface {
	// Decode checks a segment's bytes and returns its level and children. A
	// leaf is only checked for being well-formed.
	Decode(ref graph.Ref, data []byte) (graph.Node, error)
}

// Reader returns a segment's bytes.
type Reader func(ctx context.Context, ref graph.Ref) ([]byte, error)

// Walker holds what a walk needs. Read, Decoder and Visit must be set; all
// functions are called from many goroutines.
type Walker struct {
	Decoder Decoder
	// Read gets a segment that is wanted.
	Read Reader
	// ReadOld gets an inner node that is had; nil means Read.
	ReadOld Reader
	// Known tells of a leaf or schema blob that need not be read; may be nil.
	Known func(id graph.ID) (bool, error)
	// Visit gets each node that is wanted and not had, parents before their
	// children. data is nil where Known said so. Visit keeps data.
	Visit func(ctx context.Context, ref graph.Ref, data []byte) error
	// Release, if set, gets each node that is had and not wanted.
	Release func(ref graph.Ref) error
	// Beside: Release is only wanted as long as there is something to Visit.
	Beside bool
	// Tolerate, if set, is told of a node that cannot be read or understood;
	// the walk goes on as if it had no children.
	Tolerate func(ref graph.Ref, err error)
	// Workers is how many segments are read at a time; 0 means 1.
	Workers int

	cache childCache
}

// walk is the state of one Diff.
type walk struct {
	*Walker
	wants, haves *side

	mu    sync.Mutex
	held  map[graph.ID]spill.Held // roots that were read to learn their level
	spool *spill.Spool
	// inline has nodes that a record holds itself; no object is theirs.
	inline map[graph.ID]*graph.Node
}

// Diff visits what is reachable from wants and not from haves, and releases
// the reverse. It never misses what is to be visited. Where two trees of one
// side share nodes that they hold in different parents, it may also visit
// what is had and release what is wanted: walk such trees one by one, and
// expect no Release of them.
func (w *Walker) Diff(ctx context.Context, wants, haves []graph.Tree) (err error) {
	d := &walk{
		Walker: w, wants: newSide(), haves: newSide(),
		held: map[graph.ID]spill.Held{}, spool: spill.NewSpool(),
		inline: map[graph.ID]*graph.Node{},
	}
	defer func() {
		d.wants.close()
		d.haves.close()
		err = errors.Join(err, d.spool.Close())
	}()
	if err := d.roots(ctx, wants, haves); err != nil {
		return err
	}
	for l := max(d.wants.top, d.haves.top); l >= graph.Leaf; l-- {
		if err := d.level(ctx, l); err != nil {
			return err
		}
	}
	return d.level(ctx, graph.Schema)
}

// roots puts each tree's topmost node at its level, reading those whose
// level is not known and which the two sides do not share.
func (d *walk) roots(ctx context.Context, wants, haves []graph.Tree) error {
	for _, t := range wants {
		d.start(d.wants, t)
	}
	for _, t := range haves {
		d.start(d.haves, t)
	}
	return d.each(ctx, graph.Root, func(ctx context.Context, id graph.ID) error {
		ref := graph.Ref{ID: id, Level: graph.Root}
		data, err := d.Read(ctx, ref)
		if err != nil {
			return err
		}
		node, err := d.Decoder.Decode(ref, data)
		if err != nil {
			return err
		}
		held, err := d.spool.Put(data)
		if err != nil {
			return err
		}
		d.mu.Lock()
		d.held[id] = held
		d.mu.Unlock()
		d.cache.put(id, node)
		d.wants.add(graph.Ref{ID: id, Level: node.Level})
		return nil
	}, func(ctx context.Context, id graph.ID) error {
		node, err := d.old(ctx, graph.Ref{ID: id, Level: graph.Root})
		if err != nil {
			return err
		}
		d.haves.add(graph.Ref{ID: id, Level: node.Level})
		return nil
	})
}

func (d *walk) start(s *side, t graph.Tree) {
	ref := t.Ref
	if t.Inline != nil {
		// A name of its own: that one side holds a node inline does not mean
		// that it has the object which the other side wants.
		ref = graph.Ref{ID: ref.ID + "#inline", Level: t.Inline.Level}
		d.inline[ref.ID] = t.Inline
	}
	s.add(ref)
}

// level settles one level and fills the one below.
func (d *walk) level(ctx context.Context, l graph.Level) error {
	if (d.Release == nil || d.Beside) && d.wants.exhausted(l) {
		return nil
	}
	return d.each(ctx, l, func(ctx context.Context, id graph.ID) error {
		return d.visit(ctx, graph.Ref{ID: id, Level: l})
	}, func(ctx context.Context, id graph.ID) error {
		return d.release(ctx, graph.Ref{ID: id, Level: l})
	})
}

func (d *walk) visit(ctx context.Context, ref graph.Ref) error {
	if node := d.inline[ref.ID]; node != nil {
		return d.descend(d.wants, ref, *node)
	}
	if ref.Level <= graph.Leaf && d.Known != nil {
		if known, err := d.Known(ref.ID); known || err != nil {
			if err != nil {
				return err
			}
			return d.Visit(ctx, ref, nil)
		}
	}
	data, node, err := d.fetch(ctx, ref)
	if err != nil {
		return err
	}
	if err := d.descend(d.wants, ref, node); err != nil {
		return err
	}
	return d.Visit(ctx, ref, data)
}

// fetch returns a wanted segment: from the spool if it was read as a root.
func (d *walk) fetch(ctx context.Context, ref graph.Ref) ([]byte, graph.Node, error) {
	d.mu.Lock()
	held, ok := d.held[ref.ID]
	delete(d.held, ref.ID)
	d.mu.Unlock()
	var data []byte
	var err error
	if ok {
		data, err = d.spool.Take(held)
	} else {
		data, err = d.Read(ctx, ref)
	}
	if err != nil {
		return nil, graph.Node{}, err
	}
	if ok && ref.Level > graph.Leaf {
		if node, ok := d.cache.get(ref.ID); ok {
			return data, node, nil
		}
	}
	node, err := d.Decoder.Decode(ref, data)
	if err == nil && ref.Level > graph.Leaf {
		d.cache.put(ref.ID, node)
	}
	return data, node, err
}

func (d *walk) release(ctx context.Context, ref graph.Ref) error {
	node := graph.Node{Level: ref.Level}
	if in := d.inline[ref.ID]; in != nil {
		return d.descend(d.haves, ref, *in)
	}
	if ref.Level > graph.Leaf {
		var err error
		if node, err = d.old(ctx, ref); err != nil {
			return err
		}
	}
	if err := d.descend(d.haves, ref, node); err != nil {
		return err
	}
	if d.Release != nil {
		return d.Release(ref)
	}
	return nil
}

// old returns a node that is had: it was often visited a moment ago.
func (d *walk) old(ctx context.Context, ref graph.Ref) (graph.Node, error) {
	if node, ok := d.cache.get(ref.ID); ok {
		return node, nil
	}
	read := d.ReadOld
	if read == nil {
		read = d.Read
	}
	data, err := read(ctx, ref)
	if err != nil {
		return graph.Node{}, err
	}
	node, err := d.Decoder.Decode(ref, data)
	if err == nil {
		d.cache.put(ref.ID, node)
	}
	return node, err
}

// descend adds a node's children to the level below. That each child lies
// exactly one level lower is what rules out cycles.
func (d *walk) descend(s *side, ref graph.Ref, node graph.Node) error {
	if node.Level != ref.Level {
		return fmt.Errorf("%s stands at level %s, its parent says %s: %w", ref.ID, node.Level, ref.Level, graph.ErrCorrupt)
	}
	for _, c := range node.Children {
		if c.Level != ref.Level-1 || c.Level < graph.Leaf {
			return fmt.Errorf("%s at level %s has a child at level %s: %w", ref.ID, ref.Level, c.Level, graph.ErrCorrupt)
		}
		s.add(c)
	}
	return nil
}

// job is a node that one side of a level has alone.
type job struct {
	id     graph.ID
	wanted bool
}

// each merges both sides of a level and hands what only one has to the
// functions, many at a time. The first error ends it.
func (d *walk) each(ctx context.Context, l graph.Level, wanted, had func(context.Context, graph.ID) error) error {
	return pool.Run(ctx, d.Workers, func(send func(job) error) error {
		return merge(d.wants.take(l), d.haves.take(l), func(id graph.ID, wanted bool) error {
			return send(job{id, wanted})
		})
	}, func(ctx context.Context, j job) error {
		do := had
		if j.wanted {
			do = wanted
		}
		err := do(ctx, j.id)
		if err != nil && d.Tolerate != nil && ctx.Err() == nil {
			d.Tolerate(graph.Ref{ID: j.id, Level: l}, err)
			return nil
		}
		return err
	})
}
