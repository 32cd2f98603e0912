package dbsync

import (
	"cmp"
	"context"
	"math/big"
	"slices"
	"time"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/diff"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// largestValues is how many of the largest values are reported.
const largestValues = 10

// DatomStat says what the current datoms of a value are. Sizes are those of
// values, in bytes: of texts, byte arrays and names their length, of an integer,
// a float64, an instant and a reference 8, of a UUID 16, and of a tuple the sum.
type DatomStat struct {
	diff.Side
	Datoms int64 `json:"datoms"`
	// Bytes are those of all values.
	Bytes int64 `json:"bytes"`
	// Attributes are sorted by their datoms, most first.
	Attributes []AttrStat `json:"attributes"`
	// Period is "day", "month" or "year": what Times are, so that they are not
	// many.
	Period string `json:"period,omitempty"`
	// Times tell when the datoms came to be, by the :db/txInstant of their
	// transactions, oldest first. Periods without datoms are left out, and all of
	// them where the database does not keep that, as Datahike without history.
	Times []TimeStat `json:"times"`
	// Largest are the largest values, largest first.
	Largest []ValueStat `json:"largest"`
	// Indexes are the sizes of the indexes that the database has.
	Indexes []IndexStat `json:"indexes"`
}

// AttrStat sums up an attribute's datoms.
type AttrStat struct {
	// Attr is EDN text: a keyword with its colon mostly.
	Attr   string `json:"attr"`
	Datoms int64  `json:"datoms"`
	Bytes  int64  `json:"bytes"`
}

// TimeStat counts the datoms of a period, in UTC.
type TimeStat struct {
	From   time.Time `json:"from"`
	Datoms int64     `json:"datoms"`
}

// ValueStat is a value's place and size.
type ValueStat struct {
	E     int64  `json:"e"`
	Attr  string `json:"attr"`
	Bytes int64  `json:"bytes"`
}

// IndexStat counts the datoms of an index.
type IndexStat struct {
	Index  datom.Index `json:"index"`
	Datoms int64       `json:"datoms"`
}

// StatDatoms reads the current datoms of a view once, and those of
// :db/txInstant once before. Memory is that of the attributes and of the days on
// which there were transactions.
func StatDatoms(ctx context.Context, v view.View) (*DatomStat, error) {
	rep, err := statDatoms(ctx, v)
	return rep, final(ctx, because(ctx, err))
}

func statDatoms(ctx context.Context, v view.View) (*DatomStat, error) {
	days, err := daysOf(ctx, v)
	if err != nil {
		return nil, err
	}
	s := datomStat{schema: v.Schema(), attrs: map[any]*AttrStat{}, days: days}
	s.Side = diff.SideOf(v.Info())
	if err := v.Scan(ctx, datom.Query{Index: datom.EAVT}, s.count); err != nil {
		return nil, err
	}
	for _, a := range s.attrs {
		s.Attributes = append(s.Attributes, *a)
	}
	slices.SortFunc(s.Attributes, func(a, b AttrStat) int {
		return cmp.Or(cmp.Compare(b.Datoms, a.Datoms), cmp.Compare(a.Attr, b.Attr))
	})
	s.Period, s.Times = days.periods()
	s.Indexes = s.indexes(v.Info().Kind)
	return &s.DatomStat, nil
}

// datomStat counts.
type datomStat struct {
	DatomStat
	schema     *datom.Schema
	attrs      map[any]*AttrStat
	days       *days
	avet, vaet int64
}

func (s *datomStat) count(d datom.Datom) error {
	a := s.attrs[d.A]
	if a == nil {
		text, err := datom.AppendAttr(nil, d.A)
		if err != nil {
			return err
		}
		a = &AttrStat{Attr: string(text)}
		s.attrs[d.A] = a
	}
	size := sizeOf(d.V)
	s.Datoms++
	s.Bytes += size
	a.Datoms++
	a.Bytes += size
	s.days.count(d.Tx)
	s.largest(ValueStat{d.E, a.Attr, size})
	ident, _ := d.A.(fressian.Keyword)
	if attr := s.schema.Attr(ident); attr != nil {
		ref := attr.ValueType == fressian.Keyword{NS: "db.type", Name: "ref"}
		if ref {
			s.vaet++
		}
		if attr.Indexed || attr.Unique != (fressian.Keyword{}) || ref && s.Kind == view.Datahike {
			s.avet++
		}
	}
	return nil
}

// largest keeps the largest values, and of equal ones the first.
func (s *datomStat) largest(v ValueStat) {
	if n := len(s.Largest); n == largestValues {
		if s.Largest[n-1].Bytes >= v.Bytes {
			return
		}
		s.Largest = s.Largest[:n-1]
	}
	at, _ := slices.BinarySearchFunc(s.Largest, v, func(have, v ValueStat) int {
		if have.Bytes >= v.Bytes {
			return -1
		}
		return 1
	})
	s.Largest = slices.Insert(s.Largest, at, v)
}

// indexes are what a database of the kind has: Datahike keeps references in
// AVET, Datomic in VAET.
func (s *datomStat) indexes(kind view.Kind) []IndexStat {
	all := []IndexStat{{datom.EAVT, s.Datoms}, {datom.AEVT, s.Datoms}, {datom.AVET, s.avet}}
	if kind == view.Datomic {
		all = append(all, IndexStat{datom.VAET, s.vaet})
	}
	return all
}

// sizeOf is the size of a value, in bytes.
func sizeOf(v any) int64 {
	switch v := v.(type) {
	case nil:
		return 0
	case bool:
		return 1
	case string:
		return int64(len(v))
	case []byte:
		return int64(len(v))
	case fressian.URI:
		return int64(len(v))
	case fressian.Keyword:
		return int64(len(v.NS) + len(v.Name))
	case fressian.Symbol:
		return int64(len(v.NS) + len(v.Name))
	case fressian.UUID:
		return int64(len(v))
	case float32:
		return 4
	case *big.Int:
		return int64(v.BitLen()/8 + 1)
	case fressian.Decimal:
		return int64(v.Unscaled.BitLen()/8 + 5)
	}
	return sizeOfMany(v)
}

func sizeOfMany(v any) (sum int64) {
	var parts []any
	switch v := v.(type) {
	case []float32:
		return int64(4 * len(v))
	case []float64:
		return int64(8 * len(v))
	case []any:
		parts = v
	case fressian.Vector:
		parts = v
	case fressian.Seq:
		parts = v
	case fressian.Set:
		parts = v
	case fressian.Map:
		for _, e := range v {
			sum += sizeOf(e.Key) + sizeOf(e.Value)
		}
		return sum
	case fressian.Record:
		return sizeOf(v.Fields)
	case fressian.Tagged:
		parts = v.Fields
	default:
		return 8
	}
	for _, p := range parts {
		sum += sizeOf(p)
	}
	return sum
}
