package render

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// notTransacted are properties that the database gives an attribute, and that
// a transaction must not.
var notTransacted = []fressian.Keyword{
	{NS: "db", Name: "id"}, {NS: "db.install", Name: "_attribute"}, {NS: "db.install", Name: "attribute"},
	{NS: "db", Name: "txInstant"}, {NS: "db", Name: "index-only?"},
}

// Schema writes the attributes as EDN that can be transacted: a vector of maps,
// :db/ident first, the rest sorted. Unless all is set, those that the database
// defines by itself are left out. A property without text fails.
func Schema(out io.Writer, schema *datom.Schema, all bool) error {
	text := []byte("[")
	for _, a := range schema.Attributes {
		if a.System && !all {
			continue
		}
		if len(text) > 1 {
			text = append(text, "\n "...)
		}
		var err error
		if text, err = appendProps(text, a); err != nil {
			return fmt.Errorf("attribute :%s/%s: %w", a.Ident.NS, a.Ident.Name, err)
		}
	}
	_, err := out.Write(append(text, "]\n"...))
	return err
}

// appendProps appends an attribute's map.
func appendProps(dst []byte, a datom.Attribute) ([]byte, error) {
	dst, err := datom.AppendValue(append(dst, "{:db/ident "...), a.Ident)
	if err != nil {
		return dst, err
	}
	props, err := properties(a)
	if err != nil {
		return dst, err
	}
	for _, p := range props {
		dst = append(append(dst, ' '), p.key...)
		dst = append(append(dst, ' '), p.value...)
	}
	return append(dst, '}'), nil
}

// property is one of an attribute, as EDN text.
type property struct{ key, value []byte }

// properties are those of an attribute but for its name, sorted.
func properties(a datom.Attribute) (all []property, err error) {
	for _, e := range a.Props {
		k, ok := e.Key.(fressian.Keyword)
		if !ok {
			return nil, fmt.Errorf("%w: a property named by a value of type %T", datom.ErrNoText, e.Key)
		}
		if k == (fressian.Keyword{NS: "db", Name: "ident"}) || slices.Contains(notTransacted, k) {
			continue
		}
		var p property
		if p.key, err = datom.AppendValue(nil, k); err != nil {
			return nil, err
		}
		if p.value, err = datom.AppendValue(nil, e.Value); err != nil {
			return nil, fmt.Errorf("its %s: %w", p.key, err)
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b property) int { return bytes.Compare(a.key, b.key) })
	return all, nil
}
