package datahike

import (
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// StoreRefs returns the objects to which the datoms of a leaf refer, or those
// that are pending in an inner node: the values of the attributes. Few databases
// have such attributes, so decoding everything is quick enough.
func (d *Dialect) StoreRefs(ref graph.Ref, data []byte, attrs AttrSet) (ids []graph.ID, err error) {
	blob, err := d.open(ref.ID, data)
	if err != nil {
		return nil, err
	}
	node, err := fressian.Decode(blob.Value)
	for _, datom := range datomsOf(node) {
		ids = appendStoreRef(ids, datom, attrs)
	}
	return ids, describe(ref.ID, err)
}

// InlineStoreRefs returns the objects to which datoms refer that a record
// holds itself: those in roots of its attribute indexes, whether they are
// leaves or inner nodes with pending edits.
func (d *Dialect) InlineStoreRefs(id graph.ID, data []byte, attrs AttrSet) ([]graph.ID, error) {
	blob, err := d.open(id, data)
	if err != nil {
		return nil, err
	}
	var ids []graph.ID
	r := fressian.NewReader(blob.Value)
	err = r.ReadMap(func(key any) error {
		k, _ := key.(fressian.Keyword)
		if name, ok := strings.CutSuffix(k.Name, "aevt-root"); !ok || name != "" && name != "temporal-" {
			return r.Skip()
		}
		root, err := r.Read()
		for _, datom := range datomsOf(root) {
			ids = appendStoreRef(ids, datom, attrs)
		}
		return err
	})
	return ids, describe(id, err)
}

// datomsOf returns what a decoded node adds to its tree: a leaf's datoms, or
// the pending ones of an inner node.
func datomsOf(node any) (datoms []any) {
	t, ok := node.(fressian.Tagged)
	if !ok || len(t.Fields) != 1 {
		return nil
	}
	if t.Tag == tagLeaf || t.Tag == tagLeafOld {
		return elements(get(t.Fields[0], "keys"))
	}
	slots, _ := get(t.Fields[0], "slots").(fressian.Map)
	for _, slot := range slots {
		datoms = append(datoms, elements(get(get(slot.Value, "diff"), "present"))...)
	}
	return datoms
}

func get(m any, name string) any {
	entries, _ := m.(fressian.Map)
	v, _ := entries.Get("", name)
	return v
}

func elements(v any) []any {
	switch v := v.(type) {
	case fressian.Vector:
		return v
	case fressian.Seq:
		return v
	case []any:
		return v
	}
	return nil
}

// appendStoreRef adds the object to which one datom refers, if it does.
func appendStoreRef(ids []graph.ID, datom any, attrs AttrSet) []graph.ID {
	t, ok := datom.(fressian.Tagged)
	if !ok || len(t.Fields) != 1 {
		return ids
	}
	f := elements(t.Fields[0])
	if len(f) < 3 {
		return ids
	}
	switch f[1].(type) {
	case fressian.Keyword, int64:
	default:
		return ids // names no attribute, and might not be comparable
	}
	if u, ok := f[2].(fressian.UUID); ok && attrs[f[1]] {
		return append(ids, AddressID(u))
	}
	return ids
}
