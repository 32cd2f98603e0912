// Package diff tells how two database values differ.
//
// A fact is an entity, an attribute and a value. Two database values differ in
// the facts that only one has at its time; by which transaction a fact came to
// be is not compared, but counted.
//
// What must be read for that depends on what the values are:
//
//	two of one Datahike database    the nodes of :eavt that only one has
//	two of one Datomic database     the log between them
//	others                          both as a whole
//
// What was read is sorted outside memory, where the sides cancel each other.
package diff

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// Change is a fact that only one of two values has.
type Change struct {
	// Added: the newer has it, else the older.
	Added bool
	// Datom is the one that has the fact; or of a Datomic database also the
	// retraction, with Added false, that took it.
	datom.Datom
}

// Side names a value that was compared.
type Side struct {
	Kind     view.Kind `json:"kind"`
	Database string    `json:"database"`
	Branch   string    `json:"branch,omitempty"`
	Point    string    `json:"point,omitempty"`
	T        int64     `json:"t"`
}

// Attribute counts the changes of one attribute.
type Attribute struct {
	// Attr is EDN text: a keyword with its colon mostly.
	Attr      string `json:"attr"`
	Added     int64  `json:"added"`
	Retracted int64  `json:"retracted"`
}

// Report sums up how two values differ.
type Report struct {
	From      Side  `json:"from"`
	To        Side  `json:"to"`
	Added     int64 `json:"added"`
	Retracted int64 `json:"retracted"`
	// Renewed facts are in both, by other transactions.
	Renewed int64 `json:"renewed"`
	// Attributes are sorted by their names.
	Attributes []Attribute `json:"attributes"`
}

// Values compares two values and calls fn, which may be nil, with each change, by
// entity, attribute and value. Memory does not grow with the values.
func Values(ctx context.Context, from, to view.View, fn func(Change) error) (*Report, error) {
	d := &comparison{from: from, to: to, fn: fn, attrs: map[string]*Attribute{}}
	return d.run(ctx)
}

// comparison is one run.
type comparison struct {
	from, to view.View
	fn       func(Change) error
	report   Report
	attrs    map[string]*Attribute
}

func (d *comparison) run(ctx context.Context) (*Report, error) {
	d.report.From, d.report.To = SideOf(d.from.Info()), SideOf(d.to.Info())
	all, err := d.gather(ctx)
	if err == nil {
		err = all.each(d.change, func() { d.report.Renewed++ })
	}
	if err != nil {
		return nil, err
	}
	d.report.Attributes = make([]Attribute, 0, len(d.attrs))
	for _, a := range d.attrs {
		d.report.Attributes = append(d.report.Attributes, *a)
	}
	slices.SortFunc(d.report.Attributes, func(a, b Attribute) int { return cmp.Compare(a.Attr, b.Attr) })
	return &d.report, nil
}

// SideOf names a value.
func SideOf(i view.Info) Side {
	return Side{Kind: i.Kind, Database: i.Database, Branch: i.Branch, Point: i.Point, T: i.T}
}

// gather reads what the values differ in, and perhaps more.
func (d *comparison) gather(ctx context.Context) (all *facts, err error) {
	a, b := d.from.Info(), d.to.Info()
	one := a.Database == b.Database && a.Kind == b.Kind
	switch {
	case one && a.Kind == view.Datahike:
		all, err = d.trees(ctx)
	case one && a.Kind == view.Datomic && a.History && b.History:
		all, err = d.log(ctx)
	default:
		err = errOtherwise
	}
	if errors.Is(err, errOtherwise) {
		return d.whole(ctx)
	}
	return all, err
}

// errOtherwise says that a way of comparing does not lead to the end.
var errOtherwise = errors.New("these cannot be compared in that way")

// whole reads both values.
func (d *comparison) whole(ctx context.Context) (*facts, error) {
	all := newFacts()
	for side, v := range map[side]view.View{inFrom: d.from, inTo: d.to} {
		err := v.Scan(ctx, datom.Query{Index: datom.EAVT}, func(f datom.Datom) error { return all.add(f, side) })
		if err != nil {
			all.close()
			return nil, err
		}
	}
	return all, nil
}

// change counts and tells one change.
func (d *comparison) change(c Change) error {
	if id, ok := c.A.(int64); ok { // read from a tree
		c.A = d.nameOf(id)
	}
	text, err := datom.AppendAttr(nil, c.A)
	if err != nil {
		return err
	}
	a := d.attrs[string(text)]
	if a == nil {
		a = &Attribute{Attr: string(text)}
		d.attrs[a.Attr] = a
	}
	if c.Added {
		a.Added++
		d.report.Added++
	} else {
		a.Retracted++
		d.report.Retracted++
	}
	if d.fn == nil {
		return nil
	}
	return d.fn(c)
}

// nameOf is the attribute of an id, or the id.
func (d *comparison) nameOf(id int64) any {
	for _, v := range []view.View{d.to, d.from} {
		if a := v.Schema().AttrOf(id); a != nil && a.Ident != (fressian.Keyword{}) {
			return a.Ident
		}
	}
	return id
}
