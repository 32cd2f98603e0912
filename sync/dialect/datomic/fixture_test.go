package datomic_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

const gcDatabase = "gcdb-9b80e946-52fc-43be-a16f-a06d6fd6084b"

// TestReachable: what the values of a backup reach is what lies there.
func TestReachable(t *testing.T) {
	s, values := backup(t, "gen3")
	union := map[graph.ID]bool{}
	for _, gen := range fixture.DatomicGens() {
		w := walk(t, datomic.New(), s, values[gen.T])
		assert.Len(t, w.nodes, gen.Segments, gen.Name)
		assert.Empty(t, w.missing)
		shared(t, gen.Name, w)
		for id := range w.nodes {
			union[id] = true
		}
	}
	assert.Len(t, s, len(union))
	for id := range s {
		assert.True(t, union[id], id)
	}
}

func TestReachableAroundGC(t *testing.T) {
	d := datomic.New()
	s, v := storage(t, fixture.DatomicRootA, gcDatabase)
	w := walk(t, d, s, v)
	assert.Len(t, w.nodes, 70)
	assert.Empty(t, w.missing)
	shared(t, "rootA", w)

	after, last := storage(t, fixture.DatomicAfterGC, gcDatabase)
	gone := 0
	for id := range w.nodes {
		if after[id] == nil {
			gone++
		}
	}
	assert.Equal(t, 23, gone)
	w = walk(t, d, after, last)
	assert.Empty(t, w.missing)
	shared(t, "after", w)
}

func shared(t *testing.T, name string, w walked) {
	for id, parents := range w.parents {
		if len(parents) > 1 {
			t.Logf("%s: %s at level %s has %d parents", name, id, w.nodes[id].Level, len(parents))
		}
	}
}

func TestLast(t *testing.T) {
	s, values := backup(t, "gen3")
	for _, gen := range fixture.DatomicGens() {
		last, err := datomic.New().Last(t.Context(), s.get, values[gen.T])
		require.NoError(t, err)
		assert.Equal(t, gen.T, last.T)
		t.Log(last)
	}
}

func TestCounts(t *testing.T) {
	s, values := backup(t, "gen3")
	d := datomic.New()
	for at, v := range values {
		w := walk(t, d, s, v)
		var log, rest int64
		for id, n := range w.nodes {
			if n.Level == graph.Leaf {
				c, err := d.Count(graph.Ref{ID: id}, s[id])
				require.NoError(t, err)
				_ = c
				continue
			}
			if n.Level != 1 || len(n.Children) == 0 {
				continue
			}
			var sum int64
			for _, c := range n.Children {
				k, err := d.Count(c, s[c.ID])
				require.NoError(t, err)
				sum += k
			}
			if n.Count >= 0 {
				assert.Equal(t, sum, n.Count)
				rest += sum
			} else {
				log += sum
			}
		}
		facts := fixture.DatomicExpected(t, at)
		t.Log(at, log, rest, facts)
	}
}
