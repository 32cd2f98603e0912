package view

import (
	"context"
	"encoding/binary"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/datoms"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// Log implements View. Datahike keeps no log: all datoms of the history are
// read, or all current ones where there is none, and those in the range sorted
// on disk. The order of attributes is that of the trees: where they are ids, that
// of these. Where there is no history, Datahike keeps no :db/txInstant either.
func (v *DatahikeView) Log(ctx context.Context, from, to int64, fn func(Transaction) error) error {
	from, to = bounds(from, to)
	l := logger{v: v, w: wanted{from: from, to: to}, lines: spill.NewSorter()}
	l.writers.New = func() any { return fressian.NewWriter() }
	defer l.lines.Close()
	l.instant = txInstant
	if id, ok := v.schema.IDs[txInstant]; ok {
		l.instantID = id
	}
	if err := l.gather(ctx, "eavt", v.kept); err != nil { // all, where there is no history
		return err
	}
	if err := l.gather(ctx, "temporal-eavt", nil); err != nil {
		return err
	}
	return l.each(fn)
}

// txInstant is what dates transactions.
var txInstant = fressian.Keyword{NS: "db", Name: "txInstant"}

// logger sorts datoms by their transactions.
type logger struct {
	v         *DatahikeView
	w         wanted
	lines     *spill.Sorter
	writers   sync.Pool // of *fressian.Writer
	instant   any
	instantID any // nil where attributes have no ids
}

// gather adds the datoms of a tree.
func (l *logger) gather(ctx context.Context, name string, attrs datahike.AttrSet) error {
	tree, ok := l.v.trees[name]
	if !ok {
		return nil
	}
	return l.v.reader.Each(ctx, l.v.head, tree, func(p datoms.Part) error {
		found, err := l.w.pick(p, attrs)
		if err != nil {
			return err
		}
		w, _ := l.writers.Get().(*fressian.Writer)
		defer l.writers.Put(w)
		var line []byte
		for _, d := range found {
			if line, err = l.key(line[:0], d); err == nil {
				line, err = appendLine(line, w, d)
			}
			if err != nil {
				return err
			}
			l.lines.Add(string(line))
		}
		return nil
	})
}

// key appends that of a datom: its transaction, whether it does not date that,
// then as in EAVT.
func (l *logger) key(dst []byte, d datom.Datom) ([]byte, error) {
	dst = binary.BigEndian.AppendUint64(dst, uint64(d.Tx)^1<<63)
	last := byte(1)
	if d.E == d.Tx && (d.A == l.instant || l.instantID != nil && d.A == l.instantID) {
		last = 0
	}
	return datoms.AppendKey(append(dst, last), datom.EAVT, d)
}

// each calls fn with the transactions.
func (l *logger) each(fn func(Transaction) error) error {
	p := parts{fn: fn, time: func(tx int64) int64 { return tx - DatahikeTx0 }}
	for line, err := range l.lines.Sorted() {
		if err != nil {
			return err
		}
		d, err := parseLine(line)
		if err != nil {
			return err
		}
		d.A = l.v.Attribute(d.A)
		if err := p.add(d); err != nil {
			return err
		}
	}
	return p.end()
}
