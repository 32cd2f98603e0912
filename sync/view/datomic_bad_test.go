package view_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// leavesOf are the ids of the leaves of a tree.
func leavesOf(t testing.TB, b *datomicBackup, at int64, name string) (ids []graph.ID) {
	t.Helper()
	d := datomic.New()
	top := b.values[at].Index
	trees, err := d.Indexes(top, b.segments[top])
	require.NoError(t, err)
	for _, tree := range trees {
		if tree.Name != name {
			continue
		}
		dirs, err := d.Children(tree.Ref, b.segments[tree.Ref.ID])
		require.NoError(t, err)
		for _, dir := range dirs {
			leaves, err := d.Children(graph.Ref{ID: dir.ID, Level: 1}, b.segments[dir.ID])
			require.NoError(t, err)
			for _, l := range leaves {
				ids = append(ids, l.ID)
			}
		}
	}
	return ids
}

// forge changes the datoms of a leaf.
func (b *datomicBackup) forge(t testing.TB, id graph.ID, change func([]datomic.Datom) []datomic.Datom) {
	t.Helper()
	datoms, err := datomic.New().Leaf(id, b.segments[id])
	require.NoError(t, err)
	b.segments[id], err = datomic.EncodeLeaf(change(datoms))
	require.NoError(t, err)
}

// TestDatomicDamage: what is wrong with a leaf ends a scan, and is named.
func TestDatomicDamage(t *testing.T) {
	set := func(i int, change func(*datomic.Datom)) func([]datomic.Datom) []datomic.Datom {
		return func(d []datomic.Datom) []datomic.Datom {
			change(&d[(i+len(d))%len(d)])
			return d
		}
	}
	for name, tc := range map[string]struct {
		change func([]datomic.Datom) []datomic.Datom
		class  error
		says   string
	}{
		"two datoms exchanged": {func(d []datomic.Datom) []datomic.Datom {
			d[10], d[11] = d[11], d[10]
			return d
		}, graph.ErrCorrupt, "datoms 10 and 11 are not in the order of eavt"},
		"an older transaction first": {func(d []datomic.Datom) []datomic.Datom {
			d[len(d)-1] = d[len(d)-2]
			d[len(d)-1].T++
			return d
		}, graph.ErrCorrupt, "not in the order"},
		"a datom lost":            {func(d []datomic.Datom) []datomic.Datom { return d[1:] }, graph.ErrCorrupt, "of which its dir wants"},
		"an attribute of no name": {set(-1, func(d *datomic.Datom) { d.A = 999999 }), graph.ErrCorrupt, "attribute 999999"},
		"a value of no known type": {
			set(-1, func(d *datomic.Datom) { d.V = fressian.Tagged{Tag: "mystery", Fields: []any{int64(1)}} }),
			graph.ErrUnsupported, `unknown tag "mystery"`,
		},
		"a ratio in a tuple": {
			set(-1, func(d *datomic.Datom) { d.V = []any{fressian.Tagged{Tag: "ratio", Fields: []any{}}} }),
			graph.ErrUnsupported, `unknown tag "ratio"`,
		},
		"a set":    {set(-1, func(d *datomic.Datom) { d.V = fressian.Set{} }), graph.ErrUnsupported, "fressian.Set"},
		"no value": {set(-1, func(d *datomic.Datom) { d.V = nil }), graph.ErrCorrupt, "nil"},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := gens(t)
			leaves := leavesOf(t, b, 1708, "eavt-main")
			v := b.open(t, 1708)
			id := leaves[len(leaves)-1]
			b.forge(t, id, tc.change)
			err := v.Scan(t.Context(), datom.Query{}, func(datom.Datom) error { return nil })
			require.ErrorIs(t, err, tc.class)
			require.ErrorContains(t, err, tc.says)
			if tc.says != "attribute 999999" { // which is a matter of the value
				require.ErrorContains(t, err, string(id))
			}
		})
	}
}

// TestDatomicTrees: leaves that are in the wrong place, torn, or lost.
func TestDatomicTrees(t *testing.T) {
	scan := func(t *testing.T, do func(b *datomicBackup, leaves []graph.ID)) error {
		b, _ := gens(t)
		v := b.open(t, 1708)
		do(b, leavesOf(t, b, 1708, "aevt-main"))
		return v.Scan(t.Context(), datom.Query{Index: datom.AEVT}, func(datom.Datom) error { return nil })
	}
	err := scan(t, func(b *datomicBackup, l []graph.ID) { // of 328 datoms each
		b.segments[l[25]], b.segments[l[27]] = b.segments[l[27]], b.segments[l[25]]
	})
	require.ErrorIs(t, err, graph.ErrCorrupt)
	require.ErrorContains(t, err, "it begins before")

	err = scan(t, func(b *datomicBackup, l []graph.ID) { b.segments[l[9]] = b.segments[l[9]][:100] })
	require.ErrorIs(t, err, graph.ErrCorrupt)

	err = scan(t, func(b *datomicBackup, l []graph.ID) { delete(b.segments, l[9]) })
	require.ErrorIs(t, err, graph.ErrNotFound)

	err = scan(t, func(b *datomicBackup, l []graph.ID) { b.segments[l[9]] = b.segments[b.values[1708].Log] })
	require.ErrorIs(t, err, graph.ErrCorrupt)
}

// TestDatomicNaN: Datomic puts NaN anywhere among the values of an entity. It is
// found all the same, and does not hide other values.
func TestDatomicNaN(t *testing.T) {
	b, _ := tiered(t)
	v := b.open(t, 1342)
	attr := v.Schema().Attr(fressian.Keyword{NS: "many", Name: "double"})
	before := scanned(t, v, datom.Query{})
	found := 0
	b.forge(t, leavesOf(t, b, 1342, "eavt-main")[0], func(d []datomic.Datom) []datomic.Datom {
		for i := 1; i < len(d); i++ {
			last := datom.Datom{E: d[i].E, A: attr.Ident, V: d[i].V, Tx: datomic.TxEntity(d[i].T), Added: true}
			if int64(d[i].A) == attr.ID && d[i-1].A == d[i].A && d[i-1].E == d[i].E && slices.Contains(before, last) {
				d[i].V = math.NaN()
				found++
				break
			}
		}
		return d
	})
	require.Equal(t, 1, found)
	nans := 0
	after := scanned(t, v, datom.Query{Attr: &attr.Ident})
	for _, d := range after {
		if math.IsNaN(d.V.(float64)) {
			nans++
		}
	}
	assert.Equal(t, 1, nans)
	assert.Len(t, scanned(t, v, datom.Query{}), len(before))

	// In AVET it may be in another leaf than it belongs to.
	leaves := leavesOf(t, b, 1342, "avet-main")
	require.Greater(t, len(leaves), 2)
	var a int32
	b.forge(t, leaves[2], func(d []datomic.Datom) []datomic.Datom {
		a = d[0].A
		d[0].V = math.NaN()
		return d
	})
	b.forge(t, leaves[1], func(d []datomic.Datom) []datomic.Datom {
		d[len(d)-1].A, d[len(d)-1].V = a, 1.5
		return d
	})
	err := v.Scan(t.Context(), datom.Query{Index: datom.AVET}, func(datom.Datom) error { return nil })
	require.ErrorIs(t, err, graph.ErrUnsupported)
	require.ErrorContains(t, err, "NaN")
}
