package build

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// batch is how many items go from one goroutine to another at a time, and
// ahead how many batches may wait.
const (
	batch = 512
	ahead = 4
)

// fan gives every item that feed emits to every sink, each on a goroutine of
// its own. Sinks get them in batches, which they must not change.
func fan(feed func(emit func(item) error) error, sinks ...func([]item) error) error {
	group, ctx := errgroup.WithContext(context.Background())
	var queues []chan []item
	for _, sink := range sinks {
		queue := make(chan []item, ahead)
		queues = append(queues, queue)
		group.Go(func() error {
			for items := range queue {
				if err := sink(items); err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer func() {
			for _, q := range queues {
				close(q)
			}
		}()
		var items []item
		flush := func() error {
			for _, q := range queues {
				select {
				case q <- items:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			items = make([]item, 0, batch)
			return nil
		}
		err := feed(func(i item) error {
			if items = append(items, i); len(items) < batch {
				return nil
			}
			return flush()
		})
		if err == nil {
			err = flush()
		}
		return err
	})
	return group.Wait()
}
