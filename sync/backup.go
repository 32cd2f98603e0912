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
	"github.com/rclone/rclone/fs/operations"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
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
	Reused   int64    `json:"reused"`
	Repaired int64    `json:"repaired"`
	Requests Requests `json:"requests"`
	Seconds  float64  `json:"seconds"`
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
	if operations.OverlappingFilterCheck(ctx, dst, src.Store.Fs()) {
		return nil, refuse("the source's store and the destination overlap: choose another destination")
	}
	ctx, cancel, err := begin(ctx, "backup", dst)
	if err != nil {
		return nil, err
	}
	defer cancel()
	b := &backup{Source: src, opt: opt, place: snapshot.Open(dst)}
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

	heads *datahike.Heads
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

// findParent finds the point that this one builds on, and refuses a place
// that belongs to another database.
func (b *backup) findParent(ctx context.Context) error {
	ids, err := b.place.IDs(ctx)
	if err != nil {
		return err
	}
	mine := b.heads.Main().DatabaseID
	if b.parent != nil && len(ids) > 0 && ids[len(ids)-1] == b.parent.Point && b.parent.ID == mine {
		return nil
	}
	b.newest, b.incomplete, err = b.place.Newest(ctx, ids, func(*snapshot.Manifest) bool { return true })
	b.parent = b.newest
	if err != nil || b.parent == nil || b.parent.ID == mine {
		return err
	}
	if !b.accepts(AcceptOtherDatabase) {
		return refuse("%s holds backups of database %s, the source is database %s; choose another destination, or give --accept %s to keep both there",
			b.place, b.parent.ID, mine, AcceptOtherDatabase)
	}
	b.parent, b.incomplete, err = b.place.Newest(ctx, ids, func(m *snapshot.Manifest) bool { return m.ID == mine })
	return err
}

// unchanged tells whether the heads are the parent's, byte for byte.
func (b *backup) unchanged() bool {
	held := b.heads.Held()
	if len(held) != len(b.parent.Held) {
		return false
	}
	for i, o := range b.parent.Held {
		if o.Name != string(held[i].ID) || !o.Matches(held[i].Data) {
			return false
		}
	}
	return true
}

