package sample

import (
	_ "embed"
	"fmt"
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
)

// The values of the two schema blobs of a database that Datahike made, for
// what no code here could know: the order that Clojure gives to maps.
var (
	//go:embed data/schema-empty.fress
	emptySchema []byte // of a new database
	//go:embed data/schema.fress
	peopleSchema []byte // with sixteen attributes of people
)

// schema is the content of a schema blob and what follows from it.
type schema struct {
	value   fressian.Map
	address fressian.UUID // hash of the value
	attrs   map[fressian.Keyword]*attr
}

func kw(ns, name string) fressian.Keyword { return fressian.Keyword{NS: ns, Name: name} }

func newSchema(encoded []byte) (*schema, error) {
	v, err := fressian.Decode(encoded)
	if err != nil {
		return nil, err
	}
	m, ok := v.(fressian.Map)
	if !ok {
		return nil, fmt.Errorf("sample: a schema is %T", v)
	}
	return schemaOf(m)
}

func schemaOf(value fressian.Map) (*schema, error) {
	s := &schema{value: value, attrs: map[fressian.Keyword]*attr{}}
	var err error
	if s.address, err = hasch.UUID(value); err != nil {
		return nil, err
	}
	for _, name := range []string{"ident", "valueType", "cardinality", "unique", "index", "doc", "tupleTypes"} {
		s.attr(kw("db", name))
	}
	for _, e := range s.part("schema") {
		if ident, ok := e.Key.(fressian.Keyword); ok {
			s.attr(ident)
		}
	}
	return s, nil
}

// attr adds the attribute with the properties that :rschema lists it under.
func (s *schema) attr(ident fressian.Keyword) {
	is := func(property fressian.Keyword) bool {
		v, _ := s.part("rschema").Get(property.NS, property.Name)
		set, _ := v.(fressian.Set)
		return slices.Contains(set, any(ident))
	}
	s.attrs[ident] = &attr{
		ident: ident, boxed: ident,
		many:      is(kw("db.cardinality", "many")),
		indexed:   is(kw("db", "index")),
		noHistory: is(kw("db", "noHistory")),
	}
}

func (s *schema) part(name string) fressian.Map {
	v, _ := s.value.Get("", name)
	m, _ := v.(fressian.Map)
	return m
}

// facts returns the datoms that declared the attributes, in no order.
func (s *schema) facts(tx int64) []*datom {
	var facts []*datom
	for _, e := range s.part("ref-ident-map") {
		ident := e.Value.(fressian.Keyword)
		v, _ := s.part("schema").Get(ident.NS, ident.Name)
		for _, f := range v.(fressian.Map) {
			a := s.attrs[f.Key.(fressian.Keyword)]
			facts = append(facts, &datom{e: e.Key.(int64), a: a, v: f.Value, tx: tx, added: true})
		}
	}
	return facts
}

// declare returns the schema with one more attribute, for single values of a type.
func (s *schema) declare(e int64, ident fressian.Keyword, valueType string) (*schema, error) {
	properties := fressian.Map{
		{Key: kw("db", "ident"), Value: ident},
		{Key: kw("db", "valueType"), Value: kw("db.type", valueType)},
		{Key: kw("db", "cardinality"), Value: kw("db.cardinality", "one")},
	}
	return schemaOf(fressian.Map{
		with(s.value[0], ident, properties, e, ident),
		{Key: s.value[1].Key, Value: declareReverse(s.part("rschema"), ident)},
		s.value[2],
		with(s.value[3], ident, e),
		with(s.value[4], e, ident),
	})
}

// with returns the entry with more pairs of key and value in its map.
func with(e fressian.Entry, pairs ...any) fressian.Entry {
	m := slices.Clone(e.Value.(fressian.Map))
	for i := 0; i < len(pairs); i += 2 {
		m = append(m, fressian.Entry{Key: pairs[i], Value: pairs[i+1]})
	}
	return fressian.Entry{Key: e.Key, Value: m}
}

// declareReverse adds an attribute where :rschema lists all of them.
func declareReverse(rschema fressian.Map, ident fressian.Keyword) fressian.Map {
	m := slices.Clone(rschema)
	for i, e := range m {
		if e.Key == any(kw("db", "ident")) {
			m[i].Value = append(slices.Clone(e.Value.(fressian.Set)), any(ident))
		}
	}
	return m
}
