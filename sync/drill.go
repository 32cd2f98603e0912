package dbsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/operations"
	"github.com/rclone/rclone/lib/atexit"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// DrillOptions are a drill's choices.
type DrillOptions struct {
	// At names the point; empty means the newest.
	At string
	// Scratch is an empty place for the copy. All that is in it is removed at
	// the end, whatever the end is. Nil means that there is no copy: the point is
	// looked at where it lies.
	Scratch fs.Fs
	// MaxAge is how old the point may be; 0 means any age.
	MaxAge time.Duration
	// Dialect reads the segments of a Datahike database.
	Dialect *datahike.Dialect
}

// DrillReport says what a drill restored, what it found in the copy, and
// everything that is wrong.
type DrillReport struct {
	Point     string    `json:"point"`
	PointTime time.Time `json:"pointTime"`
	// Database is the id that tells it from another one.
	Database string `json:"database"`
	// Kind is the database's: "datahike" or "datomic".
	Kind    string `json:"kind"`
	InPlace bool   `json:"inPlace,omitempty"`
	// RestoredSegments and RestoredBytes are what the copy has; of a drill in
	// place, what the point lists.
	RestoredSegments int64 `json:"restoredSegments"`
	RestoredBytes    int64 `json:"restoredBytes"`
	// Datoms are the counts by branch and index.
	Datoms map[string]map[string]int64 `json:"datoms,omitempty"`
	// Digests are those of the datoms of a Datahike database, by branch.
	Digests map[string]Digests `json:"digests,omitempty"`
	// Equal: everything was read, and is what the point says.
	Equal          bool    `json:"equal"`
	RestoreSeconds float64 `json:"restoreSeconds"`
	CheckSeconds   float64 `json:"checkSeconds"`
	Seconds        float64 `json:"seconds"`
	// Faults are everything that is wrong, up to MaxFaults.
	Faults []Fault `json:"faults"`
}

// ErrDrill is what Drill returns beside its report if there are faults.
var ErrDrill = errors.New("the drill failed")

// errStopped is why a drill ends at an interrupt.
var errStopped = fserrors.NoRetryError(errors.New("the drill was interrupted"))

// Drill restores a point of dst to a scratch place, opens the copy by its own
// heads, reads and decodes all that they reach, and compares it with what the
// point says the source had. It returns a report, also beside an error, as soon
// as the point is known.
func Drill(ctx context.Context, dst fs.Fs, opt DrillOptions) (*DrillReport, error) {
	d := &drill{opt: opt, dst: dst}
	err := d.find(ctx)
	if err != nil {
		return nil, final(ctx, because(ctx, err))
	}
	d.report = DrillReport{
		Point: d.m.Point, PointTime: d.m.Time, Database: d.m.ID, Kind: string(d.m.Kind),
		InPlace: opt.Scratch == nil, Faults: []Fault{},
	}
	started := d.place.Now()
	if opt.Scratch == nil {
		err = d.inPlace(ctx)
	} else {
		err = d.onScratch(ctx)
	}
	d.report.Equal = err == nil && len(d.report.Faults) == 0
	d.tooOld(started)
	slices.SortFunc(d.report.Faults, func(a, b Fault) int { return strings.Compare(a.ID+a.What, b.ID+b.What) })
	d.report.Seconds = d.since(started)
	if err == nil && len(d.report.Faults) > 0 {
		err = fmt.Errorf("%w: %d faults in point %s of %s", ErrDrill, len(d.report.Faults), d.m.Point, d.place)
		if !d.report.Equal { // or it is old and no more
			err = fmt.Errorf("%w: %w", err, graph.ErrCorrupt)
		}
		err = fserrors.NoRetryError(err)
	}
	return &d.report, final(ctx, because(ctx, err))
}

type drill struct {
	opt    DrillOptions
	dst    fs.Fs
	place  *snapshot.Place
	m      *snapshot.Manifest
	report DrillReport
}

func (d *drill) find(ctx context.Context) (err error) {
	if d.place, err = snapshot.Find(ctx, d.dst); err == nil {
		d.m, err = findPoint(ctx, d.place, d.opt.At)
	}
	return err
}

func (d *drill) since(t time.Time) float64 { return d.place.Now().Sub(t).Seconds() }

func (d *drill) fault(id graph.ID, format string, args ...any) {
	d.report.Faults = append(d.report.Faults, Fault{string(id), fmt.Sprintf(format, args...)})
}

// damage takes an error that tells of damage as a fault, and returns others.
func (d *drill) damage(what string, err error) error {
	if damaged(err) {
		d.fault(graph.ID(d.m.Point), "%s: %v", what, err)
		return nil
	}
	return err
}

