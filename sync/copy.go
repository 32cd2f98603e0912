package dbsync

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/rclone/rclone/fs"
	"golang.org/x/sync/errgroup"

	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
	"github.com/rclone-datom/rclone-datom/sync/walk"
)

// minBlob is the size below which an object of a live store counts as absent.
const minBlob = konserve.MinSize

// found is what a walk leaves for the point.
type found struct {
	added, released snapshot.Lines
	tails           []string
	absent          map[graph.ID]bool
	// values are the objects to which datoms refer and that are not there.
	values []string
	close  func()
}

// The three ways to find what is new.
type mode int

const (
	// grow: all that the parent reaches is still reached. New commits are
	// walked against their parents; nothing is released.
	grow mode = iota
	// swap: there are no commits, no trees that share nodes, and no datoms that refer to objects. The head's trees are walked against the
	// parent's, and what only those have is released.
	swap
	// rewalk: commits are gone, or branches are, or swap will not do. Everything is walked, only
	// what the parent lacks is copied, and the two sets are compared.
	rewalk
)

// copying is the part of a backup that takes long: walking and writing.
type copying struct {
	*datahikeBackup
	walk.Walk
	target  transfer.Target
	history *descent.History
	// before is when the youngest head of any point at the destination was
	// written, in milliseconds of the databases' own clocks.
	before int64

	mu sync.Mutex
	// absent are the objects to which datoms refer and that are not there.
	absent map[graph.ID]bool
}

// copyNew finds and writes every segment that the parent lacks.
func (b *datahikeBackup) copyNew(ctx context.Context) (*found, error) {
	pruned, err := b.pruned(ctx)
	if err != nil {
		return nil, err
	}
	c := b.newCopying(ctx, b.run, b.destination.Remote)
	defer func() { _ = c.Spool.Close() }()
	c.Walker.Known = func(id graph.ID) (bool, error) { _, ok, err := b.run.Has(id); return ok, err }
	if b.newest != nil {
		if !b.alone && b.packer == nil {
			c.target.Old = c.mayBeOld
		}
		c.before = b.newest.Newest
		b.watermark = c.before
	}
	if err := b.raiseWatermark(); err != nil {
		return nil, err
	}
	commits, how, err := c.choose(ctx, pruned)
	if err != nil {
		return nil, err
	}
	return c.do(ctx, commits, how)
}

// newCopying prepares a walk whose segments go where remote says.
func (b *datahikeBackup) newCopying(ctx context.Context, journal transfer.Journal, remote func(graph.ID) string) *copying {
	ci := fs.GetConfig(ctx)
	c := &copying{datahikeBackup: b, absent: map[graph.ID]bool{}}
	c.target = transfer.Target{
		Packer: b.packs(), Copier: b.copier, Journal: journal, Remote: remote, Workers: ci.Transfers,
		// Equal content is written again with another time of writing.
		WriteOnce: !b.heads.Main().Config.CryptoHash,
	}
	c.Walk = walk.Walk{
		Dialect: b.Dialect, Spool: spill.NewSpool(), Schemas: b.schemas,
		Walker: &descent.Walker{Decoder: b.Dialect, Read: c.read, ReadOld: c.readOld, Workers: ci.Checkers},
		Begin:  func(ctx context.Context) walk.Visitor { return writing{c.target.NewBatch(ctx), c} },
	}
	c.history = &descent.History{Load: c.loadCommit, LoadOld: c.loadOldCommit, Spool: c.Spool}
	return c
}

// raiseWatermark takes note of when the heads were written.
func (b *datahikeBackup) raiseWatermark() error {
	for _, br := range b.heads.Branches {
		written, err := b.Dialect.Written(br.Head.Data)
		if err != nil {
			return err
		}
		b.watermark = max(b.watermark, written)
	}
	return nil
}

// mayBeOld tells of segments that are missing from the trees of the parent
// commit and may still be part of some point. A node is written when it comes
// into being, so one that is younger than every point's heads is new; but a
// forced branch or a reset brings old nodes back, and what is named by its
// content may come back at any time, in another database even.
func (c *copying) mayBeOld(ref graph.Ref, data []byte) bool {
	if ref.Level == graph.Schema || c.heads.Main().Config.CryptoHash {
		return true
	}
	written, err := c.Dialect.Written(data)
	return err != nil || written <= c.before
}

