package build

import (
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// attribute is one that datoms have.
type attribute struct {
	// id is what datoms have in their a: a keyword, with :attribute-refs? the
	// entity's id, under :schema-flexibility :read perhaps a string.
	id any
	// key stands for it in keys.
	key string
	// schema: its datoms say what the schema is.
	schema bool
	// indexed, and apart: what is true now is not in history too. They are known
	// once the schema is.
	indexed, apart bool
	// skipped: the schema does not know it, and its datoms are left out.
	skipped bool
}

// attributes numbers attributes.
type attributes struct {
	all   []attribute
	known map[any]int
	name  func(id int64) (fressian.Keyword, bool)
}

// number returns the number of an attribute, a new one for a new attribute.
func (s *attributes) number(a any) (int, error) {
	if n, ok := s.known[a]; ok {
		return n, nil
	}
	ident, err := s.ident(a)
	if err != nil {
		return 0, err
	}
	s.known[a] = len(s.all)
	s.all = append(s.all, attribute{
		id: a, key: string(datom.AppendPrefix(nil, datom.AEVT, nil, a)), schema: describesSchema[ident],
	})
	return len(s.all) - 1, nil
}

// ident is the name of an attribute; empty if it is a string.
func (s *attributes) ident(a any) (fressian.Keyword, error) {
	switch a := a.(type) {
	case fressian.Keyword:
		if s.name != nil {
			return a, fmt.Errorf("%w: attribute %s has no entity, and attributes are referred to by theirs", ErrRefused, a)
		}
		return a, nil
	case int64:
		if s.name == nil {
			return fressian.Keyword{}, fmt.Errorf("%w: attribute %d has no name", ErrRefused, a)
		}
		if k, ok := s.name(a); ok {
			return k, nil
		}
		return fressian.Keyword{}, fmt.Errorf("%w: attribute %d has no name", ErrRefused, a)
	case string:
		return fressian.Keyword{}, nil
	}
	return fressian.Keyword{}, fmt.Errorf("%w: an attribute of type %T", ErrRefused, a)
}

// learn takes from the schema what it says of the attributes.
func (s *attributes) learn(sch *schema, o *Options) error {
	for i := range s.all {
		a := &s.all[i]
		ident, err := s.ident(a.id)
		if err != nil {
			return err
		}
		a.indexed = sch.is(index, ident)
		a.apart = sch.is(many, ident) || sch.is(noHistory, ident)
		if sch.knows(ident) || o.AnyAttribute {
			continue
		}
		err = fmt.Errorf("%w: the schema does not declare attribute %s, which a database with :schema-flexibility :write must not have",
			ErrRefused, name(a.id, ident))
		if o.Skip == nil {
			return err
		}
		o.Skip(err)
		a.skipped = true
	}
	return nil
}

// name is an attribute for messages.
func name(id any, ident fressian.Keyword) string {
	if s, ok := id.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return ident.String()
}
