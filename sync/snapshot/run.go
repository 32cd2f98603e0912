package snapshot

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/lib/atexit"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// A note of acknowledged writes is written when so many have gathered, or so
// much time has passed: a killed run loses no more than that.
const (
	noteSegments = 20_000
	noteAfter    = 15 * time.Second
)

// Run is one attempt at making a point. It is the journal of its transfers.
type Run struct {
	ID     string
	place  *Place
	copier *transfer.Copier
	dryRun bool
	lease  Lease
	// written is the lease's object, as it was written last.
	written fs.Object
	stop    context.CancelFunc

	// resume has what earlier, unfinished runs had acknowledged.
	resume *spill.Table
	stale  []string
	// base, if set, has what the destination's newest point reaches.
	base *spill.Table

	// ever has what any point has added; it is read when first needed.
	everOnce sync.Once
	ever     *spill.Table
	everErr  error

	reached *spill.Sorter
	mu      sync.Mutex
	pending []string
	since   time.Time
	notes   int

	// finished are the chunks of the point that were acknowledged, and that no
	// point names so far.
	finished     []Chunk
	point        string
	checkpoints  sync.Mutex
	checkpointed bool
	whole        bool // nobody goes on with the point

	// left: what this run leaves was written down, and the lease was given back.
	left   sync.Once
	onExit atexit.FnHandle
}

// Begin takes the lease on the destination and learns what earlier runs have
// left. The returned context ends if the lease is lost. With --dry-run nothing
// is written and nobody is kept out.
func (p *Place) Begin(ctx context.Context, copier *transfer.Copier) (*Run, context.Context, error) {
	now := p.Now()
	r := &Run{
		ID: newRunID(now), place: p, copier: copier,
		dryRun: fs.GetConfig(ctx).DryRun, reached: spill.NewSorter(), since: now, stop: func() {},
	}
	var err error
	if r.dryRun {
		r.stale, err = p.dirs(ctx, p.runsDir())
	} else {
		r.stale, err = r.takeLease(ctx)
	}
	if err != nil {
		return nil, ctx, err
	}
	runCtx, cancel := context.WithCancelCause(ctx)
	r.stop = func() { cancel(nil) }
	if !r.dryRun {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r.renew(runCtx, cancel)
		}()
		// A renewal under way must not bring the lease back after it was dropped.
		r.stop = func() { cancel(nil); <-ended }
	}
	r.onExit = atexit.Register(func() { // when the user ends the program
		r.stop()
		r.leave(ctx)
	})
	if r.resume, err = r.readNotes(ctx); err != nil {
		r.End(ctx)
		return nil, ctx, err
	}
	return r, runCtx, nil
}

// newRunID names a run by its start; runs of two hosts may start together.
func newRunID(t time.Time) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%s-%x", t.UTC().Format(timeLayout), b)
}

// SetBase makes what a point reaches count as written: for a walk that visits
// everything and must copy only what the point lacks.
func (r *Run) SetBase(t *spill.Table) { r.base = t }

// Resumed is the number of segments that earlier runs had written.
func (r *Run) Resumed() int64 { return r.resume.Len() }

