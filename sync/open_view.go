package dbsync

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/rclone-datom/rclone-datom/sync/datoms"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// ViewOptions say which value of a database is read.
type ViewOptions struct {
	// At names it: a point of a backup as in RestoreOptions.At; or a
	// transaction or a time, of which a history tells; empty is the newest.
	At string
	// Branch is Datahike's; empty is the main one.
	Branch string
	// Dialect reads the segments of a Datahike backup.
	Dialect *datahike.Dialect
}

// errNotForeign is what f holds that is no datacamp backup and no dump.
var errNotForeign = errors.New("no datoms are kept here")

// OpenView opens what lies at f to be read as datoms: a point of a backup, a
// datacamp backup, or a dump. Close it.
func OpenView(ctx context.Context, f fs.Fs, opt ViewOptions) (view.View, error) {
	v, err := openForeign(ctx, f)
	if errors.Is(err, errNotForeign) {
		v, err = openPointView(ctx, f, opt)
		opt.At = "" // it is that
	}
	if err == nil {
		v, err = opt.of(ctx, v)
	}
	return v, final(ctx, err)
}

// of is what opt names of a view, which is closed if it does not have that.
func (opt ViewOptions) of(ctx context.Context, v view.View) (view.View, error) {
	if is := v.Info().Branch; opt.Branch != "" && strings.TrimPrefix(is, ":") != strings.TrimPrefix(opt.Branch, ":") {
		_ = v.Close() // the error tells more
		return nil, refuse("%s has no branches: ask without --branch", v.Info().Database)
	}
	if opt.At == "" {
		return v, nil
	}
	return asOf(ctx, v, opt.At)
}

// openForeign opens what other tools have written.
func openForeign(ctx context.Context, f fs.Fs) (view.View, error) {
	for _, open := range []func(context.Context, fs.Fs) (view.View, error){openDump, openDatacamp} {
		if v, err := open(ctx, f); !errors.Is(err, errNotForeign) {
			return v, err
		}
	}
	return nil, errNotForeign
}

// View opens the database as it is now, or of what it knows of the past.
func (s Source) View(ctx context.Context, opt ViewOptions) (view.View, error) {
	v, err := s.view(ctx, opt)
	if err == nil {
		v, err = opt.of(ctx, v)
	}
	return v, final(ctx, err)
}

func (s Source) view(ctx context.Context, opt ViewOptions) (view.View, error) {
	if s.Datomic != nil {
		value, err := s.Datomic.Pin(ctx)
		if err != nil {
			return nil, err
		}
		return view.OpenDatomic(ctx, datomic.New(), s.Datomic.Get, value, s.Datomic.Workers())
	}
	branch := opt.Branch
	if branch == "" {
		branch = s.Branch
	}
	heads, err := s.Dialect.Hold(ctx, s.Store.Get, branch)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Store, err)
	}
	for _, b := range heads.Branches {
		if b.Config.OnlineGC {
			fs.Logf(s.Store.Fs(), "The database has :online-gc, which writes other nodes under old addresses: "+
				"what is read while it is written to may be of two moments. Read a backup instead")
			break
		}
	}
	r := &datoms.Reader{Dialect: s.Dialect, Get: s.Store.GetInto, Workers: readers(ctx, s.Store.Fs())}
	v, err := openBranch(ctx, r, heads, branch)
	if err != nil {
		return nil, err
	}
	return view.Opened(v, referred{s.Store, nil}, func() error { return nil }), nil
}

// readers is how many leaves are read at a time: as many as the user wants; but
// of this computer's disks no more than the cores keep up with.
func readers(ctx context.Context, f fs.Fs) int {
	n := fs.GetConfig(ctx).Checkers
	if f.Features().IsLocal {
		n = min(n, runtime.GOMAXPROCS(0)+1)
	}
	return n
}

// openBranch opens the main branch, or the one that is asked for.
func openBranch(ctx context.Context, r *datoms.Reader, heads *datahike.Heads, branch string) (*view.DatahikeView, error) {
	b := heads.Branches[0]
	if branch == "" {
		b = heads.Main()
	}
	v, err := view.OpenDatahike(ctx, r, b.Head, b.Record)
	if err != nil {
		return nil, err
	}
	v.Describe(b.Name, "")
	return v, nil
}

// openPointView opens a point of a backup. A number is a transaction, unless it
// begins the id of a commit. A transaction for which there is no point is looked
// up in the history of the first one that has it, and a time before all points
// in that of the first.
func openPointView(ctx context.Context, f fs.Fs, opt ViewOptions) (view.View, error) {
	p, err := OpenPoint(ctx, f, opt.At)
	t, number := parseT(opt.At)
	may := func(p Point) bool { return p.newest(opt.Branch) >= inTime(p, t) }
	switch {
	case number && err == nil && !p.named(opt.At): // the number begins the id of the point, which is a date
		_ = p.Close()
	case number && err != nil:
	case errors.Is(err, fs.ErrorObjectNotFound) && isTime(opt.At) && !strings.HasPrefix(opt.At, "-"):
		may = func(p Point) bool { return p.newest(opt.Branch) > 0 }
	case err != nil:
		return nil, err
	default:
		return p.view(ctx, opt, readers(ctx, f))
	}
	v, none := openAround(ctx, f, opt, may)
	if errors.Is(err, fs.ErrorObjectNotFound) && errors.Is(none, fs.ErrorObjectNotFound) {
		return nil, err
	}
	return v, none
}

