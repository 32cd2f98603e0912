package build

import (
	"cmp"
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// tx0 is the transaction of what a database has from its beginning.
const tx0 = 0x20000000

func kw(ns, name string) fressian.Keyword { return fressian.Keyword{NS: ns, Name: name} }

// Keywords with a meaning.
var (
	ident       = kw("db", "ident")
	valueType   = kw("db", "valueType")
	cardinality = kw("db", "cardinality")
	unique      = kw("db", "unique")
	index       = kw("db", "index")
	noHistory   = kw("db", "noHistory")
	many        = kw("db.cardinality", "many")
)

// describesSchema are the attributes whose datoms make the schema.
var describesSchema = keywords("db",
	"ident", "valueType", "cardinality", "unique", "index", "doc", "isComponent", "noHistory",
	"tupleType", "tupleTypes", "tupleAttrs", "maxLength").
	and("db.install", "_attribute", "attribute").
	and("db.attr", "preds").
	and("db.entity", "attrs", "preds").
	and("db.secondary", "type", "attrs", "config", "status", "building-since-tx", "only")

// undeclared are the others that a database may have though its schema does
// not declare them.
var undeclared = keywords("db", "txInstant", "retracted", "id").
	and("db.valid", "from", "to").
	and("dh.ref", "db", "attr", "value", "temporal", "type")

// several have many values, which the schema lists in a vector.
var several = keywords("db.attr", "preds").and("db.entity", "attrs", "preds")

type keywordSet map[fressian.Keyword]bool

func keywords(ns string, names ...string) keywordSet { return keywordSet{}.and(ns, names...) }

func (s keywordSet) and(ns string, names ...string) keywordSet {
	for _, n := range names {
		s[kw(ns, n)] = true
	}
	return s
}

// schema is Datahike's :schema and what follows from it.
type schema struct {
	// entries are the properties by ident; an entity's ident by its id; and the
	// properties of an entity that has no ident by its id.
	entries map[any]any
	ids     map[fressian.Keyword]int64
	idents  map[int64]fressian.Keyword
	// system are the entities that the database has from its beginning, with
	// :attribute-refs?.
	system  map[int64]bool
	reverse map[fressian.Keyword]map[fressian.Keyword]bool
}

type properties map[fressian.Keyword]any

// implicit is the schema of an empty database without :attribute-refs?.
func implicit() map[any]any {
	m := map[any]any{
		ident:                 properties{unique: kw("db.unique", "identity")},
		kw("db", "txInstant"): properties{noHistory: true},
	}
	for _, k := range []fressian.Keyword{kw("db.entity", "attrs"), kw("db.entity", "preds"), kw("db.attr", "preds")} {
		m[k] = properties{cardinality: many}
	}
	for _, k := range []fressian.Keyword{kw("db.valid", "from"), kw("db.valid", "to"), kw("dh.ref", "db"), kw("dh.ref", "value")} {
		m[k] = properties{index: true}
	}
	return m
}

// newSchema makes the schema of the datoms that describe it, in any order. With
// refs, their attributes and what they refer to are entities' ids, and ident
// tells the attributes' names.
func newSchema(datoms []datom.Datom, refs bool, name func(any) fressian.Keyword) *schema {
	s := &schema{
		entries: map[any]any{}, ids: map[fressian.Keyword]int64{}, idents: map[int64]fressian.Keyword{}, system: map[int64]bool{},
		reverse: map[fressian.Keyword]map[fressian.Keyword]bool{},
	}
	if !refs {
		s.entries = implicit()
	}
	slices.SortStableFunc(datoms, func(x, y datom.Datom) int {
		return cmp.Or(cmp.Compare(x.Tx, y.Tx), order(x.Added)-order(y.Added))
	})
	for _, d := range datoms { // what the first transaction refers to must be known
		if k, ok := d.V.(fressian.Keyword); ok && d.Tx == tx0 && name(d.A) == ident {
			s.begin(d.E, k)
		}
	}
	for _, d := range datoms {
		a := name(d.A)
		v := d.V
		if id, ok := v.(int64); ok && (a == valueType || a == cardinality || a == unique) && s.system[id] {
			v = s.idents[id]
		}
		switch {
		case d.Added:
			s.update(d.E, a, v)
		default:
			s.remove(d.E, a, v)
		}
	}
	s.revert()
	return s
}

func order(added bool) int {
	if added {
		return 1
	}
	return 0
}

// begin takes an entity of an empty database.
func (s *schema) begin(e int64, k fressian.Keyword) {
	s.system[e] = true
	s.ids[k], s.idents[e] = e, k
	s.entries[k] = properties{kw("db", "id"): e}
}

// of returns the properties of an entity that are collected so far.
func (s *schema) of(e int64) properties {
	at := any(e)
	if k, ok := s.idents[e]; ok {
		at = k
	}
	p, ok := s.entries[at].(properties)
	if !ok {
		p = properties{}
		s.entries[at] = p
	}
	return p
}

func (s *schema) update(e int64, a fressian.Keyword, v any) {
	k, named := v.(fressian.Keyword)
	switch {
	case a == ident && s.system[e]:
	case a == ident && named:
		p := properties{}
		if before, ok := s.entries[k].(properties); ok { // one that is implicit
			p = before
		}
		for name, v := range s.of(e) {
			p[name] = v
		}
		p[ident] = k
		s.entries[k], s.entries[e] = p, k
		s.ids[k], s.idents[e] = e, k
	case several[a]:
		p := s.of(e)
		before, _ := p[a].(fressian.Vector)
		p[a] = append(before, v)
	default:
		s.of(e)[a] = v
	}
}

func (s *schema) remove(e int64, a fressian.Keyword, v any) {
	k, named := v.(fressian.Keyword)
	if a != ident {
		delete(s.of(e), a)
		return
	}
	if now, ok := s.idents[e]; !named || !ok || now != k {
		return
	}
	p := s.of(e)
	delete(p, ident)
	delete(s.entries, k)
	delete(s.ids, k)
	delete(s.idents, e)
	s.entries[e] = p
}

// knows tells whether an attribute is declared, or needs no declaration.
func (s *schema) knows(a fressian.Keyword) bool {
	_, declared := s.entries[a].(properties)
	return declared || describesSchema[a] || undeclared[a]
}

// is tells whether :rschema lists an attribute under a property.
func (s *schema) is(property, a fressian.Keyword) bool { return s.reverse[property][a] }
