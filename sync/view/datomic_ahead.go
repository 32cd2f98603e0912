package view

import (
	"context"
	"sync"
)

// ahead does jobs before their results are asked for, in goroutines of wg, and
// hands the results out in the jobs' order. It is for one goroutine.
type ahead[J, T any] struct {
	// jobs returns the next job; ok is false after the last one.
	jobs  func(ctx context.Context) (job J, ok bool, err error)
	do    func(ctx context.Context, job J) (T, error)
	depth int // how many jobs at most are done ahead
	wg    *sync.WaitGroup

	queue []chan outcome[T]
	ended bool
	err   error // of jobs
}

type outcome[T any] struct {
	result T
	err    error
}

// next returns the next result; ok is false after the last one.
func (a *ahead[J, T]) next(ctx context.Context) (result T, ok bool, err error) {
	for !a.ended && len(a.queue) < a.depth {
		job, ok, err := a.jobs(ctx)
		if !ok || err != nil {
			a.ended, a.err = true, err
			break
		}
		c := make(chan outcome[T], 1)
		a.queue = append(a.queue, c)
		a.wg.Go(func() {
			result, err := a.do(ctx, job)
			c <- outcome[T]{result, err}
		})
	}
	if len(a.queue) == 0 {
		return result, false, a.err
	}
	o := <-a.queue[0]
	a.queue = a.queue[1:]
	return o.result, o.err == nil, o.err
}
