package datacamp

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// fields are those of a map; err is the first thing that is wrong with one.
type fields struct {
	m   map[string]any
	err error
}

func fieldsOf(v any) (*fields, error) {
	m, ok := v.(fressian.Map)
	if !ok {
		return nil, errors.New("no map stands where one should")
	}
	f := &fields{m: map[string]any{}}
	for _, e := range m {
		switch k, _ := e.Key.(fressian.Keyword); k.NS {
		case "":
			f.m[k.Name] = e.Value
		default:
			f.m[k.NS+"/"+k.Name] = e.Value
		}
	}
	return f, nil
}

func (f *fields) value(key string) any { return f.m[key] }

func (f *fields) wrong(key string) {
	if f.err == nil {
		f.err = fmt.Errorf(":%s is missing or of another type", key)
	}
}

func (f *fields) text(key string) string {
	s, ok := f.m[key].(string)
	if !ok {
		f.wrong(key)
	}
	return s
}

func (f *fields) flag(key string) bool {
	b, _ := f.m[key].(bool)
	return b
}

func (f *fields) name(key, otherwise string) string {
	k, ok := f.m[key].(fressian.Keyword)
	if !ok {
		return otherwise
	}
	if k.NS != "" {
		return k.NS + "/" + k.Name
	}
	return k.Name
}

func (f *fields) number(key string) int64 {
	n, ok := f.m[key].(int64)
	if !ok {
		f.wrong(key)
	}
	return n
}

func (f *fields) optional(key string) int64 {
	n, _ := f.m[key].(int64)
	return n
}

// count is a number of things.
func (f *fields) count(key string) int64 {
	n := f.number(key)
	if n < 0 || n > math.MaxInt64/2 {
		f.wrong(key)
	}
	return n
}

func (f *fields) pair(key string) (from, to int64) {
	v, _ := f.m[key].(fressian.Vector)
	if len(v) == 2 {
		var a, b bool
		from, a = v[0].(int64)
		if to, b = v[1].(int64); a && b {
			return from, to
		}
	}
	f.wrong(key)
	return 0, 0
}

func (f *fields) time(key string) time.Time {
	t, ok := f.m[key].(fressian.Inst)
	if !ok {
		f.wrong(key)
	}
	return time.UnixMilli(int64(t)).UTC()
}
