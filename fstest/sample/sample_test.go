package sample

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// make64 makes a database with trees of some height.
func make64(t *testing.T, o Options) *DB {
	t.Helper()
	if o.BranchingFactor == 0 {
		o.BranchingFactor = 64
	}
	db, err := Create(t.TempDir(), o)
	require.NoError(t, err)
	return db
}

// busy is a database that has been through everything.
func busy(t *testing.T, o Options) *DB {
	t.Helper()
	db := make64(t, o)
	for range 3 {
		require.NoError(t, db.Transact(5))
	}
	require.NoError(t, db.Branch(":my.ns/feature", ":db"))
	require.NoError(t, db.Branch(":doomed", ":db"))
	require.NoError(t, db.OnBranch(":my.ns/feature").Transact(8))
	require.NoError(t, db.OnBranch(":doomed").Transact(5))
	require.NoError(t, db.DeleteBranch(":doomed"))
	require.NoError(t, db.OnBranch(":my.ns/feature").Declare("email"))
	require.NoError(t, db.Transact(5))
	return db
}

func variants(t *testing.T, f func(t *testing.T, o Options)) {
	for name, o := range map[string]Options{
		"default": {}, "without history": {NoHistory: true}, "content hashes": {CryptoHash: true},
		"values of their own": {StoreRefs: true}, "fused roots": {FuseRoots: true, StoreRefs: true, NoHistory: true},
		"diff buffer":     {DiffBuffer: 6, BranchingFactor: 8, StoreRefs: true}, // edits at several levels
		"no commit graph": {NoCommitGraph: true, NoHistory: true}, "online gc": {OnlineGC: true},
	} {
		o.Seed, o.Entities = 7, 100
		if o.DiffBuffer > 0 {
			o.Entities = 40 // more nodes of eight datoms prove no more
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, o)
		})
	}
}

// past tells whether commits before the heads count.
func (o Options) past() bool { return !o.NoCommitGraph && !o.OnlineGC }

// reader walks a store with the product's reader of records and nodes.
type reader struct {
	t       *testing.T
	dir     string
	dialect *datahike.Dialect
	seen    map[graph.ID]bool
	datoms  int64 // in the leaves of the tree that is walked
	pending bool  // inner nodes hold edits, so leaves cannot be counted
	reused  bool  // addresses are, so that earlier commits mean nothing
}

func newReader(t *testing.T, db *DB) *reader {
	return &reader{
		t: t, dir: db.dir, dialect: datahike.New(""), seen: map[graph.ID]bool{}, pending: db.o.DiffBuffer > 0, reused: db.o.OnlineGC,
	}
}

func (r *reader) get(_ context.Context, id graph.ID) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(r.dir, string(id)))
	if os.IsNotExist(err) {
		err = graph.ErrNotFound
	}
	return data, err
}

func (r *reader) must(id graph.ID) []byte {
	data, err := r.get(context.Background(), id)
	require.NoError(r.t, err)
	r.seen[id] = true
	return data
}

func (r *reader) commits(g graph.Record) {
	for _, tree := range g.Trees {
		r.datoms = 0
		r.root(tree)
		if tree.Ref.Level == graph.Root && !r.pending {
			require.Equal(r.t, tree.Count, r.datoms, tree.Name)
		}
	}
	for _, id := range g.Parents {
		if r.reused {
			break
		}
		if _, err := r.get(context.Background(), id); err == nil {
			rec, err := r.dialect.Record(id, r.must(id))
			require.NoError(r.t, err)
			r.commits(rec.Graph)
		}
	}
}

// root reads a tree, whose root the record may hold itself.
func (r *reader) root(tree graph.Tree) {
	if tree.Inline == nil {
		r.tree(tree.Ref)
		return
	}
	for _, c := range tree.Inline.Children {
		r.tree(c)
	}
	if tree.Inline.Level == graph.Leaf {
		r.datoms += tree.Inline.Count
	}
}

func (r *reader) tree(ref graph.Ref) {
	data := r.must(ref.ID)
	n, _, err := r.dialect.DecodeDeep(ref, data)
	require.NoError(r.t, err)
	if n.Level == graph.Leaf {
		r.datoms += n.Count
	}
	before := r.datoms
	for _, c := range n.Children {
		r.tree(c)
	}
	if n.Level > graph.Leaf && !r.pending {
		require.Equal(r.t, n.Count, r.datoms-before)
	}
}

// branches walks all branches and returns what each has to be.
func (r *reader) branches() map[string]Facts {
	heads, err := r.dialect.Hold(context.Background(), r.get, "")
	require.NoError(r.t, err)
	facts := map[string]Facts{}
	for _, b := range heads.Branches {
		all := r.seen
		r.seen = map[graph.ID]bool{b.Head.ID: true}
		if b.Config.CommitGraph {
			r.must(datahike.AddressID(b.Commit))
		}
		r.commits(b.Graph)
		f := Facts{MaxTx: b.MaxTx, Datoms: map[string]int64{}, Segments: len(r.seen)}
		for _, tree := range b.Graph.Trees {
			if tree.Ref.Level == graph.Root {
				f.Datoms[tree.Name] = tree.Count
			}
		}
		facts[b.Name] = f
		maps.Copy(r.seen, all)
	}
	return facts
}

