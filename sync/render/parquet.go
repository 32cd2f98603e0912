package render

import (
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// A row group is in memory until it is written: so many rows at most, and so
// many bytes of texts.
const (
	groupRows  = 1 << 17
	groupBytes = 8 << 20
)

// parquetRow declares the columns; rows are made without it. The physical and
// logical types are those of the Parquet format, version 2.
type parquetRow struct {
	E       int64    `parquet:"e,zstd,delta"`
	A       string   `parquet:"a,zstd,dict"`
	Type    string   `parquet:"type,zstd,dict"`
	String  string   `parquet:"v_string,optional,zstd"`
	Boolean bool     `parquet:"v_boolean,optional,zstd"`
	Long    int64    `parquet:"v_long,optional,zstd"`
	Ref     int64    `parquet:"v_ref,optional,zstd"`
	Double  float64  `parquet:"v_double,optional,zstd"`
	Float   float32  `parquet:"v_float,optional,zstd"`
	Bigint  string   `parquet:"v_bigint,optional,zstd"`
	Bigdec  string   `parquet:"v_bigdec,optional,zstd"`
	Instant int64    `parquet:"v_instant,optional,zstd,timestamp(millisecond)"`
	UUID    [16]byte `parquet:"v_uuid,optional,zstd,uuid"`
	URI     string   `parquet:"v_uri,optional,zstd"`
	Keyword string   `parquet:"v_keyword,optional,zstd,dict"`
	Symbol  string   `parquet:"v_symbol,optional,zstd,dict"`
	Bytes   []byte   `parquet:"v_bytes,optional,zstd"`
	Tuple   string   `parquet:"v_tuple,optional,zstd"`
	Tx      int64    `parquet:"tx,zstd,delta"`
	Added   bool     `parquet:"added,zstd"`
}

// columnar writes Parquet.
type columnar struct {
	refs
	out     *parquet.GenericWriter[parquetRow]
	columns map[kind]int // where the values of a kind go
	fixed   [5]int       // where e, a, type, tx and added go
	row     []parquet.Value
	buf     []byte
	rows    int
	bytes   int
}

func newParquet(out io.Writer, r refs) *columnar {
	schema := parquet.SchemaOf(parquetRow{})
	w := &columnar{refs: r, columns: map[kind]int{}}
	for i, path := range schema.Columns() {
		switch name := path[0]; name {
		case "e":
			w.fixed[0] = i
		case "a":
			w.fixed[1] = i
		case "type":
			w.fixed[2] = i
		case "tx":
			w.fixed[3] = i
		case "added":
			w.fixed[4] = i
		default:
			w.columns[kind(name[len("v_"):])] = i
		}
	}
	for _, k := range []kind{kindFloats, kindDoubles, kindFn} { // EDN text too
		w.columns[k] = w.columns[kindTuple]
	}
	w.row = make([]parquet.Value, len(schema.Columns()))
	w.out = parquet.NewGenericWriter[parquetRow](out, schema, parquet.CreatedBy("rclone-datom", "", ""))
	return w
}

// Datom implements Writer.
func (w *columnar) Datom(d datom.Datom) error {
	k, err := w.kind(d)
	if err != nil {
		return err
	}
	if w.buf, err = datom.AppendAttr(w.buf[:0], d.A); err == nil {
		err = checkText(w.buf)
	}
	if err != nil {
		return fmt.Errorf("entity %d: its attribute: %w", d.E, err)
	}
	attr := len(w.buf)
	v, err := w.value(d.V)
	if err != nil {
		return fmt.Errorf("entity %d: %w", d.E, err)
	}
	for i := range w.row {
		w.row[i] = parquet.NullValue().Level(0, 0, i)
	}
	if at, ok := w.columns[k]; ok {
		w.row[at] = v.Level(0, 1, at)
	}
	for i, v := range [...]parquet.Value{
		parquet.Int64Value(d.E), parquet.ByteArrayValue(w.buf[:attr]), parquet.ByteArrayValue([]byte(k)),
		parquet.Int64Value(d.Tx), parquet.BooleanValue(d.Added),
	} {
		w.row[w.fixed[i]] = v.Level(0, 0, w.fixed[i])
	}
	return w.write()
}

// write writes the row, and the row group if it is full.
func (w *columnar) write() error {
	if _, err := w.out.WriteRows([]parquet.Row{w.row}); err != nil {
		return err
	}
	w.rows++
	w.bytes += len(w.buf)
	if w.rows < groupRows && w.bytes < groupBytes {
		return nil
	}
	w.rows, w.bytes = 0, 0
	return w.out.Flush()
}

// value is a value as its column has it; texts lie in w.buf.
func (w *columnar) value(v any) (parquet.Value, error) {
	switch v := v.(type) {
	case bool:
		return parquet.BooleanValue(v), nil
	case int64:
		return parquet.Int64Value(v), nil
	case float64:
		return parquet.DoubleValue(v), nil
	case float32:
		return parquet.FloatValue(v), nil
	case fressian.Inst:
		return parquet.Int64Value(int64(v)), nil
	case fressian.UUID:
		return parquet.FixedLenByteArrayValue(v[:]), nil
	case []byte:
		w.bytes += len(v)
		return parquet.ByteArrayValue(v), nil
	}
	from := len(w.buf)
	var err error
	w.buf, err = appendPlain(w.buf, v)
	return parquet.ByteArrayValue(w.buf[from:]), err
}

// Close implements Writer.
func (w *columnar) Close() error { return w.out.Close() }
