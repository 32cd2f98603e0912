package dbsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/object"

	"github.com/rclone-datom/rclone-datom/sync/chunk"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// copyBackup is the state of one CopyBackup.
type copyBackup struct {
	opt    CopyOptions
	from   []*snapshot.Place
	dst    fs.Fs
	places map[string]*copyPlace // by database
	copier *transfer.Copier
	native *datomic.Dialect
	// all are the points of the first copy, oldest first.
	all     []*snapshot.Manifest
	started time.Time
	healed  atomic.Int64
	report  CopyReport
}

// copyPoint copies one point, from the first copy whose lists can be read.
func (c *copyBackup) copyPoint(ctx context.Context, to *copyPlace, m *snapshot.Manifest) (err error) {
	for i, from := range c.from {
		p := &pointCopy{copyBackup: c, from: from, to: to, m: m}
		if i > 0 {
			var merr error
			if p.m, merr = from.Manifest(ctx, m.Point); merr != nil {
				fs.Logf(from.F, "Of no help with point %s: %v", m.Point, merr)
				continue
			}
		}
		damage := p.do(ctx)
		if !damaged(damage) {
			return damage
		}
		if err == nil {
			err = damage
		}
		if i+1 < len(c.from) {
			fs.Logf(from.F, "%v: trying the next copy", damage)
		}
	}
	return fmt.Errorf("%w; see what else is damaged with rclone-datom verify --deep; a copy that is whole can be named with --from", err)
}

// pointCopy is one point on its way.
type pointCopy struct {
	*copyBackup
	from *snapshot.Place
	to   *copyPlace
	m    *snapshot.Manifest

	segments store.Segments
	target   transfer.Target
	once     sync.Once
	others   []store.Segments // of the other copies
}

func (p *pointCopy) do(ctx context.Context) error {
	run, ctx, err := p.to.Begin(ctx, p.copier)
	if err != nil {
		return err
	}
	defer run.End(ctx)
	if !fs.GetConfig(ctx).DryRun { // another run may have ended meanwhile
		if err := p.to.glance(ctx, p.m); err != nil || p.to.has(p.m) {
			return err
		}
	}
	if was := p.to.parked[p.m.Point]; was != nil {
		return p.unpark(ctx, run, was)
	}
	if was := p.to.going[p.m.Point]; was != nil && !fs.GetConfig(ctx).DryRun {
		if err := p.to.forget(ctx, run, was); err != nil {
			return err
		}
	}
	held, err := heldOf(ctx, p.from, p.m)
	if err != nil {
		return err
	}
	m := p.manifest()
	if fs.GetConfig(ctx).DryRun {
		return p.plan(ctx, m)
	}
	if err := p.to.claim(ctx, p.copyBackup, held); err != nil {
		return err
	}
	var packer *snapshot.Packer
	if p.to.Chunked() {
		begin := run.NewPacker
		if m.Copy { // nothing of it is gone on with
			begin = run.NewLonePacker
		} else if err := run.Resume(ctx, p.to.incomplete); err != nil {
			return err
		}
		packer = begin(ctx, m.Point, p.to.Store().Remote, defaults(p.opt.Packing))
		defer func() { _ = packer.Abandon() }()
		p.target.Packer = packer
	}
	p.target.Copier, p.target.Remote = p.copier, p.to.segmentsAt(m)
	p.target.Workers = fs.GetConfig(ctx).Transfers
	return p.write(ctx, run, packer, m, held)
}

// manifest is that of the copy.
func (p *pointCopy) manifest() *snapshot.Manifest {
	m := *p.m
	m.Layout, m.Compression, m.Chunks = "", "", nil
	if p.to.Chunked() {
		m.Layout, m.Compression = snapshot.Chunked, snapshot.Uncompressed
		if p.opt.Packing.Compress {
			m.Compression = snapshot.Zstd
		}
	}
	newest := p.to.newest()
	if isNative(p.m) {
		m.Point = snapshot.NewID(between(m.Time, m.T, p.all, p.to.points), moment(m.T))
	}
	if newest != nil {
		m.Newest = max(m.Newest, newest.Newest)
	}
	return &m
}

