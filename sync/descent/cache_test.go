package descent

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// parent is a node with n children whose names have different lengths.
func parent(i, n int) graph.Node {
	node := graph.Node{Level: 3, Count: int64(i), Children: []graph.Ref{}}
	for c := range n {
		node.Children = append(node.Children, graph.Ref{ID: graph.ID(fmt.Sprintf("%d/%0*d", i, c%50, c)), Level: 2})
	}
	return node
}

// TestCache: what is found is what was put, and the oldest goes first.
func TestCache(t *testing.T) {
	c := &childCache{}
	const nodes = 1000
	name := func(i int) graph.ID { return graph.ID(fmt.Sprint("n", i)) }
	for i := range nodes {
		c.put(name(i), parent(i, i))
		c.put(name(i), graph.Node{Level: 1}) // it is known already
		assert.LessOrEqual(t, c.bytes, cacheBytes)
	}
	have := 0
	for i := range nodes {
		n, ok := c.get(name(i))
		require.Equal(t, have > 0 || ok, ok, "only the newest are kept")
		if ok {
			have++
			require.Equal(t, parent(i, i), n)
		}
	}
	assert.Greater(t, have, 10)
	assert.Less(t, have, nodes)
	assert.Len(t, c.nodes, have)
	assert.Len(t, c.order, have)
}

// TestCacheRefuses nodes with children at a level that no walk accepts: their
// levels are not kept.
func TestCacheRefuses(t *testing.T) {
	c := &childCache{}
	n := parent(1, 3)
	n.Children[2].Level = 1
	c.put("odd", n)
	c.put("huge", graph.Node{Level: 1, Children: []graph.Ref{{ID: graph.ID(make([]byte, cacheBytes+1))}}})
	for _, id := range []graph.ID{"odd", "huge", "other"} {
		_, ok := c.get(id)
		assert.False(t, ok, id)
	}
	assert.Zero(t, c.bytes)
}
