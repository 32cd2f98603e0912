package dbsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"github.com/rclone/rclone/fs/fserrors"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// What Accept may name: conditions under which a backup is refused.
const (
	AcceptOtherDatabase = "other-database"
	AcceptDiverged      = "diverged"
	AcceptMovedHeads    = "moved-heads"
)

// BackupOptions are a backup's choices; the zero value refuses every doubt.
type BackupOptions struct {
	Accept []string
	// Repair looks at every segment of every point first and puts back what
	// is missing or damaged.
	Repair bool
	// OnlineGCCopy allows the backup of a database with :online-gc, as a
	// whole copy that shares nothing with other points.
	OnlineGCCopy bool
	// VerifyBase reads every byte of a backup that Datomic has made before it
	// is built on.
	VerifyBase bool
	// Layout is LayoutNative or LayoutChunked; empty means the one that the
	// destination has, or else the native one. Packing is for the latter.
	Layout  string
	Packing snapshot.Packing
}

// The values of BackupOptions.Layout.
const (
	LayoutNative  = "native"
	LayoutChunked = "chunked"
)

// BackupReport says what a backup did.
type BackupReport struct {
	Point string `json:"point"`
	// UpToDate: nothing has changed since that point, none was made.
	UpToDate bool           `json:"upToDate"`
	DryRun   bool           `json:"dryRun"`
	Parent   string         `json:"parent,omitempty"`
	New      snapshot.Count `json:"new"`
	Total    snapshot.Count `json:"total"`
	Released snapshot.Count `json:"released"`
	// Reused is the number of segments that were there before.
	Reused   int64 `json:"reused"`
	Repaired int64 `json:"repaired"`
	// AbsentValues counts objects to which datoms refer and that are not in
	// the store.
	AbsentValues int      `json:"absentValues"`
	Requests     Requests `json:"requests"`
	Seconds      float64  `json:"seconds"`
}

// Requests counts calls of each end, as far as they are ours to make.
type Requests struct {
	SourceReads       int64 `json:"sourceReads"`
	DestinationReads  int64 `json:"destinationReads"`
	DestinationWrites int64 `json:"destinationWrites"`
}

// restarts is how often a backup begins anew because garbage collection took
// something away that it was about to read.
const restarts = 5

// goneError: segments that the held heads reach are not in the source.
type goneError struct{ ids []graph.ID }

func (e *goneError) Error() string {
	some, more := e.ids, ""
	if len(some) > 5 {
		some, more = some[:5], " …"
	}
	return fmt.Sprintf("%d segments are missing at the source although the database refers to them: %s%s", len(e.ids), strings.Trim(fmt.Sprint(some), "[]"), more)
}

func (e *goneError) Unwrap() error { return graph.ErrNotFound }

// Backup copies what has changed in src since dst's newest point and makes a
// new point of it.
func Backup(ctx context.Context, src Source, dst fs.Fs, opt BackupOptions) (*BackupReport, error) {
	for _, what := range opt.Accept {
		if !slices.Contains([]string{AcceptOtherDatabase, AcceptDiverged, AcceptMovedHeads}, what) {
			return nil, fserrors.NoRetryError(fmt.Errorf("--accept %s is not known; there are %s, %s, %s", what, AcceptOtherDatabase, AcceptDiverged, AcceptMovedHeads))
		}
	}
	if err := checkLayout(opt.Layout, opt.Packing); err != nil {
		return nil, err
	}
	if at := src.remote(); at != nil && overlap(ctx, dst, at) {
		return nil, refuse("the source's store and the destination overlap: choose another destination")
	}
	ctx, cancel, err := begin(ctx, "backup", fs.ConfigString(dst))
	if err != nil {
		return nil, err
	}
	defer cancel()
	b := &backup{Source: src, opt: opt, place: snapshot.Open(dst)}
	if b.db, err = b.database(); err != nil {
		return nil, err
	}
	b.place.SkipDamaged = opt.Repair
	b.started = b.place.Now()
	b.destination = b.place.Store()
	b.copier = transfer.NewCopier(dst, src.Fs, b.started)
	b.copier.Whole = src.Datomic != nil
	err = b.retryGone(ctx)
	if err != nil {
		return nil, final(ctx, because(ctx, err))
	}
	// What a restart or a low-level retry has healed is no failure.
	accounting.Stats(ctx).ResetErrors()
	b.report.Requests = b.requests()
	b.report.Seconds = b.place.Now().Sub(b.started).Seconds()
	return &b.report, nil
}

// retryGone restarts from the newest heads while gc is at work. If the heads
// stand still, nothing was collected: the store is damaged.
func (b *backup) retryGone(ctx context.Context) error {
	var last []graph.Held
	for try := 1; ; try++ {
		err := b.once(ctx)
		var gone *goneError
		if !errors.As(err, &gone) {
			return err
		}
		same := slices.EqualFunc(last, b.db.held(), func(x, y graph.Held) bool { return string(x.Data) == string(y.Data) })
		if same {
			return fmt.Errorf("%w; the database has not moved since, so it is damaged: restore it, or remove what needs the segment", err)
		}
		if try == restarts {
			return fmt.Errorf("%w; garbage collection overtook %d attempts: run the backup when it is not running", err, restarts)
		}
		fs.Logf(b.Fs, "%v: garbage collection has run meanwhile, starting again from the newest heads", err)
		last = b.db.held()
	}
}

