package datoms

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/forge"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// head opens the main branch of a store.
func head(t *testing.T, r *Reader) datahike.Branch {
	t.Helper()
	heads, err := r.Dialect.Hold(t.Context(), getter(r), "")
	require.NoError(t, err)
	return heads.Main()
}

// inOrder are the datoms of a range, as one after the other comes.
func inOrder(t *testing.T, r *Reader, b datahike.Branch, tree graph.Tree, rg Range) (all []datom.Datom) {
	t.Helper()
	require.NoError(t, r.Scan(t.Context(), b.Head, tree, rg, func(some []datom.Datom) error {
		all = append(all, some...)
		return nil
	}))
	return all
}

// TestScan: on random trees with pending edits, all datoms come in order; from
// any leaf on, they are the rest; a range has all datoms within its bounds.
func TestScan(t *testing.T) {
	for seed := range uint64(3) {
		dir := filepath.Join(t.TempDir(), "db")
		db, err := sample.Create(dir, sample.Options{Seed: seed, Entities: 100, BranchingFactor: 8 << seed, DiffBuffer: 16 * int(seed), FuseRoots: seed == 1})
		require.NoError(t, err)
		for range 6 {
			require.NoError(t, db.Transact(30))
		}
		r := readerOf(dir, "")
		r.Workers = int(seed) * 2
		b := head(t, r)
		for _, tree := range b.Graph.Trees {
			if tree.Ref.Level != graph.Schema {
				checkScan(t, r, b, tree, rand.New(rand.NewPCG(seed, 1)))
			}
		}
	}
}

func checkScan(t *testing.T, r *Reader, b datahike.Branch, tree graph.Tree, rnd *rand.Rand) {
	all := inOrder(t, r, b, tree, Range{})
	assert.Len(t, all, int(tree.Count))
	index := indexOf(tree.Name)
	keys := make([]string, len(all))
	for i, d := range all {
		key, err := AppendKey(nil, index, d)
		require.NoError(t, err)
		keys[i] = string(key)
		require.True(t, i == 0 || keys[i-1] < keys[i], "%s: datom %d", tree.Name, i)
	}
	for range 10 {
		from, to := all[rnd.IntN(len(all))], all[rnd.IntN(len(all))]
		rg := Range{From: datom.AppendPrefix(nil, index, &from.E, from.A), To: datom.AppendPrefix(nil, index, &to.E, to.A)}
		found := map[string]bool{}
		for _, d := range inOrder(t, r, b, tree, rg) {
			key, err := AppendKey(nil, index, d)
			require.NoError(t, err)
			found[string(key)] = true
		}
		for _, key := range keys {
			if key >= string(rg.From) && key < string(rg.To) {
				require.True(t, found[key])
			}
		}
	}
	checkRuns(t, r, b, tree, all, rnd)
}

// checkRuns takes the leaves in runs, from one of them on.
func checkRuns(t *testing.T, r *Reader, b datahike.Branch, tree graph.Tree, all []datom.Datom, rnd *rand.Rand) {
	type part struct {
		run Run
		n   int // datoms
	}
	runs := func(rg Range) (parts []part) {
		require.NoError(t, ScanMap(t.Context(), r, b.Head, tree, rg, func(ctx context.Context, run *Run) (part, error) {
			p := part{run: *run}
			return p, run.Each(ctx, func(leaf Part) error {
				p.n += leaf.Len()
				return nil
			})
		}, func(p part) error {
			parts = append(parts, p)
			return nil
		}))
		return parts
	}
	leaves := runs(Range{})
	skip, size := rnd.IntN(len(leaves)+1), 1+rnd.IntN(5)
	passed := 0
	for _, p := range leaves[:skip] {
		passed += p.n
	}
	next := int64(skip)
	for _, p := range runs(Range{Skip: int64(skip), Run: size}) {
		assert.Equal(t, next, p.run.Leaf)
		assert.LessOrEqual(t, p.run.Leaves, size)
		next += int64(p.run.Leaves)
	}
	assert.EqualValues(t, len(leaves), next)
	assert.Equal(t, len(all)-passed, len(inOrder(t, r, b, tree, Range{Skip: int64(skip)})))
}

// TestScanCounts: where all leaves are read, they have what the root states.
func TestScanCounts(t *testing.T) {
	s := forge.New(t)
	tree := graph.Tree{Name: "eavt", Ref: graph.Ref{ID: datahike.AddressID(s.Branch(1, 3, s.Leaf(3))), Level: graph.Root}, Count: 3}
	r := readerOf(s.Dir, "")
	assert.Len(t, inOrder(t, r, datahike.Branch{}, tree, Range{}), 3)
	tree.Count = 4
	require.ErrorIs(t, r.Scan(t.Context(), graph.Held{}, tree, Range{}, func([]datom.Datom) error { return nil }), graph.ErrCorrupt)
}

// TestScanSkips: what is passed over is not read.
func TestScanSkips(t *testing.T) {
	s := forge.New(t)
	var children []fressian.UUID
	for range 20 {
		children = append(children, s.UUID()) // no such objects
	}
	children = append(children, s.Leaf(3))
	tree := graph.Tree{Name: "eavt", Ref: graph.Ref{ID: datahike.AddressID(s.Branch(1, 3, children...)), Level: graph.Root}, Count: -1}
	assert.Len(t, inOrder(t, readerOf(s.Dir, ""), datahike.Branch{}, tree, Range{Skip: 20}), 3)
	assert.Empty(t, inOrder(t, readerOf(s.Dir, ""), datahike.Branch{}, tree, Range{Skip: 21}))
	err := readerOf(s.Dir, "").Scan(t.Context(), graph.Held{}, tree, Range{Skip: 19}, func([]datom.Datom) error { return nil })
	require.ErrorIs(t, err, graph.ErrNotFound)
	require.ErrorContains(t, err, ":eavt")
}

