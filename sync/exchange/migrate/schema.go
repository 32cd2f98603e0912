package migrate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

func db(name string) fressian.Keyword { return fressian.Keyword{NS: "db", Name: name} }

func dbType(name string) fressian.Keyword { return fressian.Keyword{NS: "db.type", Name: name} }

func keywords(of func(string) fressian.Keyword, names string) map[fressian.Keyword]bool {
	all := map[fressian.Keyword]bool{}
	for _, name := range strings.Fields(names) {
		all[of(name)] = true
	}
	return all
}

var (
	// kept are Datomic's own attributes that Datahike has too.
	kept = keywords(db, "ident valueType cardinality unique index isComponent noHistory doc tupleType tupleTypes tupleAttrs txInstant")
	// named are those of them whose values are entities in Datomic and keywords
	// in Datahike.
	named = keywords(db, "valueType cardinality unique")
	// types are the types of values that both have.
	types = keywords(dbType, "keyword string boolean long bigint float double bigdec ref instant uuid symbol tuple bytes")

	uriType, stringType = dbType("uri"), dbType("string")
)

// isSystem tells whether an attribute is of a namespace that Datomic keeps to
// itself.
func isSystem(k fressian.Keyword) bool {
	return k.NS == "db" || k.NS == "fressian" || strings.HasPrefix(k.NS, "db.")
}

// kind is what a value of an attribute is made of.
type kind struct {
	ref bool
	// all is of a tuple whose items are all of a kind, each that of one whose
	// items have their own.
	all  *kind
	each []kind
}

// item is the kind of a tuple's item.
func (k kind) item(i int) kind {
	switch {
	case k.all != nil:
		return *k.all
	case i < len(k.each):
		return k.each[i]
	}
	return kind{}
}

// translate makes Datahike's schema of Datomic's, and says what is lost.
func (m *View) translate(from *datom.Schema) (*datom.Schema, []string) {
	notes := []string{
		"entities and transactions have other numbers than in Datomic: see docs/migration.md",
		"what Datomic itself defines is left out, and functions (:db/fn), predicates, specs of entities and records of excisions",
	}
	all := implicit()
	for i := range from.Attributes {
		a := &from.Attributes[i]
		if a.System {
			continue
		}
		notes = append(notes, notesOn(a)...)
		if !types[a.ValueType] && a.ValueType != uriType {
			m.refused[a.ID] = a.ValueType
			continue
		}
		m.attrs[a.Ident] = kindOf(from, a)
		to := *a
		to.ID, _ = m.ids.entity(a.ID)
		to.ValueType, _ = typeOf(a.ValueType).(fressian.Keyword)
		to.Props = propsOf(a.Props)
		all = append(all, to)
	}
	return datom.NewSchema(all), notes
}

// implicit are the attributes that a database of Datahike has without being
// told, as far as an import needs to know of them.
func implicit() []datom.Attribute {
	identity := fressian.Keyword{NS: "db.unique", Name: "identity"}
	return []datom.Attribute{
		{Ident: db("ident"), Unique: identity, System: true, Props: fressian.Map{{Key: db("unique"), Value: identity}}},
		{Ident: db("txInstant"), NoHistory: true, System: true, Props: fressian.Map{{Key: db("noHistory"), Value: true}}},
	}
}

// notesOn says what an attribute loses.
func notesOn(a *datom.Attribute) (notes []string) {
	note := func(format string, args ...any) {
		notes = append(notes, fmt.Sprintf(":%s/%s %s", a.Ident.NS, a.Ident.Name, fmt.Sprintf(format, args...)))
	}
	switch {
	case a.ValueType == uriType:
		note("has strings in place of URIs")
	case !types[a.ValueType]:
		note("cannot be taken over: Datahike has no :%s/%s", a.ValueType.NS, a.ValueType.Name)
	}
	for _, e := range a.Props {
		if k, ok := e.Key.(fressian.Keyword); ok && isSystem(k) && !kept[k] && k.NS != "db.install" {
			note("loses :%s/%s", k.NS, k.Name)
		}
	}
	return notes
}

// propsOf keeps of an attribute's properties what Datahike has too.
func propsOf(from fressian.Map) (to fressian.Map) {
	for _, e := range from {
		k, ok := e.Key.(fressian.Keyword)
		if !ok || isSystem(k) && !kept[k] {
			continue
		}
		switch k {
		case db("valueType"), db("tupleType"):
			e.Value = typeOf(e.Value)
		case db("tupleTypes"):
			e.Value = typesOf(e.Value)
		}
		to = append(to, e)
	}
	return to
}

// typeOf is the type that Datahike has in a type's place.
func typeOf(v any) any {
	if v == any(uriType) {
		return stringType
	}
	return v
}

func typesOf(v any) any {
	items, ok := v.([]any)
	if vector, is := v.(fressian.Vector); is {
		items, ok = vector, true
	}
	if !ok {
		return v
	}
	to := make(fressian.Vector, len(items))
	for i, t := range items {
		to[i] = typeOf(t)
	}
	return to
}

// kindOf finds where the values of an attribute have references.
func kindOf(s *datom.Schema, a *datom.Attribute) (k kind) {
	k.ref = a.ValueType == dbType("ref")
	if t, ok := a.Props.Get("db", "tupleType"); ok {
		k.all = &kind{ref: t == any(dbType("ref"))}
	}
	for _, t := range list(a.Props, "tupleTypes") {
		k.each = append(k.each, kind{ref: t == any(dbType("ref"))})
	}
	for _, name := range list(a.Props, "tupleAttrs") {
		ident, _ := name.(fressian.Keyword)
		other := s.Attr(ident)
		k.each = append(k.each, kind{ref: other != nil && other.ValueType == dbType("ref")})
	}
	return k
}

func list(m fressian.Map, name string) []any {
	v, _ := m.Get("db", name)
	if items, ok := v.([]any); ok {
		return items
	}
	items, _ := v.(fressian.Vector)
	return slices.Clone(items)
}