// database is the kind of database that a backup copies: the steps in which
// kinds differ, in their order.
type database interface {
	// hold reads the mutable objects anew, and what must be known of them.
	hold(ctx context.Context) error
	// held are these objects with their bytes, in the order of writing.
	held() []graph.Held
	// id tells the database from another one.
	id() string
	// beside refuses a place that has backups of another database.
	beside(ctx context.Context, id string) error
	// fits refuses a parent point that cannot be built on. There may be none.
	fits(ctx context.Context) error
	// complete tells, of a database that has not changed, whether the parent
	// point lacks nothing.
	complete(ctx context.Context) (bool, error)
	// check refuses what cannot be copied. So far nothing was written.
	check(ctx context.Context) error
	// adopt makes a point of what somebody else has written, to be the parent
	// if there is none.
	adopt(ctx context.Context) error
	// inspect looks at the mutable objects at the destination, and refuses
	// to replace what is not the parent's.
	inspect(ctx context.Context) error
	// copyNew writes every segment that the parent lacks.
	copyNew(ctx context.Context) (*found, error)
	// copyWhole makes a point that shares nothing with others.
	copyWhole(ctx context.Context) error
	// describe fills in what the manifest says of the database.
	describe(m *snapshot.Manifest, found *found)
	// moment is what the database calls the moment, for the point's id.
	moment() string
	// get reads a segment of the source, and sound checks one that has no digest.
	get(ctx context.Context, id graph.ID) ([]byte, error)
	sound(ref graph.Ref, data []byte) error
	// reads counts what was asked of the source.
	reads() int64
}

// database is the source's.
func (b *backup) database() (database, error) {
	if b.Datomic == nil && b.opt.VerifyBase {
		return nil, fserrors.NoRetryError(errors.New("--verify-base is for Datomic: of a Datahike database nobody else makes backups of this layout"))
	}
	if b.Datomic == nil {
		return &datahikeBackup{backup: b}, nil
	}
	return newDatomicBackup(b)
}

// backup is the state of one Backup, of any kind of database.
type backup struct {
	Source
	db    database
	opt   BackupOptions
	place *snapshot.Place
	// destination are the segments there, where they lie one object each.
	destination *store.Files
	// past are those of the parent point, and packer takes the new ones, where
	// they lie in chunks.
	past   past
	packer *snapshot.Packer
	// at is when the attempt began: the time of a point in chunks.
	at      time.Time
	copier  *transfer.Copier
	started time.Time
	report  BackupReport

	// newest is the newest point at the destination, parent the newest of
	// this database.
	newest     *snapshot.Manifest
	parent     *snapshot.Manifest
	incomplete []string
	present    map[graph.ID]snapshot.Object
	run        *snapshot.Run
	// watermark is when the youngest head of any point, and of this one, was
	// written.
	watermark int64
	// adopted: the parent was made in this attempt, of what was there.
	adopted bool
	// lost counts what --repair could not put back.
	lost atomic.Int64
	// alone: the new point must not build on the lists of earlier ones.
	alone bool
}

func (b *backup) requests() Requests {
	return Requests{
		SourceReads:       b.db.reads(),
		DestinationReads:  b.destination.Reads() + b.past.reads() + b.place.Reads(),
		DestinationWrites: b.copier.Writes(),
	}
}

func (b *backup) accepts(what string) bool { return slices.Contains(b.opt.Accept, what) }

// once is one attempt, from reading the heads to the manifest.
func (b *backup) once(ctx context.Context) error {
	b.parent, b.alone, b.adopted = nil, false, false
	b.lost.Store(0)
	if err := b.db.hold(ctx); err != nil {
		return err
	}
	if err := b.locate(ctx); err != nil {
		return err
	}
	if !b.opt.Repair && b.unchanged() {
		complete, err := b.db.complete(ctx)
		if err != nil {
			return err
		}
		if complete {
			b.upToDate(ctx)
			return nil
		}
	}
	if err := b.db.check(ctx); err != nil {
		return err
	}
	run, ctx, err := b.place.Begin(ctx, b.copier)
	if err != nil {
		return err
	}
	b.run = run
	defer run.End(ctx)
	return because(ctx, b.leased(ctx))
}

// leased is the part of an attempt that writes.
func (b *backup) leased(ctx context.Context) error {
	if n := b.run.Resumed(); n > 0 {
		fs.Logf(b.place.F, "Resuming: an unfinished run has written %d segments already", n)
	}
	// Another run may have ended between the first look and the lease.
	if err := b.findParent(ctx); err != nil {
		return err
	}
	if b.place.Chunked() {
		if err := b.beginPacking(ctx); err != nil {
			return err
		}
		defer func() { _ = b.packer.Abandon() }()
	}
	if b.opt.OnlineGCCopy {
		return b.db.copyWhole(ctx)
	}
	if err := b.db.adopt(ctx); err != nil {
		return err
	}
	if b.opt.Repair {
		return b.repairAndCopy(ctx)
	}
	if b.adopted && b.unchanged() {
		b.upToDate(ctx)
		return nil
	}
	if err := b.db.inspect(ctx); err != nil {
		return err
	}
	return b.copyAndCommit(ctx)
}

