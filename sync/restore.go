package dbsync

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/chunk"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// RestoreOptions are a restore's choices.
type RestoreOptions struct {
	// At names the point; see findPoint. Empty means the newest.
	At string
	// Branch restores one branch alone.
	Branch string
	// Commit restores what the database was at a commit that the point
	// reaches: its id, or the beginning of one. The copy has one branch: Branch,
	// or the one for which the commit was made.
	Commit string
	// ObjectNames is the store of konserve's for which the copy is made, one
	// of NamesFile, NamesS3 and NamesGCS; empty means NamesFile.
	ObjectNames string
	// Dialect reads the segments where that is needed: for Branch and Commit.
	Dialect *datahike.Dialect
	// As is the name that a Datomic database gets in SQL storage; empty means
	// the one that it had.
	As string
	// CreateTable makes the table if there is none.
	CreateTable bool
	// Rewind allows a database that is there, the same one, to be set back to
	// an older t.
	Rewind bool
}

// The values of RestoreOptions.ObjectNames.
const (
	NamesFile = "file"
	NamesS3   = "s3"
	NamesGCS  = "gcs"
)

// RestoreReport says what a restore did, and what opening the copy needs.
type RestoreReport struct {
	Point  string `json:"point"`
	Target string `json:"target"`
	// Bucket and Path are where the target lies: Path alone in a local
	// directory, and neither where there are no buckets.
	Bucket string `json:"bucket,omitempty"`
	Path   string `json:"path,omitempty"`
	// ObjectNames is the store for which objects are named.
	ObjectNames string `json:"objectNames"`
	// Branch is the only one that the copy has, and Commit where it stands, if
	// these were asked for.
	Branch string `json:"branch,omitempty"`
	// Kind is the database's: "datahike" or "datomic".
	Kind string `json:"kind"`
	// Name is what a Datomic database is called at the target, and T its basis.
	Name     string         `json:"name,omitempty"`
	T        int64          `json:"t,omitempty"`
	Commit   string         `json:"commit,omitempty"`
	DryRun   bool           `json:"dryRun"`
	Written  snapshot.Count `json:"written"`
	Resumed  int64          `json:"resumed"`
	StoreID  string         `json:"storeId,omitempty"`
	Settings map[string]any `json:"settings"`
	Seconds  float64        `json:"seconds"`
}

// Restore writes a point of dst into target: segments first, heads last.
func Restore(ctx context.Context, dst, target fs.Fs, opt RestoreOptions) (*RestoreReport, error) {
	if overlap(ctx, dst, target) {
		return nil, refuse("the backup and the target overlap: choose another target")
	}
	r := &restore{opt: opt, place: snapshot.Open(dst), native: datomic.New(), target: target, root: store.New(target, "")}
	r.copier = transfer.NewCopier(target, dst, r.place.Now())
	return r.run(ctx)
}

// run is what every restore has around it.
func (r *restore) run(ctx context.Context) (*RestoreReport, error) {
	ctx, cancel, err := begin(ctx, "restore", r.to())
	if err != nil {
		return nil, err
	}
	defer cancel()
	started := r.place.Now()
	if err := r.do(ctx); err != nil {
		return nil, final(ctx, because(ctx, err))
	}
	accounting.Stats(ctx).ResetErrors()
	rep := r.report()
	rep.DryRun = fs.GetConfig(ctx).DryRun
	rep.Seconds = r.place.Now().Sub(started).Seconds()
	return rep, nil
}

type restore struct {
	opt    RestoreOptions
	place  *snapshot.Place
	source store.Segments
	m      *snapshot.Manifest
	native *datomic.Dialect // of Datomic's segments
	// target is the remote that is restored to, root all that it has and files
	// its segments, names how these are called. There is none if table is set.
	target fs.Fs
	root   *store.Files
	files  *store.Files
	names  store.Names
	copier *transfer.Copier
	table  *tableTarget
	// branch and commit are what the copy is restricted to.
	branch, commit string

	segments, commits, bytes, resumed atomic.Int64
}

