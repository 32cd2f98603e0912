package build_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/sync/build"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/datoms"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// memory is a store.
type memory struct {
	mu    sync.Mutex
	blobs map[graph.ID][]byte
}

func newMemory() *memory { return &memory{blobs: map[graph.ID][]byte{}} }

func (m *memory) put(_ context.Context, id graph.ID, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.blobs[id] != nil {
		return fmt.Errorf("%s is written twice", id)
	}
	m.blobs[id] = data
	return nil
}

func (m *memory) get(_ context.Context, id graph.ID, _ []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.blobs[id] == nil {
		return nil, fmt.Errorf("%s: %w", id, graph.ErrNotFound)
	}
	return m.blobs[id], nil
}

// database is a value of a store.
type database struct {
	t       *testing.T
	dialect *datahike.Dialect
	get     func(ctx context.Context, id graph.ID, buf []byte) ([]byte, error)
	branch  datahike.Branch
}

func open(t *testing.T, key string, get func(ctx context.Context, id graph.ID, buf []byte) ([]byte, error)) database {
	d := database{t: t, dialect: datahike.New(key), get: get}
	heads, err := d.dialect.Hold(t.Context(), func(ctx context.Context, id graph.ID) ([]byte, error) { return get(ctx, id, nil) }, ":db")
	require.NoError(t, err)
	require.Len(t, heads.Branches, 1)
	d.branch = heads.Branches[0]
	return d
}

func fixtureDB(t *testing.T, name string) database {
	dir := fixture.Unpack(t, name)
	return open(t, fixture.Key(name), func(_ context.Context, id graph.ID, _ []byte) ([]byte, error) {
		return os.ReadFile(filepath.Join(dir, string(id)))
	})
}

func (d database) reader() *datoms.Reader {
	return &datoms.Reader{Dialect: d.dialect, Get: d.get, Workers: 2}
}

// index returns the datoms of an index.
func (d database) index(name string) (all []datom.Datom) {
	for _, tree := range d.branch.Graph.Trees {
		if tree.Name != name {
			continue
		}
		var mu sync.Mutex
		require.NoError(d.t, d.reader().Each(d.t.Context(), d.branch.Head, tree, func(p datoms.Part) error {
			mu.Lock()
			defer mu.Unlock()
			for i := range p.Len() {
				f, err := p.Fact(i)
				if err != nil {
					return err
				}
				all = append(all, f)
			}
			return nil
		}))
	}
	return all
}

func (d database) record() fressian.Map {
	m, err := d.dialect.Map(d.branch.Head.ID, d.branch.Head.Data)
	require.NoError(d.t, err)
	return m
}

func (d database) schema() fressian.Map {
	key, _ := d.record().Get("", "schema-meta-key")
	if key == nil {
		return d.record()
	}
	id := datahike.AddressID(key.(fressian.UUID))
	data, err := d.get(d.t.Context(), id, nil)
	require.NoError(d.t, err)
	m, err := d.dialect.Map(id, data)
	require.NoError(d.t, err)
	return m
}

func (d database) setting(name string) any { return d.branch.Config.Settings[name] }

// options are those with which a copy of the database is made.
func (d database) options(m *memory) build.Options {
	maxEid, _ := d.record().Get("", "max-eid")
	o := build.Options{
		History: d.setting("keep-history?") == true, Told: true, MaxTx: d.branch.MaxTx, MaxEid: maxEid.(int64),
		StoreID: fressian.UUID{1}, DatabaseID: fressian.UUID{2}, Store: fressian.Map{},
		Now: time.UnixMilli(1_795_000_000_000), Random: rand.NewChaCha8([32]byte{}), Put: m.put, Workers: 2,
	}
	if d.setting("attribute-refs?") == true {
		idents, _ := d.schema().Get("", "ref-ident-map")
		o.Refs = func(id int64) (k fressian.Keyword, ok bool) {
			for _, e := range idents.(fressian.Map) {
				if e.Key == any(id) {
					k, ok = e.Value.(fressian.Keyword)
				}
			}
			return k, ok
		}
	}
	return o
}

