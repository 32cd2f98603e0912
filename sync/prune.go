package dbsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/prune"
	"github.com/rclone-datom/rclone-datom/sync/retain"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// PruneOptions are a prune's choices. It removes points by Policy and Keep; or
// with Undo it brings one back, or with Incomplete it removes what no point needs.
type PruneOptions struct {
	// Policy says which points of each database are kept, besides those that
	// Keep names; see findPoint for how.
	Policy retain.Policy
	Keep   []string
	// Confirm does it. Without it the report says what would be done.
	Confirm bool
	// MaxDead is the part of a chunk, in percent, that may be dead before what is
	// left of it is packed anew.
	MaxDead float64
	// Grace is how long a pruned point can be brought back: as long its segments
	// stay. A prune after that removes them.
	Grace time.Duration
	// Undo names a pruned point that is to be a point again. It needs no Confirm.
	Undo string
	// Incomplete removes what interrupted runs have left and OlderThan allows.
	Incomplete bool
	OlderThan  time.Duration
	// Dialect reads the segments of a Datahike database, where somebody has
	// opened the backup and written to it.
	Dialect *datahike.Dialect
}

// PruneReport says what a prune did, or would do.
type PruneReport struct {
	DryRun bool `json:"dryRun"`
	// Points are those that there were, oldest first, and those that were pruned
	// earlier and still wait.
	Points []PrunedPoint `json:"points"`
	// Freed is what the points that are not kept free, sooner or later, and
	// Deleted what was deleted now.
	Freed   prune.Count `json:"freed"`
	Deleted prune.Count `json:"deleted"`
	// Chunks is what that came to, where segments are in chunks.
	Chunks *PrunedChunks `json:"chunks,omitempty"`
	// Restored is the point that was brought back.
	Restored string `json:"restored,omitempty"`
	// Leftovers counts objects that interrupted runs have left.
	Leftovers prune.Count `json:"leftovers"`
	// Requests has nothing of the source: there is none.
	Requests Requests `json:"requests"`
	Seconds  float64  `json:"seconds"`
}

// PrunedChunks counts chunks that a prune has deleted, and those that it has
// written with what was left of them.
type PrunedChunks struct {
	Deleted      int64 `json:"deleted"`
	DeletedBytes int64 `json:"deletedBytes"`
	Written      int64 `json:"written"`
	WrittenBytes int64 `json:"writtenBytes"`
}

