package datoms

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// TestDigestsOfRealStores: the digests that the real Datahike reports of its
// branches. The datoms are found here without the dialect's help, by decoding
// everything in general.
func TestDigestsOfRealStores(t *testing.T) {
	for _, name := range fixture.Names() {
		t.Run(name, func(t *testing.T) {
			s := plainStore{t: t, dir: fixture.Unpack(t, name), codec: konserve.NewCodec(fixture.Key(name))}
			branches := fixture.Expected(t, name).ByBranch
			require.NotEmpty(t, branches)
			for branch, want := range branches {
				head := s.value(datahike.KeyID(keyword(branch))).(fressian.Map)
				current := s.tree(head, "eavt")
				sum, n := digestOf(t, current)
				assert.Equal(t, want.CurrentSHA256, sum, branch)
				assert.Equal(t, want.DatomsCurrent, n, branch)
				if want.HistorySHA256 == "" {
					continue // the database keeps none
				}
				sum, n = digestOf(t, append(s.tree(head, "temporal-eavt"), s.currentOnly(head, current)...))
				assert.Equal(t, want.HistorySHA256, sum, branch)
				assert.Equal(t, want.DatomsHistory, n, branch)
			}
		})
	}
}

// TestDigestsThroughReader: what Reader gives are the same datoms.
func TestDigestsThroughReader(t *testing.T) {
	for _, name := range fixture.Names() {
		t.Run(name, func(t *testing.T) {
			dir := fixture.Unpack(t, name)
			r := &Reader{Dialect: datahike.New(fixture.Key(name)), Workers: 2, Get: func(_ context.Context, id graph.ID, _ []byte) ([]byte, error) {
				return os.ReadFile(filepath.Join(dir, string(id)))
			}}
			heads, err := r.Dialect.Hold(t.Context(), getter(r), "")
			require.NoError(t, err)
			branches := fixture.Expected(t, name).ByBranch
			require.Len(t, heads.Branches, len(branches))
			for _, br := range heads.Branches {
				d, err := r.Digests(t.Context(), br.Head, br.Record)
				require.NoError(t, err)
				want := branches[br.Name]
				assert.Equal(t, &Digests{
					Current: want.CurrentSHA256, CurrentDatoms: want.DatomsCurrent,
					History: want.HistorySHA256, HistoryDatoms: want.DatomsHistory,
				}, d, br.Name)
			}
		})
	}
}

func keyword(s string) fressian.Keyword {
	s = strings.TrimPrefix(s, ":")
	if ns, name, ok := strings.Cut(s, "/"); ok {
		return fressian.Keyword{NS: ns, Name: name}
	}
	return fressian.Keyword{Name: s}
}

// plainStore reads values of a store's files.
type plainStore struct {
	t     *testing.T
	dir   string
	codec *konserve.Codec
}

func (s plainStore) value(id graph.ID) any {
	data, err := os.ReadFile(filepath.Join(s.dir, string(id)))
	require.NoError(s.t, err)
	blob, err := s.codec.Open(data)
	require.NoError(s.t, err)
	v, err := fressian.Decode(blob.Value)
	require.NoError(s.t, err)
	return v
}

// tree returns the datoms of an index of a head.
func (s plainStore) tree(head fressian.Map, index string) (facts []datom.Datom) {
	root, _ := head.Get("", index+"-root")
	if root == nil {
		key, _ := head.Get("", index+"-key")
		root = s.at(get(key.(fressian.Tagged).Fields[0], "address"))
	}
	for _, f := range s.node(root, nil) {
		facts = append(facts, f)
	}
	return facts
}

// currentOnly are the current datoms that a history has beside the temporal ones.
func (s plainStore) currentOnly(head fressian.Map, current []datom.Datom) (kept []datom.Datom) {
	attrs, err := CurrentOnly(s.at(get(head, "schema-meta-key")).(fressian.Map))
	require.NoError(s.t, err)
	for _, f := range current {
		if attrs[f.A] {
			kept = append(kept, f)
		}
	}
	return kept
}

func (s plainStore) at(address any) any {
	return s.value(datahike.AddressID(address.(fressian.UUID)))
}

// node returns the datoms beneath a node by their text. edits are what its
// slot in its parent has: a leaf's datoms, or an inner node's slots in place
// of its own.
func (s plainStore) node(v any, edits any) map[string]datom.Datom {
	all := map[string]datom.Datom{}
	node := v.(fressian.Tagged).Fields[0]
	addresses := get(node, "addresses")
	if addresses == nil {
		for _, f := range s.facts(get(node, "keys")) {
			all[s.text(f)] = f
		}
		for _, f := range s.facts(get(edits, "absent")) {
			delete(all, s.text(f))
		}
		for _, f := range s.facts(get(edits, "present")) {
			all[s.text(f)] = f
		}
		return all
	}
	if edits == nil {
		edits = get(node, "slots")
	}
	for i, address := range list(addresses) {
		var below any
		if m, ok := edits.(fressian.Map); ok {
			for _, e := range m {
				if e.Key == int64(i) {
					below = get(e.Value, "diff")
				}
			}
		}
		for text, f := range s.node(s.at(address), below) {
			all[text] = f
		}
	}
	return all
}

func (s plainStore) text(f datom.Datom) string {
	text, err := datom.AppendText(nil, f)
	require.NoError(s.t, err)
	return string(text)
}

func (s plainStore) facts(v any) (facts []datom.Datom) {
	for _, v := range list(v) {
		d := list(v.(fressian.Tagged).Fields[0])
		require.Len(s.t, d, 5)
		facts = append(facts, datom.Datom{E: d[0].(int64), A: d[1], V: d[2], Tx: d[3].(int64), Added: d[4].(bool)})
	}
	return facts
}

func get(m any, name string) any {
	entries, _ := m.(fressian.Map)
	v, _ := entries.Get("", name)
	return v
}

func list(v any) []any {
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

func TestCurrentOnlyWithoutSchema(t *testing.T) {
	_, err := CurrentOnly(fressian.Map{})
	require.ErrorIs(t, err, graph.ErrCorrupt)
}

func digestOf(t *testing.T, facts []datom.Datom) (string, int64) {
	t.Helper()
	d := datom.NewDigest()
	defer d.Close()
	for _, f := range facts {
		require.NoError(t, d.Add(f))
	}
	sum, n, err := d.Sum()
	require.NoError(t, err)
	return sum, n
}