// tooOld notices that backups have stopped.
func (d *drill) tooOld(now time.Time) {
	if age := now.Sub(d.m.Time); d.opt.MaxAge > 0 && age > d.opt.MaxAge {
		d.fault(graph.ID(d.m.Point), "it is %s old, more than %s: are backups still being made?",
			age.Round(time.Second), d.opt.MaxAge)
	}
}

// inPlace looks at the point where it lies.
func (d *drill) inPlace(ctx context.Context) error {
	started := d.place.Now()
	defer func() { d.report.CheckSeconds = d.since(started) }()
	rep, err := Verify(ctx, d.dst, VerifyOptions{
		At: d.m.Point, Deep: true, Datoms: d.m.Kind == snapshot.Datahike, Dialect: d.opt.Dialect,
	})
	if rep != nil {
		d.report.RestoredSegments, d.report.RestoredBytes = rep.Segments.Segments, rep.Segments.Bytes
		d.report.Datoms, d.report.Digests = rep.Datoms, rep.Digests
		d.report.Faults = append(d.report.Faults, rep.Faults...)
	}
	if errors.Is(err, ErrFaults) {
		return nil
	}
	return d.damage("it cannot be verified", err)
}

// onScratch makes the copy, looks at it and removes it. An interrupt waits for
// that: a database must not be left lying about.
func (d *drill) onScratch(ctx context.Context) (err error) {
	if fs.GetConfig(ctx).DryRun {
		return refuse("a drill restores, so it cannot be a dry run: --in-place makes no copy")
	}
	ctx, stop, err := begin(ctx, "drill", fs.ConfigString(d.opt.Scratch))
	if err != nil {
		return err
	}
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	handle := atexit.Register(func() { cancel(errStopped); <-done })
	if handle == nil {
		return errStopped
	}
	defer atexit.Unregister(handle)
	defer close(done) // before Unregister, which waits for what waits for this
	if err := empty(ctx, d.opt.Scratch); err != nil {
		return err
	}
	defer func() { err = errors.Join(because(ctx, err), d.remove(ctx)) }()
	return d.copy(ctx)
}

// empty refuses a place that has anything in it, for all of it will be removed.
func empty(ctx context.Context, f fs.Fs) error {
	entries, err := f.List(ctx, "")
	if errors.Is(err, fs.ErrorDirNotFound) || err == nil && len(entries) == 0 {
		return nil
	}
	if err == nil {
		err = refuse("%s is not empty (it holds %s): a drill removes what it finds there", fs.ConfigString(f), entries[0].Remote())
	}
	return err
}

// remove leaves nothing of the copy, even when the drill is being stopped.
func (d *drill) remove(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	f := d.opt.Scratch
	err := operations.Purge(ctx, f, "")
	if err == nil || errors.Is(err, fs.ErrorDirNotFound) {
		err = empty(ctx, f)
	}
	if err != nil {
		return fserrors.NoRetryError(fmt.Errorf("the copy at %s could not be removed, do it by hand: %w", fs.ConfigString(f), err))
	}
	return nil
}

// copy restores the point and looks at what that gives.
func (d *drill) copy(ctx context.Context) error {
	if dir, ok := store.LocalRoot(d.opt.Scratch); ok {
		if err := os.MkdirAll(dir, 0o700); err != nil { // nobody else's business
			return err
		}
	}
	started := d.place.Now()
	rep, err := Restore(ctx, d.dst, d.opt.Scratch, RestoreOptions{At: d.m.Point, Dialect: d.opt.Dialect})
	d.report.RestoreSeconds = d.since(started)
	if err != nil {
		return d.damage("it cannot be restored", err)
	}
	d.report.RestoredSegments, d.report.RestoredBytes = rep.Written.Segments, rep.Written.Bytes
	started = d.place.Now()
	defer func() { d.report.CheckSeconds = d.since(started) }()
	return d.damage("its copy cannot be opened", d.check(ctx))
}

// sameHeads compares the mutable objects of the copy with those that were held.
func (d *drill) sameHeads(ctx context.Context, held []graph.Held) {
	files := store.New(d.opt.Scratch, "")
	for _, h := range held {
		name := h.ID
		if d.m.Kind == snapshot.Datomic {
			name = graph.ID(snapshot.DatomicName(h.ID))
		}
		data, err := files.Get(ctx, name)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			d.fault(name, "%v", err)
		case !bytes.Equal(data, h.Data):
			d.fault(name, "is not the head that was backed up")
		}
	}
}
