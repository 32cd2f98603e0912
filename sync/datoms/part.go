package datoms

import (
	"cmp"
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
)

// Part is the datoms of one leaf: those of its object that are still there,
// and those that an inner node holds for it.
type Part struct {
	// Leaf has the former.
	*datahike.Leaf
	// Pending are the latter.
	Pending []datom.Datom

	order []int // of all of them, if they are to be in order and Pending is not empty
}

// Len is how many datoms there are.
func (p Part) Len() int { return p.Leaf.Len() + len(p.Pending) }

// At tells where datom i is: in the leaf or among those pending. The other
// index is -1.
func (p Part) At(i int) (leaf, pending int) {
	if p.order != nil {
		i = p.order[i]
	}
	if n := p.Leaf.Len(); i >= n {
		return -1, i - n
	}
	return i, -1
}

// Fact returns datom i. Those that [Reader.Each] gives are in no order if any
// are pending.
func (p Part) Fact(i int) (datom.Datom, error) {
	leaf, pending := p.At(i)
	if leaf < 0 {
		return p.Pending[pending], nil
	}
	return p.Leaf.Fact(leaf)
}

// sort puts what is pending into its place.
func (p *Part) sort(index datom.Index) error {
	if len(p.Pending) == 0 {
		return nil
	}
	keys, order := make([]string, p.Len()), make([]int, p.Len())
	var buf []byte
	w := fressian.NewWriter()
	for i := range keys {
		d, err := p.Fact(i)
		if err == nil {
			buf, err = appendKey(buf[:0], w, index, d)
		}
		if err != nil {
			return err
		}
		keys[i], order[i] = string(buf), i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(keys[a], keys[b]) })
	p.order = order
	return nil
}
