package build

import (
	"context"
	"fmt"
	"iter"

	"golang.org/x/sync/errgroup"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// Finish writes the indexes, the schema and the commit, and returns what makes
// of them a database. It is called once.
func (b *Builder) Finish(ctx context.Context) (*Result, error) {
	s, err := b.learn()
	if err != nil {
		return nil, err
	}
	out := newOutput(ctx, &b.o)
	err = b.writeTrees(ctx, out)
	if perr := out.wait(); perr != nil {
		return nil, perr
	}
	if err != nil {
		return nil, err
	}
	if err := b.heads(ctx, out, s); err != nil {
		return nil, err
	}
	r := &b.result
	r.Datoms, r.Attributes = b.trees[0].root.count, len(b.attrs.all)
	r.Blobs, r.Bytes = out.blobs.Load(), out.bytes.Load()
	r.MaxTx, r.MaxEid = b.maxTx, b.maxEid
	return r, nil
}

// writeTrees writes all indexes.
func (b *Builder) writeTrees(ctx context.Context, out *output) error {
	count := len(indexes)
	if !b.o.History {
		count /= 2
	}
	b.trees = make([]tree, count)
	for i := range b.trees {
		b.trees[i] = tree{
			nodes: nodeWriter{index: indexes[i].order, attrs: b.attrs.all}, factor: b.o.BranchingFactor,
			put: func(value []byte) (fressian.UUID, error) { return out.node(ctx, b, value) },
		}
	}
	byAttr, byValue := spill.NewSorterOf(sortMemory), spill.NewSorterOf(sortMemory)
	defer byAttr.Close()
	defer byValue.Close()
	err := fan(func(emit func(item) error) error { return b.facts(emit) },
		b.toTrees(0),
		b.toSorter(byAttr, datom.AEVT, func(*attribute) bool { return true }),
		b.toSorter(byValue, datom.AVET, func(a *attribute) bool { return a.indexed }))
	if err != nil {
		return err
	}
	var both errgroup.Group
	for at, sorter := range []*spill.Sorter{byAttr, byValue} {
		both.Go(func() error {
			add := b.toTrees(at + 1)
			for line, err := range sorter.Sorted() {
				if err != nil {
					return err
				}
				if err := add([]item{parse(line)}); err != nil {
					return err
				}
			}
			return b.finishTrees(at + 1)
		})
	}
	both.Go(func() error { return b.finishTrees(0) })
	return both.Wait()
}

// toTrees puts items into the index of that number, and into that of history.
func (b *Builder) toTrees(at int) func([]item) error {
	return func(items []item) error {
		for _, i := range items {
			if i.flags&isNow != 0 {
				if err := b.trees[at].add(i); err != nil {
					return err
				}
			}
			if i.flags&isPast != 0 {
				if err := b.trees[at+3].add(i); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

func (b *Builder) finishTrees(at int) error {
	for ; at < len(b.trees); at += 3 {
		if err := b.trees[at].finish(); err != nil {
			return err
		}
	}
	return nil
}

func (b *Builder) toSorter(s *spill.Sorter, order datom.Index, wanted func(*attribute) bool) func([]item) error {
	var line []byte
	return func(items []item) error {
		for _, i := range items {
			if a := &b.attrs.all[i.attr]; wanted(a) {
				line = i.reorder(line[:0], order, a)
				s.AddBytes(line)
			}
		}
		return nil
	}
}

// facts emits the datoms in the order of EAVT, with what they are in flags.
func (b *Builder) facts(emit func(item) error) error {
	var last item // waits for what comes after it
	settle := func(final bool) error {
		if last.key == "" {
			return nil
		}
		if b.settle(&last, final); last.flags&(isNow|isPast) == 0 {
			return nil
		}
		return emit(last)
	}
	for i, err := range b.sorted() {
		if err != nil {
			return err
		}
		if i.key == last.key {
			if i.value != last.value || i.attr != last.attr {
				tx, _ := i.tail()
				return fmt.Errorf("%w: entity %d, attribute %v, transaction %d", ErrSame, i.entity(datom.EAVT, nil), b.attrs.all[i.attr].id, tx)
			}
			last.flags |= i.flags
			continue
		}
		if err := settle(last.key == "" || last.fact() != i.fact()); err != nil {
			return err
		}
		last = i
	}
	return settle(true)
}

// sorted yields what was added.
func (b *Builder) sorted() iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		for line, err := range b.sorter.Sorted() {
			if err != nil {
				yield(item{}, err)
				return
			}
			if !yield(parse(line), nil) {
				return
			}
		}
	}
}

// settle decides to which indexes an item belongs. final says that no later
// datom says the same or its reverse.
func (b *Builder) settle(i *item, final bool) {
	if b.attrs.all[i.attr].skipped {
		i.flags &^= isNow | isPast
		b.result.Skipped++
		return
	}
	tx, added := i.tail()
	if i.flags&isPast != 0 {
		b.result.History++
	}
	if !b.o.Told && final && added {
		i.flags |= isNow
	}
	b.ops++
	// What a database has from its beginning is in all indexes.
	apart := b.attrs.all[i.attr].apart && tx != tx0
	if !b.o.History || i.flags&isNow != 0 && apart {
		i.flags &^= isPast
	}
}

// heads writes the schema and the commit.
func (b *Builder) heads(ctx context.Context, out *output, s *schema) error {
	value := s.value()
	schema, err := hasch.UUID(value)
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	record, err := b.record(schema)
	if err != nil {
		return err
	}
	if err := out.write(ctx, schema, value); err != nil {
		return err
	}
	if err := out.write(ctx, b.result.Commit, record); err != nil {
		return err
	}
	branch := kw("", "db")
	head, err := out.mutable(branch, record)
	if err != nil {
		return err
	}
	branches, err := out.mutable(kw("", "branches"), fressian.Set{branch})
	if err != nil {
		return err
	}
	b.result.Heads = []graph.Held{{ID: datahike.KeyID(branch), Data: head}, {ID: datahike.BranchesID(), Data: branches}}
	return nil
}
