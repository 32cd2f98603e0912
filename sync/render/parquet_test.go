package render_test

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"runtime"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/render"
)

// opened reads a Parquet file and returns its rows, each column's value by its
// name, without those that are null.
func opened(t testing.TB, data string) (*parquet.File, []map[string]parquet.Value) {
	t.Helper()
	f, err := parquet.OpenFile(strings.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	var all []map[string]parquet.Value
	names := f.Schema().Columns()
	for _, g := range f.RowGroups() {
		rows := g.Rows()
		for n := int64(0); n < g.NumRows(); {
			buf := make([]parquet.Row, 100)
			read, _ := rows.ReadRows(buf)
			require.Positive(t, read)
			for _, r := range buf[:read] {
				m := map[string]parquet.Value{}
				for _, v := range r {
					if !v.IsNull() {
						m[names[v.Column()][0]] = v.Clone()
					}
				}
				all = append(all, m)
			}
			n += int64(read)
		}
		require.NoError(t, rows.Close())
	}
	return f, all
}

// TestParquet: each value comes back from the column of its kind, and from no
// other.
func TestParquet(t *testing.T) {
	var all []datom.Datom
	for i, g := range goldens() {
		all = append(all, datom.Datom{E: int64(i), A: kw("a", "b"), V: g.v, Tx: 7, Added: i%2 == 0})
	}
	all = append(all, datom.Datom{E: int64(len(all)), A: friends, V: int64(3)})
	_, rows := opened(t, written(t, render.Parquet, all...))
	require.Len(t, rows, len(all))
	for i, row := range rows {
		kind, attr := "ref", ":user/friends"
		var want any = int64(3)
		if i < len(goldens()) {
			kind, want, attr = goldens()[i].kind, inParquet(goldens()[i]), ":a/b"
		}
		assert.Equal(t, int64(i), row["e"].Int64())
		assert.Equal(t, attr, row["a"].String())
		assert.Equal(t, kind, row["type"].String())
		assert.Equal(t, all[i].Tx, row["tx"].Int64())
		assert.Equal(t, all[i].Added, row["added"].Boolean())
		require.Len(t, row, 6, kind)
		if kind == "floats" || kind == "doubles" || kind == "fn" {
			kind = "tuple"
		}
		v, ok := row["v_"+kind]
		require.True(t, ok, kind)
		assert.Equal(t, want, goValue(v), "%s %v", kind, want)
	}
}

// inParquet is what a column holds of a value; NaN as text, for it equals nothing.
func inParquet(g golden) any {
	switch v := g.v.(type) {
	case fressian.Inst:
		return int64(v)
	case fressian.UUID:
		return string(v[:])
	case []byte:
		return string(v)
	case int64, bool:
		return v
	case float64:
		return fmt.Sprint(v)
	case float32:
		return fmt.Sprint(v)
	}
	return g.csv
}

func goValue(v parquet.Value) any {
	switch v.Kind() {
	case parquet.Boolean:
		return v.Boolean()
	case parquet.Int64:
		return v.Int64()
	case parquet.Double:
		return fmt.Sprint(v.Double())
	case parquet.Float:
		return fmt.Sprint(v.Float())
	}
	return string(v.ByteArray())
}

// TestParquetTypes: other readers find their way by these.
func TestParquetTypes(t *testing.T) {
	f, _ := opened(t, written(t, render.Parquet, datom.Datom{A: friends, V: int64(3)}))
	types := map[string]string{}
	var names []string
	for _, field := range f.Schema().Fields() {
		names = append(names, field.Name())
		types[field.Name()] = field.Type().String()
		assert.Equal(t, strings.HasPrefix(field.Name(), "v_"), field.Optional(), field.Name())
	}
	assert.Equal(t, "e a type v_string v_boolean v_long v_ref v_double v_float v_bigint v_bigdec v_instant v_uuid v_uri v_keyword v_symbol v_bytes v_tuple tx added", strings.Join(names, " "))
	for name, want := range map[string]string{
		"e": "INT(64,true)", "v_long": "INT(64,true)", "v_double": "DOUBLE", "v_float": "FLOAT", "v_boolean": "BOOLEAN", "v_string": "STRING",
		"v_instant": "TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS)", "v_uuid": "UUID", "v_bytes": "BYTE_ARRAY",
	} {
		assert.Equal(t, want, types[name], name)
	}
	for _, c := range f.Metadata().RowGroups[0].Columns {
		assert.Equal(t, "ZSTD", c.MetaData.Codec.String())
	}
}

// TestParquetMemory: a file of many rows and one of large values have several
// row groups, and what the writer keeps does not grow with them.
func TestParquetMemory(t *testing.T) {
	var out bytes.Buffer
	w, err := render.New(render.Parquet, &out, nil)
	require.NoError(t, err)
	var first, last runtime.MemStats
	const rows = 600_000
	for i := range rows {
		if i == rows/3 {
			runtime.GC()
			runtime.ReadMemStats(&first)
		}
		require.NoError(t, w.Datom(datom.Datom{E: int64(i), A: kw("a", "b"), V: int64(i % 100), Tx: 1}))
	}
	runtime.GC()
	runtime.ReadMemStats(&last)
	assert.Less(t, int64(last.HeapAlloc)-int64(first.HeapAlloc), int64(16<<20))
	big := strings.Repeat("x", 3<<20)
	for range 6 {
		require.NoError(t, w.Datom(datom.Datom{A: kw("a", "b"), V: big}))
	}
	require.NoError(t, w.Close())
	f, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	assert.Equal(t, int64(rows+6), f.NumRows())
	assert.GreaterOrEqual(t, len(f.RowGroups()), 6)
	for _, g := range f.RowGroups() {
		assert.LessOrEqual(t, g.NumRows(), int64(1<<17))
	}
}

// TestParquetEmpty: a file without rows is one all the same.
func TestParquetEmpty(t *testing.T) {
	f, rows := opened(t, written(t, render.Parquet))
	assert.Empty(t, rows)
	assert.Len(t, f.Schema().Fields(), 20)
}

// TestParquetOrder: values of other rows do not stay behind.
func TestParquetNulls(t *testing.T) {
	_, rows := opened(t, written(t, render.Parquet,
		datom.Datom{A: friends, V: int64(1)}, datom.Datom{A: friends, V: fressian.Vector{nil, big.NewInt(1), math.Inf(1)}}))
	require.Len(t, rows, 2)
	assert.NotContains(t, rows[1], "v_ref")
	assert.Equal(t, "[nil 1N ##Inf]", rows[1]["v_tuple"].String())
}
