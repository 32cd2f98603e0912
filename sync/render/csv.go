package render

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// table writes CSV.
type table struct {
	refs
	out    *csv.Writer
	buf    []byte
	record [6]string
	begun  bool
}

func newCSV(out io.Writer, r refs) *table { return &table{refs: r, out: csv.NewWriter(out)} }

// header writes the names of the columns before anything else.
func (t *table) header() error {
	if t.begun {
		return nil
	}
	t.begun = true
	return t.out.Write([]string{"e", "a", "type", "v", "tx", "added"})
}

// Datom implements Writer.
func (t *table) Datom(d datom.Datom) error {
	k, err := t.kind(d)
	if err != nil {
		return err
	}
	if t.buf, err = datom.AppendAttr(t.buf[:0], d.A); err == nil {
		err = checkText(t.buf)
	}
	if err != nil {
		return fmt.Errorf("entity %d: its attribute: %w", d.E, err)
	}
	attr := len(t.buf)
	if t.buf, err = appendPlain(t.buf, d.V); err != nil {
		return fmt.Errorf("entity %d: %w", d.E, err)
	}
	if err := t.header(); err != nil {
		return err
	}
	t.record = [6]string{
		strconv.FormatInt(d.E, 10), string(t.buf[:attr]), string(k), string(t.buf[attr:]),
		strconv.FormatInt(d.Tx, 10), strconv.FormatBool(d.Added),
	}
	return t.out.Write(t.record[:])
}

// Close implements Writer.
func (t *table) Close() error {
	if err := t.header(); err != nil {
		return err
	}
	t.out.Flush()
	return t.out.Error()
}
