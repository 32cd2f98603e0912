package datacamp

import (
	"errors"
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// ErrValue is matched by the error for a value that a chunk cannot hold.
var ErrValue = errors.New("datacamp's format cannot hold the value")

// values makes of values what a chunk can hold.
type values struct {
	// tagged lets values with tags of their own in, as Fressian has them. Every
	// Datomic database has some, its functions, and whoever reads it knows of
	// them; nobody does who reads a Datahike database.
	tagged bool
}

// portable returns v as data.fressian writes it, who has no form for records.
func (p values) portable(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64, float64, float32, string, []byte:
		return v, nil
	case fressian.Vector:
		return p.all(v)
	case fressian.Seq:
		return p.all(v)
	case []any:
		return p.all(v)
	case fressian.Set:
		all, err := p.all(v)
		return fressian.Set(all), err
	case fressian.Map:
		return p.entries(v)
	case fressian.Tagged:
		if !p.tagged {
			return nil, fmt.Errorf("%w: one tagged %q", ErrValue, v.Tag)
		}
		fields, err := p.all(v.Fields)
		return fressian.Tagged{Tag: v.Tag, Fields: fields}, err
	case fressian.Record, fressian.Meta, fressian.Array:
		return nil, fmt.Errorf("%w: %T", ErrValue, v)
	}
	return v, nil
}

func (p values) all(items []any) ([]any, error) {
	all := make([]any, len(items))
	for i, v := range items {
		var err error
		if all[i], err = p.portable(v); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (p values) entries(m fressian.Map) (fressian.Map, error) {
	out := make(fressian.Map, len(m))
	for i, e := range m {
		k, err := p.portable(e.Key)
		if err != nil {
			return nil, err
		}
		v, err := p.portable(e.Value)
		if err != nil {
			return nil, err
		}
		out[i] = fressian.Entry{Key: k, Value: v}
	}
	return out, nil
}
