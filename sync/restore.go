package dbsync

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"golang.org/x/sync/errgroup"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
	"github.com/rclone-datom/rclone-datom/sync/walk"
)

// RestoreOptions are a restore's choices.
type RestoreOptions struct {
	// At names the point; see findPoint. Empty means the newest.
	At string
	// Branch restores one branch alone.
	Branch string
	// Dialect reads the segments where that is needed: for Branch.
	Dialect *datahike.Dialect
}

// RestoreReport says what a restore did, and what opening the copy needs.
type RestoreReport struct {
	Point    string         `json:"point"`
	Target   string         `json:"target"`
	DryRun   bool           `json:"dryRun"`
	Written  snapshot.Count `json:"written"`
	Resumed  int64          `json:"resumed"`
	StoreID  string         `json:"storeId,omitempty"`
	Settings map[string]any `json:"settings"`
	Seconds  float64        `json:"seconds"`
}

// markerSuffix ends the name of the object that says which point is being
// restored; konserve skips names that end so.
const markerSuffix = ".restoring.new"

// Restore writes a point of dst into target: segments first, heads last.
func Restore(ctx context.Context, dst, target fs.Fs, opt RestoreOptions) (*RestoreReport, error) {
	ctx, cancel, err := begin(ctx, "restore", target)
	if err != nil {
		return nil, err
	}
	defer cancel()
	r := &restore{opt: opt, place: snapshot.Open(dst), target: target, files: store.New(target, "")}
	r.source = r.place.Store()
	started := r.place.Now()
	r.copier = transfer.NewCopier(target, dst, started)
	if err := r.do(ctx); err != nil {
		return nil, final(ctx, because(ctx, err))
	}
	accounting.Stats(ctx).ResetErrors()
	rep := &RestoreReport{
		Point: r.m.Point, Target: fs.ConfigString(target), DryRun: fs.GetConfig(ctx).DryRun, StoreID: r.m.StoreID, Settings: map[string]any{},
		Written: snapshot.Count{Segments: r.segments.Load(), Commits: r.commits.Load(), Bytes: r.bytes.Load()},
		Resumed: r.resumed.Load(), Seconds: r.place.Now().Sub(started).Seconds(),
	}
	for k, v := range r.m.Settings {
		if kw, ok := v.(edn.Keyword); ok {
			v = ":" + string(kw)
		}
		rep.Settings[string(k)] = v
	}
	return rep, nil
}

type restore struct {
	opt    RestoreOptions
	place  *snapshot.Place
	source *store.Files
	target fs.Fs
	files  *store.Files
	copier *transfer.Copier
	m      *snapshot.Manifest

	segments, commits, bytes, resumed atomic.Int64
}