// TestScanEnds: the error of work or of who listens comes back as it is, first
// come first, and no more is read than was under way.
func TestScanEnds(t *testing.T) {
	s := forge.New(t)
	leaf := s.Leaf(2)
	var children []fressian.UUID
	for range 400 {
		children = append(children, leaf)
	}
	tree := graph.Tree{Name: "eavt", Ref: graph.Ref{ID: datahike.AddressID(s.Branch(1, 800, children...)), Level: graph.Root}}
	r := readerOf(s.Dir, "")
	var gets atomic.Int64
	get := r.Get
	r.Get = func(ctx context.Context, id graph.ID, buf []byte) ([]byte, error) {
		gets.Add(1)
		return get(ctx, id, buf)
	}
	r.Workers = 4
	enough := errors.New("enough")
	for name, c := range map[string]struct{ work, fn int64 }{"work": {7, 1000}, "fn": {1000, 7}, "fn first": {8, 7}, "work first": {6, 7}} {
		gets.Store(0)
		var next int64
		err := ScanMap(t.Context(), r, graph.Held{}, tree, Range{}, func(ctx context.Context, run *Run) (int64, error) {
			if run.Leaf == c.work {
				return 0, fmt.Errorf("work: %w", enough)
			}
			return run.Leaf, run.Each(ctx, func(Part) error { return nil })
		}, func(leaf int64) error {
			assert.Equal(t, next, leaf, "in order")
			if next++; leaf == c.fn {
				return enough
			}
			return nil
		})
		require.ErrorIs(t, err, enough, name)
		assert.Equal(t, c.fn < c.work, err == enough, name)
		assert.LessOrEqual(t, gets.Load(), int64(1+8+3*4), name)
	}
}

// TestStaleKeys: persistent-sorted-set has left keys in inner nodes that an
// upsert has replaced: the same entity and attribute, another value and time.
func TestStaleKeys(t *testing.T) {
	row := func(e int64, v string, tx int64) fressian.Tagged {
		return forge.Tag("datahike.datom.Datom", []any{e, forge.K("name"), v, 1<<29 + tx, true})
	}
	s := forge.New(t)
	leaf := func(rows ...any) fressian.UUID {
		u := s.UUID()
		s.Put(u, forge.Tag("pss/leaf", forge.M("keys", rows)))
		return u
	}
	branch := forge.BranchValue(1, 4, leaf(row(1, "a", 1), row(2, "z", 9)), leaf(row(3, "b", 1), row(4, "a", 9)))
	branch.Fields[0] = forge.With(branch.Fields[0].(fressian.Map), "keys", []any{row(2, "a", 1), row(4, "z", 1)})
	root := s.UUID()
	s.Put(root, branch)
	tree := graph.Tree{Name: "eavt", Ref: graph.Ref{ID: datahike.AddressID(root), Level: graph.Root}}
	for e := int64(1); e <= 4; e++ {
		rg := Beginning(datom.AppendPrefix(nil, datom.EAVT, &e, forge.K("name")))
		all := inOrder(t, readerOf(s.Dir, ""), datahike.Branch{}, tree, rg)
		assert.Contains(t, []int64{all[0].E, all[1].E}, e)
	}
}

func TestBeginning(t *testing.T) {
	assert.Equal(t, Range{}, Beginning(nil))
	assert.Equal(t, Range{From: []byte{1, 2}, To: []byte{1, 3}}, Beginning([]byte{1, 2}))
	assert.Equal(t, Range{From: []byte{1, 0xff}, To: []byte{2}}, Beginning([]byte{1, 0xff}))
	assert.Equal(t, Range{From: []byte{0xff}}, Beginning([]byte{0xff}))
}

// FuzzScan: whatever an inner node says of its children, looking for some ends
// with datoms or an error of a class.
func FuzzScan(f *testing.F) {
	s := forge.New(f)
	leaf := s.Leaf(3)
	key := s.UUID()
	for _, v := range []fressian.Tagged{forge.BranchValue(1, 3, leaf), forge.BranchValue(1, 9, leaf, leaf, leaf)} {
		f.Add(s.Serialize(v), int64(2))
		v.Fields[0] = forge.With(v.Fields[0].(fressian.Map), "slots", slot(0, 2, diff([]any{forge.Datom(2, 1<<29+1)}, []any{forge.Datom(7, 1<<29)})))
		f.Add(s.Serialize(v), int64(7))
	}
	f.Fuzz(func(t *testing.T, value []byte, entity int64) {
		id := datahike.AddressID(key)
		blob := s.In(t).Seal(key, value)
		r := &Reader{Dialect: datahike.New(""), Get: func(_ context.Context, want graph.ID, _ []byte) ([]byte, error) {
			if want == id {
				return blob, nil
			}
			data, err := os.ReadFile(filepath.Join(s.Dir, string(want)))
			if err != nil {
				err = graph.ErrNotFound
			}
			return data, err
		}}
		tree := graph.Tree{Name: "eavt", Ref: graph.Ref{ID: id, Level: graph.Root}}
		rg := Beginning(datom.AppendPrefix(nil, datom.EAVT, &entity, nil))
		err := r.Scan(t.Context(), graph.Held{}, tree, rg, func([]datom.Datom) error { return nil })
		for _, class := range []error{nil, graph.ErrNotFound, graph.ErrCorrupt, graph.ErrUnsupported, graph.ErrTooLarge} {
			if errors.Is(err, class) {
				return
			}
		}
		t.Fatal(err)
	})
}
