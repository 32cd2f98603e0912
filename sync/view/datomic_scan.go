package view

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// treeNames are Datomic's names of the orders.
var treeNames = map[datom.Index]string{datom.EAVT: "eavt", datom.AEVT: "aevt", datom.AVET: "avet", datom.VAET: "raet"}

// Scan implements View. Attributes are in the order of their ids. Transactions
// may be given as entities or as t. Of an attribute without history, the trees
// know only what is current; what of it is newer than they are is complete.
func (v *DatomicView) Scan(ctx context.Context, q datom.Query, fn func(datom.Datom) error) error {
	s, err := v.span(q)
	if s == nil || err != nil {
		return err
	}
	from, to, asOf := datomic.T(q.TxFrom), upTo(q.TxTo), upTo(q.AsOf)
	wanted := func(d *datomic.Datom) error {
		if d.T < from || d.T > to || !s.wants(d) || !v.inIndex(s.index, d) {
			return nil
		}
		named, err := v.named(d)
		if err != nil {
			return err
		}
		return fn(named)
	}
	if !q.History {
		wanted = current(s.index, wanted)
	}
	if q.AsOf == 0 {
		return v.scan(ctx, s, q.History, true, wanted)
	}
	return v.scan(ctx, s, true, true, func(d *datomic.Datom) error {
		if d.T > asOf {
			return nil
		}
		return wanted(d)
	})
}

// upTo is the last t that is wanted, given it or its transaction; 0 is all.
func upTo(tx int64) int64 {
	if tx == 0 {
		return math.MaxInt64
	}
	return datomic.T(tx)
}

// span is what a query wants of an index; nil is nothing.
func (v *DatomicView) span(q datom.Query) (*span, error) {
	if q.Index == "" {
		q.Index = datom.EAVT
	}
	if treeNames[q.Index] == "" {
		return nil, fmt.Errorf("index %q: %w: Datomic has eavt, aevt, avet and vaet", q.Index, graph.ErrUnsupported)
	}
	var a *int32
	if q.Attr != nil {
		known := v.schema.Attr(*q.Attr)
		if known == nil {
			return nil, nil
		}
		id := int32(known.ID)
		if a = &id; q.Index == datom.AVET && v.absent[id] {
			return nil, fmt.Errorf("avet has no datoms of %s, which is neither unique nor indexed, or not yet: use another index: %w", name(*q.Attr), graph.ErrUnsupported)
		}
	}
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if q.Entity != nil {
		from, to = *q.Entity, *q.Entity
	}
	return newSpan(q.Index, from, to, a), nil
}

// scan calls fn with what a span wants and perhaps more, of the current trees
// or of all, with what is recent or without.
func (v *DatomicView) scan(ctx context.Context, s *span, history, withRecent bool, fn func(*datomic.Datom) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	parts := []string{"", "-mid", "-main"}
	if history {
		parts = append(parts, "-hist")
	}
	var sequences []*sequence
	for _, part := range parts {
		if root, ok := v.trees[treeNames[s.index]+part]; ok {
			sequences = append(sequences, &sequence{pull: v.tree(root, s, &wg).pull})
		}
	}
	if withRecent {
		spool := spill.NewSpool()
		defer func() { _ = spool.Close() }() // a temporary file
		recent, err := v.recentSequences(ctx, s, spool)
		if err != nil {
			return err
		}
		sequences = append(sequences, recent...)
	}
	return merge(ctx, s.index, sequences, fn)
}

// named gives a datom the name of its attribute.
func (v *DatomicView) named(d *datomic.Datom) (datom.Datom, error) {
	a, ok := v.names[d.A]
	if !ok {
		return datom.Datom{}, fmt.Errorf("%w: entity %d has attribute %d, of which no :db/ident is known", graph.ErrCorrupt, d.E, d.A)
	}
	return datom.Datom{E: d.E, A: a, V: d.V, Tx: datomic.TxEntity(d.T), Added: d.Added}, nil
}