func (r *restore) do(ctx context.Context) (err error) {
	if r.m, err = findPoint(ctx, r.place, r.opt.At); err != nil {
		return err
	}
	held, err := r.place.Held(ctx, r.m)
	if err != nil {
		return err
	}
	closure, err := r.place.Closure(ctx, r.m)
	if err != nil {
		return err
	}
	defer func() { _ = closure.Close() }()
	segments := closure.All()
	if r.opt.Branch != "" {
		heads, err := r.opt.Dialect.Parse(held, r.opt.Branch)
		if errors.Is(err, graph.ErrNotFound) {
			return fmt.Errorf("%w: %w", err, fs.ErrorObjectNotFound)
		}
		if err != nil {
			return err
		}
		held = heads.Held()
		reached := spill.NewSorter()
		defer reached.Close()
		if err := r.reach(ctx, heads, closure, reached); err != nil {
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

// reach collects what one branch needs.
func (r *restore) reach(ctx context.Context, heads *datahike.Heads, closure *spill.Table, ids *spill.Sorter) error {
	w := walk.NewReading(r.opt.Dialect, r.source, fs.GetConfig(ctx).Checkers)
	defer w.Close()
	w.Walker.Known = func(graph.ID) (bool, error) { return true, nil }
	w.Begin = func(context.Context) walk.Visitor { return walk.Collect{IDs: ids} }
	load := w.History.Load
	w.History.Load = func(ctx context.Context, id graph.ID) (graph.Record, []byte, error) {
		if err := listed(closure, id); err != nil {
			return graph.Record{}, nil, err
		}
		return load(ctx, id)
	}
	return w.Heads(ctx, heads.Branches)
}

// marker names what is being restored, so that nothing else is mixed with it.
func (r *restore) marker() string {
	if r.opt.Branch == "" {
		return r.m.Point + markerSuffix
	}
	return fmt.Sprintf("%s.%x%s", r.m.Point, sha256.Sum256([]byte(r.opt.Branch)), markerSuffix)
}

// prepare looks at the target: it is empty, or a restore of the same point
// was interrupted there. It returns what lies there, by id, with sizes.
func (r *restore) prepare(ctx context.Context) (*spill.Table, error) {
	lines := spill.NewSorter()
	defer lines.Close()
	entries, err := r.target.List(ctx, "")
	if err != nil && !errors.Is(err, fs.ErrorDirNotFound) {
		return nil, err
	}
	marked := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Remote() == r.marker() })
	foreign, n := "", 0
	for _, e := range entries {
		o, isObject := e.(fs.Object)
		switch {
		case e.Remote() == r.marker():
			continue
		case isObject && r.cutOff(e.Remote(), marked):
			if err := r.discard(ctx, o); err != nil {
				return nil, err
			}
			continue
		case !isObject || foreign == "":
			foreign = e.Remote()
		}
		n++
		lines.Add(fmt.Sprintf("%s\t%d", e.Remote(), e.Size()))
	}
	if n > 0 && !marked {
		return nil, refuse("%s is not empty (it holds %s and %d more): restore into an empty place", fs.ConfigString(r.target), foreign, n-1)
	}
	if marked {
		fs.Logf(r.target, "Resuming the restore of point %s", r.m.Point)
	} else if err := r.copier.Replace(ctx, r.marker(), []byte("being restored by rclone-datom\n")); err != nil {
		return nil, err
	}
	return spill.NewTable(lines.Sorted())
}

// untouched refuses to take up a restore that has got as far as its heads and
// whose heads are others now: the copy is in use.
func (r *restore) untouched(ctx context.Context, held []graph.Held, present *spill.Table) error {
	for _, h := range held {
		if _, ok, err := present.Get(string(h.ID)); !ok || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		data, err := r.files.Get(ctx, h.ID)
		if err != nil {
			return err
		}
		if string(data) != string(h.Data) {
			return refuse("%s holds a database whose heads have moved since it was restored: restore into an empty place, or if it is complete delete %s there",
				fs.ConfigString(r.target), r.marker())
		}
	}
	return nil
}

// cutOff tells whether a name is that of an upload which an interrupted
// restore has left half done.
func (r *restore) cutOff(name string, marked bool) bool {
	return strings.HasPrefix(name, r.marker()+".") || marked && strings.HasSuffix(name, ".new")
}

func (r *restore) discard(ctx context.Context, o fs.Object) error {
	if fs.GetConfig(ctx).DryRun {
		return nil
	}
	return o.Remove(ctx)
}

// copyAll copies the segments, many at a time, in any order: nobody can open
// the store before its heads are there.
func (r *restore) copyAll(ctx context.Context, segments snapshot.Lines, present *spill.Table) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(fs.GetConfig(ctx).Transfers, 1))
	for line, err := range segments {
		if err != nil {
			_ = g.Wait()
			return err
		}
		e, err := snapshot.ParseEntry(line)
		if err != nil {
			_ = g.Wait()
			return err
		}
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error { return r.copyOne(gctx, e, present) })
	}
	return g.Wait()
}

func (r *restore) copyOne(ctx context.Context, e graph.Entry, present *spill.Table) error {
	if line, ok, err := present.Get(string(e.ID)); err != nil {
		return err
	} else if ok && line == fmt.Sprintf("%s\t%d", e.ID, e.Size) {
		data, err := r.files.Get(ctx, e.ID)
		if err == nil && sha256.Sum256(data) == e.SHA256 {
			r.resumed.Add(1)
			return nil
		}
	}
	data, err := r.source.Get(ctx, e.ID)
	if err != nil {
		return fmt.Errorf("point %s of %s is damaged: %w; see rclone-datom verify %s", r.m.Point, r.place, err, r.place)
	}
	if err := checkDigest(e, data); err != nil {
		return fmt.Errorf("point %s of %s is damaged: %w; see rclone-datom verify --deep %s", r.m.Point, r.place, err, r.place)
	}
	if err := r.copier.Segment(ctx, string(e.ID), data); err != nil {
		return err
	}
	r.segments.Add(1)
	r.bytes.Add(e.Size)
	if e.Level == graph.Commit {
		r.commits.Add(1)
	}
	return nil
}

// checkDigest compares bytes with what was recorded when they were backed up.
func checkDigest(e graph.Entry, data []byte) error {
	if int64(len(data)) != e.Size {
		return fmt.Errorf("%s has %d bytes, had %d when it was backed up: %w", e.ID, len(data), e.Size, graph.ErrCorrupt)
	}
	if sha256.Sum256(data) != e.SHA256 {
		return fmt.Errorf("%s has other bytes than were backed up (SHA-256 differs): %w", e.ID, graph.ErrCorrupt)
	}
	return nil
}

// finish makes the copy openable: heads, then the set of branches.
func (r *restore) finish(ctx context.Context, held []graph.Held) error {
	if err := transfer.SyncToDisk(r.target); err != nil {
		return err
	}
	for _, h := range held {
		if err := r.copier.Replace(ctx, string(h.ID), h.Data); err != nil {
			return err
		}
	}
	if fs.GetConfig(ctx).DryRun {
		return nil
	}
	o, err := r.target.NewObject(ctx, r.marker())
	if err != nil {
		return err
	}
	if err := o.Remove(ctx); err != nil {
		return err
	}
	return transfer.SyncToDisk(r.target)
}
