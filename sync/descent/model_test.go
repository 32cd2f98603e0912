package descent_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// forest is a store of nodes that need no bytes: a node's data is its id. It
// is the Decoder and the Reader of the tests, and counts what is read.
type forest struct {
	mu    sync.Mutex
	nodes map[graph.ID]graph.Node
	reads map[graph.ID]int
}

func newForest() *forest {
	return &forest{nodes: map[graph.ID]graph.Node{}, reads: map[graph.ID]int{}}
}

func (f *forest) read(_ context.Context, ref graph.Ref) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads[ref.ID]++
	if _, ok := f.nodes[ref.ID]; !ok {
		return nil, fmt.Errorf("%s: %w", ref.ID, graph.ErrNotFound)
	}
	return []byte(ref.ID), nil
}

// Decode implements descent.Decoder.
func (f *forest) Decode(_ graph.Ref, data []byte) (graph.Node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.nodes[graph.ID(data)], nil
}

// add makes a node of the children, which exist already.
func (f *forest) add(id graph.ID, level graph.Level, children ...graph.ID) graph.ID {
	n := graph.Node{Level: level, Count: -1}
	for _, c := range children {
		n.Children = append(n.Children, graph.Ref{ID: c, Level: level - 1})
	}
	f.nodes[id] = n
	return id
}

// reach returns what trees reach, by the shortest possible program.
func (f *forest) reach(trees ...graph.Tree) map[graph.ID]bool {
	seen := map[graph.ID]bool{}
	var down func(id graph.ID)
	down = func(id graph.ID) {
		if !seen[id] {
			seen[id] = true
			for _, c := range f.nodes[id].Children {
				down(c.ID)
			}
		}
	}
	for _, t := range trees {
		if t.Inline == nil {
			down(t.Ref.ID)
			continue
		}
		for _, c := range t.Inline.Children {
			down(c.ID)
		}
	}
	return seen
}

func (f *forest) clearReads() { clear(f.reads) }

// rooted names a tree by its topmost node.
func rooted(id graph.ID) graph.Tree {
	return graph.Tree{Ref: graph.Ref{ID: id, Level: graph.Root}}
}

// minus returns the ids of a that b has not.
func minus(a, b map[graph.ID]bool) map[graph.ID]bool {
	d := map[graph.ID]bool{}
	for id := range a {
		if !b[id] {
			d[id] = true
		}
	}
	return d
}

// order is how many keys or children a node of a model tree has at most.
const order = 4

// tree is an immutable B-tree over a forest, which grows, splits, shrinks and
// loses levels as a database's indexes do.
type tree struct {
	f    *forest
	root *branch
}

type branch struct {
	id    graph.ID
	level graph.Level
	keys  []int     // of a leaf
	kids  []*branch // of an inner node
}

func (f *forest) store(b branch) *branch {
	b.id = graph.ID(fmt.Sprintf("n%06d", len(f.nodes)))
	ids := make([]graph.ID, len(b.kids))
	for i, k := range b.kids {
		ids[i] = k.id
	}
	f.add(b.id, b.level, ids...)
	return &b
}

func (b *branch) first() int {
	for len(b.kids) > 0 {
		b = b.kids[0]
	}
	if len(b.keys) == 0 {
		return 0
	}
	return b.keys[0]
}

func newTree(f *forest) *tree { return &tree{f, f.store(branch{})} }

func (t *tree) tree() graph.Tree { return rooted(t.root.id) }

// flip puts a key in or takes it out, and returns the new version.
func (t *tree) flip(key int) *tree {
	parts := t.f.flip(t.root, key)
	for len(parts) > 1 {
		parts = t.f.group(parts[0].level+1, parts)
	}
	if len(parts) == 0 {
		return newTree(t.f)
	}
	root := parts[0]
	for len(root.kids) == 1 {
		root = root.kids[0]
	}
	return &tree{t.f, root}
}

// flip returns what takes the place of b: several nodes if it was split, none
// if it is empty now.
func (f *forest) flip(b *branch, key int) []*branch {
	if b.level == graph.Leaf {
		keys, found := []int(nil), false
		for _, k := range b.keys {
			if k == key {
				found = true
				continue
			}
			if k > key && !found {
				keys, found = append(keys, key), true
			}
			keys = append(keys, k)
		}
		if !found {
			keys = append(keys, key)
		}
		return f.leaves(keys)
	}
	at := 0
	for i := range b.kids {
		if b.kids[i].first() <= key {
			at = i
		}
	}
	kids := append([]*branch(nil), b.kids[:at]...)
	kids = append(append(kids, f.flip(b.kids[at], key)...), b.kids[at+1:]...)
	if len(kids) == 0 {
		return nil
	}
	return f.group(b.level, kids)
}

func (f *forest) leaves(keys []int) []*branch {
	switch {
	case len(keys) == 0:
		return nil
	case len(keys) <= order:
		return []*branch{f.store(branch{keys: keys})}
	}
	half := len(keys) / 2
	return []*branch{f.store(branch{keys: keys[:half]}), f.store(branch{keys: keys[half:]})}
}

func (f *forest) group(level graph.Level, kids []*branch) []*branch {
	if len(kids) <= order {
		return []*branch{f.store(branch{level: level, kids: kids})}
	}
	half := len(kids) / 2
	return []*branch{
		f.store(branch{level: level, kids: kids[:half]}),
		f.store(branch{level: level, kids: kids[half:]}),
	}
}

// scatter flips n random keys below limit.
func (t *tree) scatter(rnd *rand.Rand, n, limit int) *tree {
	for range n {
		t = t.flip(rnd.IntN(limit))
	}
	return t
}
