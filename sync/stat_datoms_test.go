package dbsync_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// TestStatDatoms compares with a plain count.
func TestStatDatoms(t *testing.T) {
	for _, name := range []string{"a-default", "k-diffbuf", "i-attrrefs", "b-nohist"} {
		v := viewed(t, fixture.Unpack(t, name), "", dbsync.ViewOptions{})
		rep, err := dbsync.StatDatoms(t.Context(), v)
		require.NoError(t, err)
		attrs := map[string]int64{}
		require.NoError(t, v.Scan(t.Context(), datom.Query{}, func(d datom.Datom) error {
			text, err := datom.AppendAttr(nil, d.A)
			attrs[string(text)]++
			return err
		}))
		assert.Equal(t, fixture.Expected(t, name).ByBranch[":db"].DatomsCurrent, rep.Datoms)
		var datoms, dated, size int64
		for _, a := range rep.Attributes {
			assert.Equal(t, attrs[a.Attr], a.Datoms, a.Attr)
			datoms, size = datoms+a.Datoms, size+a.Bytes
		}
		for _, p := range rep.Times {
			dated += p.Datoms
		}
		assert.Len(t, rep.Attributes, len(attrs))
		assert.Equal(t, []int64{rep.Datoms, rep.Bytes}, []int64{datoms, size}, name)
		if name == "b-nohist" { // it does not keep when its transactions were
			assert.Empty(t, rep.Times)
			assert.Empty(t, rep.Period)
		} else {
			assert.Equal(t, rep.Datoms, dated, name)
		}
		require.Len(t, rep.Largest, 10)
		assert.True(t, slices.IsSortedFunc(rep.Largest, func(a, b dbsync.ValueStat) int { return int(b.Bytes - a.Bytes) }))
		require.Equal(t, datom.AVET, rep.Indexes[2].Index)
		avet := int64(0)
		require.NoError(t, v.Scan(t.Context(), datom.Query{Index: datom.AVET}, func(datom.Datom) error { avet++; return nil }))
		assert.Equal(t, avet, rep.Indexes[2].Datoms, name)
	}
}

// made is a view of datoms that a test has made.
type made struct {
	view.View
	schema *datom.Schema
	datoms []datom.Datom
}

func (m made) Info() view.Info       { return view.Info{Kind: view.Datomic} }
func (m made) Schema() *datom.Schema { return m.schema }
func (m made) Scan(_ context.Context, q datom.Query, fn func(datom.Datom) error) error {
	for _, d := range m.datoms {
		if q.Attr != nil && *q.Attr != d.A {
			continue
		}
		if err := fn(d); err != nil {
			return err
		}
	}
	return nil
}

// TestStatTimes: days become months when there are many, and years when those
// are too many; a transaction that lies about its time counts for the one before.
func TestStatTimes(t *testing.T) {
	instant := fressian.Keyword{NS: "db", Name: "txInstant"}
	at := func(tx int64, year, month, day int) datom.Datom {
		ms := time.Date(year, time.Month(month), day, 12, 0, 0, 0, time.UTC).UnixMilli()
		return datom.Datom{E: tx, A: instant, V: fressian.Inst(ms), Tx: tx, Added: true}
	}
	stat := func(datoms ...datom.Datom) *dbsync.DatomStat {
		rep, err := dbsync.StatDatoms(t.Context(), made{schema: datom.NewSchema(nil), datoms: datoms})
		require.NoError(t, err)
		return rep
	}
	rep := stat(at(1, 2020, 1, 1), at(2, 2019, 1, 1), at(3, 2020, 1, 2))
	assert.Equal(t, "day", rep.Period)
	assert.Equal(t, []int64{2, 1}, []int64{rep.Times[0].Datoms, rep.Times[1].Datoms})
	var many []datom.Datom
	for i := range 100 {
		many = append(many, at(int64(i), 2020, 1, 1+10*i))
	}
	rep = stat(many...)
	assert.Equal(t, "month", rep.Period)
	assert.Len(t, rep.Times, 33)
	assert.EqualValues(t, 4, rep.Times[0].Datoms)
	for i := range many {
		many[i] = at(int64(i), 2000, 1+2*i, 1)
	}
	rep = stat(many...)
	assert.Equal(t, "year", rep.Period)
	assert.Len(t, rep.Times, 17)
	rep = stat()
	assert.Empty(t, rep.Times)
	assert.Zero(t, rep.Datoms)
	text := fressian.Keyword{Name: "text"}
	rep = stat(datom.Datom{E: 1, A: text, V: "12345"}, datom.Datom{E: 2, A: text, V: fressian.Vector{"1", int64(2)}})
	assert.Equal(t, []dbsync.ValueStat{{E: 2, Attr: ":text", Bytes: 9}, {E: 1, Attr: ":text", Bytes: 5}}, rep.Largest)
}
