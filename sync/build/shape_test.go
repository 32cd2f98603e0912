package build_test

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/build"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// built is a database of what fill adds, with history.
func built(t *testing.T, factor int, fill func(a *build.Adder) error) database {
	m := newMemory()
	b, err := build.New(build.Options{
		History: true, BranchingFactor: factor, Store: fressian.Map{},
		Now: time.UnixMilli(1_795_000_000_000), Random: rand.NewChaCha8([32]byte{}), Put: m.put, Workers: 2,
	})
	require.NoError(t, err)
	defer b.Close()
	require.NoError(t, fill(b.Adder()))
	r, err := b.Finish(t.Context())
	require.NoError(t, err)
	for _, h := range r.Heads {
		require.NoError(t, m.put(t.Context(), h.ID, h.Data))
	}
	return open(t, "", m.get)
}

var codec = konserve.NewCodec("")

// shape walks an index: every node must be between half full and full, but for
// the root; every inner node must state the greatest datoms and the counts of
// those below it; and the datoms must be in the index's order.
type shape struct {
	database
	index  datom.Index
	factor int
	keys   [][]byte
}

func (s *shape) node(address any, root bool) (level int64, last fressian.Vector, count int64) {
	id := datahike.AddressID(address.(fressian.UUID))
	data, err := s.get(s.t.Context(), id, nil)
	require.NoError(s.t, err)
	v := s.value(data).(fressian.Tagged)
	fields := v.Fields[0]
	assert.EqualValues(s.t, s.factor, of(fields, "branching-factor"))
	assert.EqualValues(s.t, 0, of(fields, "diff-buf-size"))
	datoms := of(fields, "keys").(fressian.Vector)
	assert.LessOrEqual(s.t, len(datoms), s.factor)
	if !root {
		assert.GreaterOrEqual(s.t, len(datoms), s.factor/2)
	}
	if v.Tag == "pss/leaf" {
		for _, d := range datoms {
			last = d.(fressian.Tagged).Fields[0].(fressian.Vector)
			key, err := datom.AppendKey(nil, s.index, datom.Datom{E: last[0].(int64), A: last[1], V: last[2], Tx: last[3].(int64), Added: last[4].(bool)})
			require.NoError(s.t, err)
			s.keys = append(s.keys, key)
		}
		return 0, last, int64(len(datoms))
	}
	require.Equal(s.t, "pss/branch", v.Tag)
	addresses := of(fields, "addresses").(fressian.Vector)
	require.Len(s.t, addresses, len(datoms))
	for i, a := range addresses {
		below, greatest, n := s.node(a, false)
		assert.Equal(s.t, of(fields, "level"), below+1)
		last = datoms[i].(fressian.Tagged).Fields[0].(fressian.Vector)
		assert.Equal(s.t, greatest, last)
		count += n
	}
	assert.Equal(s.t, of(fields, "subtree-count"), count)
	return of(fields, "level").(int64), last, count
}

func (d database) value(data []byte) any {
	blob, err := codec.Open(data)
	require.NoError(d.t, err)
	assert.True(d.t, blob.Meta.Immutable)
	v, err := fressian.Decode(blob.Value)
	require.NoError(d.t, err)
	return v
}

func TestShape(t *testing.T) {
	for _, c := range []struct{ factor, people, levels int }{
		{512, 0, 0}, {512, 60, 0}, {512, 75, 1}, {512, 5000, 1}, {4, 1, 2}, {4, 9, 3}, {5, 200, 5}, {16, 1000, 3}, {32, 333, 2},
	} {
		d := built(t, c.factor, func(a *build.Adder) error {
			return people(c.people, func(f datom.Datom) error { return a.Add(f, build.Past) })
		})
		for _, name := range []string{"eavt", "aevt", "avet", "temporal-eavt", "temporal-aevt", "temporal-avet"} {
			index, _ := strings.CutPrefix(name, "temporal-")
			s := shape{database: d, index: datom.Index(index), factor: c.factor}
			root := of(d.record(), name+"-key").(fressian.Tagged).Fields[0]
			level, _, count := s.node(of(root, "address"), true)
			assert.Equal(t, of(root, "count"), count, name)
			assert.IsIncreasing(t, texts(s.keys), name)
			assert.Equal(t, of(of(d.record(), "merkle-roots"), name+"-key"), of(root, "address"))
			if name == "eavt" && assert.EqualValues(t, c.levels, level, "%+v", c) && c.people > 0 {
				assert.EqualValues(t, 23+7*c.people, count)
			}
		}
	}
}

func texts(keys [][]byte) (all []string) {
	for _, k := range keys {
		all = append(all, string(k))
	}
	return all
}

// TestFold: what is true at the end is what a history asserted last.
func TestFold(t *testing.T) {
	for _, name := range []string{"a-default", "h-gen3", "e-branches", "i-attrrefs", "g2-storeref"} {
		d := fixtureDB(t, name)
		c, _ := d.copyOf(false)
		for _, index := range []string{"eavt", "aevt", "avet", "temporal-eavt", "temporal-aevt", "temporal-avet"} {
			assert.Equal(t, lines(t, d.index(index)), lines(t, c.index(index)), "%s %s", name, index)
		}
	}
}