func (r *restore) report() *RestoreReport {
	rep := &RestoreReport{
		Point: r.m.Point, ObjectNames: r.opt.ObjectNames, Kind: string(r.m.Kind), T: r.m.T,
		Branch: r.branch, Commit: r.commit, StoreID: r.m.StoreID, Settings: map[string]any{},
		Written: snapshot.Count{Segments: r.segments.Load(), Commits: r.commits.Load(), Bytes: r.bytes.Load()},
		Resumed: r.resumed.Load(),
	}
	r.where(rep)
	for k, v := range r.m.Settings {
		if kw, ok := v.(edn.Keyword); ok {
			v = ":" + string(kw)
		}
		rep.Settings[string(k)] = v
	}
	return rep
}

// to names the target.
func (r *restore) to() string {
	if r.table != nil {
		return r.table.String()
	}
	return fs.ConfigString(r.target)
}

// where says what opening the copy needs.
func (r *restore) where(rep *RestoreReport) {
	rep.Target = r.to()
	if r.table != nil {
		rep.Name = r.table.name
		return
	}
	if dir, ok := store.LocalRoot(r.target); ok {
		rep.Path = dir
		if abs, err := filepath.Abs(dir); err == nil {
			rep.Path = abs // the JVM may run elsewhere
		}
	} else if r.target.Features().BucketBased {
		rep.Bucket, rep.Path, _ = strings.Cut(r.target.Root(), "/")
	}
}

func (r *restore) do(ctx context.Context) (err error) {
	if r.place, err = snapshot.Find(ctx, r.place.F); err != nil {
		return err
	}
	if r.m, err = findPoint(ctx, r.place, r.opt.At); err != nil {
		return err
	}
	if err := r.suits(); err != nil {
		return err
	}
	held, err := heldOf(ctx, r.place, r.m)
	if err != nil {
		return err
	}
	closure, err := closureOf(ctx, r.place, r.m)
	if err != nil {
		return err
	}
	defer func() { _ = closure.Close() }()
	r.source = r.place.Segments(r.m, closure)
	if r.table != nil {
		return r.toTable(ctx, held, closure)
	}
	return r.toRemote(ctx, held, closure)
}

// suits refuses options that mean nothing for the point's kind of database.
func (r *restore) suits() error {
	forTable := r.opt.As != "" || r.opt.CreateTable || r.opt.Rewind
	if r.m.Kind == snapshot.Datomic {
		return r.suitsDatomic(forTable)
	}
	switch {
	case r.table != nil:
		return refuse("point %s is of a Datahike database, which cannot be restored to Datomic's storage", r.m.Point)
	case forTable:
		return refuse("--as, --create-table and --rewind are for Datomic, point %s is of a Datahike database", r.m.Point)
	}
	return nil
}

func (r *restore) suitsDatomic(forTable bool) error {
	switch {
	case r.opt.Branch != "" || r.opt.Commit != "" || r.opt.ObjectNames != "" && r.opt.ObjectNames != NamesFile:
		return refuse("--branch, --commit and --object-names are for Datahike, point %s is of a Datomic database: --at chooses the t", r.m.Point)
	case strings.ContainsFunc(r.opt.As, func(c rune) bool { return c < ' ' || c == '/' || c == '?' }):
		return refuse("--as %q: a name cannot have / or ? or control characters, for it is a part of Datomic's URIs", r.opt.As)
	case r.table == nil && forTable:
		return refuse("--as, --create-table and --rewind are for a target in SQL storage; %s gets a backup, which has no name", fs.ConfigString(r.target))
	}
	return nil
}

// toRemote restores to any remote.
func (r *restore) toRemote(ctx context.Context, held []graph.Held, closure *spill.Table) error {
	if err := r.name(); err != nil {
		return err
	}
	var err error
	segments := closure.All()
	if r.opt.Branch != "" || r.opt.Commit != "" {
		reached := spill.NewSorter()
		defer reached.Close()
		if held, err = r.narrow(ctx, held, closure, reached); err != nil {
			return err
		}
		segments = lookUp(reached.Sorted(), closure)
	}
	present, err := r.prepare(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = present.Close() }()
	if err := r.untouched(ctx, held, present); err != nil {
		return err
	}
	if err := r.copyAll(ctx, segments, present); err != nil {
		return err
	}
	return r.finish(ctx, held)
}