// copyOf builds the database anew.
func (d database) copyOf(told bool) (database, *build.Result) {
	m := newMemory()
	o := d.options(m)
	o.Told = told
	b, err := build.New(o)
	require.NoError(d.t, err)
	defer b.Close()
	a := b.Adder()
	defer a.Done()
	current := d.index("eavt")
	if told || !o.History {
		for _, f := range current {
			require.NoError(d.t, a.Add(f, build.Now))
		}
	}
	if o.History {
		apart, err := datoms.CurrentOnly(d.schema())
		require.NoError(d.t, err)
		for _, f := range d.index("temporal-eavt") {
			require.NoError(d.t, a.Add(f, build.Past))
		}
		for _, f := range current {
			if apart[f.A] {
				require.NoError(d.t, a.Add(f, build.Past))
			}
		}
	}
	r, err := b.Finish(d.t.Context())
	require.NoError(d.t, err)
	for _, h := range r.Heads {
		require.NoError(d.t, m.put(d.t.Context(), h.ID, h.Data))
	}
	return open(d.t, "", m.get), r
}

// TestCopiesOfRealStores: every index of every store that the real Datahike
// wrote has the same datoms when it was built anew.
func TestCopiesOfRealStores(t *testing.T) {
	for _, name := range fixture.Names() {
		t.Run(name, func(t *testing.T) {
			d := fixtureDB(t, name)
			c, r := d.copyOf(true)
			for _, tree := range c.branch.Graph.Trees {
				if tree.Name == "schema" {
					continue
				}
				want, got := d.index(tree.Name), c.index(tree.Name)
				assert.Len(t, got, int(tree.Count), tree.Name)
				assert.Equal(t, lines(t, want), lines(t, got), tree.Name)
			}
			assert.Equal(t, len(d.branch.Graph.Trees), len(c.branch.Graph.Trees))
			assert.EqualValues(t, r.Datoms, len(c.index("eavt")))
		})
	}
}

// lines are the texts of datoms, sorted.
func lines(t *testing.T, all []datom.Datom) (texts []string) {
	for _, f := range all {
		text, err := datom.AppendText(nil, f)
		require.NoError(t, err)
		texts = append(texts, string(text))
	}
	slices.Sort(texts)
	return texts
}

// TestRecordsOfRealStores: what the records and schemas say is what Datahike has
// written, but for ids, times and counts of operations.
func TestRecordsOfRealStores(t *testing.T) {
	for _, name := range fixture.Names() {
		if strings.HasPrefix(name, "z-legacy") {
			continue // from before there were schema blobs as they are now
		}
		t.Run(name, func(t *testing.T) {
			d := fixtureDB(t, name)
			c, _ := d.copyOf(true)
			want, got := d.record(), c.record()
			for _, field := range []string{"max-tx", "max-eid", "schema-meta-key", "hash"} {
				if name == "g-storeref" && field == "hash" {
					continue
				}
				assert.Equal(t, of(want, field), of(got, field), field)
			}
			if !assert.Equal(t, of(want, "schema-meta-key"), of(got, "schema-meta-key")) {
				assert.Equal(t, plain(d.schema()), plain(c.schema()))
			}
			assert.Subset(t, keys(want), keys(got))
			assert.Subset(t, keys(of(want, "config")), keys(of(got, "config")))
			assert.Subset(t, append(keys(of(want, "meta")), ":datahike/updated-at"), keys(of(got, "meta")))
			for _, tree := range []string{"eavt", "temporal-avet"} {
				if key, ok := of(want, tree+"-key").(fressian.Tagged); ok {
					mine := of(got, tree+"-key").(fressian.Tagged)
					assert.Equal(t, key.Tag, mine.Tag)
					assert.ElementsMatch(t, keys(key.Fields[0]), keys(mine.Fields[0]))
					assert.Equal(t, of(key.Fields[0], "count"), of(mine.Fields[0], "count"))
					assert.ElementsMatch(t, keys(of(key.Fields[0], "meta")), keys(of(mine.Fields[0], "meta")))
				}
			}
		})
	}
}

func of(m any, field string) any {
	v, _ := m.(fressian.Map).Get("", field)
	return v
}

func keys(m any) (names []string) {
	for _, e := range m.(fressian.Map) {
		k := e.Key.(fressian.Keyword)
		names = append(names, strings.TrimPrefix(":"+k.NS+"/"+k.Name, ":/"))
	}
	return names
}

// plain is a value whose maps and sets can be compared.
func plain(v any) any {
	switch v := v.(type) {
	case fressian.Map:
		m := map[string]any{}
		for _, e := range v {
			m[fmt.Sprint(e.Key)] = plain(e.Value)
		}
		return m
	case fressian.Set:
		m := map[string]bool{}
		for _, e := range v {
			m[fmt.Sprint(e)] = true
		}
		return m
	}
	return v
}
