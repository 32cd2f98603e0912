// Package migrate shows a Datomic database as one of Datahike's: what it has is
// translated, datom by datom, and what Datahike has no place for is left out.
//
// Entities get other numbers, since those of Datomic are too large: an entity
// is a partition and a number of 42 bits in it, and the number alone is taken.
// It is unique but for the schema's partition, which counts by itself, so that
// all others move up if that one has grown beyond theirs. Transactions become
// 536870912 + t. Both keep their order, and T stays what it was.
//
// References follow, in tuples too. Values of :db/valueType, :db/cardinality and
// :db/unique become the keywords that Datahike has for them. Of the type
// :db.type/uri there is none: it becomes :db.type/string.
//
// Left out are what every database of Datomic begins with (t below 1000), and
// the attributes of Datomic itself that Datahike has not; see docs/migration.md.
//
// The facts are from Datomic 1.0.7622, and of Datahike from datahike.constants
// (tx0, emax), datahike.schema and datahike.migrate.datomic (0.8).
package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// ErrRefused says that Datahike cannot have a datom.
var ErrRefused = errors.New("Datahike has nothing for it") //nolint:staticcheck // a name

// firstT is the t of the first transaction of users.
const firstT = 1000

// View is a Datomic database as Datahike's.
type View struct {
	view.View // sorts what Unsorted gives
	from      view.View
	skip      func(datom.Datom, error)
	ids       ids
	attrs     map[fressian.Keyword]kind
	refused   map[int64]fressian.Keyword // attributes of types that Datahike has not, and these
	// names are the entities of the database itself that may be values.
	names map[int64]fressian.Keyword
}

// FromDatomic returns the view and what is to be said of the migration. skip,
// if not nil, is told of datoms that Datahike cannot have, which are left out,
// each time that they are met; otherwise the first one ends a reading. Closing
// the view does not close v.
func FromDatomic(ctx context.Context, v view.View, skip func(datom.Datom, error)) (*View, []string, error) {
	m := &View{from: v, skip: skip, attrs: map[fressian.Keyword]kind{}, refused: map[int64]fressian.Keyword{}, names: map[int64]fressian.Keyword{}}
	if err := m.readNames(ctx); err != nil {
		return nil, nil, err
	}
	schema, notes := m.translate(v.Schema())
	info := v.Info()
	maxTx, ok := m.ids.tx(info.MaxTx)
	if !ok {
		return nil, nil, fmt.Errorf("%w: transaction %d is beyond what Datahike counts to", graph.ErrUnsupported, info.MaxTx)
	}
	info.Kind, info.MaxTx, info.T, info.MaxE, info.Datoms = view.Datahike, maxTx, maxTx-tx0, -1, -1
	m.View = view.OfStream(view.Stream{Info: info, Schema: schema, Each: func(ctx context.Context, fn func(datom.Datom) error) error {
		return m.each(ctx, info.History, fn)
	}})
	return m, notes, nil
}

// readNames reads the names of what the database defines itself, and how far the
// partition of the schema has grown.
func (m *View) readNames(ctx context.Context) error {
	ident := fressian.Keyword{NS: "db", Name: "ident"}
	var largest int64
	err := m.from.Scan(ctx, datom.Query{Index: datom.AEVT, Attr: &ident, History: m.from.Info().History}, func(d datom.Datom) error {
		if d.E>>partitionBits == 0 {
			largest = max(largest, d.E)
		}
		if name, ok := d.V.(fressian.Keyword); ok && d.Added && (number(d.Tx) < firstT || isSystem(name)) {
			m.names[d.E] = name
		}
		return nil
	})
	m.ids.shift = max(0, largest+1-firstT)
	return err
}

// Unsorted implements view.Unsorted.
func (m *View) Unsorted(ctx context.Context, history bool, fn func([]datom.Datom) error) error {
	some := make([]datom.Datom, 0, batch)
	err := m.each(ctx, history, func(d datom.Datom) error {
		if some = append(some, d); len(some) < batch {
			return nil
		}
		err := fn(some)
		some = some[:0]
		return err
	})
	if err == nil && len(some) > 0 {
		err = fn(some)
	}
	return err
}

// batch is how many datoms are handed over at a time.
const batch = 1024

// each calls fn with the translated datoms, in the order of their entities.
func (m *View) each(ctx context.Context, history bool, fn func(datom.Datom) error) error {
	check := newUnique()
	defer check.close()
	err := m.from.Scan(ctx, datom.Query{History: history}, func(d datom.Datom) error {
		if number(d.Tx) < firstT {
			return nil
		}
		to, ok, err := m.datom(d)
		if err != nil {
			err = fmt.Errorf("entity %d, attribute %v: %w", d.E, d.A, err)
			if m.skip == nil || !errors.Is(err, ErrRefused) {
				return err
			}
			m.skip(d, err)
			return nil
		}
		if !ok {
			return nil
		}
		check.add(d.E, to.E)
		return fn(to)
	})
	if err != nil {
		return err
	}
	return check.err()
}

var _ view.Unsorted = (*View)(nil)
