package dbsync

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/operations"
	"github.com/rclone/rclone/fs/walk"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
	"github.com/rclone-datom/rclone-datom/sync/prune"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// leftovers tells what interrupted runs have left at a place and nothing needs.
type leftovers struct {
	*pruning
	before time.Time // what is not older stays
	live   *spill.Table
	points map[string]*prunable
	gone   map[string]bool // incomplete points and dead runs that go
	named  map[string]bool // chunks that points name
	// dropped are the notes that went first.
	dropped prune.Count
}

// tidy removes leftovers. It is the one step that lists the whole place.
func (p *pruning) tidy(ctx context.Context) error {
	if len(p.points) == 0 && !p.place.Chunked() {
		return noPoint(ctx, p.place, "") // what lies there may be anything
	}
	l := &leftovers{pruning: p, before: p.now.Add(-p.opt.OlderThan), points: map[string]*prunable{}, gone: map[string]bool{}}
	for _, q := range p.points {
		l.points[q.id()] = q
	}
	noted, err := l.deadRuns(ctx)
	if err != nil {
		return err
	}
	if p.place.Chunked() {
		return l.tidyChunks(ctx)
	}
	if err := l.deadPoints(ctx); err != nil {
		return err
	}
	if l.live, err = p.needed(ctx, noted); err != nil {
		return err
	}
	defer func() { _ = l.live.Close() }()
	if err := l.dropNotes(ctx); err != nil {
		return err
	}
	return l.sweep(ctx, l.isLeft)
}