// complete tells whether what the parent point lacked is still not there, and
// whether its heads lie in the store: without reading them.
func (b *backup) complete(ctx context.Context) (bool, error) {
	for _, br := range b.heads.Branches {
		if !br.Config.CommitGraph || !b.parent.Branches[edn.Keyword(br.Name[1:])].Absent {
			continue
		}
		size, err := b.Store.Size(ctx, datahike.AddressID(br.Commit))
		if err == nil && size >= minBlob {
			return false, nil
		}
		if err != nil && !errors.Is(err, graph.ErrNotFound) {
			return false, err
		}
	}
	for _, o := range b.parent.Held {
		size, err := b.destination.Size(ctx, graph.ID(o.Name))
		if errors.Is(err, graph.ErrNotFound) || err == nil && size != o.Size {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// pruned tells whether commits that the parent reaches are gone at the
// source. Collection removes the oldest first, so looking at the tails is
// enough (DESIGN.md §6).
func (b *backup) pruned(ctx context.Context) (bool, error) {
	if b.parent == nil {
		return false, nil
	}
	for _, t := range b.parent.Tails {
		size, err := b.Store.Size(ctx, graph.ID(t))
		if errors.Is(err, graph.ErrNotFound) || err == nil && size < minBlob {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// readPresent reads the heads that lie at the destination, and refuses if
// somebody else has moved them.
func (b *backup) readPresent(ctx context.Context) error {
	b.present = map[graph.ID]snapshot.Object{}
	b.was = nil
	if b.parent == nil {
		return b.checkUnclaimed(ctx)
	}
	var have []graph.Held
	intact := true
	for _, o := range b.parent.Held {
		id := graph.ID(o.Name)
		data, err := b.destination.Get(ctx, id)
		if err != nil && !errors.Is(err, graph.ErrNotFound) {
			return err
		}
		b.present[id] = snapshot.Describe(o.Name, data)
		have = append(have, graph.Held{ID: id, Data: data})
		if o.Matches(data) {
			continue
		}
		intact = false
		if err := b.checkMoved(ctx, id, data); err != nil {
			return err
		}
	}
	if !intact {
		var err error
		if have, err = b.place.Held(ctx, b.parent); err != nil {
			return err
		}
	}
	var err error
	b.was, err = b.Dialect.Parse(have, "")
	return err
}

// checkUnclaimed refuses a place where a database lies that is no backup.
func (b *backup) checkUnclaimed(ctx context.Context) error {
	data, err := b.destination.Get(ctx, datahike.BranchesID())
	if errors.Is(err, graph.ErrNotFound) || b.newest != nil {
		return nil
	}
	if err != nil {
		return err
	}
	explained, err := b.explained(ctx, datahike.BranchesID(), data)
	if err == nil && !explained {
		err = refuse("%s holds a database that no backup has put there; choose another destination, or give --accept %s to write over its heads",
			b.place.Store(), AcceptMovedHeads)
	}
	return err
}

// checkSchemas looks at the heads' schemas before anything is written: what
// is refused leaves the destination as it was.
func (b *backup) checkSchemas(ctx context.Context) error {
	seen := map[graph.ID]bool{}
	for _, br := range b.heads.Branches {
		for _, t := range br.Graph.Trees {
			if t.Ref.Level != graph.Schema || seen[t.Ref.ID] {
				continue
			}
			seen[t.Ref.ID] = true
			data, err := datahike.Present(ctx, b.Store.Get, t.Ref.ID)
			if errors.Is(err, graph.ErrNotFound) {
				return &goneError{t.Ref.ID}
			}
			if err == nil {
				_, err = b.Dialect.Decode(t.Ref, data)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// checkMoved refuses a head that is not what the parent point has put there.
func (b *backup) checkMoved(ctx context.Context, id graph.ID, data []byte) error {
	explained, err := b.explained(ctx, id, data)
	if err != nil || explained {
		return err
	}
	if data == nil {
		return refuse("%s is missing in %s: put back what is lost there with --repair", id, b.place.Store())
	}
	return refuse("%s in %s is not what the last backup has put there: a database was opened there and written to, or the file is damaged. "+
		"Move it away, or give --accept %s to put the backup's heads back", id, b.place.Store(), AcceptMovedHeads)
}

// explained tells whether other bytes than the last point's are no surprise:
// the user has said so, or an unfinished run of ours has put them there.
func (b *backup) explained(ctx context.Context, id graph.ID, data []byte) (bool, error) {
	if b.opt.Repair || b.accepts(AcceptMovedHeads) || b.accepts(AcceptOtherDatabase) {
		return true, nil
	}
	for _, point := range b.incomplete {
		held, err := b.place.HeldBytes(ctx, point, string(id))
		if err == nil && string(held) == string(data) {
			return true, nil
		}
		if err != nil && !errors.Is(err, graph.ErrNotFound) {
			return false, err
		}
	}
	return false, nil
}

// copyAndCommit writes what is new and makes the point.
func (b *backup) copyAndCommit(ctx context.Context, pruned bool) error {
	found, err := b.copyNew(ctx, pruned)
	if err != nil {
		return err
	}
	defer found.close()
	m := b.manifest(found.tails, found.absent)
	b.report = BackupReport{Point: m.Point, Parent: m.Parent, DryRun: fs.GetConfig(ctx).DryRun, Repaired: b.report.Repaired}
	err = b.run.Commit(ctx, m, b.parent, b.heads.Held(), b.present, found.added, found.released)
	if err != nil {
		return err
	}
	b.run.Tidy(ctx, b.incomplete)
	b.report.New, b.report.Released, b.report.Total = m.New, m.Released, m.Total
	b.report.Reused = m.Total.Segments - m.New.Segments
	return nil
}

// manifest describes the point, but for what is written with it.
func (b *backup) manifest(tails []string, absent map[graph.ID]bool) *snapshot.Manifest {
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
		Branches: map[edn.Keyword]snapshot.Branch{}, Tails: tails,
		Settings: map[edn.Keyword]any{},
	}
	if b.parent != nil {
		m.Parent = b.parent.Point
	}
	for _, br := range b.heads.Branches {
		m.Branches[edn.Keyword(br.Name[1:])] = snapshot.Branch{
			Commit: datahike.Text(br.Commit), MaxTx: br.MaxTx, Absent: absent[datahike.AddressID(br.Commit)],
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