// writing is the visitor that copies.
type writing struct {
	*transfer.Batch
	c *copying
}

// Visit takes a node or a value.
func (w writing) Visit(ctx context.Context, ref graph.Ref, data []byte) error {
	if ref.Level == graph.Value {
		return w.c.copyValue(ctx, ref.ID)
	}
	return w.Batch.Visit(ctx, ref, data)
}

// Finish writes the inner nodes, then the commits.
func (w writing) Finish(ctx context.Context, records []walk.Record) error {
	if err := w.Flush(ctx); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(w.Workers, 1))
	for _, r := range records {
		g.Go(func() error { return w.Record(ctx, r.ID, r.Data) })
	}
	return g.Wait()
}

// read gets a wanted segment from the source.
func (c *copying) read(ctx context.Context, ref graph.Ref) ([]byte, error) {
	data, err := datahike.Present(ctx, c.Store.Get, ref.ID)
	if errors.Is(err, graph.ErrNotFound) {
		return nil, &goneError{[]graph.ID{ref.ID}}
	}
	return data, err
}

// readOld gets what the parent reaches: it may be gone at the source by now.
func (c *copying) readOld(ctx context.Context, ref graph.Ref) ([]byte, error) {
	data, err := datahike.Present(ctx, c.Store.Get, ref.ID)
	if errors.Is(err, graph.ErrNotFound) {
		data, err = c.old(ctx, ref.ID)
	}
	return data, err
}

func (c *copying) loadCommit(ctx context.Context, id graph.ID) (graph.Record, []byte, error) {
	get := datahike.Present
	if c.headCommit(id) {
		get = datahike.WaitFor // up to 0.6 the head may land before its commit
	}
	data, err := get(ctx, c.Store.Get, id)
	if err != nil {
		return graph.Record{}, nil, err
	}
	rec, err := c.Dialect.Record(id, data)
	if err != nil {
		return graph.Record{}, nil, err
	}
	if rec.Config.OnlineGC {
		if err := c.acceptOnlineGC(); err != nil {
			return graph.Record{}, nil, fmt.Errorf("commit %s: %w", datahike.Text(rec.Commit), err)
		}
	}
	c.sayWhatIsLeftOut(rec)
	return rec.Graph, data, nil
}

// sayWhatIsLeftOut tells of a commit whose parent is given as a branch that
// has been deleted: what only that branch reached is not copied.
func (c *copying) sayWhatIsLeftOut(rec *datahike.Record) {
	for _, name := range rec.ParentBranches {
		exists := slices.ContainsFunc(c.heads.Branches, func(br datahike.Branch) bool { return br.Name == name })
		if !exists {
			fs.Logf(c.Fs, "Commit %s names the deleted branch %s as its parent: that branch is not backed up", datahike.Text(rec.Commit), name)
		}
	}
}

// headCommit tells whether id is a head's own commit, which must be there
// unless the database keeps none.
func (c *copying) headCommit(id graph.ID) bool {
	for _, br := range c.heads.Branches {
		if br.Config.CommitGraph && datahike.AddressID(br.Commit) == id {
			return true
		}
	}
	return false
}

// oldCommit returns a commit that the parent point reaches. It must be at the
// source: what lies at the destination may be of an older point, and gone from
// the source before the parent was made; then nothing it reaches is had.
func (c *copying) oldCommit(ctx context.Context, id graph.ID) (*datahike.Record, []byte, error) {
	data, err := datahike.Present(ctx, c.Store.Get, id)
	if err != nil {
		return nil, nil, err
	}
	rec, err := c.Dialect.Record(id, data)
	return rec, data, err
}

func (c *copying) loadOldCommit(ctx context.Context, id graph.ID) (graph.Record, error) {
	rec, _, err := c.oldCommit(ctx, id)
	if err != nil {
		return graph.Record{}, err
	}
	return rec.Graph, nil
}

