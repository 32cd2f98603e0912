package datoms

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/forge"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

func readerOf(dir, key string) *Reader {
	return &Reader{Dialect: datahike.New(key), Workers: 2, Get: func(_ context.Context, id graph.ID, _ []byte) ([]byte, error) {
		data, err := os.ReadFile(filepath.Join(dir, string(id)))
		if os.IsNotExist(err) {
			err = graph.ErrNotFound
		}
		return data, err
	}}
}

// TestTreesOfRealStores: read as segments, the datoms have the digests that
// the real Datahike reports, and every tree has as many as its record states.
func TestTreesOfRealStores(t *testing.T) {
	for _, name := range fixture.Names() {
		t.Run(name, func(t *testing.T) {
			dir := fixture.Unpack(t, name)
			r := readerOf(dir, fixture.Key(name))
			heads, err := r.Dialect.Hold(t.Context(), getter(r), "")
			require.NoError(t, err)
			branches := fixture.Expected(t, name).ByBranch
			require.Len(t, heads.Branches, len(branches))
			for _, b := range heads.Branches {
				checkTrees(t, r, b, branches[b.Name], plainStore{t: t, dir: dir, codec: konserve.NewCodec(fixture.Key(name))})
			}
		})
	}
}

func checkTrees(t *testing.T, r *Reader, b datahike.Branch, want fixture.Branch, s plainStore) {
	currentOnly, err := CurrentOnly(s.value(b.SchemaID).(fressian.Map))
	require.NoError(t, err)
	current, history := datom.NewDigest(), datom.NewDigest()
	defer current.Close()
	defer history.Close()
	for _, tree := range b.Graph.Trees {
		if tree.Ref.Level == graph.Schema {
			continue
		}
		n, err := r.Count(t.Context(), b.Head, tree)
		require.NoError(t, err)
		if tree.Count >= 0 {
			assert.Equal(t, tree.Count, n, tree.Name)
		}
		require.NoError(t, r.Each(t.Context(), b.Head, tree, func(p Part) error {
			for i := range p.Len() {
				f, err := p.Fact(i)
				if err == nil && tree.Name == "eavt" {
					err = current.Add(f)
				}
				if err == nil && (tree.Name == "temporal-eavt" || tree.Name == "eavt" && currentOnly[f.A]) {
					err = history.Add(f)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}))
	}
	sum, n, err := current.Sum()
	require.NoError(t, err)
	assert.Equal(t, want.DatomsCurrent, n)
	assert.Equal(t, want.CurrentSHA256, sum)
	if want.HistorySHA256 != "" {
		sum, n, err = history.Sum()
		require.NoError(t, err)
		assert.Equal(t, want.DatomsHistory, n)
		assert.Equal(t, want.HistorySHA256, sum)
	}
}

// edited is a tree of two levels of inner nodes, one child each, above a leaf
// of entities 1 to 3. slots are those of the root, own those of the node
// below it.
func edited(s *forge.Store, slots, own any) graph.Tree {
	branch := func(level, count int, slots any, kid fressian.UUID) fressian.UUID {
		v := forge.BranchValue(level, count, kid)
		v.Fields[0] = forge.With(v.Fields[0].(fressian.Map), "slots", slots)
		u := s.UUID()
		s.Put(u, v)
		return u
	}
	root := branch(2, 3, slots, branch(1, 3, own, s.Leaf(3)))
	return graph.Tree{Name: "eavt", Ref: graph.Ref{ID: datahike.AddressID(root), Level: graph.Root}}
}

func slot(index, count int64, diff any) fressian.Map {
	return fressian.Map{{Key: index, Value: forge.M("count", count, "measure", nil, "max-key", forge.Datom(9, 1<<29+1), "diff", diff)}}
}

func diff(absent, present []any) fressian.Map {
	return forge.M("absent", fressian.Vector(absent), "present", fressian.Vector(present))
}

// entities are those of a tree's datoms and their transactions.
func entities(t *testing.T, s *forge.Store, tree graph.Tree) (found []string, err error) {
	r := readerOf(s.Dir, "")
	r.Workers = 0 // so that found needs no lock
	err = r.Each(t.Context(), graph.Held{}, tree, func(p Part) error {
		for i := range p.Len() {
			f, err := p.Fact(i)
			if err != nil {
				return err
			}
			found = append(found, fmt.Sprint(f.E, "@", f.Tx-1<<29))
		}
		return nil
	})
	return found, err
}

// TestPendingEdits: absent ones go before present ones come; what a root has
// for a grandchild takes the place of what the node between has for it.
func TestPendingEdits(t *testing.T) {
	own := slot(0, 3, diff([]any{forge.Datom(2, 1<<29+1)}, []any{forge.Datom(2, 1<<29+7)}))
	other := slot(0, 0, slot(0, 4, diff(nil, []any{forge.Datom(3, 1<<29+1), forge.Datom(8, 1<<29+5)})))
	for name, c := range map[string]struct {
		slots, own any
		want       []string
	}{
		"none":             {nil, fressian.Map{}, []string{"1@1", "2@1", "3@1"}},
		"of a leaf":        {nil, own, []string{"1@1", "3@1", "2@7"}},
		"of a grandchild":  {other, nil, []string{"1@1", "2@1", "3@1", "8@5"}},
		"of both":          {other, own, []string{"1@1", "2@1", "3@1", "8@5"}},
		"none in place of": {slot(0, 3, fressian.Map{}), own, []string{"1@1", "2@1", "3@1"}},
		"all gone":         {nil, slot(0, 0, diff([]any{forge.Datom(1, 1<<29+1), forge.Datom(2, 1<<29+1), forge.Datom(3, 1<<29+1)}, nil)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := forge.New(t)
			found, err := entities(t, s, edited(s, c.slots, c.own))
			require.NoError(t, err)
			assert.ElementsMatch(t, c.want, found)
		})
	}
}

func TestEditsThatDoNotFit(t *testing.T) {
	for name, c := range map[string]struct{ slots, own any }{
		"count":                 {nil, slot(0, 4, diff([]any{forge.Datom(2, 1<<29+1)}, nil))},
		"absent before":         {nil, slot(0, 2, diff([]any{forge.Datom(2, 1<<29+2)}, nil))},
		"child":                 {nil, slot(1, 3, diff(nil, nil))},
		"child of a child":      {slot(0, 3, slot(1, 3, diff(nil, nil))), nil},
		"leaf's edits too high": {slot(0, 3, diff(nil, nil)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := forge.New(t)
			tree := edited(s, c.slots, c.own)
			_, err := entities(t, s, tree)
			require.ErrorIs(t, err, graph.ErrCorrupt)
			require.ErrorContains(t, err, ".ksv")
		})
	}
}

// TestDamagedTrees: what is missing, or stands at a wrong level, is named.
func TestDamagedTrees(t *testing.T) {
	tree := func(u fressian.UUID) graph.Tree {
		return graph.Tree{Name: "avet", Ref: graph.Ref{ID: datahike.AddressID(u), Level: graph.Root}}
	}
	s := forge.New(t)
	gone, leaf := s.UUID(), s.Leaf(1)
	_, err := entities(t, s, tree(s.Branch(1, 2, leaf, gone)))
	require.ErrorIs(t, err, graph.ErrNotFound)
	require.ErrorContains(t, err, string(datahike.AddressID(gone)))
	require.ErrorContains(t, err, ":avet")

	_, err = entities(t, s, tree(gone))
	require.ErrorIs(t, err, graph.ErrNotFound)

	_, err = entities(t, s, tree(s.Branch(2, 1, leaf)))
	require.ErrorIs(t, err, graph.ErrCorrupt)
	require.ErrorContains(t, err, string(datahike.AddressID(leaf)))

	low := s.Branch(1, 1, leaf)
	_, err = entities(t, s, tree(s.Branch(1, 1, low)))
	require.ErrorIs(t, err, graph.ErrCorrupt)
	require.ErrorContains(t, err, string(datahike.AddressID(low)))
}

// TestInlineRoots: a record may hold a leaf or an inner node with edits.
func TestInlineRoots(t *testing.T) {
	s := forge.New(t)
	id := s.UUID()
	branch := forge.BranchValue(1, 3, s.Leaf(3))
	branch.Fields[0] = forge.With(branch.Fields[0].(fressian.Map), "slots", slot(0, 2, diff([]any{forge.Datom(2, 1<<29+1)}, nil)))
	rec := forge.With(s.Record(id, 3, nil, map[string]fressian.Tagged{"eavt": forge.Index(s.UUID(), 2), "aevt": forge.Index(s.UUID(), 4)}),
		"eavt-root", branch, "aevt-root", forge.LeafValue(4))
	s.Commit(id, rec)
	r := readerOf(s.Dir, "")
	held := graph.Held{ID: datahike.AddressID(id), Data: s.Read(string(datahike.AddressID(id)))}
	parsed, err := r.Dialect.Record(held.ID, held.Data)
	require.NoError(t, err)
	require.Len(t, parsed.Graph.Trees, 2)
	for _, tree := range parsed.Graph.Trees {
		require.NotNil(t, tree.Inline)
		n, err := r.Count(t.Context(), held, tree)
		require.NoError(t, err)
		assert.Equal(t, tree.Count, n, tree.Name)
	}
	parsed.Graph.Trees[0].Name = "avet"
	_, err = r.Count(t.Context(), held, parsed.Graph.Trees[0])
	require.ErrorIs(t, err, graph.ErrCorrupt)
}

// getter is a Reader's Get for those who keep what they get.
func getter(r *Reader) datahike.Getter {
	return func(ctx context.Context, id graph.ID) ([]byte, error) { return r.Get(ctx, id, nil) }
}