// TestSameValueTwice: a fact that ends and comes again has four datoms in
// history; of cardinality many the newest is not there.
func TestSameValueTwice(t *testing.T) {
	const tx = 0x20000001
	one, many := kw("p", "one"), kw("p", "many")
	var all []datom.Datom
	for i, a := range []fressian.Keyword{one, many} {
		e := int64(i + 1)
		all = append(all,
			datom.Datom{E: e, A: kw("db", "ident"), V: a, Tx: tx, Added: true},
			datom.Datom{E: e, A: kw("db", "cardinality"), V: kw("db.cardinality", a.Name), Tx: tx, Added: true})
		for n := range int64(4) {
			all = append(all, datom.Datom{E: 9, A: a, V: "again", Tx: tx + n, Added: n%2 == 0}, datom.Datom{E: 10, A: a, V: "still", Tx: tx + n/2*2, Added: true})
		}
		all = append(all, datom.Datom{E: 9, A: a, V: "again", Tx: tx + 4, Added: true})
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	d := built(t, 0, func(a *build.Adder) error {
		for _, f := range all {
			if err := a.Add(f, build.Past); err != nil {
				return err
			}
		}
		return nil
	})
	about := func(index string, a fressian.Keyword) (texts []string) {
		for _, text := range lines(t, d.index(index)) {
			if strings.Contains(text, ":p/"+a.Name+" ") && !strings.Contains(text, "ident") {
				texts = append(texts, text)
			}
		}
		return texts
	}
	assert.Equal(t, []string{`[10 :p/one "still" 536870915 true]`, `[9 :p/one "again" 536870917 true]`}, about("eavt", one))
	assert.Equal(t, []string{`[10 :p/many "still" 536870915 true]`, `[9 :p/many "again" 536870917 true]`}, about("eavt", many))
	assert.Len(t, about("temporal-eavt", one), 2+5)
	assert.Len(t, about("temporal-eavt", many), 1+4)
}

// TestTwoForOne: datoms that Datahike's order does not tell apart cannot be in
// one index; which of them is wanted nobody knows.
func TestTwoForOne(t *testing.T) {
	b, err := build.New(build.Options{Store: fressian.Map{}, Random: bytes.NewReader(nil), Put: newMemory().put, AnyAttribute: true})
	require.NoError(t, err)
	defer b.Close()
	for _, v := range []any{0.0, int64(0)} {
		require.NoError(t, b.Adder().Add(datom.Datom{E: 7, A: kw("p", "n"), V: v, Tx: 0x20000001, Added: true}, build.Now))
	}
	_, err = b.Finish(t.Context())
	require.ErrorIs(t, err, build.ErrRefused)
	require.ErrorIs(t, err, build.ErrSame)
	assert.ErrorContains(t, err, "entity 7, attribute :p/n")
}

// TestRetractionNow: what is true now has no retractions.
func TestRetractionNow(t *testing.T) {
	b, err := build.New(build.Options{})
	require.NoError(t, err)
	defer b.Close()
	gone := datom.Datom{E: 7, A: kw("p", "n"), V: "x", Tx: 0x20000001}
	require.ErrorIs(t, b.Adder().Add(gone, build.Now), build.ErrRefused)
	require.NoError(t, b.Adder().Add(gone, build.Past))
}

// TestBeyond: what a source says of its newest transaction and its greatest
// entity is not believed further than Datahike counts.
func TestBeyond(t *testing.T) {
	for _, o := range []build.Options{{MaxTx: 1 << 31}, {MaxTx: math.MaxInt64}, {MaxEid: 1 << 29}} {
		_, err := build.New(o)
		require.ErrorIs(t, err, build.ErrRefused)
	}
	b, err := build.New(build.Options{MaxTx: 1<<31 - 1, MaxEid: 1<<29 - 1})
	require.NoError(t, err)
	b.Close()
}

// TestFailingPut: the error of a write ends the building.
func TestFailingPut(t *testing.T) {
	var puts atomic.Int64
	b, err := build.New(build.Options{
		Store: fressian.Map{}, Random: rand.NewChaCha8([32]byte{}), Workers: 2, BranchingFactor: 8,
		Put: func(context.Context, graph.ID, []byte) error {
			if puts.Add(1) == 30 {
				return graph.ErrTooLarge
			}
			return nil
		},
	})
	require.NoError(t, err)
	defer b.Close()
	a := b.Adder()
	require.NoError(t, people(500, func(f datom.Datom) error { return a.Add(f, build.Now) }))
	_, err = b.Finish(t.Context())
	require.ErrorIs(t, err, graph.ErrTooLarge)
}

// TestMemory: ten times the datoms take no more memory.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a large database")
	}
	peak := func(count int) (most uint64) {
		var m runtime.MemStats
		puts := 0
		b, err := build.New(build.Options{
			History: true, Store: fressian.Map{}, Random: rand.NewChaCha8([32]byte{}), Workers: 1,
			Put: func(context.Context, graph.ID, []byte) error {
				if puts++; puts%512 == 0 {
					runtime.GC()
					runtime.ReadMemStats(&m)
					most = max(most, m.HeapAlloc)
				}
				return nil
			},
		})
		require.NoError(t, err)
		defer b.Close()
		a := b.Adder()
		require.NoError(t, people(count, func(f datom.Datom) error { return a.Add(f, build.Past) }))
		_, err = b.Finish(t.Context())
		require.NoError(t, err)
		return most
	}
	few, many := peak(40_000), peak(160_000)
	t.Logf("%d MiB, %d MiB", few>>20, many>>20)
	assert.Less(t, many, few+16<<20)
}
