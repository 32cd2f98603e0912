package datoms

import (
	"context"
	"slices"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Range tells which leaves of a tree are wanted. The zero value wants all.
type Range struct {
	// From and To bound them: only leaves are read that may have a datom whose
	// key (see [AppendKey]) is From or greater, and less than To. nil is no
	// bound. Leaves at the edges have others too. Bounds may cut keys behind the
	// entity and the attribute that begin them, or the attribute in AVET, and no
	// later: what follows there is not certain of the datoms that mark the way.
	From, To []byte
	// Skip passes over so many of those leaves without reading them.
	Skip int64
	// Run is how many neighbouring leaves make one [Run]; 0 means 1.
	Run int
}

// Beginning is the range of the keys that begin with a prefix, such as one of
// [datom.AppendPrefix].
func Beginning(prefix []byte) Range {
	if len(prefix) == 0 {
		return Range{}
	}
	r := Range{From: prefix}
	for end := slices.Clone(prefix); len(end) > 0; end = end[:len(end)-1] {
		if end[len(end)-1]++; end[len(end)-1] != 0 {
			r.To = end
			break
		}
	}
	return r
}

// Run is neighbouring leaves that are read by one worker.
type Run struct {
	// Leaf is the number of the first, counted among those of the Range from 0,
	// those that are skipped included; Leaves is how many there are.
	Leaf   int64
	Leaves int

	of   *descent
	jobs []leafJob
}

// Each reads the leaves in order and calls fn with each; a Part is valid until
// fn returns, and its datoms are in order.
func (r *Run) Each(ctx context.Context, fn func(Part) error) error {
	return r.of.with(func(m *memory) error {
		for _, job := range r.jobs {
			p, err := r.of.part(ctx, m, job, true)
			if err != nil {
				return r.of.named(err)
			}
			r.of.found.Add(int64(p.Len()))
			if err := fn(p); err != nil {
				return err
			}
		}
		return nil
	})
}

// Scan calls fn with the datoms of a tree, leaf after leaf in its order.
func (r *Reader) Scan(ctx context.Context, record graph.Held, tree graph.Tree, rg Range, fn func([]datom.Datom) error) error {
	return ScanMap(ctx, r, record, tree, rg, func(ctx context.Context, run *Run) (all []datom.Datom, err error) {
		err = run.Each(ctx, func(p Part) error {
			for i := range p.Len() {
				f, err := p.Fact(i)
				if err != nil {
					return err
				}
				all = append(all, f)
			}
			return nil
		})
		return all, err
	}, fn)
}

// ScanMap calls work on the reader's Workers goroutines with the runs of a
// tree's leaves, a few ahead, and fn on the caller's with what work returns, in
// the order of the tree. Twice as many runs as there are workers are under way
// or wait for fn.
//
// The first error of work or fn, in that order, ends the reading and is
// returned as it is; the context that work gets ends with it. Where all leaves
// are wanted, and work reads them with Each, they must have as many datoms as the
// root states.
func ScanMap[T any](ctx context.Context, r *Reader, record graph.Held, tree graph.Tree, rg Range, work func(context.Context, *Run) (T, error), fn func(T) error) error {
	ctx, cancel := context.WithCancel(ctx)
	workers := max(r.Workers, 1)
	s := &scan[T]{tasks: make(chan task[T]), done: make(chan chan result[T], workers)}
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	for range workers {
		all.Go(func() {
			for t := range s.tasks {
				v, err := work(ctx, t.run)
				t.out <- result[T]{v, err}
			}
		})
	}
	d := newDescent(r, record, tree, rg)
	all.Go(func() { s.feed(ctx, d) })
	for out := range s.done {
		res := <-out
		if res.err != nil {
			return res.err
		}
		if err := fn(res.value); err != nil {
			return err
		}
	}
	if s.err != nil {
		return s.err
	}
	return d.complete()
}

// scan is one ScanMap.
type scan[T any] struct {
	tasks chan task[T]
	done  chan chan result[T] // in the order of the tree
	err   error               // of finding leaves; set before done is closed
}

// task is a run and where its result goes, which never blocks.
type task[T any] struct {
	run *Run
	out chan result[T]
}

type result[T any] struct {
	value T
	err   error
}

// feed finds the leaves and hands them out. Whatever waits in done has been
// taken by a worker before.
func (s *scan[T]) feed(ctx context.Context, d *descent) {
	defer close(s.done)
	defer close(s.tasks)
	run := &Run{Leaf: d.rg.Skip, of: d}
	send := func() error {
		t := task[T]{run, make(chan result[T], 1)}
		select {
		case s.tasks <- t:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		select {
		case s.done <- t.out:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		run = &Run{Leaf: run.Leaf + int64(run.Leaves), of: d}
		return nil
	}
	err := d.leavesTo(ctx, func(job leafJob) error {
		run.jobs = append(run.jobs, job)
		if run.Leaves++; run.Leaves < d.rg.Run {
			return nil
		}
		return send()
	})
	if err == nil && run.Leaves > 0 {
		err = send()
	}
	s.err = d.named(err)
}