// dropNotes removes the notes of dead runs, all of them, before anything goes for
// which they vouch: the next backup would take it for written.
func (l *leftovers) dropNotes(ctx context.Context) error {
	var notes []fs.Object
	for id := range l.gone {
		entries, err := l.place.F.List(ctx, path.Join("inflight", id))
		if err != nil && !errors.Is(err, fs.ErrorDirNotFound) {
			return err
		}
		for _, e := range entries {
			if o, ok := e.(fs.Object); ok {
				notes = append(notes, o)
			}
		}
	}
	if l.report.DryRun {
		return nil // sweep tells of them
	}
	err := pool.Each(ctx, fs.GetConfig(ctx).Checkers, notes, func(ctx context.Context, o fs.Object) error {
		err := operations.DeleteFile(ctx, o)
		if errors.Is(err, fs.ErrorObjectNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, o := range notes {
		l.dropped.Add(o.Size())
	}
	return l.run.Settle(ctx)
}

// deadRuns finds those that are old enough to go, and tells whether others have
// left notes that count.
func (l *leftovers) deadRuns(ctx context.Context) (noted bool, err error) {
	runs, err := l.place.Unfinished(ctx)
	for _, r := range runs {
		if r.ID == l.run.ID {
			continue
		}
		if r.Live || !l.old(r.ID) {
			noted = true
			continue
		}
		l.gone[r.ID] = true
	}
	return noted, err
}

// deadPoints finds incomplete points that are old enough. One whose heads lie in
// the store explains to the next backup how they came there.
func (l *leftovers) deadPoints(ctx context.Context) error {
	shown, err := l.shown(ctx)
	if err != nil {
		return err
	}
	for _, id := range l.incomplete {
		if l.old(id) && (shown != nil || l.place.Kind == snapshot.Datomic) {
			l.gone[id] = true
		}
	}
	return nil
}

// old tells whether an id's time allows what bears it to go.
func (l *leftovers) old(id string) bool {
	t, err := snapshot.IDTime(id)
	return err == nil && t.Before(l.before)
}

// needed has the id of everything in the store that anybody needs: points, those
// that can be brought back, roots, the store's own heads, and notes.
func (p *pruning) needed(ctx context.Context, noted bool) (*spill.Table, error) {
	ids := spill.NewSorter()
	defer ids.Close()
	add := func(line string) {
		id, _, _ := strings.Cut(line, "\t")
		ids.Add(id)
	}
	err := pool.Each(ctx, fs.GetConfig(ctx).Checkers, p.points, func(ctx context.Context, q *prunable) error {
		if q.m.Copy {
			return nil
		}
		return p.said(ctx, q, func(_ bool, line string) { add(line) })
	})
	if err == nil && noted {
		for line, nerr := range p.run.Noted() {
			if nerr != nil {
				return nil, nerr
			}
			add(line)
		}
	}
	if err == nil {
		err = p.needForeign(ctx, add)
	}
	if err != nil {
		return nil, err
	}
	return spill.NewTable(ids.Sorted())
}

// sweep lists the place and removes leftovers.
func (l *leftovers) sweep(ctx context.Context, isLeft func(context.Context, fs.Object) (bool, error)) error {
	var objects, bytes atomic.Int64
	err := pool.Run(ctx, fs.GetConfig(ctx).Checkers, func(do func(fs.Object) error) error {
		return walk.ListR(ctx, l.place.F, l.place.Dir(), true, -1, walk.ListObjects, func(entries fs.DirEntries) error {
			for _, e := range entries {
				o, ok := e.(fs.Object)
				if !ok {
					continue
				}
				left, err := isLeft(ctx, o)
				if err == nil && left {
					err = do(o)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}, func(ctx context.Context, o fs.Object) error {
		objects.Add(1)
		bytes.Add(max(o.Size(), 0))
		if err := operations.DeleteFile(ctx, o); err != nil && !errors.Is(err, fs.ErrorObjectNotFound) {
			return err
		}
		return nil
	})
	l.report.Leftovers = prune.Count{Segments: l.dropped.Segments + objects.Load(), Bytes: l.dropped.Bytes + bytes.Load()}
	if err == nil {
		l.rmdirs(ctx)
	}
	return err
}

// rmdirs removes the directories of what is gone: an empty one would look like an
// incomplete point. Those that have something stay.
func (l *leftovers) rmdirs(ctx context.Context) {
	if l.report.DryRun || !l.place.F.Features().CanHaveEmptyDirectories {
		return
	}
	for id := range l.gone {
		dirs := []string{"snapshots/" + id + "/heads", "snapshots/" + id, "stores/" + id}
		if l.place.Chunked() {
			dirs = []string{id + "/chunks", id}
		}
		for _, dir := range append(dirs, "inflight/"+id) {
			_ = l.place.F.Rmdir(ctx, path.Join(l.place.Dir(), dir))
		}
	}
}

// isLeft tells whether an object is a leftover. What is not understood is none.
func (l *leftovers) isLeft(ctx context.Context, o fs.Object) (bool, error) {
	top, rest, _ := strings.Cut(o.Remote(), "/")
	id, _, _ := strings.Cut(rest, "/")
	if strings.HasSuffix(o.Remote(), ".new") && top != "inflight" {
		return o.ModTime(ctx).Before(l.before), nil // an upload that was cut off
	}
	switch top {
	case "inflight":
		return l.gone[id], nil
	case "snapshots":
		return l.gone[id] || l.isSuperseded(ctx, o, id), nil
	case "stores":
		return l.points[id] == nil && l.old(id) && !slices.Contains(l.incomplete, id) || l.gone[id], nil
	}
	return l.isOrphan(ctx, o)
}

// isSuperseded tells whether an object beside a point's manifest is of an earlier
// time. The next run may be in need of what is young.
func (l *leftovers) isSuperseded(ctx context.Context, o fs.Object, id string) bool {
	q := l.points[id]
	return q != nil && path.Base(path.Dir(o.Remote())) == id && q.m.Superseded(path.Base(o.Remote()), q.parked != nil) &&
		o.ModTime(ctx).Before(l.before)
}

// isOrphan tells of a segment whether nobody needs it. It is a segment by its name.
func (l *leftovers) isOrphan(ctx context.Context, o fs.Object) (bool, error) {
	id := graph.ID(path.Base(o.Remote()))
	if !strings.EqualFold(l.files.Remote(id), o.Remote()) || !o.ModTime(ctx).Before(l.before) {
		return false, nil
	}
	if l.place.Kind == snapshot.Datomic && datomic.CheckID(id) != nil || l.place.Kind == snapshot.Datahike && path.Ext(string(id)) != ".ksv" {
		return false, nil
	}
	_, ok, err := l.live.Get(string(id))
	return !ok && err == nil, err
}
