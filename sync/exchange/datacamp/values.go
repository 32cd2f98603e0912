package datacamp

import (
	"errors"
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// ErrValue is matched by the error for a value that a chunk cannot hold.
var ErrValue = errors.New("datacamp's format cannot hold the value")

// portable returns v as data.fressian writes it, who has no form for records
// and for what libraries add with tags of their own. Nothing is copied that
// need not change.
func portable(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64, float64, float32, string, []byte:
		return v, nil
	case fressian.Vector:
		return portableAll(v)
	case fressian.Seq:
		return portableAll(v)
	case []any:
		return portableAll(v)
	case fressian.Set:
		all, err := portableAll(v)
		return fressian.Set(all), err
	case fressian.Map:
		return portableMap(v)
	case fressian.Record, fressian.Tagged, fressian.Meta, fressian.Array, fressian.Regex:
		return nil, fmt.Errorf("%w: %T", ErrValue, v)
	}
	return v, nil
}

func portableAll(items []any) ([]any, error) {
	all := make([]any, len(items))
	for i, v := range items {
		var err error
		if all[i], err = portable(v); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func portableMap(m fressian.Map) (fressian.Map, error) {
	out := make(fressian.Map, len(m))
	for i, e := range m {
		k, err := portable(e.Key)
		if err != nil {
			return nil, err
		}
		v, err := portable(e.Value)
		if err != nil {
			return nil, err
		}
		out[i] = fressian.Entry{Key: k, Value: v}
	}
	return out, nil
}