// between is a time for a point at t that lies between those of the points before
// and after it: times of files need not be such.
func between(at time.Time, t int64, points ...[]*snapshot.Manifest) time.Time {
	for _, m := range slices.Concat(points...) {
		if made, err := snapshot.IDTime(m.Point); err == nil && m.T > t && !at.Before(made) {
			at = made.Add(-time.Millisecond)
		}
	}
	for _, m := range slices.Concat(points...) {
		if made, err := snapshot.IDTime(m.Point); err == nil && m.T <= t && !at.After(made) {
			at = made.Add(time.Millisecond)
		}
	}
	return at
}

// parent is the point at the destination on which the copy builds: that on
// which the point builds, or else the newest of the same database before it.
func (p *pointCopy) parent(m *snapshot.Manifest) *snapshot.Manifest {
	if p.m.Parent == "" && !isNative(p.m) {
		return nil
	}
	if have := p.to.point(p.m.Parent); have != nil {
		return have
	}
	for i := len(p.to.points) - 1; i >= 0; i-- {
		if have := p.to.points[i]; have.ID == m.ID && !have.Copy && have.Point < m.Point {
			return have
		}
	}
	return nil
}

// write copies what the parent lacks and makes the point.
func (p *pointCopy) write(ctx context.Context, run *snapshot.Run, packer *snapshot.Packer, m *snapshot.Manifest, held []graph.Held) error {
	parent := p.parent(m)
	m.Parent = pointID(parent)
	released := spill.NewSorter()
	defer released.Close()
	lines, err := p.differences(ctx, parent, released)
	if err != nil {
		return err
	}
	defer func() { _ = lines.Close() }()
	p.compare(run, packer, m, lines)
	if packer == nil && !m.Copy && !p.to.linear(parent) {
		p.target.Old = func(graph.Ref, []byte) bool { return true } // another point may have it
	}
	if err := p.copyAll(ctx, lines); err != nil {
		return err
	}
	if packer != nil {
		if err := packer.Heads(m, held); err != nil {
			return err
		}
		if err := packer.Close(); err != nil {
			return err
		}
	}
	reached := p.agreed(run.Reached(), lines)
	if err := run.Commit(ctx, m, parent, held, p.to.present(m, held), reached, released.Sorted()); err != nil {
		return err
	}
	begun := slices.Contains(p.to.incomplete, m.Point)
	run.Tidy(ctx, without(p.to.incomplete, m.Point))
	p.copied(m)
	if packer != nil && begun {
		return run.Sweep(ctx, m.Point)
	}
	return nil
}

// copied takes note of a point that the copy has now.
func (p *pointCopy) copied(m *snapshot.Manifest) {
	p.to.add(m)
	p.report.Points = append(p.report.Points, CopiedPoint{ID: m.Point, New: m.New, Total: m.Total})
	p.report.Written = p.report.Written.Plus(m.New)
}

// differences are the lines of what the point reaches and the parent of its copy
// does not, and collects the reverse. If that is the point's own parent they are
// the point's lists, and cost what has changed.
func (p *pointCopy) differences(ctx context.Context, parent *snapshot.Manifest, released *spill.Sorter) (*spill.Table, error) {
	p.segments = p.from.Segments(p.m, nil)
	if !isNative(p.m) && pointID(parent) == p.m.Parent {
		for line, err := range stripped(p.from.Released(ctx, p.m)) {
			if err != nil {
				return nil, err
			}
			released.Add(line)
		}
		return spill.NewTable(p.from.Added(ctx, p.m))
	}
	now, err := closureOf(ctx, p.from, p.m)
	if err != nil {
		return nil, err
	}
	defer func() { _ = now.Close() }()
	before := snapshot.Lines(nothing)
	if parent != nil {
		closure, err := p.had(ctx, parent)
		if err != nil {
			return nil, fmt.Errorf("at the destination: %w", err)
		}
		defer func() { _ = closure.Close() }()
		before = closure.All()
	}
	added := spill.NewSorter()
	defer added.Close()
	if err := snapshot.Split(now.All(), before, added.Add, func(line string) { released.Add(placeless(line)) }); err != nil {
		return nil, err
	}
	return spill.NewTable(added.Sorted())
}

// had is what the copy has of the parent: with --dry-run it may have nothing yet.
func (p *pointCopy) had(ctx context.Context, parent *snapshot.Manifest) (*spill.Table, error) {
	if planned := p.to.planned[parent.Point]; planned != nil {
		return closureOf(ctx, p.from, planned)
	}
	return p.to.Closure(ctx, parent)
}

