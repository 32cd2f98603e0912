package view

import (
	"context"
	"fmt"
	"math"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/datoms"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Scan implements View. Where it is asked for the past, that is what
// :db/noHistory has left: of attributes with that, only the datoms of now that
// are as old. In AVET are the datoms only of attributes that are indexed, unique
// or references. Values without a known order (see datom.ErrNoOrder) come in
// any order within their entity and attribute.
func (v *DatahikeView) Scan(ctx context.Context, q datom.Query, fn func(datom.Datom) error) error {
	if q.Index == "" {
		q.Index = datom.EAVT
	}
	if q.Index == datom.VAET {
		return fmt.Errorf("%w: Datahike has no index VAET; AVET has references too", graph.ErrUnsupported)
	}
	if err := indexed(v.schema.Schema, q); err != nil {
		return err
	}
	if q.AsOf >= v.info.MaxTx {
		q.AsOf = 0
	}
	if (q.History || q.AsOf != 0) && !v.info.History {
		return fmt.Errorf("%w: the database keeps no history (:keep-history? false), so only its newest value can be read", graph.ErrUnsupported)
	}
	w := v.wanted(q)
	if w.nothing {
		return nil
	}
	named := func(d datom.Datom) error {
		d.A = v.Attribute(d.A)
		return fn(d)
	}
	switch {
	case q.History:
		return v.history(ctx, w, named)
	case q.AsOf != 0:
		return v.asOf(ctx, w, named)
	}
	return v.current(ctx, w, named)
}

// indexed refuses to read an attribute in AVET that has no datoms there, though
// it may have some.
func indexed(s *datom.Schema, q datom.Query) error {
	if q.Index != datom.AVET || q.Attr == nil {
		return nil
	}
	if a := s.Attr(*q.Attr); a == nil || inAVET(a) {
		return nil
	}
	return fmt.Errorf("avet has no datoms of %s, which is neither unique nor indexed: use another index: %w", name(*q.Attr), graph.ErrUnsupported)
}

// wanted is a query in terms of the trees.
type wanted struct {
	index datom.Index
	rg    datoms.Range
	// entity and attr are what a datom must have, if they are not nil.
	entity *int64
	attr   any
	// from and to bound the transactions.
	from, to int64
	// nothing can be found.
	nothing bool
	// result is what AsOf leaves of the bounds for what it has found.
	result struct{ from, to int64 }
}

func (v *DatahikeView) wanted(q datom.Query) wanted {
	w := wanted{index: q.Index, entity: q.Entity}
	w.from, w.to = bounds(q.TxFrom, q.TxTo)
	if q.Attr != nil {
		w.attr = *q.Attr
		if refs, _ := v.rec.Config.Settings["attribute-refs?"].(bool); refs {
			id, ok := v.schema.IDs[*q.Attr]
			w.attr, w.nothing = id, !ok
		}
	}
	w.rg = datoms.Beginning(datom.AppendPrefix(nil, q.Index, w.entity, w.attr))
	switch {
	case q.AsOf != 0 && q.History:
		w.to = min(w.to, q.AsOf)
	case q.AsOf != 0: // what was asserted last must be known
		w.result.from, w.result.to = w.from, w.to
		w.from, w.to = math.MinInt64, q.AsOf
	}
	return w
}

// has tells whether a datom is wanted, as far as that is not a matter of its
// attribute.
func (w *wanted) has(e, tx int64) bool {
	return tx >= w.from && tx <= w.to && (w.entity == nil || *w.entity == e)
}

// bounds are the transactions from one to another, of which 0 is no bound.
func bounds(from, to int64) (first, last int64) {
	if from == 0 {
		from = math.MinInt64 // a damaged datom may have any, and is not passed over
	}
	if to == 0 {
		to = math.MaxInt64
	}
	return from, to
}

// of tells whether datoms of an attribute are wanted, one of some if these are
// given.
func (w *wanted) of(a any, some datahike.AttrSet) bool {
	return (w.attr == nil || w.attr == a) && (some == nil || some[a])
}

// current scans the tree of current datoms.
func (v *DatahikeView) current(ctx context.Context, w wanted, fn func(datom.Datom) error) error {
	tree, ok := v.trees[string(w.index)]
	if !ok {
		return nil
	}
	return v.leaves(ctx, tree, w, nil, func(all []datom.Datom) error {
		for _, d := range all {
			if err := fn(d); err != nil {
				return err
			}
		}
		return nil
	})
}

// leaves calls fn with the datoms that are wanted of one leaf of a tree after
// the other; of some attributes only, if these are given.
func (v *DatahikeView) leaves(ctx context.Context, tree graph.Tree, w wanted, attrs datahike.AttrSet, fn func([]datom.Datom) error) error {
	return datoms.ScanMap(ctx, v.reader, v.head, tree, w.rg, func(ctx context.Context, run *datoms.Run) (found []datom.Datom, err error) {
		err = run.Each(ctx, func(p datoms.Part) error {
			found, err = w.pick(p, attrs)
			return err
		})
		return found, err
	}, fn)
}

// pick returns the datoms of a leaf that are wanted. What is not is not built.
func (w *wanted) pick(p datoms.Part, attrs datahike.AttrSet) (found []datom.Datom, err error) {
	for i := range p.Len() {
		leaf, pending := p.At(i)
		if leaf < 0 {
			if d := p.Pending[pending]; w.has(d.E, d.Tx) && w.of(d.A, attrs) {
				found = append(found, d)
			}
			continue
		}
		if c := p.Datom(leaf); !w.has(c.E, c.Tx) {
			continue
		}
		if w.attr != nil || attrs != nil {
			a, err := p.Attr(leaf)
			if err != nil {
				return nil, err
			}
			if !w.of(a, attrs) {
				continue
			}
		}
		d, err := p.Leaf.Fact(leaf)
		if err != nil {
			return nil, err
		}
		found = append(found, d)
	}
	return found, nil
}
