package datomic

import (
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Leaf returns the datoms of an index's leaf, in their order, which is not
// verified. Something else than such a leaf matches graph.ErrCorrupt, and a
// value of an unknown type graph.ErrUnsupported.
func (d *Dialect) Leaf(id graph.ID, data []byte) (datoms []Datom, err error) {
	err = d.opened(id, data, func(o *opener) (err error) {
		if datoms, err = readDatoms(&o.r); err != nil {
			return err
		}
		for i := range datoms {
			if err := checkValue(datoms[i].V); err != nil {
				return datumError(&datoms[i], err)
			}
		}
		return end(&o.r)
	})
	return datoms, err
}

// Child is a child of an index's root or dir.
type Child struct {
	ID graph.ID
	// Key is not greater than the first datom beneath the child, and greater
	// than the last one before it. Its parts may be 0 and nil from one on, which
	// is less than all.
	Key Datom
	// Offset and Count say which of a leaf's datoms are the child's. Of a dir
	// they are 0.
	Offset, Count int
}

// Children returns the children of an index's root, of level 2, or dir, of
// level 1.
func (d *Dialect) Children(ref graph.Ref, data []byte) (children []Child, err error) {
	err = d.opened(ref.ID, data, func(o *opener) error {
		tag, err := readTag(&o.r, ref.Level)
		if err != nil {
			return err
		}
		if tag != tagRoot && tag != tagDir {
			return corrupt("a node with tag %q in an index", tag)
		}
		if children, err = readChildren(&o.r); err != nil {
			return err
		}
		if tag == tagDir {
			if err := readSlices(&o.r, children); err != nil {
				return err
			}
		}
		return end(&o.r)
	})
	return children, err
}

// readChildren reads the first two fields of a root or dir.
func readChildren(r *fressian.Reader) (children []Child, err error) {
	keys, err := readDatoms(r)
	if err != nil {
		return nil, err
	}
	err = r.ReadList(func(i int) error {
		u, err := readUUID(r, i)
		if err != nil {
			return err
		}
		if i < len(keys) {
			children = append(children, Child{ID: uuidID(u), Key: keys[i]})
			return nil
		}
		return corrupt("a node has more than the %d children that it has keys for", len(keys))
	})
	if err == nil && (len(children) == 0 || len(children) < len(keys)) {
		err = corrupt("a node has %d children and %d keys", len(children), len(keys))
	}
	return children, err
}

// readSlices reads the last two fields of a dir.
func readSlices(r *fressian.Reader, children []Child) error {
	offsets, err := column[[]int32](r, "offsets")
	if err != nil {
		return err
	}
	counts, err := column[[]int32](r, "counts")
	if err != nil {
		return err
	}
	if len(offsets) != len(children) || len(counts) != len(children) {
		return corrupt("a dir has %d children, %d offsets and %d counts", len(children), len(offsets), len(counts))
	}
	for i := range children {
		if offsets[i] < 0 || counts[i] <= 0 {
			return corrupt("a leaf of %d datoms from %d on", counts[i], offsets[i])
		}
		children[i].Offset, children[i].Count = int(offsets[i]), int(counts[i])
	}
	return nil
}

// readDatoms reads a leaf or keydata: five columns of one length.
func readDatoms(r *fressian.Reader) ([]Datom, error) {
	if tag, err := readTag(r, graph.Leaf); err != nil {
		return nil, err
	} else if tag != tagLeaf {
		return nil, corrupt("a node with tag %q where datoms should be", tag)
	}
	var datoms []Datom
	err := r.ReadList(func(int) error {
		v, err := r.Read()
		datoms = append(datoms, Datom{V: v})
		return err
	})
	if err != nil {
		return nil, err
	}
	e, err := column[[]int64](r, "entities")
	if err != nil {
		return nil, err
	}
	a, err := column[[]int32](r, "attributes")
	if err != nil {
		return nil, err
	}
	t, err := column[[]int64](r, "transactions")
	if err != nil {
		return nil, err
	}
	added, err := column[[]bool](r, "flags")
	if err != nil {
		return nil, err
	}
	n := len(datoms)
	if n == 0 || n != len(e) || n != len(a) || n != len(t) || n != len(added) {
		return nil, corrupt("a leaf has %d values, %d entities, %d attributes, %d transactions and %d flags", n, len(e), len(a), len(t), len(added))
	}
	for i := range datoms {
		d := &datoms[i]
		d.E, d.A, d.T, d.Added = e[i], a[i], t[i], added[i]
	}
	return datoms, nil
}

// column reads an array of numbers or flags.
func column[T []int64 | []int32 | []bool](r *fressian.Reader, name string) (T, error) {
	at := r.Offset()
	v, err := r.Read()
	if err != nil {
		return nil, err
	}
	c, ok := v.(T)
	if !ok {
		return nil, corrupt("the %s at offset %d are %T, not %T", name, at, v, c)
	}
	return c, nil
}

// EncodeLeaf encodes datoms as a leaf of an index, without compression and
// footer.
func EncodeLeaf(datoms []Datom) ([]byte, error) {
	values := make(fressian.Array, len(datoms))
	e, a := make([]int64, len(datoms)), make([]int32, len(datoms))
	t, added := make([]int64, len(datoms)), make([]bool, len(datoms))
	for i := range datoms {
		d := &datoms[i]
		values[i], e[i], a[i], t[i], added[i] = d.V, d.E, d.A, d.T, d.Added
	}
	w := fressian.NewWriter()
	err := w.Write(fressian.Tagged{Tag: tagLeaf, Fields: []any{values, e, a, t, added}})
	return w.Bytes(), err
}
