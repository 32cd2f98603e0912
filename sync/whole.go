package dbsync

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/datoms"
	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// A database with :online-gc takes the addresses of freed nodes for new ones,
// so that the same name means other bytes tomorrow. Nothing of an earlier copy
// can be relied on, and neither can commits before the heads: what the heads
// need is copied as a whole, into a store of its own, and counts only if the
// heads stood still meanwhile. DESIGN.md §11.

// onlineGC tells whether a branch runs with it.
func (b *datahikeBackup) onlineGC() bool {
	return slices.ContainsFunc(b.heads.Branches, func(br datahike.Branch) bool { return br.Config.OnlineGC })
}

// acceptOnlineGC refuses such a database unless a whole copy is allowed.
func (b *datahikeBackup) acceptOnlineGC() error {
	if b.opt.OnlineGCCopy {
		return nil
	}
	return fmt.Errorf("%w: %w", refuse("the database runs with :online-gc, or did when a commit was made: it writes other nodes under old addresses, so that no copy in steps can be trusted. "+
		"Turn :online-gc off, collect with datahike.api/gc-storage and choose a new destination; or give --online-gc-copy for points that are whole copies"), graph.ErrUnsupported)
}

// whole tells whether this backup is to be a whole copy: if that is asked for.
// That no head runs with :online-gc now says nothing of the time before.
func (b *datahikeBackup) whole() bool { return b.opt.OnlineGCCopy }

// checkCopy refuses to build on a whole copy, or beside one: addresses may
// have come to mean other nodes since the last point that was made in steps.
func (b *datahikeBackup) checkCopy() error {
	if b.parent == nil || !b.parent.Copy || b.whole() {
		return nil
	}
	return refuse("point %s is a whole copy, made when the database ran with :online-gc: a backup in steps needs another destination, or give --online-gc-copy for one more copy",
		b.parent.Point)
}

// copyWhole makes a point that shares nothing with others, of heads that have
// not moved while it was made.
func (b *datahikeBackup) copyWhole(ctx context.Context) error {
	if err := b.place.DiscardUnfinished(ctx); err != nil {
		return err
	}
	for try := 1; ; try++ {
		moved, err := b.copyHeads(ctx)
		if err != nil || !moved {
			return err
		}
		if try == restarts {
			return fmt.Errorf("the heads moved during each of %d attempts to copy a database with :online-gc: "+
				"run the backup while nothing is written, or turn :online-gc off: %w", restarts, ErrRefused)
		}
		fs.Logf(b.Fs, "The heads have moved meanwhile: copying everything again")
	}
}

// copyHeads is one attempt. It leaves nothing behind if the heads have moved,
// and the newer ones in b.heads.
func (b *datahikeBackup) copyHeads(ctx context.Context) (moved bool, err error) {
	m := b.manifest(&found{})
	m.Copy = true
	j := &wholeJournal{spill.NewSorter()}
	defer j.reached.Close()
	if b.place.Chunked() {
		b.packer = b.run.NewWholePacker(ctx, m.Point, b.destination.Remote, defaults(b.opt.Packing), j.reached.Add)
	}
	c := b.newCopying(ctx, j, m.HeadName)
	defer func() { _ = c.Spool.Close() }()
	commits, err := c.walkHeads(ctx)
	if err == nil {
		err = b.packHeads()
	} else if b.packer != nil {
		_ = b.packer.Abandon()
	}
	reached, terr := spill.NewTable(snapshot.FirstOfEach(j.reached.Sorted()))
	defer func() { _ = reached.Close() }()
	if err = errors.Join(err, terr); err == nil {
		err = b.checkCounts(ctx, m, reached)
	}
	// A reused address may look like damage. Whether it is one only the heads
	// can tell.
	moved, merr := b.moved(ctx)
	if err != nil || merr != nil || moved {
		if derr := b.discard(ctx, m.Point); derr != nil {
			return false, derr
		}
	}
	switch {
	case merr != nil:
		return false, merr
	case moved && (err == nil || worthRetrying(err)):
		return true, nil
	case err != nil:
		return false, err
	}
	if err := b.raiseWatermark(); err != nil {
		return false, err
	}
	found := &found{
		added: reached.All(), released: nothing, absent: commits.Absent, values: c.absentValues(),
	}
	at := m.Point
	m = b.manifest(found)
	m.Copy, m.Point = true, at
	b.present = nil
	return false, b.commit(ctx, m, nil, found)
}

// worthRetrying: what a store whose nodes change may look like.
func worthRetrying(err error) bool {
	return damaged(err) || errors.Is(err, graph.ErrUnsupported)
}

// walkHeads copies what the heads reach, and their own commits.
func (c *copying) walkHeads(ctx context.Context) (*descent.Commits, error) {
	commits := &descent.Commits{Absent: map[graph.ID]bool{}}
	for _, br := range c.heads.Branches {
		id := datahike.AddressID(br.Commit)
		_, data, err := c.loadCommit(ctx, id)
		if errors.Is(err, graph.ErrNotFound) {
			commits.Absent[id] = true
			continue
		}
		if err != nil {
			return nil, err
		}
		held, err := c.Spool.Put(data)
		if err != nil {
			return nil, err
		}
		commits.New = append(commits.New, descent.Commit{ID: id, Data: held})
	}
	return commits, c.Together(ctx, c.heads.Branches, nil, commits)
}

// moved reads the heads again.
func (b *datahikeBackup) moved(ctx context.Context) (bool, error) {
	now, err := b.Dialect.Hold(ctx, b.Store.Get, b.Branch)
	if err != nil {
		return false, err
	}
	same := slices.EqualFunc(b.heads.Held(), now.Held(), func(x, y graph.Held) bool { return x.ID == y.ID && string(x.Data) == string(y.Data) })
	b.heads = now
	return !same, nil
}

func (b *datahikeBackup) discard(ctx context.Context, point string) error {
	if fs.GetConfig(ctx).DryRun {
		return nil
	}
	return b.place.Discard(context.WithoutCancel(ctx), point)
}

// wholeJournal knows nothing of what was written before.
type wholeJournal struct{ reached *spill.Sorter }

func (*wholeJournal) Has(graph.ID) (graph.Entry, bool, error) { return graph.Entry{}, false, nil }

func (*wholeJournal) Recall(context.Context, graph.ID) (graph.Entry, bool, error) {
	return graph.Entry{}, false, nil
}

func (j *wholeJournal) Ack(_ context.Context, e graph.Entry) error {
	j.Reach(e)
	return nil
}

func (j *wholeJournal) Reach(e graph.Entry) { j.reached.Add(graph.FormatEntry(e)) }

// checkCounts compares what each root states with what its leaves hold, in the
// copy: no check of references sees that a node is another one.
func (b *datahikeBackup) checkCounts(ctx context.Context, m *snapshot.Manifest, reached *spill.Table) error {
	if fs.GetConfig(ctx).DryRun {
		return nil
	}
	r := datoms.Reader{Dialect: b.Dialect, Get: b.place.Segments(m, reached).GetInto, Workers: fs.GetConfig(ctx).Checkers}
	for _, br := range b.heads.Branches {
		for _, t := range br.Graph.Trees {
			if t.Ref.Level == graph.Schema {
				continue
			}
			n, err := r.Count(ctx, br.Head, t)
			if err != nil {
				return err
			}
			if t.Count >= 0 && n != t.Count {
				return fmt.Errorf("%w: branch %s: the root of %s states %d datoms, its leaves hold %d", graph.ErrCorrupt, br.Name, t.Name, t.Count, n)
			}
		}
	}
	return nil
}
