package view

import (
	"bytes"
	"context"
	"errors"
	"iter"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/datoms"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
)

// history merges what was retracted or replaced and the current datoms that are
// not there (see datoms.CurrentOnly) to one sequence without duplicates. Both
// trees have one order; where they may differ, which is in values that other
// versions of Datahike order otherwise, they are sorted anew: the datoms of one
// entity and attribute, in AVET those of one attribute, and only where both
// trees have some.
func (v *DatahikeView) history(ctx context.Context, w wanted, fn func(datom.Datom) error) error {
	past, err := v.cursor(ctx, "temporal-"+string(w.index), w, nil)
	defer past.stop()
	if err != nil {
		return err
	}
	now, err := v.cursor(ctx, string(w.index), w, v.kept)
	defer now.stop()
	if err != nil {
		return err
	}
	for !past.end || !now.end {
		c := bytes.Compare(past.prefix, now.prefix)
		switch {
		case now.end || !past.end && c < 0:
			err = past.pass(fn)
		case past.end || c > 0:
			err = now.pass(fn)
		default:
			err = both(w.index, past, now, fn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// both hands over the datoms that two cursors have of one prefix.
func both(index datom.Index, a, b *cursor, fn func(datom.Datom) error) error {
	var s sorted
	defer s.close()
	prefix := bytes.Clone(a.prefix)
	for _, c := range []*cursor{a, b} {
		for !c.end && bytes.Equal(c.prefix, prefix) {
			err := c.pass(func(d datom.Datom) error {
				key, err := datoms.AppendKey(nil, index, d)
				if err != nil {
					return err
				}
				return s.add(key, d)
			})
			if err != nil {
				return err
			}
		}
	}
	return s.each(fn)
}

// asOf scans what was true after a transaction: of all that was said until then
// of an entity, an attribute and a value the last, if that was not that it is
// gone. In one transaction, an assertion comes after a retraction.
func (v *DatahikeView) asOf(ctx context.Context, w wanted, fn func(datom.Datom) error) error {
	var last datom.Datom
	var fact, key []byte
	give := func() error {
		if last.Added && last.Tx >= w.result.from && last.Tx <= w.result.to {
			return fn(last)
		}
		return nil
	}
	err := v.history(ctx, w, func(d datom.Datom) (err error) {
		if key, err = datoms.AppendKey(key[:0], w.index, d); err != nil {
			return err
		}
		if same := datom.SameFact(key); !bytes.Equal(same, fact) {
			err = give()
			fact = append(fact[:0], same...)
		}
		last = d
		return err
	})
	if err != nil {
		return err
	}
	return give()
}

// cursor is a place in the datoms that are wanted of a tree.
type cursor struct {
	index  datom.Index
	next   func() ([]datom.Datom, error, bool)
	stop   func()
	batch  []datom.Datom
	prefix []byte // of the keys of the first datom's entity and attribute
	end    bool
}

// errStop ends a scan whose datoms are not wanted any more.
var errStop = errors.New("stop")

// cursor begins to read a tree; one that is not there has no datoms.
func (v *DatahikeView) cursor(ctx context.Context, name string, w wanted, attrs datahike.AttrSet) (*cursor, error) {
	c := &cursor{index: w.index}
	tree, ok := v.trees[name]
	c.next, c.stop = iter.Pull2(func(yield func([]datom.Datom, error) bool) {
		if !ok {
			return
		}
		err := v.leaves(ctx, tree, w, attrs, func(all []datom.Datom) error {
			if len(all) > 0 && !yield(all, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && err != errStop { //nolint:errorlint // our own, never wrapped
			yield(nil, err)
		}
	})
	return c, c.fill()
}

// fill makes sure that there is a first datom, unless this is the end.
func (c *cursor) fill() error {
	if len(c.batch) == 0 {
		all, err, more := c.next()
		if err != nil {
			return err
		}
		c.batch, c.end = all, !more
	}
	if !c.end {
		d := &c.batch[0]
		c.prefix = datom.AppendPrefix(c.prefix[:0], c.index, &d.E, d.A)
	}
	return nil
}

// pass hands over the first datom and goes on to the next.
func (c *cursor) pass(fn func(datom.Datom) error) error {
	d := c.batch[0]
	c.batch = c.batch[1:]
	if err := fn(d); err != nil {
		return err
	}
	return c.fill()
}
