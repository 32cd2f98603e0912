package view

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
)

// Names in the schema.
var (
	typeRef = fressian.Keyword{NS: "db.type", Name: "ref"}
	keyMany = fressian.Keyword{NS: "db.cardinality", Name: "many"}
)

func name(k fressian.Keyword) string {
	if k.NS == "" {
		return ":" + k.Name
	}
	return ":" + k.NS + "/" + k.Name
}

// entities are the datoms of the partition that has the schema.
type entities map[int64][]datomic.Datom

func (v *DatomicView) readEntities(ctx context.Context, withRecent bool) (entities, error) {
	found := entities{}
	s := newSpan(datom.EAVT, 0, datomic.MinUserEntity-1, nil)
	err := v.scan(ctx, s, false, withRecent, current(s.index, func(d *datomic.Datom) error {
		if s.wants(d) {
			found[d.E] = append(found[d.E], *d)
		}
		return nil
	}))
	return found, err
}

// readSchema reads the schema as the trees have it, what is recent, and, if
// that changes the schema, the schema once more.
func (v *DatomicView) readSchema(ctx context.Context) (last int64, err error) {
	before, err := v.readEntities(ctx, false)
	if err != nil {
		return 0, err
	}
	old := v.schemaOf(before)
	last, err = v.loadRecent(ctx)
	if err != nil {
		return 0, err
	}
	v.schema = old
	if v.recent.schema {
		now, err := v.readEntities(ctx, true)
		if err != nil {
			return 0, err
		}
		v.schema = v.schemaOf(now)
	}
	v.absent = map[int32]bool{}
	for i := range v.schema.Attributes {
		a := &v.schema.Attributes[i]
		was := old.AttrOf(a.ID)
		if !inAVET(a) || was != nil && !inAVET(was) {
			v.absent[int32(a.ID)] = true
		}
	}
	return last, nil
}

func inAVET(a *datom.Attribute) bool {
	return a.Indexed || a.Unique != fressian.Keyword{}
}

// schemaOf makes a schema, and sets the names of the attributes.
func (v *DatomicView) schemaOf(found entities) *datom.Schema {
	idents := map[int64]fressian.Keyword{}
	v.names = map[int32]any{}
	for e, datoms := range found {
		for _, d := range datoms {
			if ident, ok := d.V.(fressian.Keyword); ok && d.A == datomic.Ident {
				idents[e] = ident
				if e <= math.MaxInt32 {
					v.names[int32(e)] = ident
				}
			}
		}
	}
	many := map[int32]bool{}
	var attrs []datom.Attribute
	for pass := range 2 { // which attributes have many values is part of the schema
		attrs = attrs[:0]
		for e, datoms := range found {
			a := attribute(e, props(datoms, idents, many))
			if pass == 0 && a.Many {
				many[int32(e)] = true
			}
			if a.ValueType.Name != "" && a.Ident.Name != "" {
				attrs = append(attrs, a)
			}
		}
	}
	return datom.NewSchema(attrs)
}

// props are the datoms of an entity as a map, sorted by their names.
func props(datoms []datomic.Datom, idents map[int64]fressian.Keyword, many map[int32]bool) (m fressian.Map) {
	for _, d := range datoms {
		key, ok := idents[int64(d.A)]
		if !ok {
			continue // the datom itself is refused where it is read
		}
		value := d.V
		switch x := value.(type) {
		case int64:
			if ident, ok := idents[x]; ok {
				value = ident
			}
		case []any:
			value = fressian.Vector(x)
		}
		if many[d.A] {
			if n := len(m) - 1; n >= 0 && m[n].Key == key {
				m[n].Value = append(m[n].Value.(fressian.Vector), value)
				continue
			}
			value = fressian.Vector{value}
		}
		m = append(m, fressian.Entry{Key: key, Value: value})
	}
	slices.SortFunc(m, func(a, b fressian.Entry) int {
		return strings.Compare(name(a.Key.(fressian.Keyword)), name(b.Key.(fressian.Keyword)))
	})
	return m
}

func attribute(e int64, m fressian.Map) datom.Attribute {
	keyword := func(key string) fressian.Keyword {
		v, _ := m.Get("db", key)
		k, _ := v.(fressian.Keyword)
		return k
	}
	flag := func(key string) bool {
		v, _ := m.Get("db", key)
		return v == true
	}
	ident := keyword("ident")
	return datom.Attribute{
		ID: e, Ident: ident, ValueType: keyword("valueType"), Unique: keyword("unique"),
		Many:    keyword("cardinality") == keyMany,
		Indexed: flag("index"), NoHistory: flag("noHistory"), Component: flag("isComponent"),
		System: isSystem(ident), Props: m,
	}
}

// isSystem tells whether Datomic defines an attribute: it keeps these
// namespaces to itself.
func isSystem(k fressian.Keyword) bool {
	return k.NS == "db" || k.NS == "fressian" || strings.HasPrefix(k.NS, "db.")
}
