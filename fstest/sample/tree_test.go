package sample

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A tree under random insertions and removals is like a sorted slice, and its
// nodes keep the limits of a B-tree.
func TestTreeAgainstSlice(t *testing.T) {
	const factor, steps = 8, 4000
	r := rand.New(rand.NewPCG(1, 2))
	a := &attr{ident: kw("p", "age")}
	empty := bulk(eavt, factor, nil)
	tr := empty
	var model []*datom
	deepest := 0
	for i := range steps {
		d := &datom{r.Int64N(600), a, r.Int64N(2), 1, true}
		at, found := slices.BinarySearchFunc(model, d, eavt.compare)
		require.Equal(t, found, tr.has(d))
		// It grows, then shrinks to nothing.
		if grow := i < steps/2; grow == (r.IntN(5) > 0) {
			tr.insert(d)
			if !found {
				model = slices.Insert(model, at, d)
			}
		} else {
			require.Equal(t, found, tr.remove(d))
			if found {
				model = slices.Delete(model, at, at+1)
			}
		}
		deepest = max(deepest, tr.root.level)
		if i%10 == 0 {
			checkTree(t, tr, model)
		}
	}
	checkTree(t, tr, model)
	assert.GreaterOrEqual(t, deepest, 3)
	assert.Zero(t, empty.root.count, "trees are persistent")
	for _, d := range model {
		require.True(t, tr.remove(d))
	}
	checkTree(t, tr, nil)
}

func TestBulk(t *testing.T) {
	a := &attr{ident: kw("p", "age")}
	for _, n := range []int{0, 1, 7, 8, 9, 11, 12, 13, 100, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			var sorted []*datom
			for e := range n {
				sorted = append(sorted, &datom{int64(e), a, int64(0), 1, true})
			}
			checkTree(t, bulk(eavt, 8, sorted), sorted)
		})
	}
}

// checkTree compares a tree with the datoms that it must have.
func checkTree(t *testing.T, tr tree, want []*datom) {
	t.Helper()
	var got []*datom
	tr.root.ascend(func(*datom) bool { return true }, func(d *datom) bool { got = append(got, d); return true })
	same := func(x, y *datom) bool { return tr.order.compare(x, y) == 0 }
	require.True(t, slices.EqualFunc(want, got, same))
	checkNode(t, tr, tr.root)
}

func checkNode(t *testing.T, tr tree, n *node) {
	t.Helper()
	least := tr.max / 2
	if n == tr.root {
		least = 2 * min(n.level, 1)
	}
	require.GreaterOrEqual(t, len(n.keys), least)
	require.LessOrEqual(t, len(n.keys), tr.max)
	require.True(t, slices.IsSortedFunc(n.keys, tr.order.compare))
	if n.level == 0 {
		require.Nil(t, n.kids)
		require.EqualValues(t, len(n.keys), n.count)
		return
	}
	require.Len(t, n.kids, len(n.keys))
	var count int64
	for i, k := range n.kids {
		require.Equal(t, n.level-1, k.level)
		require.Same(t, n.keys[i], k.last())
		checkNode(t, tr, k)
		count += k.count
	}
	require.Equal(t, count, n.count)
}
