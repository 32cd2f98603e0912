package dbsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// maxGone is how many missing segments are looked for before a run gives up.
const maxGone = 1000

// walk copies what the value's trees have and the parent's have not.
func (b *datomicBackup) walk(ctx context.Context, haves []graph.Tree, released *spill.Sorter) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	batch := transfer.Target{
		Packer: b.packs(), Copier: b.copier, Journal: b.run, Remote: b.destination.Remote, WriteOnce: true, Workers: fs.GetConfig(ctx).Transfers,
	}.NewBatch(ctx)
	missing := &missing{cancel: cancel}
	w := descent.Walker{
		Decoder: b.dialect, Workers: b.Datomic.Workers(), Visit: batch.Visit, Tolerate: missing.note,
		Read:    func(ctx context.Context, ref graph.Ref) ([]byte, error) { return b.get(ctx, ref.ID) },
		ReadOld: b.readOld,
		Known:   func(id graph.ID) (bool, error) { _, ok, err := b.run.Has(id); return ok, err },
	}
	if len(haves) > 0 {
		// No node of Datomic's trees has two parents: what the walk finds had and
		// not wanted is not needed elsewhere.
		w.Release = func(ref graph.Ref) error {
			released.Add(graph.FormatEntry(graph.Entry{Ref: ref, Size: -1}))
			return nil
		}
	}
	err := w.Diff(ctx, b.value.Trees(), haves)
	if err == nil {
		err = missing.err()
	}
	if err != nil {
		if own := batch.Abandon(); own != nil && context.Cause(ctx) == nil {
			return own
		}
		return because(ctx, err)
	}
	return batch.Flush(ctx)
}

// readOld gets what the parent reaches: the source may have collected it.
func (b *datomicBackup) readOld(ctx context.Context, ref graph.Ref) ([]byte, error) {
	data, err := b.Datomic.Get(ctx, ref.ID)
	if !errors.Is(err, graph.ErrNotFound) {
		return data, err
	}
	if data, err = b.old(ctx, ref.ID); err == nil {
		err = b.sound(ref, data)
	}
	if err != nil {
		return nil, fmt.Errorf("point %s is damaged: %w; --repair makes a point that does not need it", b.parent.Point, err)
	}
	return data, nil
}

// missing gathers the segments that are gone at the source, so that one error
// names them. What else goes wrong ends the walk at once.
type missing struct {
	cancel context.CancelCauseFunc
	mu     sync.Mutex
	ids    []graph.ID
}

func (m *missing) note(_ graph.Ref, err error) {
	var gone *goneError
	if !errors.As(err, &gone) {
		m.cancel(err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ids = append(m.ids, gone.ids...); len(m.ids) >= maxGone {
		m.cancel(&goneError{slices.Clone(m.ids)})
	}
}

func (m *missing) err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.ids) == 0 {
		return nil
	}
	slices.Sort(m.ids)
	return &goneError{m.ids}
}

// sizesAtOnce is how many sizes are asked for together.
const sizesAtOnce = 1000

// sized fills in the sizes that are not known in lines of a list: those that
// the segments have at the source, or else at the destination. If they must be
// somewhere, one that is not ends it with graph.ErrNotFound.
func (b *datomicBackup) sized(ctx context.Context, lines snapshot.Lines, must bool) snapshot.Lines {
	return filled(lines, func(some []graph.Entry) error { return b.size(ctx, some, must) })
}

// filled hands the entries of a list to fill, many at a time, and yields them
// as that leaves them.
func filled(lines snapshot.Lines, fill func([]graph.Entry) error) snapshot.Lines {
	return func(yield func(string, error) bool) {
		var some []graph.Entry
		flush := func() bool {
			if err := fill(some); err != nil {
				yield("", err)
				return false
			}
			for _, e := range some {
				if !yield(graph.FormatEntry(e), nil) {
					return false
				}
			}
			some = some[:0]
			return true
		}
		for line, err := range lines {
			var e graph.Entry
			if err == nil {
				e, err = graph.ParseEntry(line)
			}
			if err != nil {
				yield("", err)
				return
			}
			if some = append(some, e); len(some) == sizesAtOnce && !flush() {
				return
			}
		}
		flush()
	}
}

func (b *datomicBackup) size(ctx context.Context, entries []graph.Entry, must bool) error {
	var ids []graph.ID
	for _, e := range entries {
		if e.Size < 0 {
			ids = append(ids, e.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	sizes, err := b.Datomic.Sizes(ctx, ids)
	if err != nil {
		return err
	}
	for i, e := range entries {
		if e.Size >= 0 {
			continue
		}
		size, ok := sizes[e.ID]
		if !ok { // collected, or lost at the destination as well
			if size, err = b.oldSize(ctx, e.ID); errors.Is(err, graph.ErrNotFound) && !must {
				size, err = -1, nil
			}
			if err != nil {
				return err
			}
		}
		entries[i].Size = size
	}
	return nil
}
