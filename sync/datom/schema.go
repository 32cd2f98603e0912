package datom

import (
	"cmp"
	"slices"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// Attribute is what a schema says of one attribute.
type Attribute struct {
	// ID is the attribute's entity; 0 if it has none of its own, as what
	// Datahike defines by itself.
	ID    int64
	Ident fressian.Keyword
	// ValueType is such as :db.type/string; empty where it is not declared.
	ValueType fressian.Keyword
	// Unique is :db.unique/identity, :db.unique/value, or empty.
	Unique fressian.Keyword
	// Many: the cardinality is many.
	Many bool
	// Indexed: AVET has its datoms, though it may not be unique.
	Indexed   bool
	NoHistory bool
	Component bool
	// System: the database defines it, not its users.
	System bool
	// Props is all that the schema says of it, :db/ident included, as Datahike's
	// schema map or Datomic's datoms say it, with keywords in place of their ids.
	Props fressian.Map
}

// Schema is the attributes of a database value.
type Schema struct {
	// Attributes are sorted by their names.
	Attributes []Attribute

	byIdent map[fressian.Keyword]*Attribute
	byID    map[int64]*Attribute
}

// NewSchema returns a schema of attributes, sorted by their names.
func NewSchema(attrs []Attribute) *Schema {
	slices.SortFunc(attrs, func(a, b Attribute) int {
		return cmp.Or(strings.Compare(a.Ident.NS, b.Ident.NS), strings.Compare(a.Ident.Name, b.Ident.Name))
	})
	s := &Schema{attrs, make(map[fressian.Keyword]*Attribute, len(attrs)), make(map[int64]*Attribute, len(attrs))}
	for i := range attrs {
		a := &attrs[i]
		s.byIdent[a.Ident] = a
		if a.ID != 0 {
			s.byID[a.ID] = a
		}
	}
	return s
}

// Attr returns the attribute of that name, or nil.
func (s *Schema) Attr(ident fressian.Keyword) *Attribute { return s.byIdent[ident] }

// AttrOf returns the attribute whose entity is id, or nil.
func (s *Schema) AttrOf(id int64) *Attribute { return s.byID[id] }
