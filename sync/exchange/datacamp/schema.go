package datacamp

import (
	"fmt"
	"slices"
	"time"

	"github.com/rclone-datom/rclone-datom/sync/codec/edn"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// system marks in a schema.edn what the database defines itself.
const system = "attribute/system"

// ParseSchema reads a schema.edn: its :attributes are maps of properties, in a
// vector, or in a map by their names.
func ParseSchema(text []byte) (*datom.Schema, error) {
	v, err := edn.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", SchemaFile, graph.ErrCorrupt, err)
	}
	m, _ := v.(fressian.Map)
	all, _ := m.Get("", "attributes")
	var entries []any
	switch all := all.(type) {
	case fressian.Vector:
		entries = all
	case fressian.Map:
		for _, e := range all {
			props, _ := e.Value.(fressian.Map)
			if _, named := props.Get("db", "ident"); !named {
				props = append(props, fressian.Entry{Key: keyword("db/ident"), Value: e.Key})
			}
			entries = append(entries, props)
		}
	default:
		return nil, fmt.Errorf("%s: %w: it has no :attributes", SchemaFile, graph.ErrCorrupt)
	}
	attrs := make([]datom.Attribute, 0, len(entries))
	for i, v := range entries {
		props, _ := v.(fressian.Map)
		a, ok := view.AttributeOf(props)
		if !ok {
			return nil, fmt.Errorf("%s: %w: attribute %d has no name, or neither a type nor a cardinality", SchemaFile, graph.ErrCorrupt, i)
		}
		_, a.System = props.Get(keyword(system).NS, keyword(system).Name)
		a.Props = slices.DeleteFunc(a.Props, func(e fressian.Entry) bool { return e.Key == any(keyword(system)) })
		attrs = append(attrs, a)
	}
	return datom.NewSchema(attrs), nil
}

// AppendSchema appends a schema.edn. What has no text in EDN is left out: it
// is among the datoms.
func AppendSchema(dst []byte, s *datom.Schema, now time.Time) ([]byte, error) {
	attrs := make(fressian.Vector, 0, len(s.Attributes))
	for _, a := range s.Attributes {
		m := fressian.Map{entry("db/ident", a.Ident)}
		if a.ID != 0 {
			m = append(m, entry("db/id", a.ID))
		}
		if a.System {
			m = append(m, entry(system, true))
		}
		for _, p := range properties(a) {
			if _, err := edn.Append(nil, p.Value); err == nil {
				m = append(m, p)
			}
		}
		if _, err := edn.Append(nil, a.Ident); err == nil {
			attrs = append(attrs, m)
		}
	}
	dst, err := edn.Append(dst, fressian.Map{
		entry("schema/version", version), entry("schema/exported-at", inst(now)),
		entry("_comment", "The attributes of the database"), entry("attributes", attrs),
	})
	return append(dst, '\n'), err
}

// properties are what is said of an attribute besides its name and id, in a
// fixed order and by keywords.
func properties(a datom.Attribute) (m fressian.Map) {
	cardinality := keyword("db.cardinality/one")
	if a.Many {
		cardinality = keyword("db.cardinality/many")
	}
	m = append(m, entry("db/cardinality", cardinality))
	if a.ValueType.Name != "" {
		m = append(m, entry("db/valueType", a.ValueType))
	}
	if a.Unique.Name != "" {
		m = append(m, entry("db/unique", a.Unique))
	}
	for _, f := range []struct {
		name string
		set  bool
	}{{"db/index", a.Indexed}, {"db/noHistory", a.NoHistory}, {"db/isComponent", a.Component}} {
		if f.set {
			m = append(m, entry(f.name, true))
		}
	}
	for _, p := range a.Props {
		k, ok := p.Key.(fressian.Keyword)
		if !ok || k == keyword("db/ident") || k == keyword("db/id") {
			continue
		}
		if _, has := m.Get(k.NS, k.Name); !has {
			m = append(m, p)
		}
	}
	return m
}

// AppendConfig appends a config.edn of a database's settings.
func AppendConfig(dst []byte, config fressian.Map, now time.Time) ([]byte, error) {
	dst, err := edn.Append(dst, fressian.Map{
		entry("config/version", version), entry("config/exported-at", inst(now)),
		entry("_comment", "The settings of the database"), entry("config", config),
	})
	return append(dst, '\n'), err
}