// pointID is the id of a point, or empty if there is none.
func pointID(m *snapshot.Manifest) string {
	if m == nil {
		return ""
	}
	return m.Point
}

// placeless is a line of a list without the place in a chunk.
func placeless(line string) string {
	if e, err := graph.ParseEntry(line); err == nil {
		e.At = graph.Location{}
		return graph.FormatEntry(e)
	}
	return line
}

func without(ids []string, id string) (rest []string) {
	for _, i := range ids {
		if i != id {
			rest = append(rest, i)
		}
	}
	return rest
}

// copyAll writes the segments, children before parents.
func (p *pointCopy) copyAll(ctx context.Context, lines *spill.Table) error {
	batch := p.target.NewBatch(ctx)
	err := each(ctx, p.segments, ofKind(lines.All(), false), p.target.Workers, func(ctx context.Context, e graph.Entry, data []byte, err error) error {
		if errors.Is(err, chunk.ErrLarge) {
			return p.copyValue(ctx, e, p.value)
		}
		if data, err = p.good(ctx, e, data, err); err != nil {
			return err
		}
		if e.Level == graph.Value { // a small one of a chunk
			return p.copyValue(ctx, e, func(context.Context, graph.Entry) (fs.Object, error) {
				return object.NewMemoryObject(string(e.ID), p.started, data), nil
			})
		}
		return batch.Visit(ctx, e.Ref, data)
	})
	if err != nil {
		return errors.Join(err, batch.Abandon())
	}
	if err := batch.Flush(ctx); err != nil {
		return err
	}
	return each(ctx, p.segments, ofKind(lines.All(), true), p.target.Workers, func(ctx context.Context, e graph.Entry, data []byte, err error) error {
		if data, err = p.good(ctx, e, data, err); err != nil {
			return err
		}
		return p.target.Record(ctx, e.ID, data)
	})
}

// ofKind are the lines of commits, or all others.
func ofKind(lines snapshot.Lines, commits bool) snapshot.Lines {
	return func(yield func(string, error) bool) {
		for line, err := range lines {
			if err == nil && strings.Contains(line, "\tc\t") != commits {
				continue
			}
			if !yield(line, err) {
				return
			}
		}
	}
}

// good checks a segment, and takes it from another copy if it is damaged here.
func (p *pointCopy) good(ctx context.Context, e graph.Entry, data []byte, err error) ([]byte, error) {
	if err == nil {
		err = checkSegment(e, data, p.sound)
	}
	if !damaged(err) {
		return data, err
	}
	for _, other := range p.copies(ctx) {
		data, oerr := other.Get(ctx, e.ID)
		if oerr == nil && checkSegment(e, data, p.sound) == nil {
			fs.Logf(p.from.F, "%v: taken from another copy", err)
			p.healed.Add(1)
			return data, nil
		}
	}
	return nil, err
}

// sound judges a segment that has no digest: only Datomic's may have none.
func (p *pointCopy) sound(ref graph.Ref, data []byte) error {
	if p.m.Kind != snapshot.Datomic {
		return fmt.Errorf("%s has no digest: %w", ref.ID, graph.ErrCorrupt)
	}
	return p.native.Check(ref, data)
}

// copies are the segments of the point at the other copies.
func (p *pointCopy) copies(ctx context.Context) []store.Segments {
	p.once.Do(func() {
		for _, from := range p.copyBackup.from {
			if from == p.from {
				continue
			}
			if s, err := segmentsAt(ctx, from, p.m); err != nil {
				fs.Logf(from.F, "Of no help with point %s: %v", p.m.Point, err)
			} else {
				p.others = append(p.others, s)
			}
		}
	})
	return p.others
}

// segmentsAt reads the segments of a point where a copy of it lies.
func segmentsAt(ctx context.Context, at *snapshot.Place, m *snapshot.Manifest) (store.Segments, error) {
	if !at.Chunked() {
		return at.StoreOf(m), nil
	}
	have, err := at.Manifest(ctx, m.Point)
	if err != nil {
		return nil, err
	}
	closure, err := at.Closure(ctx, have)
	if err != nil {
		return nil, err
	}
	return at.Segments(have, closure), nil
}

