package dbsync

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/walk"
)

// ownHeads is why a point is kept that the mirror in store/ shows.
const ownHeads = "the store's own heads"

// keepOwnHeads keeps the point that Datahike finds in the store if it opens it,
// and on which the next backup builds.
func (p *pruning) keepOwnHeads(ctx context.Context) error {
	q, err := p.shown(ctx)
	if q != nil && err == nil {
		q.because(ownHeads)
	}
	return err
}

// shown is the newest listed point whose heads are those in the store, or nil.
func (p *pruning) shown(ctx context.Context) (*prunable, error) {
	there := map[string][]byte{}
	for _, q := range slices.Backward(p.points) {
		if q.m.Copy || q.parked != nil {
			continue
		}
		same := true
		for _, o := range q.m.Held {
			data, ok := there[o.Name]
			if !ok {
				var err error
				if data, err = p.files.Get(ctx, graph.ID(o.Name)); err != nil && !errors.Is(err, graph.ErrNotFound) {
					return nil, err
				}
				there[o.Name] = data
			}
			if same = o.Matches(data); !same {
				break
			}
		}
		if same {
			return q, nil
		}
	}
	return nil, nil //nolint:nilnil // there need not be one
}

// needForeignHeads keeps what the heads in the store reach, if they are of no
// point: somebody has opened the mirror and written to it, or a backup was
// interrupted. What listed points hold lies in the store as well.
func (p *pruning) needForeignHeads(ctx context.Context, need func(id string)) error {
	for _, q := range p.points {
		for _, o := range q.m.Held {
			need(o.Name)
		}
	}
	q, err := p.shown(ctx)
	if q != nil || err != nil {
		return err
	}
	if _, err := datahike.Present(ctx, p.files.Get, datahike.BranchesID()); errors.Is(err, graph.ErrNotFound) {
		return nil // there is no mirror
	}
	reached := spill.NewSorter()
	defer reached.Close()
	if err := p.walkHeads(ctx, reached); err != nil {
		return p.unreadable("the store's own heads, which are of no point: what they reach", err)
	}
	for id, err := range reached.Sorted() {
		if err != nil {
			return err
		}
		need(id)
	}
	return nil
}

// walkHeads collects what the heads in the store reach.
func (p *pruning) walkHeads(ctx context.Context, reached *spill.Sorter) error {
	if p.opt.Dialect == nil {
		return fmt.Errorf("no dialect to read them: %w", graph.ErrUnsupported)
	}
	heads, err := p.opt.Dialect.Hold(ctx, p.files.Get, "")
	if err != nil {
		return err
	}
	for _, h := range heads.Held() {
		reached.Add(string(h.ID))
	}
	w := walk.NewReading(p.opt.Dialect, p.files, fs.GetConfig(ctx).Checkers)
	defer w.Close()
	w.Walker.Known = func(graph.ID) (bool, error) { return true, nil }
	w.Begin = func(context.Context) walk.Visitor { return walk.Collect{IDs: reached} }
	return w.Heads(ctx, heads.Branches)
}
