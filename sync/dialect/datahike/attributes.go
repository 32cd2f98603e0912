package datahike

import (
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// Schema is what a schema blob says, or a record from before there were such
// blobs, which has the same keys.
type Schema struct {
	*datom.Schema
	// Idents are the names of entities by their ids, those of values such as
	// :db.type/string included.
	Idents map[int64]fressian.Keyword
	// IDs are the ids by the names. With :attribute-refs?, datoms have them
	// where there are keywords otherwise.
	IDs map[fressian.Keyword]int64
}

// ParseSchema reads the value of a schema blob or a record:
//
//	:schema    {attribute {property value}, entity id attribute}
//	:rschema   {property #{attribute}}, of which :db/index has all that are in AVET
//	:system-entities    #{entity id}, of what the database defines itself
//	:ident-ref-map      {ident entity id}
//	:ref-ident-map      {entity id ident}
func ParseSchema(m fressian.Map) (*Schema, error) {
	all, _ := m.Get("", "schema")
	entries, ok := all.(fressian.Map)
	if !ok {
		return nil, corrupt("there is no :schema")
	}
	s := &Schema{Idents: map[int64]fressian.Keyword{}, IDs: map[fressian.Keyword]int64{}}
	s.name(entries)
	for _, name := range []string{"ident-ref-map", "ref-ident-map"} {
		idents, _ := m.Get("", name)
		entries, _ := idents.(fressian.Map)
		s.name(entries)
	}
	indexed, system := setUnder(m, "rschema", fressian.Keyword{NS: "db", Name: "index"}), setOf(m, "system-entities")
	var attrs []datom.Attribute
	for _, e := range entries {
		ident, ok := e.Key.(fressian.Keyword)
		props, isMap := e.Value.(fressian.Map)
		if !ok || !isMap || !isAttribute(props) {
			continue
		}
		a := attribute(ident, props)
		if a.ID == 0 {
			a.ID = s.IDs[ident]
		}
		a.Indexed = a.Indexed || indexed[ident]
		a.System = a.System || system[a.ID]
		attrs = append(attrs, a)
	}
	s.Schema = datom.NewSchema(attrs)
	return s, nil
}

// name takes entries of an ident and its entity id, in either order.
func (s *Schema) name(entries fressian.Map) {
	for _, e := range entries {
		k, v := e.Key, e.Value
		if _, ok := k.(fressian.Keyword); ok {
			k, v = v, k
		}
		id, isID := k.(int64)
		ident, isIdent := v.(fressian.Keyword)
		if isID && isIdent {
			s.Idents[id], s.IDs[ident] = ident, id
		}
	}
}

// isAttribute tells attributes from other entities that have a name, which are
// in the schema too.
func isAttribute(props fressian.Map) bool {
	return slices.ContainsFunc(props, func(e fressian.Entry) bool {
		switch e.Key {
		case fressian.Keyword{NS: "db", Name: "id"}, identKey, fressian.Keyword{NS: "db", Name: "doc"}:
			return false
		}
		return true
	})
}

var identKey = fressian.Keyword{NS: "db", Name: "ident"}

// attribute reads the properties of one. What users define has its :db/ident
// among them, what the database defines has not.
func attribute(ident fressian.Keyword, props fressian.Map) datom.Attribute {
	word := func(name string) fressian.Keyword {
		v, _ := props.Get("db", name)
		k, _ := v.(fressian.Keyword)
		return k
	}
	flag := func(name string) bool {
		v, _ := props.Get("db", name)
		on, _ := v.(bool)
		return on
	}
	a := datom.Attribute{
		Ident: ident, ValueType: word("valueType"), Unique: word("unique"), Many: word("cardinality") == fressian.Keyword{NS: "db.cardinality", Name: "many"},
		Indexed: flag("index"), NoHistory: flag("noHistory"), Component: flag("isComponent"), Props: props,
	}
	id, _ := props.Get("db", "id")
	a.ID, _ = id.(int64)
	if _, named := props.Get(identKey.NS, identKey.Name); !named {
		a.System = true
		a.Props = append(fressian.Map{{Key: identKey, Value: ident}}, props...)
	}
	return a
}

// setUnder is the set that a map has under a key, in the map under a name of m.
func setUnder(m fressian.Map, name string, key fressian.Keyword) map[any]bool {
	v, _ := m.Get("", name)
	inner, _ := v.(fressian.Map)
	v, _ = inner.Get(key.NS, key.Name)
	return members(v)
}

func setOf(m fressian.Map, name string) map[any]bool {
	v, _ := m.Get("", name)
	return members(v)
}

// members are the elements of a set that may be keys of one.
func members(v any) map[any]bool {
	all := map[any]bool{}
	list, _ := sequence(v)
	for _, v := range list {
		switch v.(type) {
		case fressian.Keyword, int64:
			all[v] = true
		}
	}
	return all
}
