package build

import (
	"bytes"
	"slices"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// meanings are the properties under which :rschema lists an attribute for a
// value that its declaration has (datahike.db.utils/attr->properties).
var meanings = map[fressian.Keyword][]fressian.Keyword{
	kw("db.unique", "identity"):   {unique, kw("db.unique", "identity"), index},
	kw("db.unique", "value"):      {unique, kw("db.unique", "value"), index},
	many:                          {many},
	kw("db.type", "ref"):          {kw("db.type", "ref"), index},
	kw("db.type", "tuple"):        {kw("db.type", "tuple")},
	kw("db.type", "valueType"):    {systemRef},
	kw("db.type", "cardinality"):  {systemRef},
	kw("db.type", "unique"):       {systemRef},
	kw("db.type", "string"):       {constrained},
	kw("db.type", "bytes"):        {constrained},
	kw("db.type", "float-array"):  {constrained},
	kw("db.type", "double-array"): {constrained},
}

var (
	systemRef   = kw("db", "systemAttribRef")
	constrained = kw("db.attr", "constrained")
	flags       = keywords("db", "isComponent", "index", "noHistory")
	limits      = keywords("db", "maxLength").and("db.attr", "preds")
)

// revert makes :rschema: the attributes by property.
func (s *schema) revert() {
	for at, v := range s.entries {
		p, ok := v.(properties)
		a, named := at.(fressian.Keyword)
		if !ok || !named {
			continue
		}
		s.list(ident, a)
		for k, v := range p {
			switch v := v.(type) {
			case fressian.Keyword:
				for _, property := range meanings[v] {
					s.list(property, a)
				}
			case bool:
				if v && flags[k] {
					s.list(k, a)
				}
			}
			if limits[k] {
				s.list(constrained, a)
			}
		}
	}
}

func (s *schema) list(property, a fressian.Keyword) {
	if s.reverse[property] == nil {
		s.reverse[property] = map[fressian.Keyword]bool{}
	}
	s.reverse[property][a] = true
}

// value is the value of the schema's blob. Clojure's maps and sets have no
// order that matters; here they are sorted.
func (s *schema) value() fressian.Map {
	rschema := map[any]any{
		kw("db", "attrTuples"):      s.tuples(),
		kw("db.secondary", "index"): fressian.Map{},
	}
	for property, attrs := range s.reverse {
		rschema[property] = set(attrs)
	}
	return fressian.Map{
		{Key: kw("", "schema"), Value: sortedMap(s.entries)},
		{Key: kw("", "rschema"), Value: sortedMap(rschema)},
		{Key: kw("", "system-entities"), Value: set(s.system)},
		{Key: kw("", "ident-ref-map"), Value: sortedMap(s.ids)},
		{Key: kw("", "ref-ident-map"), Value: sortedMap(s.idents)},
	}
}

// tuples tells of each attribute in which composite tuples it is, and where.
func (s *schema) tuples() fressian.Map {
	in := map[any]map[any]any{}
	for at, v := range s.entries {
		p, _ := v.(properties)
		for i, a := range items(p[kw("db", "tupleAttrs")]) {
			if in[a] == nil {
				in[a] = map[any]any{}
			}
			in[a][at] = int64(i)
		}
	}
	return sortedMap(in)
}

func items(v any) []any {
	switch v := v.(type) {
	case fressian.Vector:
		return v
	case fressian.Seq:
		return v
	case []any:
		return v
	}
	return nil
}

func set[K comparable](m map[K]bool) fressian.Set {
	s := make(fressian.Set, 0, len(m))
	for k := range m {
		s = append(s, k)
	}
	slices.SortFunc(s, compareKeys)
	return s
}

func sortedMap[K comparable, V any](m map[K]V) fressian.Map {
	all := make(fressian.Map, 0, len(m))
	for k, v := range m {
		e := fressian.Entry{Key: k, Value: v}
		switch v := e.Value.(type) {
		case properties:
			e.Value = sortedMap(v)
		case map[any]any:
			e.Value = sortedMap(v)
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(x, y fressian.Entry) int { return compareKeys(x.Key, y.Key) })
	return all
}

// compareKeys puts numbers before keywords.
func compareKeys(x, y any) int { return bytes.Compare(sortKey(x), sortKey(y)) }

func sortKey(v any) []byte {
	switch v := v.(type) {
	case int64:
		return []byte{0, byte(v >> 56), byte(v >> 48), byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
	case fressian.Keyword:
		return []byte(strings.Join([]string{"\x01", v.NS, v.Name}, "\x00"))
	}
	return nil
}
