package build_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/build"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// kinds make a value of each type.
var kinds = []func(r *rand.Rand) any{
	func(r *rand.Rand) any { return r.Int64() - r.Int64() },
	func(r *rand.Rand) any { return int64(r.IntN(3)) },
	func(r *rand.Rand) any { return r.NormFloat64() },
	func(r *rand.Rand) any { return float32(r.NormFloat64()) },
	func(r *rand.Rand) any { return r.IntN(2) == 0 },
	func(r *rand.Rand) any { return string([]rune{'x', rune(r.IntN(0xd800)), 0x1f600}[:1+r.IntN(3)]) },
	func(r *rand.Rand) any { return "lone \xed\xa0\xbd" },
	func(r *rand.Rand) any { return kw("", fmt.Sprint("k", r.IntN(9))) },
	func(r *rand.Rand) any { return kw("some", fmt.Sprint("k", r.IntN(3000))) },
	func(r *rand.Rand) any { return fressian.Symbol{NS: "s", Name: fmt.Sprint(r.IntN(50))} },
	func(r *rand.Rand) any { return fressian.Inst(r.Int64N(1 << 42)) },
	func(r *rand.Rand) any { return fressian.UUID{byte(r.IntN(256)), 8: byte(r.IntN(256))} },
	func(r *rand.Rand) any { return fressian.URI(fmt.Sprint("http://", r.IntN(99))) },
	func(r *rand.Rand) any { return new(big.Int).Lsh(big.NewInt(r.Int64()), uint(r.IntN(99))) },
	func(r *rand.Rand) any { return fressian.Decimal{Unscaled: big.NewInt(r.Int64()), Scale: r.Int32N(9)} },
	func(r *rand.Rand) any { return []byte{byte(r.IntN(256)), byte(r.IntN(256))}[:r.IntN(3)] },
	func(r *rand.Rand) any { return []float32{r.Float32(), 1} },
	func(r *rand.Rand) any { return []float64{r.Float64()} },
	func(r *rand.Rand) any {
		return fressian.Vector{int64(r.IntN(9)), kw("in", fmt.Sprint(r.IntN(9))), nil, "text", fressian.Symbol{Name: "s"}}
	},
}

// TestValuesOfAllTypes: whatever comes in comes out, in the order of each
// index, though keywords and vectors refer to what stands before them in a node.
func TestValuesOfAllTypes(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 0))
		all := map[string]datom.Datom{}
		for range 3000 {
			n := r.IntN(len(kinds))
			d := datom.Datom{
				E: r.Int64N(400), A: kw("a", fmt.Sprint("v", n)), V: kinds[n](r), Tx: 0x20000001 + r.Int64N(5), Added: true,
			}
			key, err := datom.AppendKey(nil, datom.EAVT, d)
			require.NoError(t, err)
			all[string(key)] = d
		}
		m := newMemory()
		b, err := build.New(build.Options{
			AnyAttribute: true, BranchingFactor: 8 + 100*int(seed), Store: fressian.Map{},
			Now: time.Now(), Random: rand.NewChaCha8([32]byte{}), Put: m.put, Workers: 2,
		})
		require.NoError(t, err)
		defer b.Close()
		a := b.Adder()
		var want []datom.Datom
		for _, d := range all {
			require.NoError(t, a.Add(d, build.Now))
			require.NoError(t, a.Add(d, build.Now), "it is the same")
			want = append(want, d)
		}
		res, err := b.Finish(t.Context())
		require.NoError(t, err)
		for _, h := range res.Heads {
			require.NoError(t, m.put(t.Context(), h.ID, h.Data))
		}
		d := open(t, "", m.get)
		assert.Equal(t, lines(t, want), lines(t, d.index("eavt")))
		assert.Equal(t, lines(t, want), lines(t, d.index("aevt")))
		assert.Empty(t, d.index("avet"))
		s := shape{database: d, index: datom.AEVT, factor: 8 + 100*int(seed)}
		s.node(of(of(d.record(), "aevt-key").(fressian.Tagged).Fields[0], "address"), true)
		assert.IsIncreasing(t, texts(s.keys))
	}
}

// TestLists: plain lists become vectors, for as such Datahike compares tuples.
func TestLists(t *testing.T) {
	d := built(t, 0, func(a *build.Adder) error {
		if err := people(1, func(f datom.Datom) error { return a.Add(f, build.Past) }); err != nil {
			return err
		}
		return a.Add(datom.Datom{E: 9, A: kw("p", "name"), V: []any{int64(1), []any{"x"}}, Tx: 0x20000001, Added: true}, build.Past)
	})
	for _, f := range d.index("temporal-eavt") {
		if f.E == 9 {
			assert.Equal(t, fressian.Vector{int64(1), fressian.Vector{"x"}}, f.V)
			return
		}
	}
	t.Fatal("it is not there")
}
