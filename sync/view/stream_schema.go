package view

import (
	"context"
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

var (
	ident   = fressian.Keyword{NS: "db", Name: "ident"}
	refType = fressian.Keyword{NS: "db.type", Name: "ref"}
	dbID    = fressian.Keyword{NS: "db", Name: "id"}
)

// attribute is what the schema says of a datom's attribute, or nil.
func (v *stream) attribute(a any) *datom.Attribute {
	switch a := a.(type) {
	case fressian.Keyword:
		return v.s.Schema.Attr(a)
	case int64:
		return v.s.Schema.AttrOf(a)
	}
	return nil
}

// implicit are the attributes that Datahike has in a database whose attributes
// are not entities: datahike.constants/non-ref-implicit-schema, of 0.8.
func implicit() []datom.Attribute {
	all := []datom.Attribute{
		{Ident: ident, Unique: fressian.Keyword{NS: "db.unique", Name: "identity"}, Indexed: true},
		{Ident: txInstant, NoHistory: true},
	}
	for _, k := range []fressian.Keyword{{NS: "db.attr", Name: "preds"}, {NS: "db.entity", Name: "attrs"}, {NS: "db.entity", Name: "preds"}} {
		all = append(all, datom.Attribute{Ident: k, Many: true})
	}
	for _, k := range []fressian.Keyword{{NS: "db.valid", Name: "from"}, {NS: "db.valid", Name: "to"}, {NS: "dh.ref", Name: "db"}, {NS: "dh.ref", Name: "value"}} {
		all = append(all, datom.Attribute{Ident: k, Indexed: true})
	}
	for i := range all {
		all[i].System = true
	}
	return all
}

// SchemaOf reads a schema from datoms that have one as Datahike's do, whose
// values name types and properties by keywords. each must give them so that of
// two values of one property the later is the later one; what is retracted is
// not looked at.
func SchemaOf(ctx context.Context, each func(context.Context, func(datom.Datom) error) error) (*datom.Schema, error) {
	props := map[int64]fressian.Map{}
	err := each(ctx, func(d datom.Datom) error {
		k, ok := d.A.(fressian.Keyword)
		if !ok || k.NS != "db" || k == txInstant || !d.Added {
			return nil
		}
		m := slices.DeleteFunc(props[d.E], func(e fressian.Entry) bool { return e.Key == any(k) })
		props[d.E] = append(m, fressian.Entry{Key: k, Value: d.V})
		return nil
	})
	if err != nil {
		return nil, err
	}
	var attrs []datom.Attribute
	known := map[fressian.Keyword]bool{}
	for e, m := range props {
		if a, ok := AttributeOf(append(m, fressian.Entry{Key: dbID, Value: e})); ok {
			known[a.Ident] = true
			attrs = append(attrs, a)
		}
	}
	for _, a := range implicit() {
		if !known[a.Ident] {
			attrs = append(attrs, a)
		}
	}
	return datom.NewSchema(attrs), nil
}

// AttributeOf reads what a map of properties, Datahike's or one such as is
// transacted, says of an attribute. It is none without a name, a type or a
// cardinality.
func AttributeOf(m fressian.Map) (a datom.Attribute, ok bool) {
	get := func(name string) any { v, _ := m.Get("db", name); return v }
	word := func(name string) fressian.Keyword { k, _ := get(name).(fressian.Keyword); return k }
	flag := func(name string) bool { b, _ := get(name).(bool); return b }
	a = datom.Attribute{
		Ident: word("ident"), ValueType: word("valueType"), Unique: word("unique"),
		Many:    word("cardinality") == fressian.Keyword{NS: "db.cardinality", Name: "many"},
		Indexed: flag("index"), NoHistory: flag("noHistory"), Component: flag("isComponent"),
		Props: slices.DeleteFunc(slices.Clone(m), func(e fressian.Entry) bool { return e.Key == any(dbID) }),
	}
	a.Indexed = a.Indexed || a.Unique.Name != "" || a.ValueType == refType // so does Datahike
	a.ID, _ = get("id").(int64)
	typed := a.ValueType.Name != "" || word("cardinality").Name != ""
	return a, a.Ident.Name != "" && typed
}
