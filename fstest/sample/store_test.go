package sample

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/stretchr/testify/require"
)

// store is a directory read back, real or made here.
type store struct {
	t       *testing.T
	objects map[any]stored // by konserve key
}

type stored struct {
	name  string
	meta  konserve.Meta
	bytes []byte // of the value
	value any
}

// read decodes every file of a directory, each of which must have the name
// that belongs to its key.
func read(t *testing.T, dir string) store {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	s := store{t: t, objects: map[any]stored{}}
	codec := konserve.NewCodec("")
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		blob, err := codec.Open(data)
		require.NoError(t, err, f.Name())
		require.NoError(t, konserve.VerifyName(strings.TrimSuffix(f.Name(), suffix), blob.Meta.Key))
		v, err := fressian.Decode(blob.Value)
		require.NoError(t, err, f.Name())
		s.objects[blob.Meta.Key] = stored{f.Name(), blob.Meta, blob.Value, v}
	}
	return s
}

// records returns the commits, oldest first, then the head of :db.
func (s store) records() []fressian.Map {
	head := s.record(kw("", "db"))
	all := []fressian.Map{head}
	for r := head; ; {
		parents, ok := get(r, "meta", "datahike/parents").(fressian.Set)
		if !ok {
			return all
		}
		if _, ok := s.objects[parents[0]]; !ok {
			return all
		}
		r = s.record(parents[0])
		all = append([]fressian.Map{r}, all...)
	}
}

func (s store) record(key any) fressian.Map {
	o, ok := s.objects[key]
	require.True(s.t, ok, "no object for %v", key)
	m, ok := o.value.(fressian.Map)
	require.True(s.t, ok, "%v is %T", key, o.value)
	return m
}

// nodes calls f with each node of each index of a record.
func (s store) nodes(record fressian.Map, f func(index string, o stored, n *node)) {
	for _, e := range record {
		index, ok := strings.CutSuffix(e.Key.(fressian.Keyword).Name, "-key")
		if set, isSet := e.Value.(fressian.Tagged); ok && isSet {
			s.below(index, get(set.Fields[0].(fressian.Map), "address"), f)
		}
	}
}

func (s store) below(index string, address any, f func(index string, o stored, n *node)) *node {
	o, ok := s.objects[address]
	require.True(s.t, ok, "no node %v", address)
	n := s.node(o)
	if m := o.value.(fressian.Tagged).Fields[0].(fressian.Map); n.level > 0 {
		for _, a := range get(m, "addresses").(fressian.Vector) {
			n.kids = append(n.kids, s.below(index, a, f))
		}
		n.count = get(m, "subtree-count").(int64)
	}
	f(index, o, n)
	return n
}

// node makes a node of what was read, without its kids.
func (s store) node(o stored) *node {
	n := &node{stored: true, address: o.meta.Key.(fressian.UUID)}
	tagged := o.value.(fressian.Tagged)
	m := tagged.Fields[0].(fressian.Map)
	n.keys = s.datoms(get(m, "keys"))
	n.count = int64(len(n.keys))
	if tagged.Tag == tagBranch {
		n.level = int(get(m, "level").(int64))
	}
	return n
}

// datoms are those of a list that was read.
func (s store) datoms(list any) (all []*datom) {
	people := decodeSchema(s.t)
	for _, k := range list.(fressian.Vector) {
		d := k.(fressian.Tagged).Fields[0].(fressian.Vector)
		a := people.attrs[d[1].(fressian.Keyword)]
		if a == nil {
			a = &attr{ident: d[1].(fressian.Keyword), boxed: d[1]} // declared later
		}
		all = append(all, &datom{d[0].(int64), a, d[2], d[3].(int64), d[4].(bool)})
	}
	return all
}

func decodeSchema(t *testing.T) *schema {
	s, err := newSchema(peopleSchema)
	require.NoError(t, err)
	return s
}

// get descends into maps of maps by keywords, written "name" or "ns/name".
func get(m fressian.Map, path ...string) any {
	var v any = m
	for _, p := range path {
		k := keyword(p)
		v, _ = v.(fressian.Map).Get(k.NS, k.Name)
	}
	return v
}

func orderOf(index string) order {
	return map[string]order{"eavt": eavt, "aevt": aevt, "avet": avet}[strings.TrimPrefix(index, "temporal-")]
}
