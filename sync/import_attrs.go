package dbsync

import (
	"fmt"

	builder "github.com/rclone-datom/rclone-datom/sync/build" // build is a type here
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/exchange/dump"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// sourceAttrs is what an import needs to know of the source's attributes.
type sourceAttrs struct {
	schema *datom.Schema
	// refs: it is a database with :attribute-refs?, where attributes, and what
	// their declarations name, are entities. So is the copy.
	refs bool
	ids  map[fressian.Keyword]any // their entities, to hand out without allocating
	// objects are those which datoms name: the 16 bytes of their uuids.
	objects *spill.Sorter
	named   map[any]bool // the attributes that name them
}

func attrsOf(v view.View) (sourceAttrs, error) {
	a := sourceAttrs{schema: v.Schema(), ids: map[fressian.Keyword]any{}, named: map[any]bool{}, objects: spill.NewSorter()}
	a.refs = refersToAttributes(a.schema)
	for i := range a.schema.Attributes {
		attr := &a.schema.Attributes[i]
		a.ids[attr.Ident] = attr.ID
		if (attr.ValueType == fressian.Keyword{NS: "db.type", Name: "store-ref"}) {
			a.named[attr.Ident] = true
			a.named[attr.ID] = a.refs
		}
	}
	return a, nil
}

// refersToAttributes tells whether a schema is of a database with
// :attribute-refs?: the ident of idents has an entity of its own only there.
func refersToAttributes(s *datom.Schema) bool {
	ident := s.Attr(fressian.Keyword{NS: "db", Name: "ident"})
	return ident != nil && ident.ID != 0
}

func (a *sourceAttrs) close() { a.objects.Close() }

// resolve gives a datom the attribute that the copy has, and notes the object
// that it names.
func (a *sourceAttrs) resolve(d *datom.Datom) error {
	if len(a.named) > 0 && a.named[d.A] {
		if u, ok := d.V.(fressian.UUID); ok {
			a.objects.AddBytes(u[:])
		}
	}
	k, named := d.A.(fressian.Keyword)
	if !a.refs || !named {
		return nil
	}
	id, ok := a.ids[k]
	if !ok || id == int64(0) {
		return fmt.Errorf("datom of entity %d: %w: attribute :%s/%s has no entity", d.E, builder.ErrRefused, k.NS, k.Name)
	}
	d.A = id
	return nil
}

// name tells which attribute an entity is.
func (a *sourceAttrs) name(v view.View) func(id int64) (fressian.Keyword, bool) {
	var system map[int64]fressian.Keyword
	if d, ok := view.AtAnyTime[*dump.View](v); ok {
		system = d.Dump().Manifest.SystemIdents
	}
	return func(id int64) (fressian.Keyword, bool) {
		if attr := a.schema.AttrOf(id); attr != nil {
			return attr.Ident, true
		}
		k, ok := system[id]
		return k, ok
	}
}
