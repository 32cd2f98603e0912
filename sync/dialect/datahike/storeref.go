package datahike

import (
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// StoreRefs returns the objects to which the datoms of a leaf refer, or those
// that are pending in an inner node: the values of the attributes.
func (d *Dialect) StoreRefs(ref graph.Ref, data []byte, attrs AttrSet) ([]graph.ID, error) {
	l := d.leaf()
	defer d.leaves.Put(l)
	_, slots, err := d.ReadNode(l, ref, data)
	if err != nil {
		return nil, err
	}
	ids, err := l.storeRefs(slots, attrs)
	return ids, describe(ref.ID, err)
}

// InlineStoreRefs is StoreRefs for the root of an index, such as "aevt", that
// a record has inside it.
func (d *Dialect) InlineStoreRefs(id graph.ID, data []byte, index string, attrs AttrSet) ([]graph.ID, error) {
	l := d.leaf()
	defer d.leaves.Put(l)
	_, slots, err := d.ReadInlineNode(l, id, data, index)
	if err != nil {
		return nil, err
	}
	ids, err := l.storeRefs(slots, attrs)
	return ids, describe(id, err)
}

func (l *Leaf) storeRefs(slots Slots, attrs AttrSet) (ids []graph.ID, err error) {
	add := func(f datom.Datom) {
		if u, ok := f.V.(fressian.UUID); ok && attrs[f.A] {
			ids = append(ids, AddressID(u))
		}
	}
	for i := range l.Len() {
		f, err := l.Fact(i)
		if err != nil {
			return nil, err
		}
		add(f)
	}
	for f := range slots.present() {
		add(f)
	}
	return ids, nil
}
