// Package pool runs jobs on a fixed number of goroutines. Workers live as long
// as the pool: a goroutine for each of a million small jobs would spend its
// time growing its stack.
package pool

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Pool takes jobs of one kind. Its methods are called from one goroutine or
// many, but for Wait, which ends the taking.
type Pool[T any] struct {
	jobs chan T
	g    *errgroup.Group
	ctx  context.Context
}

// New starts the workers. The first error of a job cancels the context that
// the jobs get, and ends the pool.
func New[T any](ctx context.Context, workers int, do func(context.Context, T) error) *Pool[T] {
	g, ctx := errgroup.WithContext(ctx)
	p := &Pool[T]{jobs: make(chan T), g: g, ctx: ctx}
	for range max(workers, 1) {
		g.Go(func() error {
			for job := range p.jobs {
				if err := do(ctx, job); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return p
}

// Do hands a job over. It blocks while all workers are busy, and returns an
// error if the pool has ended.
func (p *Pool[T]) Do(job T) error {
	select {
	case p.jobs <- job:
		return nil
	case <-p.ctx.Done():
		return context.Cause(p.ctx)
	}
}

// Wait ends the taking of jobs and returns the first error of one, when all
// that were taken are done.
func (p *Pool[T]) Wait() error {
	close(p.jobs)
	return p.g.Wait()
}

// Run feeds a pool and waits for it. The error of a job goes before that of
// the feeding, which it often caused.
func Run[T any](ctx context.Context, workers int, feed func(do func(T) error) error, do func(context.Context, T) error) error {
	p := New(ctx, workers, do)
	ferr := feed(p.Do)
	if err := p.Wait(); err != nil {
		return err
	}
	return ferr
}
