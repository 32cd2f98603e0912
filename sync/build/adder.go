package build

import (
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// Adder takes datoms for a Builder. There may be many at a time, each of them
// for one goroutine.
type Adder struct {
	b    *Builder
	w    fressian.Writer
	line []byte
	// known has what the Builder has of attributes, and last is what was asked
	// for last.
	known map[any]known
	last  any
	at    known

	maxTx, maxEid, hash int64
	schema              []datom.Datom // what describes it
}

// known is an attribute's number, and whether its datoms describe the schema.
type known struct {
	number int
	schema bool
}

// Adder returns one that nobody else uses until Done.
func (b *Builder) Adder() *Adder {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.idle); n > 0 {
		a := b.idle[n-1]
		b.idle = b.idle[:n-1]
		return a
	}
	a := &Adder{b: b, known: map[any]known{}}
	b.all = append(b.all, a)
	return a
}

// Done gives an Adder back.
func (a *Adder) Done() {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	a.b.idle = append(a.b.idle, a)
}

// Add takes a datom, in any order. It may come again: it is the same then. The
// errors match ErrRefused, [datom.ErrNoOrder] or [fressian.ErrValue].
func (a *Adder) Add(d datom.Datom, m Mark) error {
	if d.E < 0 || d.E > maxID || d.Tx < tx0 || d.Tx > maxID {
		return fmt.Errorf("%w: datom of entity %d in transaction %d: entities of Datahike are 0 to %d, transactions %d to %d",
			ErrRefused, d.E, d.Tx, maxID, tx0, maxID)
	}
	attr, err := a.attribute(d.A)
	if err == nil && m == Now && !d.Added {
		err = fmt.Errorf("%w: a retraction, where all is to be true now", ErrRefused)
	}
	if err != nil {
		return of(d, err)
	}
	d.V = vectors(d.V)
	line, err := datom.AppendKey(a.line[:0], datom.EAVT, d)
	if err != nil {
		return err
	}
	key := len(line)
	a.w.Reset()
	if err := a.w.Write(d.V); err != nil {
		return of(d, err)
	}
	flags := byte(m)
	if !fressian.Alone(d.V) {
		flags |= isDeep
	}
	a.line = appendTrailer(append(line, a.w.Bytes()...), attr.number, key, flags)
	a.b.sorter.AddBytes(a.line)
	a.note(d, m, attr)
	return nil
}

// vectors makes vectors of plain lists, within values too: that is what they
// are to who writes Fressian without incognito's handlers, and Datahike compares
// tuples as vectors only.
func vectors(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	vector := make(fressian.Vector, len(list))
	for i := range list {
		vector[i] = vectors(list[i])
	}
	return vector
}

// note takes from a datom what the record says of all.
func (a *Adder) note(d datom.Datom, m Mark, attr known) {
	if d.E < tx0 {
		a.maxEid = max(a.maxEid, d.E)
	}
	a.maxTx = max(a.maxTx, d.Tx)
	if m != Past && a.b.o.History {
		return // it comes again
	}
	if attr.schema {
		a.schema = append(a.schema, d)
	}
	if d.Added && d.Tx > tx0 {
		a.hash += hashOf(d)
	}
}

func (a *Adder) attribute(id any) (known, error) {
	if id == a.last && id != nil {
		return a.at, nil
	}
	k, ok := a.known[id]
	if !ok {
		var err error
		if k, err = a.b.attribute(id); err != nil {
			return k, err
		}
		a.known[id] = k
	}
	a.last, a.at = id, k
	return k, nil
}

// attribute returns what there is of an attribute, perhaps a new one.
func (b *Builder) attribute(id any) (known, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.attrs.number(id)
	if err != nil {
		return known{}, err
	}
	return known{n, b.attrs.all[n].schema}, nil
}

// of names the datom that cannot be taken.
func of(d datom.Datom, err error) error {
	return fmt.Errorf("datom of entity %d, attribute %v, transaction %d: %w", d.E, d.A, d.Tx, err)
}