// choose walks the history and decides how the trees are to be compared.
func (c *copying) choose(ctx context.Context, pruned bool) (*descent.Commits, mode, error) {
	if c.parent == nil {
		commits, err := c.history.Since(ctx, walk.Entries(c.heads.Branches), nil, 0)
		return commits, grow, err
	}
	if c.parent.Total.Commits == 0 {
		commits, err := c.history.Since(ctx, walk.Entries(c.heads.Branches), nil, 0)
		if err != nil {
			return nil, rewalk, err
		}
		if err := c.checkNotOlder(); err != nil {
			return nil, rewalk, err
		}
		how, err := c.withoutCommits(ctx, commits)
		return commits, how, err
	}
	var bases []graph.ID
	newest := int64(0)
	for _, br := range c.was.Branches {
		newest = max(newest, br.MaxTx)
		if c.parent.Branches[br.Name].Absent {
			bases = append(bases, br.Graph.Parents...) // it may have come since
			continue
		}
		bases = append(bases, datahike.AddressID(br.Commit))
	}
	if !pruned {
		commits, err := c.history.Since(ctx, walk.Entries(c.heads.Branches), bases, newest)
		if err != nil {
			return nil, grow, err
		}
		all, err := c.descends(ctx, commits)
		if err != nil || all {
			return commits, grow, err
		}
		fs.Infof(c.Fs, "A branch is gone or its history is: walking everything once")
	} else {
		fs.Logf(c.Fs, "Commits of point %s are gone at the source (garbage collection): walking everything once", c.parent.Point)
	}
	commits, err := c.history.Since(ctx, walk.Entries(c.heads.Branches), nil, 0)
	if err == nil && pruned {
		_, err = c.descends(ctx, commits)
	}
	return commits, rewalk, err
}

// descends tells whether everything that the parent's heads reach is still
// reached. A branch that is still there and does not come from where it was
// is refused.
func (c *copying) descends(ctx context.Context, commits *descent.Commits) (all bool, err error) {
	all = true
	now := map[string]datahike.Branch{}
	for _, br := range c.heads.Branches {
		now[br.Name] = br
	}
	for _, old := range c.was.Branches {
		from, exists := walk.Entries(c.heads.Branches), false
		if br, ok := now[old.Name]; ok {
			exists = true
			from = append([]graph.ID{datahike.AddressID(br.Commit)}, br.Graph.Parents...)
		}
		answer, err := c.history.Reaches(ctx, commits, from, datahike.AddressID(old.Commit), old.MaxTx)
		if err != nil {
			return false, err
		}
		if answer != descent.Yes {
			all = false
		}
		if !exists || answer == descent.Yes {
			continue
		}
		if err := c.checkBranch(old, now[old.Name], answer); err != nil {
			return false, err
		}
	}
	return all, nil
}

// checkBranch judges a branch whose old commit is not found among the new
// one's ancestors. Where collection has cut the way, a later transaction is
// what there is to go by.
func (c *copying) checkBranch(old, br datahike.Branch, answer descent.Answer) error {
	if answer == descent.Pruned && br.MaxTx >= old.MaxTx {
		fs.Logf(c.Fs, "Branch %s: the commits since point %s were collected; taking it as its continuation, by its transaction", old.Name, c.parent.Point)
		return nil
	}
	if c.accepts(AcceptDiverged) {
		return nil
	}
	return refuse("branch %s at commit %s (max-tx %d) does not descend from commit %s (max-tx %d) of point %s: this is a clone, or the branch was reset. "+
		"Choose another destination, or give --accept %s if this is the database to go on with",
		old.Name, datahike.Text(br.Commit), br.MaxTx, datahike.Text(old.Commit), old.MaxTx, c.parent.Point, AcceptDiverged)
}

// withoutCommits is swap where no two trees can share a node: only then is
// what one tree drops needed by none. Branches share nodes, and so do indexes
// whose addresses are hashes of contents; an object may be referred to twice.
func (c *copying) withoutCommits(ctx context.Context, commits *descent.Commits) (mode, error) {
	if len(commits.New) > 0 || len(c.heads.Branches) > 1 || len(c.was.Branches) > 1 || c.heads.Main().Config.CryptoHash {
		return rewalk, nil
	}
	for _, br := range []datahike.Branch{c.heads.Main(), c.was.Main()} {
		if refs, err := c.schemas.StoreRefsOf(ctx, br.Record); err != nil || len(refs) > 0 {
			return rewalk, err
		}
	}
	return swap, nil
}

