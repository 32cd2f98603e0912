package datahike

import (
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// tagDatom is the struct of a datom: one vector [e a v tx added].
const tagDatom = "datahike.datom.Datom"

// maxLeafSize bounds the datoms of one leaf; the branching factor, which does
// so in Datahike, is 512 mostly.
const maxLeafSize = 1 << 20

// Datom is a datom whose attribute and value lie in the leaf that has it. It
// holds no pointer.
type Datom struct {
	E, Tx int64
	// A is of KindKeyword, KindInt or KindString. Two datoms of a leaf have
	// the same attribute if these are equal, unless they are of KindString.
	A     fressian.Cell
	V     fressian.Cell
	Added bool
}

// Leaf is the datoms of a leaf. Its memory is used again by the next leaf
// that is read into it; nothing allocates but what is new. A Leaf is not safe
// for concurrent use.
type Leaf struct {
	// Keyed makes an inner node that is read into it leave here the largest
	// datom beneath each child, in their order. The largest are only routes:
	// persistent-sorted-set 0.3.114 to 0.4.139 left there datoms that an upsert
	// has replaced, which have the entity and the attribute of the one that is
	// largest now, but an older value and transaction.
	Keyed bool

	r    *fressian.Reader
	rows []fressian.Row
}

// leaf returns a Leaf that somebody else is done with, or a new one.
func (d *Dialect) leaf() *Leaf {
	if l, ok := d.leaves.Get().(*Leaf); ok {
		return l
	}
	return &Leaf{}
}

// ReadLeaf reads the datoms of a leaf, and checks that each of them is one.
// data must not change while l is in use.
func (d *Dialect) ReadLeaf(l *Leaf, ref graph.Ref, data []byte) error {
	n, _, err := d.ReadNode(l, ref, data)
	if err == nil && n.Level != graph.Leaf {
		err = describe(ref.ID, corrupt("a node of level %d stands where a leaf should be", n.Level))
	}
	return err
}

// Len is how many datoms there are.
func (l *Leaf) Len() int { return len(l.rows) }

// Datom returns datom i, in the order of the tree. It is valid until the next
// read into l.
func (l *Leaf) Datom(i int) Datom {
	c := &l.rows[i]
	return Datom{E: l.r.Int(c[0]), A: c[1], V: c[2], Tx: l.r.Int(c[3]), Added: c[4].Bool()}
}

// Fact returns datom i with its attribute and value.
func (l *Leaf) Fact(i int) (f datom.Datom, err error) {
	d := l.Datom(i)
	f = datom.Datom{E: d.E, Tx: d.Tx, Added: d.Added}
	if f.A, err = l.r.Value(d.A); err == nil {
		f.V, err = l.r.Value(d.V)
	}
	return f, err
}

// Attr returns the attribute of datom i.
func (l *Leaf) Attr(i int) (any, error) { return l.r.Value(l.rows[i][1]) }

// Remove takes out the datoms for which drop returns true. The others move
// up, and get new numbers once all are looked at.
func (l *Leaf) Remove(drop func(i int) (bool, error)) error {
	kept := l.rows[:0]
	for i := range l.Len() {
		gone, err := drop(i)
		if err != nil {
			return err
		}
		if !gone {
			kept = append(kept, l.rows[i])
		}
	}
	l.rows = kept
	return nil
}

// begin makes the leaf empty and reads b.
func (l *Leaf) begin(b []byte) *fressian.Reader {
	if l.r == nil {
		l.r = fressian.NewReader(nil)
	}
	l.r.Reset(b)
	l.rows = l.rows[:0]
	return l.r
}

// readKeys reads the datoms that come next.
func (l *Leaf) readKeys() (err error) {
	if l.rows, err = l.r.ReadRows(l.rows[:0], maxLeafSize, l.accept); err != nil {
		return err
	}
	for i := range l.rows {
		if c := &l.rows[i]; !isDatom(c) {
			return corrupt("datom %d of a leaf, before offset %d, is [%s %s %s %s %s]", i, l.r.Offset(),
				c[0].Kind(), c[1].Kind(), c[2].Kind(), c[3].Kind(), c[4].Kind())
		}
	}
	return nil
}

func (l *Leaf) accept(tag string, fields int) error {
	if tag != tagDatom || fields != 1 {
		return unsupported("unknown tag %q before offset %d where a datom should be", tag, l.r.Offset())
	}
	return nil
}

func isDatom(c *fressian.Row) bool {
	if c[0].Kind() != fressian.KindInt || c[3].Kind() != fressian.KindInt || c[4].Kind() != fressian.KindBool {
		return false
	}
	a := c[1].Kind()
	return a == fressian.KindKeyword || a == fressian.KindInt || a == fressian.KindString
}
