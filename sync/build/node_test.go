package build

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// rewriter writes nodes that were read.
type rewriter struct {
	t     *testing.T
	attrs attributes
	w     fressian.Writer
}

func (r *rewriter) item(v any) item {
	d := v.(fressian.Tagged).Fields[0].(fressian.Vector)
	f := datom.Datom{E: d[0].(int64), A: d[1], V: d[2], Tx: d[3].(int64), Added: d[4].(bool)}
	n, ok := r.attrs.known[f.A]
	if !ok {
		n = len(r.attrs.all)
		r.attrs.known[f.A] = n
		r.attrs.all = append(r.attrs.all, attribute{id: f.A})
	}
	key, err := datom.AppendKey(nil, datom.EAVT, f)
	require.NoError(r.t, err)
	r.w.Reset()
	require.NoError(r.t, r.w.Write(f.V))
	flags := byte(0)
	if !fressian.Alone(f.V) {
		flags = isDeep
	}
	return item{key: string(key), value: string(r.w.Bytes()), attr: n, flags: flags}
}

func (r *rewriter) node(v fressian.Tagged) []byte {
	m := v.Fields[0].(fressian.Map)
	get := func(name string) any {
		v, _ := m.Get("", name)
		return v
	}
	var keys []item
	for _, d := range get("keys").(fressian.Vector) {
		keys = append(keys, r.item(d))
	}
	n := nodeWriter{index: datom.EAVT, attrs: r.attrs.all}
	factor := int(get("branching-factor").(int64))
	if v.Tag == tagLeaf {
		b, err := n.leaf(keys, factor)
		require.NoError(r.t, err)
		return b
	}
	children := make([]child, len(keys))
	for i, a := range get("addresses").(fressian.Vector) {
		children[i] = child{last: keys[i], address: a.(fressian.UUID)}
	}
	children[0].count = get("subtree-count").(int64)
	b, _, err := n.branch(int(get("level").(int64)), children, factor)
	require.NoError(r.t, err)
	return b
}

// TestBytesOfRealNodes: nodes have the bytes that Datahike gives them.
func TestBytesOfRealNodes(t *testing.T) {
	for _, name := range []string{"a-default", "b-nohist", "c-crypto", "g-storeref", "h-gen3", "i-attrrefs"} {
		nodes := 0
		files, err := filepath.Glob(filepath.Join(fixture.Unpack(t, name), "*.ksv"))
		require.NoError(t, err)
		for _, file := range files {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			blob, err := konserve.NewCodec("").Open(data)
			require.NoError(t, err)
			if blob.Meta.Type != konserve.TypeEDN {
				continue
			}
			v, err := fressian.Decode(blob.Value)
			require.NoError(t, err)
			if tagged, ok := v.(fressian.Tagged); ok {
				r := rewriter{t: t, attrs: attributes{known: map[any]int{}}}
				nodes++
				assert.Equal(t, blob.Value, r.node(tagged), "%s %s", name, filepath.Base(file))
			}
		}
		assert.Greater(t, nodes, 10, name)
	}
}

// TestHash: what Clojure 1.11 prints for (hash v).
func TestHash(t *testing.T) {
	for _, c := range []struct {
		v    any
		want int32
	}{
		{int64(0), 0}, {int64(1), 1392991556}, {"", 0}, {true, 1231}, {0.5, 1071644672},
		{fressian.Keyword{Name: "a"}, -2123407586}, {fressian.Vector{}, -2017569654}, {fressian.Vector{int64(1), int64(2), int64(3)}, 736442005},
	} {
		assert.Equal(t, c.want, int32(hashValue(c.v)), "%v", c.v)
	}
}