// PrunedPoint is a point and what becomes of it.
type PrunedPoint struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`
	Database string    `json:"database"`
	Keep     bool      `json:"keep"`
	// Reasons are why it is kept.
	Reasons []string `json:"reasons,omitempty"`
	// Freed is what goes with it when points are removed oldest first.
	Freed prune.Count `json:"freed"`
	// Pruned: it was pruned earlier. Its grace is what it was given then.
	Pruned bool `json:"pruned,omitempty"`
	// Until is the end of its grace, if it is not kept.
	Until *time.Time `json:"parkedUntil,omitempty"`
}

// ErrNoPolicy is what Prune returns if it is not told what to keep.
var ErrNoPolicy = errors.New("nothing says what to keep")

// Prune removes points of dst, and what they alone need.
//
// Whatever happens in between, every point that is listed can be restored: a
// point is unlisted first; what stays is made independent of what goes; then the
// segments go, parents before children, and the record of the point last, by
// which a later prune knows that it has to go on.
func Prune(ctx context.Context, dst fs.Fs, opt PruneOptions) (*PruneReport, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	ctx, cancel, err := begin(ctx, "prune", fs.ConfigString(dst))
	if err != nil {
		return nil, err
	}
	defer cancel()
	ctx, ci := fs.AddConfig(ctx)
	ci.DryRun = ci.DryRun || !opt.Confirm && opt.Undo == ""
	p := &pruning{opt: opt, used: chunkUse{}, place: snapshot.Open(dst)}
	p.now = p.place.Now()
	p.report.DryRun = ci.DryRun
	p.copier = transfer.NewCopier(dst, dst, p.now)
	if err := p.leased(ctx); err != nil {
		return nil, final(ctx, because(ctx, err))
	}
	accounting.Stats(ctx).ResetErrors()
	p.report.Requests = Requests{DestinationReads: p.place.Reads(), DestinationWrites: p.copier.Writes()}
	if p.files != nil {
		p.report.Requests.DestinationReads += p.files.Reads()
	}
	p.report.Seconds = p.place.Now().Sub(p.now).Seconds()
	return &p.report, nil
}

func (opt *PruneOptions) check() error {
	rules := !opt.Policy.Empty() || len(opt.Keep) > 0
	switch {
	case opt.Undo != "" && (opt.Incomplete || rules), opt.Incomplete && rules:
		return fserrors.NoRetryError(errors.New("--undo, --incomplete and the rules of what to keep are different things: give one of them"))
	case !rules && opt.Undo == "" && !opt.Incomplete:
		return fserrors.NoRetryError(fmt.Errorf("%w: give a rule such as --keep-daily 7, or --keep POINT", ErrNoPolicy))
	case opt.MaxDead < 0 || opt.MaxDead > 100:
		return fserrors.NoRetryError(errors.New("--max-dead is a part of a chunk: from 0% to 100%"))
	case opt.Grace < 0 || opt.OlderThan < 0 || opt.Policy.Within < 0:
		return fserrors.NoRetryError(errors.New("a duration cannot be negative here"))
	}
	return nil
}

// pruning is the state of one Prune.
type pruning struct {
	opt    PruneOptions
	place  *snapshot.Place
	files  *store.Files // the segments that the points share
	copier *transfer.Copier
	run    *snapshot.Run
	now    time.Time
	points []*prunable // oldest first
	roots  []*prunableRoot
	// incomplete are the ids of what is no point, or not any more.
	incomplete []string
	forest     *prune.Forest
	used       chunkUse
	report     PruneReport
}

// prunable is a point, listed or parked, or a root that only Datomic has written.
type prunable struct {
	m *snapshot.Manifest
	// parked is nil if the point is listed.
	parked *snapshot.Parked
	// native is a root for which there is no point of ours. Then m is what a
	// point of it would be, and name how it is listed.
	native *nativeRoot
	name   string

	keep    bool
	reasons []string
	state   prune.State
	until   time.Time
	freed   prune.Count
}

func (q *prunable) id() string { return q.m.Point }

// held is what the point's manifest says of a mutable object.
func (q *prunable) held(name string) (snapshot.Object, bool) {
	for _, o := range q.m.Held {
		if o.Name == name {
			return o, true
		}
	}
	return snapshot.Object{}, false
}

// leased is all of it, under the lease on the destination.
func (p *pruning) leased(ctx context.Context) (err error) {
	if p.place, err = snapshot.Find(ctx, p.place.F); err != nil {
		return err
	}
	err = anyPoint(ctx, p.place)
	onlyRemains := p.opt.Incomplete && p.place.Chunked() && errors.Is(err, fs.ErrorObjectNotFound)
	if err != nil && !onlyRemains {
		return err
	}
	run, ctx, err := p.place.Begin(ctx, p.copier)
	if err != nil {
		return err
	}
	p.run = run
	defer run.End(ctx)
	if p.opt.Undo != "" {
		return because(ctx, p.undo(ctx))
	}
	if err := p.gather(ctx); err != nil {
		return because(ctx, err)
	}
	if p.opt.Incomplete {
		return because(ctx, p.tidy(ctx))
	}
	return because(ctx, p.prune(ctx))
}

// anyPoint refuses a place where there is none, before anything is written there:
// with another password an encrypted one looks empty.
func anyPoint(ctx context.Context, place *snapshot.Place) error {
	ids, err := place.IDs(ctx)
	if err != nil {
		return err
	}
	for _, id := range slices.Backward(ids) {
		_, err := place.ManifestOrParked(ctx, id)
		if !errors.Is(err, graph.ErrNotFound) {
			return nil // or it is damaged, which is told later
		}
	}
	if !place.Chunked() {
		roots, err := store.Roots(ctx, place.F)
		if err != nil || len(roots) > 0 {
			return err
		}
	}
	if err := checkKey(ctx, place.F); err != nil {
		return err
	}
	return noPoint(ctx, place, "")
}

// prune decides, plans, and does it.
func (p *pruning) prune(ctx context.Context) error {
	if err := p.decide(ctx); err != nil {
		return err
	}
	plan, err := p.plan(ctx)
	if err != nil {
		return err
	}
	defer plan.Close()
	p.fill()
	if p.report.DryRun {
		return nil
	}
	if err := p.park(ctx); err != nil {
		return err
	}
	return p.remove(ctx, plan)
}

// fill says in the report what becomes of the points.
func (p *pruning) fill() {
	p.report.Points = []PrunedPoint{}
	for _, q := range p.points {
		line := PrunedPoint{ID: q.name, Time: q.m.Time, Database: q.m.ID, Keep: q.keep, Reasons: q.reasons, Freed: q.freed, Pruned: q.parked != nil}
		if !q.keep {
			line.Until = &q.until
		}
		p.report.Points = append(p.report.Points, line)
		p.report.Freed.Segments += q.freed.Segments
		p.report.Freed.Bytes += q.freed.Bytes
	}
}

// unreadable explains why nothing is removed.
func (p *pruning) unreadable(what string, err error) error {
	if !errors.Is(err, graph.ErrCorrupt) && !errors.Is(err, graph.ErrNotFound) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s of %s cannot be read, so nobody knows what it needs, and nothing is removed: %w; "+
		"put back what the source still has with rclone-datom backup --repair, or give the point up by deleting its directory", what, p.place, err)
}
