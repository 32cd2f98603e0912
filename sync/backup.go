package dbsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"github.com/rclone/rclone/fs/fserrors"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
	"github.com/rclone-datom/rclone-datom/sync/walk"
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
}

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

// goneError: a segment that the held heads reach is not in the source.
type goneError struct{ id graph.ID }

func (e *goneError) Error() string {
	return fmt.Sprintf("segment %s is missing at the source although the database refers to it", e.id)
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
	if overlap(ctx, dst, src.Store.Fs()) {
		return nil, refuse("the source's store and the destination overlap: choose another destination")
	}
	ctx, cancel, err := begin(ctx, "backup", dst)
	if err != nil {
		return nil, err
	}
	defer cancel()
	b := &backup{Source: src, opt: opt, place: snapshot.Open(dst)}
	b.place.SkipDamaged = opt.Repair
	b.started = b.place.Now()
	b.destination = b.place.Store()
	b.copier = transfer.NewCopier(dst, src.Fs, b.started)
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
		same := slices.EqualFunc(last, b.heads.Held(), func(x, y graph.Held) bool { return string(x.Data) == string(y.Data) })
		if same {
			return fmt.Errorf("%w; the branches have not moved since, so the store is damaged: restore it, or remove the branch or commit that needs the segment", err)
		}
		if try == restarts {
			return fmt.Errorf("%w; garbage collection overtook %d attempts: run the backup when it is not running", err, restarts)
		}
		fs.Logf(b.Fs, "%v: garbage collection has run meanwhile, starting again from the newest heads", err)
		last = b.heads.Held()
	}
}

// backup is the state of one Backup.
type backup struct {
	Source
	opt         BackupOptions
	place       *snapshot.Place
	destination *store.Files
	copier      *transfer.Copier
	started     time.Time
	report      BackupReport

	heads   *datahike.Heads
	schemas *walk.Schemas
	// newest is the newest point at the destination, parent the newest of
	// this database.
	newest     *snapshot.Manifest
	parent     *snapshot.Manifest
	was        *datahike.Heads // of the parent
	incomplete []string
	present    map[graph.ID]snapshot.Object
	run        *snapshot.Run
	// watermark is when the youngest head of any point, and of this one, was
	// written.
	watermark int64
	// alone: the new point must not build on the lists of earlier ones.
	alone bool
}

func (b *backup) requests() Requests {
	return Requests{
		SourceReads:       b.Store.Reads(),
		DestinationReads:  b.destination.Reads() + b.place.Reads(),
		DestinationWrites: b.copier.Writes(),
	}
}

func (b *backup) accepts(what string) bool { return slices.Contains(b.opt.Accept, what) }

// once is one attempt, from reading the heads to the manifest.
func (b *backup) once(ctx context.Context) (err error) {
	if b.heads, err = b.Dialect.Hold(ctx, b.Store.Get, b.Branch); err != nil {
		return fmt.Errorf("%s: %w", b.Store, err)
	}
	b.warnOfSecrets()
	if b.onlineGC() {
		if err := b.acceptOnlineGC(); err != nil {
			return err
		}
	}
	if err := b.findParent(ctx); err != nil {
		return err
	}
	pruned, err := b.pruned(ctx)
	if err != nil {
		return err
	}
	if b.parent != nil && !pruned && !b.opt.Repair && b.unchanged() {
		complete, err := b.complete(ctx)
		if err != nil {
			return err
		}
		if complete {
			b.upToDate(ctx)
			return nil
		}
	}
	b.schemas = &walk.Schemas{Dialect: b.Dialect, Read: b.readSchema}
	if err := b.checkSchemas(ctx); err != nil {
		return err
	}
	run, ctx, err := b.place.Begin(ctx, b.copier)
	if err != nil {
		return err
	}
	b.run = run
	defer run.End(ctx)
	return because(ctx, b.leased(ctx, pruned))
}

// leased is the part of an attempt that writes.
func (b *backup) leased(ctx context.Context, pruned bool) error {
	if n := b.run.Resumed(); n > 0 {
		fs.Logf(b.place.F, "Resuming: an unfinished run has written %d segments already", n)
	}
	// Another run may have ended between the first look and the lease.
	before := b.parent
	err := b.findParent(ctx)
	if err == nil && b.parent != before {
		pruned, err = b.pruned(ctx)
	}
	if err != nil {
		return err
	}
	if b.whole() {
		return b.copyWhole(ctx)
	}
	if b.opt.Repair {
		if err := b.repair(ctx); err != nil {
			return err
		}
	}
	if err := b.readPresent(ctx); err != nil {
		return err
	}
	if b.opt.Repair && b.parent != nil && !pruned && b.unchanged() {
		return b.putHeadsBack(ctx)
	}
	return b.copyAndCommit(ctx, pruned)
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
	for _, h := range b.heads.Held() {
		if have := b.present[h.ID]; have.Matches(h.Data) {
			continue
		}
		if err := b.copier.Replace(ctx, snapshot.StoreName(h.ID), h.Data); err != nil {
			return err
		}
		b.report.Repaired++
	}
	return transfer.SyncToDisk(b.place.F)
}

func (b *backup) warnOfSecrets() {
	found := map[string]bool{}
	for _, br := range b.heads.Branches {
		for _, s := range br.Config.Secrets {
			found[s] = true
		}
	}
	if len(found) > 0 && b.report.Point == "" && b.run == nil {
		names := strings.Join(slices.Sorted(maps.Keys(found)), ", ")
		fs.Logf(b.Fs, "Datahike stores its connect configuration in every head and commit, here with what looks like credentials (%s): "+
			"whoever reads the backup can read them. Use a crypt remote as destination", names)
	}
}

// copyAndCommit writes what is new and makes the point.
func (b *backup) copyAndCommit(ctx context.Context, pruned bool) error {
	found, err := b.copyNew(ctx, pruned)
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
	err := b.run.Commit(ctx, m, parent, b.heads.Held(), b.present, found.added, found.released)
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
	main := b.heads.Main()
	now := b.place.Now()
	at := now
	if b.parent != nil {
		// Points sort by their ids; a clock that was set back must not
		// put this one before its parent.
		if last, err := snapshot.IDTime(b.parent.Point); err == nil && !at.After(last) {
			at = last.Add(time.Millisecond)
		}
	}
	m := &snapshot.Manifest{
		Newest:        b.watermark,
		FormatVersion: snapshot.FormatVersion, ToolVersion: fs.Version,
		Kind: datahike.Kind, ID: main.DatabaseID, StoreID: main.Config.StoreID,
		Point: snapshot.NewID(at, datahike.Text(main.Commit)), Time: at.UTC(),
		Duration: now.Sub(b.started).Milliseconds(),
		Branches: map[string]snapshot.Branch{}, Tails: found.tails, Absent: found.values,
		Settings: map[edn.Keyword]any{},
	}
	for _, br := range b.heads.Branches {
		m.Branches[br.Name] = snapshot.Branch{
			Commit: datahike.Text(br.Commit), MaxTx: br.MaxTx, Absent: found.absent[datahike.AddressID(br.Commit)],
		}
	}
	for k, v := range main.Config.Settings {
		if s, ok := v.(string); ok && strings.HasPrefix(s, ":") {
			v = edn.Keyword(s[1:])
		}
		m.Settings[edn.Keyword(k)] = v
	}
	return m
}
