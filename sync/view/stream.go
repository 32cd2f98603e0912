package view

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/datoms"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Stream is datoms that can be read in one order only, such as those of
// another tool's backup.
type Stream struct {
	Info   Info
	Schema *datom.Schema
	// Each calls fn with all datoms, until fn returns an error, which Each
	// returns as it is. It may be called again.
	Each func(ctx context.Context, fn func(datom.Datom) error) error
	// Sorted: Each does that in the order of EAVT.
	Sorted bool
	// Close, if set, frees what Each needs.
	Close func() error
}

// OfStream returns a view of datoms that sorts them on disk whenever another
// order is wanted than theirs. If Info says that there is a history, what is
// true now follows from it: of each entity, attribute and value the last that
// was said.
func OfStream(s Stream) View { return &stream{s} }

type stream struct{ s Stream }

// Info implements View.
func (v *stream) Info() Info { return v.s.Info }

// Schema implements View.
func (v *stream) Schema() *datom.Schema { return v.s.Schema }

// Close implements View.
func (v *stream) Close() error {
	if v.s.Close == nil {
		return nil
	}
	return v.s.Close()
}

// errPassed ends a reading behind the last datom that is wanted.
var errPassed = fmt.Errorf("passed: %w", errStop)

// Scan implements View.
func (v *stream) Scan(ctx context.Context, q datom.Query, fn func(datom.Datom) error) error {
	if q.Index == "" {
		q.Index = datom.EAVT
	}
	if q.AsOf >= v.s.Info.MaxTx {
		q.AsOf = 0
	}
	if (q.History || q.AsOf != 0) && !v.s.Info.History {
		return fmt.Errorf("%w: there is no history here, so only the newest value can be read", graph.ErrUnsupported)
	}
	if err := indexed(v.s.Schema, q); err != nil {
		return err
	}
	if v.s.Info.History && !q.History {
		f := folding{index: q.Index, fn: fn}
		f.from, f.to = bounds(q.TxFrom, q.TxTo)
		q.TxFrom, q.TxTo = 0, q.AsOf
		if err := v.sorted(ctx, q, true, f.take); err != nil {
			return err
		}
		return f.give()
	}
	return v.sorted(ctx, q, false, fn)
}

// sorted calls fn with the datoms that a query wants, in its order, as if all
// of a history were wanted. If the order is to be exact, that of those who wrote
// the datoms is believed no further than that an entity's are side by side.
func (v *stream) sorted(ctx context.Context, q datom.Query, exact bool, fn func(datom.Datom) error) error {
	if q.Index == datom.EAVT && v.s.Sorted {
		var e entityOrder
		if exact {
			defer e.close()
			e.fn, fn = fn, e.take
		}
		err := v.s.Each(ctx, func(d datom.Datom) error {
			if q.Entity != nil && d.E > *q.Entity {
				return errPassed
			}
			if !v.wants(&q, d) {
				return nil
			}
			return fn(d)
		})
		if err == errPassed { //nolint:errorlint // our own, never wrapped
			err = nil
		}
		if err == nil && exact {
			err = e.give()
		}
		return err
	}
	s := &sorted{}
	defer s.close()
	err := v.s.Each(ctx, func(d datom.Datom) error {
		if !v.wants(&q, d) {
			return nil
		}
		key, err := datoms.AppendKey(nil, q.Index, d)
		if err != nil {
			return err
		}
		return s.add(key, d)
	})
	if err != nil {
		return err
	}
	return s.each(fn)
}

// entityOrder sorts the datoms of one entity after the other.
type entityOrder struct {
	sorted
	e, n int64
	fn   func(datom.Datom) error
}

func (o *entityOrder) take(d datom.Datom) error {
	if o.n > 0 && d.E != o.e {
		if err := o.give(); err != nil {
			return err
		}
	}
	o.e = d.E
	o.n++
	key, err := datoms.AppendKey(nil, datom.EAVT, d)
	if err != nil {
		return err
	}
	return o.add(key, d)
}

// give hands over those of the entity.
func (o *entityOrder) give() error {
	err := o.each(o.fn)
	o.close()
	o.sorted, o.n = sorted{w: o.w, few: o.few[:0]}, 0
	return err
}

// wants tells whether a query wants a datom, history aside.
func (v *stream) wants(q *datom.Query, d datom.Datom) bool {
	switch {
	case q.Entity != nil && d.E != *q.Entity,
		q.Attr != nil && d.A != any(*q.Attr),
		q.TxFrom != 0 && d.Tx < q.TxFrom, q.TxTo != 0 && d.Tx > q.TxTo, q.AsOf != 0 && d.Tx > q.AsOf:
		return false
	case q.Index == datom.AVET:
		a := v.attribute(d.A)
		return a != nil && (a.Indexed || a.Unique.Name != "")
	case q.Index == datom.VAET:
		a := v.attribute(d.A)
		return a != nil && a.ValueType == refType
	}
	return true
}

// folding finds in a history what is true at its end.
type folding struct {
	index     datom.Index
	from, to  int64
	fn        func(datom.Datom) error
	last      datom.Datom
	fact, key []byte
}

func (f *folding) take(d datom.Datom) (err error) {
	if f.key, err = datoms.AppendKey(f.key[:0], f.index, d); err != nil {
		return err
	}
	if same := datom.SameFact(f.key); !bytes.Equal(same, f.fact) {
		err = f.give()
		f.fact = append(f.fact[:0], same...)
	}
	f.last = d
	return err
}

// give hands over what was said last, if that is true.
func (f *folding) give() error {
	if f.last.Added && f.last.Tx >= f.from && f.last.Tx <= f.to {
		return f.fn(f.last)
	}
	return nil
}

// Log implements View.
func (v *stream) Log(ctx context.Context, from, to int64, fn func(Transaction) error) error {
	s := &sorted{}
	defer s.close()
	q := datom.Query{TxFrom: from, TxTo: to}
	err := v.s.Each(ctx, func(d datom.Datom) error {
		if !v.wants(&q, d) {
			return nil
		}
		key := binary.BigEndian.AppendUint64(nil, uint64(d.Tx)^1<<63)
		dated := byte(1)
		if d.E == d.Tx && d.A == any(txInstant) {
			dated = 0
		}
		key, err := datoms.AppendKey(append(key, dated), datom.EAVT, d)
		if err != nil {
			return err
		}
		return s.add(key, d)
	})
	if err != nil {
		return err
	}
	p := parts{fn: fn, time: v.timeOf}
	if err := s.each(p.add); err != nil {
		return err
	}
	return p.end()
}

// timeOf is a transaction's number in the database's time.
func (v *stream) timeOf(tx int64) int64 { return tx - (v.s.Info.MaxTx - v.s.Info.T) }