// copyValue copies an object to which datoms refer. It may be of any length.
func (p *pointCopy) copyValue(ctx context.Context, e graph.Entry, open func(context.Context, graph.Entry) (fs.Object, error)) error {
	find := func(ctx context.Context, _ graph.ID) (fs.Object, error) { return open(ctx, e) }
	return p.target.Value(ctx, e.ID, find, func([]byte) error { return nil })
}

// value finds the object; where there are several copies, one that is whole.
func (p *pointCopy) value(ctx context.Context, e graph.Entry) (fs.Object, error) {
	var o fs.Object
	var err error
	if s, ok := p.segments.(*chunk.Segments); ok {
		o, err = s.ObjectAt(ctx, e)
	} else {
		o, err = p.segments.Object(ctx, e.ID)
	}
	if len(p.copyBackup.from) == 1 {
		return o, err
	}
	if err == nil {
		err = checkWhole(ctx, o, e)
	}
	if !damaged(err) {
		return o, err
	}
	for _, other := range p.copies(ctx) {
		if checkObject(ctx, other, e) == nil {
			fs.Logf(p.from.F, "%v: taken from another copy", err)
			p.healed.Add(1)
			return other.Object(ctx, e.ID)
		}
	}
	return nil, err
}

// agreed compares what was written with what is listed: every segment is there,
// and its bytes are those that were backed up.
func (p *pointCopy) agreed(reached snapshot.Lines, lines *spill.Table) snapshot.Lines {
	return func(yield func(string, error) bool) {
		n := int64(0)
		for line, err := range reached {
			if err == nil {
				n++
				err = p.same(line, lines)
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
		if n != lines.Len() {
			yield("", fmt.Errorf("%d segments were to be copied, and %d were: %w", lines.Len(), n, graph.ErrCorrupt))
		}
	}
}

func (p *pointCopy) same(line string, lines *spill.Table) error {
	got, err := graph.ParseEntry(line)
	if err != nil {
		return err
	}
	return agrees(got, lines)
}

// agrees compares a segment with what is listed of it.
func agrees(got graph.Entry, lines *spill.Table) error {
	want, ok, err := lines.Get(string(got.ID))
	if err == nil && !ok {
		err = fmt.Errorf("%s was copied and is not listed: %w", got.ID, graph.ErrCorrupt)
	}
	if err != nil {
		return err
	}
	e, err := graph.ParseEntry(want)
	if err == nil {
		err = checkSum(e, got.Size, got.SHA256)
	}
	return err
}

// agreeing is a journal for bytes that are known beforehand: it takes no note of
// others, and if an earlier run has sent others they are sent again.
type agreeing struct {
	transfer.Journal
	lines *spill.Table
}

// Has implements transfer.Journal.
func (a agreeing) Has(id graph.ID) (graph.Entry, bool, error) {
	e, ok, err := a.Journal.Has(id)
	return e, ok && agrees(e, a.lines) == nil, err
}

// compare has everything that is written held against what is listed.
func (p *pointCopy) compare(run *snapshot.Run, packer *snapshot.Packer, m *snapshot.Manifest, lines *spill.Table) {
	p.target.Journal = agreeing{run, lines}
	switch {
	case packer != nil:
		packer.Agree = func(line string) error {
			e, err := graph.ParseEntry(line)
			if err == nil {
				err = agrees(e, lines)
			}
			return err
		}
	case m.Copy:
		p.target.Journal = forgetful{agreeing{run, lines}}
	}
}

// forgetful is the journal of a point that has a store of its own. Notes do not
// say in which store a segment was written: none is relied on, and none is left.
type forgetful struct{ agreeing }

// Has implements transfer.Journal.
func (forgetful) Has(graph.ID) (graph.Entry, bool, error) { return graph.Entry{}, false, nil }

// Ack implements transfer.Journal.
func (f forgetful) Ack(_ context.Context, e graph.Entry) error {
	if err := agrees(e, f.lines); err != nil {
		return err
	}
	f.Reach(e)
	return nil
}

// Ack implements transfer.Journal.
func (a agreeing) Ack(ctx context.Context, e graph.Entry) error {
	if err := agrees(e, a.lines); err != nil {
		return err
	}
	return a.Journal.Ack(ctx, e)
}