// repairAndCopy mends the points that are there, and makes one if there is
// something new or the parent could not be mended.
func (b *backup) repairAndCopy(ctx context.Context) error {
	if !b.adopted { // of what was adopted all was read just now
		if err := b.repair(ctx); err != nil {
			return err
		}
	}
	if err := b.db.inspect(ctx); err != nil {
		return err
	}
	if b.unchanged() {
		complete, err := b.db.complete(ctx)
		if err != nil {
			return err
		}
		if complete {
			return errors.Join(b.putHeadsBack(ctx), b.tellLost())
		}
	}
	if err := b.copyAndCommit(ctx); err != nil {
		return err
	}
	return b.tellLost()
}

// tellLost ends a repair that could not put back everything with an error.
func (b *backup) tellLost() error {
	n := b.lost.Load()
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d segments of earlier points are damaged or gone and the source does not have them any more; %d were repaired, and point %s is whole: %w",
		n, b.report.Repaired, b.report.Point, graph.ErrCorrupt)
}

// upToDate reports that nothing has changed since the parent point.
func (b *backup) upToDate(ctx context.Context) {
	b.report = BackupReport{
		DryRun: fs.GetConfig(ctx).DryRun,
		Point:  b.parent.Point, UpToDate: true, Total: b.parent.Total, Reused: b.parent.Total.Segments, Repaired: b.report.Repaired,
		AbsentValues: len(b.parent.Absent),
	}
}

// putHeadsBack ends a repair that needs no new point.
func (b *backup) putHeadsBack(ctx context.Context) error {
	b.upToDate(ctx)
	if b.place.Chunked() {
		return nil // they lie in chunks, which were repaired
	}
	for _, h := range b.db.held() {
		if have := b.present[h.ID]; have.Matches(h.Data) {
			continue
		}
		if err := b.copier.Replace(ctx, b.parent.HeadName(h.ID), h.Data); err != nil {
			return err
		}
		b.report.Repaired++
	}
	return transfer.SyncToDisk(b.place.F)
}

// copyAndCommit writes what is new and makes the point.
func (b *backup) copyAndCommit(ctx context.Context) error {
	found, err := b.db.copyNew(ctx)
	if err != nil {
		return err
	}
	defer found.close()
	m := b.manifest(found)
	if b.parent != nil {
		m.Parent = b.parent.Point
	}
	return b.commit(ctx, m, b.parent, found)
}

// commit makes the point.
func (b *backup) commit(ctx context.Context, m, parent *snapshot.Manifest, found *found) error {
	b.report = BackupReport{
		Point: m.Point, Parent: m.Parent, DryRun: fs.GetConfig(ctx).DryRun, Repaired: b.report.Repaired, AbsentValues: len(m.Absent),
	}
	err := b.run.Commit(ctx, m, parent, b.db.held(), b.present, found.added, found.released)
	if err != nil {
		return err
	}
	b.run.Tidy(ctx, b.incomplete)
	b.report.New, b.report.Released, b.report.Total = m.New, m.Released, m.Total
	b.report.Reused = m.Total.Segments - m.New.Segments
	return nil
}

// manifest describes a point that stands alone, but for what is written with it.
func (b *backup) manifest(found *found) *snapshot.Manifest {
	now := b.place.Now()
	m := b.blank()
	at := b.after(now)
	if b.packer != nil {
		at = b.at // with which chunks were named already
	}
	m.Point, m.Time = snapshot.NewID(at, b.db.moment()), at.UTC()
	m.Duration = now.Sub(b.started).Milliseconds()
	b.db.describe(m, found)
	return m
}

// blank is a manifest that says nothing but what it is.
func (b *backup) blank() *snapshot.Manifest {
	m := &snapshot.Manifest{
		FormatVersion: snapshot.FormatVersion, ToolVersion: fs.Version,
		Kind: b.place.Kind, ID: b.db.id(), Newest: b.watermark,
		Branches: map[string]snapshot.Branch{}, Settings: map[edn.Keyword]any{},
	}
	if b.place.Chunked() {
		m.Layout, m.Compression = snapshot.Chunked, snapshot.Uncompressed
		if b.opt.Packing.Compress {
			m.Compression = snapshot.Zstd
		}
	}
	return m
}

// after is a time at which a point can be made: points sort by their ids, and a
// clock that was set back must not put this one before its parent.
func (b *backup) after(at time.Time) time.Time {
	if b.parent == nil {
		return at
	}
	if last, err := snapshot.IDTime(b.parent.Point); err == nil && !at.After(last) {
		return last.Add(time.Millisecond)
	}
	return at
}
