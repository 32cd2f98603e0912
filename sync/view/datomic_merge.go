package view

import (
	"context"
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
)

// sequence stands in a sequence of datoms that are in order.
type sequence struct {
	rest []datomic.Datom
	// pull returns more, and none at the end; nil if there is no more.
	pull func(ctx context.Context) ([]datomic.Datom, error)
}

// fill makes sure that something is left, unless the end is reached.
func (c *sequence) fill(ctx context.Context) (err error) {
	if len(c.rest) == 0 && c.pull != nil {
		c.rest, err = c.pull(ctx)
	}
	return err
}

// merge calls fn with the datoms of all sequences, in the order of an index.
// They stay as they are for as long as fn keeps pointers to them.
func merge(ctx context.Context, index datom.Index, sequences []*sequence, fn func(*datomic.Datom) error) error {
	for _, c := range sequences {
		if err := c.fill(ctx); err != nil {
			return err
		}
	}
	for {
		sequences = slices.DeleteFunc(sequences, func(c *sequence) bool { return len(c.rest) == 0 })
		if len(sequences) == 0 {
			return nil
		}
		first, second := least(index, sequences)
		for len(first.rest) > 0 && (second == nil || datomic.Compare(index, &first.rest[0], &second.rest[0]) <= 0) {
			if err := fn(&first.rest[0]); err != nil {
				return err
			}
			first.rest = first.rest[1:]
			if err := first.fill(ctx); err != nil {
				return err
			}
		}
	}
}

// least returns the sequence that goes on with the least datom, and the one
// with the least of all others.
func least(index datom.Index, sequences []*sequence) (first, second *sequence) {
	for _, c := range sequences {
		switch {
		case first == nil || datomic.Compare(index, &c.rest[0], &first.rest[0]) < 0:
			first, second = c, first
		case second == nil || datomic.Compare(index, &c.rest[0], &second.rest[0]) < 0:
			second = c
		}
	}
	return first, second
}

// current passes on what holds: of each entity, attribute and value, whose
// datoms come newest first, those before the first retraction. That may be
// more than one where values are equal that are not the same, as 1.0 and 1.00.
func current(index datom.Index, fn func(*datomic.Datom) error) func(*datomic.Datom) error {
	var retracted *datomic.Datom
	return func(d *datomic.Datom) error {
		if retracted != nil && datomic.CompareFact(index, retracted, d) == 0 {
			return nil
		}
		if !d.Added {
			retracted = d
			return nil
		}
		return fn(d)
	}
}
