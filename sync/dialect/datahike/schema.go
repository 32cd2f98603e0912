package datahike

import (
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

var (
	valueType = fressian.Keyword{NS: "db", Name: "valueType"}
	storeRef  = fressian.Keyword{NS: "db.type", Name: "store-ref"}
)

// AttrSet is a set of attributes: keywords, and their entity ids as int64.
type AttrSet map[any]bool

// checkSchema checks that a schema blob's value has the form of one.
func checkSchema(value []byte) error {
	_, err := storeRefAttrs(value)
	return err
}

// StoreRefAttrs reads a schema blob and returns the attributes whose values
// are objects of the store themselves: those of type :db.type/store-ref.
func (d *Dialect) StoreRefAttrs(id graph.ID, data []byte) (AttrSet, error) {
	blob, err := d.open(id, data)
	if err != nil {
		return nil, err
	}
	attrs, err := storeRefAttrs(blob.Value)
	return attrs, describe(id, err)
}

func storeRefAttrs(value []byte) (AttrSet, error) {
	v, err := fressian.Decode(value)
	if err != nil {
		return nil, err
	}
	m, ok := v.(fressian.Map)
	if !ok {
		return nil, corrupt("the schema is no map")
	}
	schema, _ := m.Get("", "schema")
	attrs := storeRefsIn(schema)
	idents, _ := m.Get("", "ident-ref-map")
	attrs.addEntityIDs(idents)
	return attrs, nil
}

// storeRefsIn picks the attributes from the map of all.
func storeRefsIn(schema any) AttrSet {
	attrs := AttrSet{}
	m, _ := schema.(fressian.Map)
	for _, e := range m {
		attr, _ := e.Value.(fressian.Map)
		for _, f := range attr {
			if f.Key == valueType && f.Value == storeRef {
				attrs.add(e.Key)
			}
		}
	}
	attrs.addEntityIDs(schema)
	return attrs
}

// addEntityIDs adds the attributes' entity ids, which datoms have in their
// place with :attribute-refs?. The schema itself maps ids to idents, and
// :ident-ref-map idents to ids.
func (s AttrSet) addEntityIDs(m any) {
	entries, _ := m.(fressian.Map)
	for _, e := range entries {
		if k, ok := e.Value.(fressian.Keyword); ok && s[k] {
			s.add(e.Key)
		}
		if k, ok := e.Key.(fressian.Keyword); ok && s[k] {
			s.add(e.Value)
		}
	}
}

func (s AttrSet) add(attr any) {
	switch attr.(type) {
	case fressian.Keyword, int64:
		s[attr] = true
	}
}
