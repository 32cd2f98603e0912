package migrate

import (
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// datom translates one datom; ok is false if it is left out.
func (m *View) datom(d datom.Datom) (to datom.Datom, ok bool, err error) {
	a, isName := d.A.(fressian.Keyword)
	if !isName {
		return to, false, fmt.Errorf("%w: the attribute has no name", ErrRefused)
	}
	name, own := m.names[d.E]
	switch {
	case own && !isSystem(a): // somebody has added to it
		return to, false, fmt.Errorf("%w: a fact about %s", ErrRefused, name)
	case own, isSystem(a) && !kept[a]:
		return to, false, nil
	}
	if t, is := m.refused[d.E]; is {
		return to, false, fmt.Errorf("%w: values of the type :%s/%s", ErrRefused, t.NS, t.Name)
	}
	to = datom.Datom{A: a, Added: d.Added}
	if to.E, ok = m.ids.entity(d.E); !ok {
		return to, false, fmt.Errorf("%w: Datahike's entities are below %d", ErrRefused, tx0)
	}
	if to.Tx, ok = m.ids.tx(d.Tx); !ok {
		return to, false, fmt.Errorf("%w: its transaction %d is beyond what Datahike counts to", ErrRefused, d.Tx)
	}
	switch {
	case named[a]:
		to.V, err = m.name(d.V)
	case a == fressian.Keyword{NS: "db", Name: "tupleTypes"}:
		to.V = typesOf(d.V)
	case a == fressian.Keyword{NS: "db", Name: "tupleType"}:
		to.V = typeOf(d.V)
	case isSystem(a):
		to.V = d.V
	default:
		is, known := m.attrs[a]
		if !known {
			return to, false, fmt.Errorf("%w: the attribute has no type that it knows", ErrRefused)
		}
		to.V, err = m.value(is, d.V)
	}
	return to, err == nil, err
}

// name is the keyword of an entity of the schema, such as :db.type/long.
func (m *View) name(v any) (any, error) {
	id, _ := v.(int64)
	name, ok := m.names[id]
	if !ok {
		return nil, fmt.Errorf("%w: %v, which is no name of Datomic's", ErrRefused, v)
	}
	return typeOf(name), nil
}

// value translates a value of a kind.
func (m *View) value(is kind, v any) (any, error) {
	switch v := v.(type) {
	case int64:
		if is.ref {
			return m.ref(v)
		}
	case fressian.URI:
		return string(v), nil
	case fressian.Tagged:
		return nil, fmt.Errorf("%w: a function", ErrRefused)
	case []any:
		return m.tuple(is, v)
	case fressian.Vector:
		return m.tuple(is, v)
	}
	return v, nil
}

// ref translates a reference. What Datomic itself defines is not in Datahike.
func (m *View) ref(e int64) (any, error) {
	name, own := m.names[e]
	if own {
		return nil, fmt.Errorf("%w: a reference to :%s/%s", ErrRefused, name.NS, name.Name)
	}
	to, ok := m.ids.entity(e)
	if !ok {
		return nil, fmt.Errorf("%w: a reference to entity %d", ErrRefused, e)
	}
	return to, nil
}

func (m *View) tuple(is kind, items []any) (any, error) {
	to := make(fressian.Vector, len(items))
	for i, v := range items {
		item := is.item(i)
		var err error
		if to[i], err = m.value(item, v); err != nil {
			return nil, err
		}
	}
	return to, nil
}