// copyAll copies the segments, many at a time, in any order: nobody can open
// the store before its heads are there.
func (r *restore) copyAll(ctx context.Context, segments snapshot.Lines, present *spill.Table) error {
	missing := spill.NewSorter()
	defer missing.Close()
	lines, err := r.lacking(ctx, segments, present, missing)
	if err != nil {
		return err
	}
	return each(ctx, r.source, lines, fs.GetConfig(ctx).Transfers, r.copyOne)
}

// lacking are those of the segments that an interrupted restore has not left.
func (r *restore) lacking(ctx context.Context, segments snapshot.Lines, present *spill.Table, missing *spill.Sorter) (snapshot.Lines, error) {
	if present.Len() == 0 {
		return segments, nil
	}
	err := pool.Run(ctx, fs.GetConfig(ctx).Transfers, func(do func(string) error) error {
		for line, err := range segments {
			if err != nil {
				return err
			}
			if err := do(line); err != nil {
				return err
			}
		}
		return nil
	}, func(ctx context.Context, line string) error {
		there, err := r.present(ctx, line, present)
		if there {
			r.resumed.Add(1)
		} else {
			missing.Add(line)
		}
		return err
	})
	return missing.Sorted(), err
}

func (r *restore) present(ctx context.Context, line string, present *spill.Table) (bool, error) {
	e, err := graph.ParseEntry(line)
	if err != nil {
		return false, err
	}
	have, ok, err := present.Get(string(e.ID))
	return ok && (e.Size < 0 || have == fmt.Sprintf("%s\t%d", e.ID, e.Size)) && r.whole(ctx, e), err
}

// copyOne takes a segment that was read, or is a value still to be.
func (r *restore) copyOne(ctx context.Context, e graph.Entry, data []byte, err error) error {
	if r.m.Kind == snapshot.Datomic { // it becomes the name of a file
		if err := datomic.CheckID(e.ID); err != nil {
			return err
		}
	}
	n := int64(len(data))
	switch {
	case errors.Is(err, chunk.ErrLarge):
		n, err = r.copyValue(ctx, e)
	case err == nil:
		if err = checkSegment(e, data, r.native.Check); err == nil {
			err = r.copier.Segment(ctx, r.files.Remote(e.ID), data)
		}
	}
	if err != nil {
		return r.damaged(err)
	}
	r.segments.Add(1)
	r.bytes.Add(n)
	if e.Level == graph.Commit {
		r.commits.Add(1)
	}
	return nil
}

// whole tells whether what an interrupted restore has left is what it should be.
func (r *restore) whole(ctx context.Context, e graph.Entry) bool {
	if e.Level == graph.Value {
		return checkObject(ctx, r.files, e) == nil
	}
	data, err := r.files.Get(ctx, e.ID)
	return err == nil && checkSegment(e, data, r.native.Check) == nil
}

// damaged says what is wrong if a segment is not what was backed up.
func (r *restore) damaged(err error) error {
	if damaged(err) {
		return fmt.Errorf("point %s of %s is damaged: %w; see what else is with: rclone-datom verify --deep --at %s DEST", r.m.Point, r.place, err, r.m.Point)
	}
	return err
}

// segment reads one of the point's segments and checks it.
func (r *restore) segment(ctx context.Context, e graph.Entry) ([]byte, error) {
	data, err := r.source.Get(ctx, e.ID)
	if err == nil {
		err = checkSegment(e, data, r.native.Check)
	}
	return data, err
}

// copyValue streams: such an object may have any length.
func (r *restore) copyValue(ctx context.Context, e graph.Entry) (n int64, err error) {
	src, err := r.source.Object(ctx, e.ID)
	if err != nil {
		return 0, err
	}
	got, _, err := r.copier.Stream(ctx, r.files.Remote(e.ID), src)
	if err != nil || fs.GetConfig(ctx).DryRun {
		return e.Size, err
	}
	return got.Size, checkSum(e, got.Size, got.SHA256)
}
