package descent

import (
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// cacheRefs bounds a childCache: about 10 MiB of references.
const cacheRefs = 1 << 17

// childCache remembers the inner nodes seen last. A commit is walked against
// its parent, whose nodes were wanted a moment before; without the cache each
// would be read a second time.
type childCache struct {
	mu    sync.Mutex
	nodes map[graph.ID]graph.Node
	order []graph.ID // oldest first
	refs  int
}

func (c *childCache) get(id graph.ID) (graph.Node, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok := c.nodes[id]
	return n, ok
}

func (c *childCache) put(id graph.ID, n graph.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nodes == nil {
		c.nodes = map[graph.ID]graph.Node{}
	}
	if _, ok := c.nodes[id]; ok {
		return
	}
	c.nodes[id] = n
	c.order = append(c.order, id)
	c.refs += len(n.Children) + 1
	for c.refs > cacheRefs && len(c.order) > 1 {
		old := c.order[0]
		c.order = c.order[1:]
		c.refs -= len(c.nodes[old].Children) + 1
		delete(c.nodes, old)
	}
}
