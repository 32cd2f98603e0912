package descent

import (
	"strings"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// cacheBytes bounds a childCache, in bytes.
const cacheBytes = 4 << 20

// childCache remembers the inner nodes seen last. A commit is walked against
// its parent, whose nodes were wanted a moment before; without the cache each
// would be read a second time.
type childCache struct {
	mu    sync.Mutex
	nodes map[graph.ID]compact
	order []graph.ID // oldest first
	bytes int
}

// compact is a node whose children lie one level below it, as they must: their
// ids one after the other, and where each ends.
type compact struct {
	level graph.Level
	count int64
	ids   string
	ends  []int32
}

func (c *childCache) get(id graph.ID) (graph.Node, bool) {
	c.mu.Lock()
	n, ok := c.nodes[id]
	c.mu.Unlock()
	if !ok {
		return graph.Node{}, false
	}
	node := graph.Node{Level: n.level, Count: n.count, Children: make([]graph.Ref, len(n.ends))}
	from := int32(0)
	for i, to := range n.ends {
		node.Children[i] = graph.Ref{ID: graph.ID(n.ids[from:to]), Level: n.level - 1}
		from = to
	}
	return node, true
}

func (c *childCache) put(id graph.ID, n graph.Node) {
	small, ok := compress(n)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nodes == nil {
		c.nodes = map[graph.ID]compact{}
	}
	if _, ok := c.nodes[id]; ok {
		return
	}
	c.nodes[id] = small
	c.order = append(c.order, id)
	c.bytes += small.size()
	for c.bytes > cacheBytes && len(c.order) > 1 {
		old := c.order[0]
		c.order = c.order[1:]
		c.bytes -= c.nodes[old].size()
		delete(c.nodes, old)
	}
}

// compress refuses a node that no walk accepts, and one that is too large.
func compress(n graph.Node) (compact, bool) {
	size := 0
	for _, c := range n.Children {
		if size += len(c.ID); c.Level != n.Level-1 {
			return compact{}, false
		}
	}
	if size > cacheBytes {
		return compact{}, false
	}
	var ids strings.Builder
	ids.Grow(size)
	ends := make([]int32, len(n.Children))
	for i, c := range n.Children {
		ids.WriteString(string(c.ID))
		ends[i] = int32(ids.Len())
	}
	return compact{n.Level, n.Count, ids.String(), ends}, true
}

// size is about what a node takes of memory, in bytes.
func (n compact) size() int { return len(n.ids) + 4*len(n.ends) + nodeOverhead }

// nodeOverhead is what a node takes besides its children: its own name, and
// its places in the map and in the order.
const nodeOverhead = 250
