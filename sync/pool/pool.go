// Package pool runs jobs on a fixed number of goroutines. Workers live as long
// as the pool, and a few jobs wait for them: a goroutine for each of a million
// small jobs would spend its time growing its stack, and a worker that waits
// for each job would spend it falling asleep and being woken.
package pool

import (
	"context"
	"sync"
)

// queue is how many jobs may wait for a worker.
const queue = 64

// Pool takes jobs of one kind. Its methods are called from one goroutine or
// many, but for Wait, which ends the taking.
type Pool[T any] struct {
	jobs    chan T
	workers sync.WaitGroup
	ctx     context.Context
	cancel  context.CancelCauseFunc
	failed  sync.Once
	err     error // the first error of a job
}

// New starts the workers. The first error of a job cancels the context that
// the jobs get; those that were taken are done all the same, in that context.
func New[T any](ctx context.Context, workers int, do func(context.Context, T) error) *Pool[T] {
	ctx, cancel := context.WithCancelCause(ctx)
	p := &Pool[T]{jobs: make(chan T, queue), ctx: ctx, cancel: cancel}
	for range max(workers, 1) {
		p.workers.Go(func() {
			for job := range p.jobs {
				if err := do(ctx, job); err != nil {
					p.fail(err)
				}
			}
		})
	}
	return p
}

func (p *Pool[T]) fail(err error) {
	p.failed.Do(func() {
		p.err = err
		p.cancel(err)
	})
}

// Do hands a job over. It blocks while all workers are busy and enough jobs
// wait, and returns an error if a job has failed.
func (p *Pool[T]) Do(job T) error {
	if p.ctx.Err() != nil {
		return context.Cause(p.ctx) // though there may be room
	}
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
	p.workers.Wait()
	p.cancel(nil)
	return p.err
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

// Each does a job for every element of a slice.
func Each[T any](ctx context.Context, workers int, jobs []T, do func(context.Context, T) error) error {
	return Run(ctx, workers, func(send func(T) error) error {
		for _, job := range jobs {
			if err := send(job); err != nil {
				return err
			}
		}
		return nil
	}, do)
}
