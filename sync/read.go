package dbsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/render"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// errEnough ends a reading of which no more is wanted.
var errEnough = errors.New("enough")

// DatomsOptions say which datoms are printed, and how.
type DatomsOptions struct {
	Format render.Format
	// Index is the order; empty means AEVT with Attr, else EAVT.
	Index datom.Index
	// Attr wants one attribute's datoms: ":user/email", with or without the colon.
	Attr string
	// Entity wants one entity's datoms.
	Entity *int64
	// From and To want the datoms of transactions, both included: each is a
	// transaction or a time as in LogOptions.
	From, To string
	History  bool
	// Limit is how many are printed at most; 0 is no limit.
	Limit int64
	// SkipErrors leaves out what the format has no form for, and logs it.
	SkipErrors bool
}

// Printed is how much was printed.
type Printed struct{ Datoms, Transactions, Skipped int64 }

// WriteDatoms writes datoms of a view to out, in the order of an index.
func WriteDatoms(ctx context.Context, v view.View, out io.Writer, opt DatomsOptions) (p Printed, err error) {
	q, err := opt.query(ctx, v)
	if err != nil {
		return p, final(ctx, err)
	}
	w, err := render.New(opt.Format, out, v.Schema())
	if err != nil {
		return p, fserrors.NoRetryError(err)
	}
	err = v.Scan(ctx, q, func(d datom.Datom) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.Datom(d); err != nil {
			return p.skip(v, opt.SkipErrors, err)
		}
		if p.Datoms++; p.Datoms == opt.Limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	if err == nil || opt.Format != render.Parquet { // after an error too: what was read until then is shown; a part of a Parquet file looks whole
		err = cmp.Or(err, w.Close())
	}
	return p, final(ctx, because(ctx, err))
}

// skip is what becomes of an error with a datom: nil if it is left out.
func (p *Printed) skip(v view.View, allowed bool, err error) error {
	if !errors.Is(err, datom.ErrNoText) {
		return err
	}
	if !allowed {
		return fserrors.NoRetryError(fmt.Errorf("%w (--on-error skip leaves it out)", err))
	}
	p.Skipped++
	fs.Logf(nil, "%s: left out: %v", v.Info().Database, err)
	return nil
}

func (opt DatomsOptions) query(ctx context.Context, v view.View) (q datom.Query, err error) {
	if opt.History && !v.Info().History {
		return q, refuse("the database keeps no history: ask without --history")
	}
	q = datom.Query{Index: opt.Index, Entity: opt.Entity, History: opt.History}
	if opt.Attr != "" {
		attr := parseKeyword(opt.Attr)
		q.Attr = &attr
		if err := hasAttr(ctx, v, q); err != nil {
			return q, err
		}
	}
	switch {
	case q.Index != "":
	case q.Attr != nil && q.Entity == nil:
		q.Index = datom.AEVT
	default:
		q.Index = datom.EAVT
	}
	q.TxFrom, q.TxTo, err = txRange(ctx, v, opt.From, opt.To)
	return q, err
}

// hasAttr refuses an attribute that neither the schema nor any datom has. Datahike
// has datoms of attributes that no schema declares: those of the schema itself,
// and any under :schema-flexibility :read.
func hasAttr(ctx context.Context, v view.View, q datom.Query) error {
	if v.Schema().Attr(*q.Attr) != nil {
		return nil
	}
	err := v.Scan(ctx, datom.Query{Index: datom.AEVT, Attr: q.Attr, History: q.History}, func(datom.Datom) error { return errEnough })
	name, _ := datom.AppendAttr(nil, *q.Attr) // keywords have a text
	switch {
	case errors.Is(err, errEnough) && q.Index == datom.AVET:
		return refuse("the schema does not declare %s, so that avet has no datoms of it: use another index", name)
	case errors.Is(err, errEnough):
		return nil
	case err != nil:
		return err
	}
	return refuse("the database has no attribute %s (rclone-datom schema lists them)", name)
}

// parseKeyword reads a keyword as Clojure does: the namespace ends at the first
// slash.
func parseKeyword(text string) fressian.Keyword {
	text = strings.TrimPrefix(text, ":")
	if ns, name, ok := strings.Cut(text, "/"); ok && ns != "" && name != "" {
		return fressian.Keyword{NS: ns, Name: name}
	}
	return fressian.Keyword{Name: text}
}

// LogOptions say which transactions are printed.
type LogOptions struct {
	// From and To are the first and the last: a transaction's entity or t (in
	// Datahike numbers below 2^29 are counted from the first transaction, in
	// Datomic those below 2^42 are a t), or a time, as rclone's flags take
	// times; empty is no bound.
	From, To string
	// JSON prints JSON in place of EDN.
	JSON bool
	// Limit is how many are printed at most; 0 is no limit.
	Limit int64
}

// WriteLog writes transactions of a view to out, oldest first.
func WriteLog(ctx context.Context, v view.View, out io.Writer, opt LogOptions) (p Printed, err error) {
	from, to, err := txRange(ctx, v, opt.From, opt.To)
	if err != nil {
		return p, final(ctx, err)
	}
	form := render.EDN
	if opt.JSON {
		form = render.JSON
	}
	w := render.NewLog(out, form, v.Schema())
	err = v.Log(ctx, from, to, func(tx view.Transaction) error {
		if err := w.Transaction(tx); err != nil {
			return fmt.Errorf("transaction %d: %w", tx.T, err)
		}
		p.Datoms += int64(len(tx.Datoms))
		if tx.More {
			return ctx.Err()
		}
		if p.Transactions++; p.Transactions == opt.Limit {
			return errEnough
		}
		return ctx.Err()
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return p, final(ctx, because(ctx, err))
}

// txRange are the transactions that two texts mean; 0 is no bound. A range
// without any has a from above its to.
func txRange(ctx context.Context, v view.View, from, to string) (first, last int64, err error) {
	if first, err = txBound(ctx, v, from, true); err != nil {
		return 0, 0, fmt.Errorf("from: %w", err)
	}
	if last, err = txBound(ctx, v, to, false); err != nil {
		return 0, 0, fmt.Errorf("to: %w", err)
	}
	return first, last, nil
}

// txBound is the transaction that a text means. A time means the first
// transaction that was not before it, or the last that was not after it.
func txBound(ctx context.Context, v view.View, text string, first bool) (int64, error) {
	if text == "" {
		return 0, nil
	}
	if n, ok := numberOf(text); ok {
		return fromT(v.Info().Kind, n), nil
	}
	t, err := fs.ParseTime(text)
	if err != nil {
		return 0, fserrors.NoRetryError(fmt.Errorf("%q is no transaction and no time", text))
	}
	low, high, dated := v.Info().MaxTx+1, int64(1), false // a range of none
	err = v.Scan(ctx, datom.Query{Index: datom.AEVT, Attr: &txInstant}, func(d datom.Datom) error {
		ms, ok := d.V.(fressian.Inst)
		dated = dated || ok
		if ok && int64(ms) >= t.UnixMilli() {
			low = min(low, d.E)
		}
		if ok && int64(ms) <= t.UnixMilli() {
			high = max(high, d.E)
		}
		return nil
	})
	if err == nil && !dated {
		err = refuse("%q is a time, and the database does not say when its transactions were, as Datahike without history: give a transaction", text)
	}
	if first {
		return low, err
	}
	return high, err
}