// readNotes collects the acknowledged writes of the stale runs. A note that
// cannot be read costs writing its segments again, no more.
func (r *Run) readNotes(ctx context.Context) (*spill.Table, error) {
	s := spill.NewSorter()
	defer s.Close()
	for _, run := range r.stale {
		err := r.place.objects(ctx, r.place.runName(run), func(o fs.Object) error {
			if path.Ext(o.Remote()) != listSuffix {
				return nil
			}
			b, err := r.place.files.Get(ctx, graph.ID(o.Remote()))
			if err != nil {
				return err
			}
			return unpack(b, func(line string) error {
				if _, err := graph.ParseEntry(line); err != nil {
					return err
				}
				s.Add(line)
				return nil
			})
		})
		if errors.Is(err, graph.ErrCorrupt) {
			fs.Logf(nil, "Ignoring a damaged note of the unfinished run %s: %v", run, err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("failed to read the notes of the unfinished run %s: %w", run, err)
		}
	}
	return spill.NewTable(FirstOfEach(s.Sorted()))
}

// objects calls fn for the objects directly in dir.
func (p *Place) objects(ctx context.Context, dir string, fn func(fs.Object) error) error {
	entries, err := p.F.List(ctx, dir)
	if errors.Is(err, fs.ErrorDirNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if o, ok := e.(fs.Object); ok {
			if err := fn(o); err != nil {
				return err
			}
		}
	}
	return nil
}

// Has implements transfer.Journal.
func (r *Run) Has(id graph.ID) (graph.Entry, bool, error) {
	for _, t := range []*spill.Table{r.base, r.resume} {
		if t == nil {
			continue
		}
		if e, ok, err := find(t, id); ok || err != nil {
			return e, ok, err
		}
	}
	return graph.Entry{}, false, nil
}

// Recalled tells whether Recall had to look into the lists of points.
func (r *Run) Recalled() bool { return r.ever != nil }

// Recall implements transfer.Journal: it costs one look at the destination,
// and if there is something, once a run, reading all points' lists.
func (r *Run) Recall(ctx context.Context, id graph.ID) (graph.Entry, bool, error) {
	_, err := r.place.Store().Size(ctx, id)
	if errors.Is(err, graph.ErrNotFound) {
		return graph.Entry{}, false, nil
	}
	if err != nil {
		return graph.Entry{}, false, err
	}
	r.everOnce.Do(func() { r.ever, r.everErr = r.place.Everything(ctx) })
	if r.everErr != nil {
		return graph.Entry{}, false, r.everErr
	}
	return find(r.ever, id)
}

// find parses a table's line.
func find(t *spill.Table, id graph.ID) (graph.Entry, bool, error) {
	line, ok, err := t.Get(string(id))
	if !ok || err != nil {
		return graph.Entry{}, false, err
	}
	e, err := graph.ParseEntry(line)
	return e, err == nil, err
}

// Reach implements transfer.Journal.
func (r *Run) Reach(e graph.Entry) { r.reached.Add(graph.FormatEntry(e)) }

// Ack implements transfer.Journal: it notes a write, and now and then writes
// the notes down.
func (r *Run) Ack(ctx context.Context, e graph.Entry) error {
	line := graph.FormatEntry(e)
	r.reached.Add(line)
	if r.dryRun {
		return nil
	}
	now := r.place.Now()
	r.mu.Lock()
	r.pending = append(r.pending, line)
	var lines []string
	if len(r.pending) >= noteSegments || now.Sub(r.since) >= noteAfter {
		lines, r.pending, r.since = r.pending, nil, now
		r.notes++
	}
	n := r.notes
	r.mu.Unlock()
	if lines == nil {
		return nil
	}
	return r.writeNote(ctx, n, lines)
}

func (r *Run) writeNote(ctx context.Context, n int, lines []string) error {
	// The note must not outlive what it vouches for.
	if err := transfer.SyncToDisk(r.place.F); err != nil {
		return err
	}
	b, err := pack(lines)
	if err != nil {
		return err
	}
	return r.copier.Replace(ctx, r.place.runName(r.ID, fmt.Sprintf("%06d%s", n, listSuffix)), b)
}

// End gives the lease back. The notes of a run that made no point stay, for
// the next one to resume from.
func (r *Run) End(ctx context.Context) {
	r.stop()
	atexit.Unregister(r.onExit)
	r.leave(ctx)
	r.reached.Close()
	_ = r.resume.Close()
	_ = r.base.Close()
	_ = r.ever.Close()
}

// leave writes down what was acknowledged, and gives the lease back.
func (r *Run) leave(ctx context.Context) {
	if r.dryRun {
		return
	}
	ctx = context.WithoutCancel(ctx)
	r.left.Do(func() {
		r.mu.Lock()
		lines, chunks := r.pending, len(r.finished)
		r.pending = nil
		r.notes++
		n := r.notes
		r.mu.Unlock()
		if chunks > 0 && !r.whole {
			if err := r.writeCheckpoint(ctx); err != nil {
				fs.Debugf(nil, "Failed to note which chunks were written: %v", err)
			}
		}
		if len(lines) > 0 {
			if err := r.writeNote(ctx, n, lines); err != nil {
				fs.Debugf(nil, "Failed to note what was written: %v", err)
			}
		}
		r.dropLease(ctx)
	})
}