// checkNotOlder is what can be asked of heads without history.
func (c *copying) checkNotOlder() error {
	for _, old := range c.was.Branches {
		for _, br := range c.heads.Branches {
			if br.Name == old.Name && br.MaxTx < old.MaxTx {
				return c.checkBranch(old, br, descent.No)
			}
		}
	}
	return nil
}

// do writes the commits' and the heads' trees and says what the point needs.
func (c *copying) do(ctx context.Context, commits *descent.Commits, how mode) (*found, error) {
	f := &found{released: nothing, absent: commits.Absent, close: func() {}}
	for _, t := range commits.Tails {
		f.tails = append(f.tails, string(t))
	}
	var err error
	switch how {
	case grow:
		if c.parent != nil {
			f.tails = append(f.tails, c.parent.Tails...)
			c.Old = c.oldCommit
		}
		err = c.All(ctx, c.heads.Branches, commits)
		if err == nil && c.parent != nil {
			err = c.copyMissingValues(ctx)
		}
		if err == nil && c.parent != nil && c.run.Recalled() {
			err = c.dropOld(ctx, f)
		} else if err == nil {
			f.added, err = c.reached()
		}
	case swap:
		released := spill.NewSorter()
		f.close = released.Close
		c.Walker.Release = func(ref graph.Ref) error { released.Add(string(ref.ID)); return nil }
		if err = c.Together(ctx, c.heads.Branches, c.was.Branches, commits); err == nil {
			err = c.compareReleased(ctx, f, released)
		}
	case rewalk:
		err = c.rewalk(ctx, commits, f)
	}
	if err != nil {
		f.close()
		return nil, err
	}
	f.values = c.absentValues()
	return f, nil
}

func nothing(func(string, error) bool) {}

// dropOld takes from what was reached what the parent lists already, lest it
// be counted twice.
func (c *copying) dropOld(ctx context.Context, f *found) error {
	before, err := c.place.Closure(ctx, c.parent)
	if err != nil {
		return err
	}
	defer func() { _ = before.Close() }()
	reached, err := c.reached()
	if err != nil {
		return err
	}
	added := spill.NewSorter()
	f.close = added.Close
	err = snapshot.Split(reached, before.All(), added.Add, func(string) {})
	f.added = added.Sorted()
	return err
}

// compareReleased looks up what was released, for its sizes.
func (c *copying) compareReleased(ctx context.Context, f *found, released *spill.Sorter) error {
	before, err := c.place.Closure(ctx, c.parent)
	if err != nil {
		return err
	}
	closeReleased := f.close
	f.close = func() { closeReleased(); _ = before.Close() }
	f.released = lookUp(released.Sorted(), before)
	f.added, err = c.reached()
	return err
}

// lookUp replaces ids by their lines in the table.
func lookUp(ids iter.Seq2[string, error], t *spill.Table) snapshot.Lines {
	return func(yield func(string, error) bool) {
		for id, err := range ids {
			line := ""
			if err == nil {
				var ok bool
				if line, ok, err = t.Get(id); err == nil && !ok {
					err = fmt.Errorf("%s was reached by the parent point and is not in its lists: %w", id, graph.ErrCorrupt)
				}
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// rewalk visits everything that the heads reach, copies what the parent
// lacks, and compares the two sets.
func (c *copying) rewalk(ctx context.Context, commits *descent.Commits, f *found) error {
	before, err := c.place.Closure(ctx, c.parent)
	if err != nil {
		return err
	}
	c.run.SetBase(before)
	if err := c.All(ctx, c.heads.Branches, commits); err != nil {
		return err
	}
	reached, err := c.reached()
	if err != nil {
		return err
	}
	added, released := spill.NewSorter(), spill.NewSorter()
	f.close = func() { added.Close(); released.Close() }
	if err := snapshot.Split(reached, before.All(), added.Add, released.Add); err != nil {
		return err
	}
	f.added, f.released = added.Sorted(), released.Sorted()
	return nil
}
