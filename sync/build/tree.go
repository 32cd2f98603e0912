package build

import (
	"fmt"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// maxLeaf is the bytes of lines at which a leaf is cut though it has few
// datoms, so that large values take no more memory than that.
const maxLeaf = 16 << 20

// tree writes an index of datoms that come in its order. It keeps less than two
// nodes of each level: they are three quarters full, as Datahike makes them
// where it has all datoms at once, and only the last two of a level may differ,
// which share what is left.
type tree struct {
	nodes  nodeWriter
	factor int
	put    func(value []byte) (fressian.UUID, error)

	leaf   []item
	bytes  int // of leaf
	levels [][]child
	last   string // the key of the newest
	root   child
}

// child is a node that is written.
type child struct {
	last    item // its greatest datom
	address fressian.UUID
	count   int64
}

// usual is the size of most nodes.
func (t *tree) usual() int { return t.factor * 3 / 4 }

func (t *tree) add(i item) error {
	if i.key <= t.last && t.last != "" {
		return fmt.Errorf("datoms of :%s are not in order", t.nodes.index) // a mistake of ours
	}
	t.last = i.key
	t.leaf = append(t.leaf, i)
	t.bytes += len(i.key) + len(i.value)
	switch {
	case t.bytes > maxLeaf:
		return t.cut(len(t.leaf))
	case len(t.leaf) == 2*t.usual():
		return t.cut(t.usual())
	}
	return nil
}

// cut makes a leaf of the first n datoms.
func (t *tree) cut(n int) error {
	value, err := t.nodes.leaf(t.leaf[:n], t.factor)
	if err != nil {
		return err
	}
	address, err := t.put(value)
	if err != nil {
		return err
	}
	c := child{address: address, count: int64(n)}
	if n > 0 {
		c.last = t.leaf[n-1].clone()
	}
	rest := copy(t.leaf, t.leaf[n:])
	clear(t.leaf[rest:]) // their lines are not kept
	t.leaf = t.leaf[:rest]
	t.bytes = 0
	for _, i := range t.leaf {
		t.bytes += len(i.key) + len(i.value)
	}
	return t.push(1, c)
}

// clone takes an item out of the memory of a longer line.
func (i item) clone() item {
	i.key, i.value = strings.Clone(i.key), strings.Clone(i.value)
	return i
}

// push gives an inner node of a level one more child.
func (t *tree) push(level int, c child) error {
	if len(t.levels) < level {
		t.levels = append(t.levels, nil)
	}
	l := &t.levels[level-1]
	if *l = append(*l, c); len(*l) < 2*t.usual() {
		return nil
	}
	return t.join(level, t.usual())
}

// join makes an inner node of the first n nodes below it.
func (t *tree) join(level, n int) error {
	l := t.levels[level-1]
	value, count, err := t.nodes.branch(level, l[:n], t.factor)
	if err != nil {
		return err
	}
	address, err := t.put(value)
	if err != nil {
		return err
	}
	c := child{last: l[n-1].last, address: address, count: count}
	t.levels[level-1] = append(l[:0], l[n:]...)
	return t.push(level+1, c)
}

// finish writes what is left, and sets root. An empty index has an empty leaf.
func (t *tree) finish() error {
	for _, n := range t.parts(len(t.leaf)) {
		if err := t.cut(n); err != nil {
			return err
		}
	}
	if len(t.levels) == 0 {
		if err := t.cut(0); err != nil {
			return err
		}
	}
	for level := 1; ; level++ {
		l := t.levels[level-1]
		if len(l) == 1 && level == len(t.levels) {
			t.root = l[0]
			return nil
		}
		for _, n := range t.parts(len(l)) {
			if err := t.join(level, n); err != nil {
				return err
			}
		}
	}
}

// parts are the sizes of the last nodes of a level.
func (t *tree) parts(n int) []int {
	switch {
	case n == 0:
		return nil
	case n <= t.factor:
		return []int{n}
	}
	return []int{n / 2, n - n/2}
}