// The product finds in the files what the model says.
func TestProductReadsWhatTheModelSays(t *testing.T) {
	variants(t, func(t *testing.T, o Options) {
		db := busy(t, o)
		r := newReader(t, db)
		r.seen[datahike.BranchesID()] = true
		got, want := r.branches(), db.Facts()
		for name, f := range want {
			if o.past() {
				assert.Len(t, f.Commits, int(f.MaxTx-tx0+1))
			}
			f.Commits = nil
			one := &DB{o: db.o, branches: []*Branch{db.OnBranch(name)}, commits: db.commits, stored: db.stored}
			f.Segments -= len(one.Files())
			want[name] = f
		}
		require.Len(t, want, 2)
		assert.Equal(t, want, got)
		var names []string
		for id := range r.seen {
			names = append(names, string(id))
		}
		// The files are for the engine's tests: here is no reader for them.
		assert.ElementsMatch(t, db.Reachable(), append(names, db.Files()...))
	})
}

func TestNodesKeepTheirLimits(t *testing.T) {
	variants(t, func(t *testing.T, o Options) {
		for _, b := range busy(t, o).branches {
			for _, tr := range b.head.trees {
				assert.Positive(t, tr.root.level)
				checkNode(t, tr, tr.root)
			}
		}
	})
}

// The indexes agree with one another, and history has both ends of all that
// ended.
func TestIndexesAgree(t *testing.T) {
	v := busy(t, Options{Entities: 150}).branches[0].head
	all := func(i int) (in []*datom) {
		v.trees[i].root.ascend(func(*datom) bool { return true }, func(d *datom) bool { in = append(in, d); return true })
		return in
	}
	for from := 0; from < len(v.trees); from += temporal {
		sorted := all(from + int(eavt))
		assert.Equal(t, all(from+int(aevt)), byAttribute(sorted))
		assert.Equal(t, all(from+int(avet)), sortedIndexed(byAttribute(sorted)))
	}
	ended := 0
	var last *datom
	for _, d := range all(temporal + int(eavt)) {
		assert.False(t, d.a.noHistory)
		if !d.added {
			ended++
			require.True(t, last.added && last.e == d.e && last.a == d.a && last.v == d.v && last.tx < d.tx)
			assert.False(t, v.trees[eavt].has(last), "what ended is not current")
		}
		last = d
	}
	assert.Greater(t, ended, 10)
	for _, d := range all(int(eavt)) {
		if !d.a.many && !d.a.noHistory {
			assert.Len(t, v.find(d.e, d.a), 1)
			assert.True(t, v.trees[temporal+int(eavt)].has(d))
		}
	}
}

func TestSameSeedSameFiles(t *testing.T) {
	variants(t, func(t *testing.T, o Options) {
		first, again := content(t, busy(t, o).dir), content(t, busy(t, o).dir)
		require.Equal(t, first, again)
		one := make64(t, o)
		o.Seed++
		assert.NotEqual(t, content(t, one.dir), content(t, make64(t, o).dir))
	})
}

// Each commit is written in Datahike's order.
func TestOrderOfWriting(t *testing.T) {
	db := make64(t, Options{Entities: 200})
	require.NoError(t, db.Transact(5))
	s := read(t, db.dir)
	records := s.records()
	var before fressian.Inst
	for _, r := range records[:len(records)-1] {
		commit := s.objects[get(r, "meta", "datahike/commit-id")].meta
		schemaWritten := s.objects[get(r, "schema-meta-key")].meta.LastWrite
		s.nodes(r, func(_ string, o stored, _ *node) {
			assert.Greater(t, o.meta.LastWrite, schemaWritten)
			assert.Less(t, o.meta.LastWrite, commit.LastWrite)
			assert.True(t, o.meta.Immutable)
		})
		assert.Greater(t, commit.LastWrite, before)
		before = commit.LastWrite
	}
	head := s.objects[kw("", "db")].meta
	assert.Greater(t, head.LastWrite, before)
	assert.False(t, head.Immutable)
	assert.False(t, s.objects[kw("", "branches")].meta.Immutable)
}

// A collection leaves exactly what is reachable, and the database goes on.
func TestGC(t *testing.T) {
	variants(t, func(t *testing.T, o Options) {
		db := busy(t, o)
		doomed := keyName(kw("", "doomed"))
		require.Contains(t, content(t, db.dir), doomed)
		reachable := db.Reachable()
		require.NoError(t, db.GC(true))
		assert.Equal(t, reachable, names(t, db.dir))
		assert.NotContains(t, names(t, db.dir), doomed)

		require.NoError(t, db.GC(false))
		past := o.past()
		if past {
			assert.Less(t, len(db.Reachable()), len(reachable))
		}
		assert.Equal(t, db.Reachable(), names(t, db.dir))
		assert.Equal(t, []string{hasch.String(db.branches[0].head.commit)}, db.Facts()[":db"].Commits)

		require.NoError(t, db.Transact(5))
		if past {
			assert.Len(t, db.Facts()[":db"].Commits, 2)
		}
		assert.Len(t, newReader(t, db).branches(), 2)
	})
}

func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	db, err := Create(dir, Options{})
	require.NoError(t, err)
	_, err = Create(dir, Options{})
	require.ErrorContains(t, err, "not an empty directory")
	_, err = Create(t.TempDir(), Options{BranchingFactor: 3})
	require.Error(t, err)
	require.ErrorContains(t, db.Branch("db", ":db"), "exists")
	assert.Panics(t, func() { db.OnBranch(":none") })
}

func names(t *testing.T, dir string) []string { return slices.Sorted(maps.Keys(content(t, dir))) }

func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	m := map[string]string{}
	for _, f := range list {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		m[f.Name()] = string(data)
	}
	return m
}
