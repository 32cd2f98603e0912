package dbsync

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/rclone/rclone/fs"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/chunk"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// repair reads everything that is in the copy, and puts back what is missing or
// damaged from those that it was copied from.
func (c *copyBackup) repair(ctx context.Context, to *copyPlace) (repaired int64, err error) {
	run, ctx, err := to.Begin(ctx, c.copier)
	if err != nil {
		return 0, err
	}
	defer run.End(ctx)
	h := &healer{copyBackup: c, kind: to.Kind}
	defer h.close()
	for _, from := range c.from {
		if err := h.open(ctx, from); err != nil {
			return 0, err
		}
		h.openCopies(ctx, from, to.points)
	}
	lost := atomic.Int64{}
	records, err := h.records(ctx, to, run)
	if err != nil {
		return records, err
	}
	note := func(e graph.Entry, err error) {
		fs.Errorf(to.F, "Cannot repair: %s: %v", e.ID, err)
		lost.Add(1)
	}
	if to.Chunked() {
		r := &chunkRepair{repacking: repacking{place: to.Place, run: run, sound: h.sound, get: h.get, object: h.object, lost: note}}
		repaired, err = r.all(ctx)
	} else {
		repaired, err = h.objects(ctx, to, note)
	}
	repaired += records
	if err == nil && lost.Load() > 0 {
		err = fmt.Errorf("%d segments of the copy are damaged and no copy has them any more; %d were repaired: %w", lost.Load(), repaired, graph.ErrCorrupt)
	}
	if err == nil && !fs.GetConfig(ctx).DryRun {
		err = c.refresh(ctx, to)
	}
	return repaired, err
}

// refresh reads the points again: those that were repaired may have other lists.
func (c *copyBackup) refresh(ctx context.Context, to *copyPlace) error {
	if len(to.points) == 0 {
		return nil
	}
	return to.look(ctx, to.points[0])
}

// healer finds sound segments in any of the copies.
type healer struct {
	*copyBackup
	kind     edn.Keyword
	segments []store.Segments
	tables   []*spill.Table
}

// open makes a copy one that is asked.
func (h *healer) open(ctx context.Context, from *snapshot.Place) error {
	if !from.Chunked() {
		from.Kind = h.kind
		h.segments = append(h.segments, from.Store())
		return nil
	}
	all, err := from.Everything(ctx)
	if err != nil {
		return err
	}
	h.tables = append(h.tables, all)
	h.segments = append(h.segments, from.Segments(&snapshot.Manifest{Kind: h.kind}, all))
	return nil
}

// openCopies makes it one for the points that share nothing, too.
func (h *healer) openCopies(ctx context.Context, from *snapshot.Place, points []*snapshot.Manifest) {
	for _, m := range points {
		if !m.Copy {
			continue
		}
		if s, err := segmentsAt(ctx, from, m); err != nil {
			fs.Logf(from.F, "Of no help with point %s: %v", m.Point, err)
		} else {
			h.segments = append(h.segments, s)
		}
	}
}

func (h *healer) close() {
	for _, t := range h.tables {
		_ = t.Close()
	}
}

func (h *healer) sound(ref graph.Ref, data []byte) error {
	if h.kind != snapshot.Datomic {
		return fmt.Errorf("%s has no digest: %w", ref.ID, graph.ErrCorrupt)
	}
	return h.native.Check(ref, data)
}

// get reads a segment from the first copy in which it is sound.
func (h *healer) get(ctx context.Context, e graph.Entry) (data []byte, err error) {
	for _, s := range h.segments {
		if data, err = s.Get(ctx, e.ID); err == nil {
			err = checkSegment(e, data, h.sound)
		}
		if err == nil || !damaged(err) {
			return data, err
		}
	}
	return nil, fmt.Errorf("the other copies do not help: %w", err)
}

// object finds an object of any length in the first copy in which it is sound.
func (h *healer) object(ctx context.Context, e graph.Entry) (o fs.Object, err error) {
	for _, s := range h.segments {
		if err = checkObject(ctx, s, e); err == nil {
			return s.Object(ctx, e.ID)
		}
		if !damaged(err) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("the other copies do not help: %w", err)
}

// objects repairs a copy whose segments lie one object each.
func (h *healer) objects(ctx context.Context, to *copyPlace, lost func(graph.Entry, error)) (int64, error) {
	all, err := to.Everything(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = all.Close() }()
	repaired, err := h.store(ctx, to.Store(), all.All(), lost)
	for _, m := range to.points {
		if err == nil && m.Copy {
			var n int64
			n, err = h.store(ctx, to.StoreOf(m), to.Added(ctx, m), lost)
			repaired += n
			if unmended(ctx, err) {
				err = nil // its list
			}
		}
	}
	return repaired, err
}

// store repairs what some lines list.
func (h *healer) store(ctx context.Context, files *store.Files, lines snapshot.Lines, lost func(graph.Entry, error)) (int64, error) {
	var repaired atomic.Int64
	err := each(ctx, files, lines, fs.GetConfig(ctx).Checkers, func(ctx context.Context, e graph.Entry, data []byte, err error) error {
		value := errors.Is(err, chunk.ErrLarge)
		switch {
		case value:
			err = checkObject(ctx, files, e)
		case err == nil:
			err = checkSegment(e, data, h.sound)
		}
		if err == nil || !damaged(err) {
			return err
		}
		if err = h.putBack(ctx, files.Remote(e.ID), e, value); damaged(err) {
			lost(e, err)
			return nil
		}
		repaired.Add(1)
		return err
	})
	return repaired.Load(), err
}

// putBack replaces one object.
func (h *healer) putBack(ctx context.Context, remote string, e graph.Entry, value bool) error {
	if value {
		o, err := h.object(ctx, e)
		if err == nil {
			_, _, err = h.copier.Stream(ctx, remote, o)
		}
		return err
	}
	data, err := h.get(ctx, e)
	if err != nil {
		return err
	}
	return h.copier.Replace(ctx, remote, data)
}