// named tells whether a number names the point: as a t of Datomic, or as what the
// id of a commit begins with.
func (p *OpenedPoint) named(number string) bool {
	if p.Manifest.Kind == snapshot.Datomic {
		return true
	}
	for _, b := range p.Manifest.Branches {
		if len(number) >= commitPrefix && strings.HasPrefix(b.Commit, number) {
			return true
		}
	}
	return false
}

// openAround opens the first point that may have what opt.At names, as of that.
func openAround(ctx context.Context, f fs.Fs, opt ViewOptions, may func(Point) bool) (view.View, error) {
	points, err := Points(ctx, f)
	if err != nil {
		return nil, err
	}
	for _, p := range points {
		if !p.Complete || !may(p) {
			continue
		}
		o, err := OpenPoint(ctx, f, p.ID)
		if err != nil {
			return nil, err
		}
		v, err := o.view(ctx, opt, readers(ctx, f))
		if err != nil {
			return nil, err
		}
		return asOf(ctx, v, opt.At)
	}
	return nil, fserrors.NoRetryError(fmt.Errorf("no point of %s has transaction %s: list them with rclone-datom backups: %w", f, opt.At, fs.ErrorObjectNotFound))
}

// newest is the last transaction that a point has of a branch, or of the main
// one.
func (p Point) newest(branch string) (tx int64) {
	if _, ok := p.Branches[mainBranch]; ok && branch == "" {
		branch = mainBranch
	}
	for name, b := range p.Branches {
		if branch == "" || name == branch || name == ":"+branch {
			tx = max(tx, b.MaxTx)
		}
	}
	return max(tx, p.T)
}

// mainBranch is what Datahike calls it.
const mainBranch = ":db"

// inTime is a number that a user gave as a point's transactions are numbered.
func inTime(p Point, t int64) int64 {
	if p.Kind == string(snapshot.Datomic) {
		return datomic.T(t)
	}
	return fromT(view.Datahike, t)
}

// view reads the point's segments, each of which must have its digest.
func (p *OpenedPoint) view(ctx context.Context, opt ViewOptions, workers int) (view.View, error) {
	v, err := p.open(ctx, opt, workers)
	if err != nil {
		_ = p.Close() // the first error tells more
		return nil, err
	}
	return view.Opened(v, referred{p.segments, p.entry}, p.Close), nil
}

func (p *OpenedPoint) open(ctx context.Context, opt ViewOptions, workers int) (view.View, error) {
	if p.Manifest.Kind == snapshot.Datomic {
		value, err := heldValue(p.Manifest, p.Held)
		if err != nil {
			return nil, err
		}
		get := func(ctx context.Context, id graph.ID) ([]byte, error) { return p.get(ctx, id, nil) }
		v, err := view.OpenDatomic(ctx, datomic.New(), get, value, workers)
		if err != nil {
			return nil, err
		}
		v.Describe(p.Manifest.Point)
		return v, nil
	}
	heads, err := opt.Dialect.Parse(p.Held, opt.Branch)
	if err != nil {
		return nil, err
	}
	v, err := openBranch(ctx, &datoms.Reader{Dialect: opt.Dialect, Get: p.get, Workers: workers}, heads, opt.Branch)
	if err != nil {
		return nil, err
	}
	v.Describe(v.Info().Branch, p.Manifest.Point)
	return v, nil
}

// entry is what the point lists of an object.
func (p *OpenedPoint) entry(id graph.ID) (e graph.Entry, err error) {
	line, ok, err := p.closure.Get(string(id))
	if err == nil && !ok {
		err = fmt.Errorf("point %s does not list %s: %w", p.Manifest.Point, id, graph.ErrNotFound)
	}
	if err != nil {
		return e, err
	}
	return graph.ParseEntry(line)
}

// get reads a segment that the point lists.
func (p *OpenedPoint) get(ctx context.Context, id graph.ID, buf []byte) ([]byte, error) {
	e, err := p.entry(id)
	if err != nil {
		return nil, err
	}
	data, err := p.segments.GetInto(ctx, id, buf)
	if err == nil && e.Digested() {
		err = checkDigest(e, data)
	}
	if damaged(err) {
		err = fmt.Errorf("%s: %w; put it back with rclone-datom backup --repair or copy-backup --repair", p.Path(id), err)
	}
	return data, err
}
