package dbsync

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/chunk"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/walk"
)

// VerifyOptions are a verification's choices.
type VerifyOptions struct {
	// At names the point; empty means the newest.
	At string
	// Deep reads every byte, compares digests, decodes leaves and counts.
	Deep bool
	// Datoms digests the datoms of every branch. It needs Deep.
	Datoms bool
	// Subset is "n/t": only the part n of t is read, as the point lists it.
	Subset string
	// Since names a point: only what it does not reach is read.
	Since string
	// Record notes at the destination what was read, for [VerifyStatus].
	Record bool
	// Dialect reads the segments of a Datahike database.
	Dialect *datahike.Dialect
}

// Fault is one thing that is wrong with a point.
type Fault struct {
	ID   string `json:"id"`
	What string `json:"what"`
}

// VerifyReport says what was looked at and everything that is wrong.
type VerifyReport struct {
	Point    string         `json:"point"`
	Deep     bool           `json:"deep"`
	Subset   string         `json:"subset,omitempty"`
	Since    string         `json:"since,omitempty"`
	Segments snapshot.Count `json:"segments"`
	// Reads counts what was read and compared with its digest; a segment that
	// branches share may be read more than once.
	Reads     int64 `json:"reads"`
	ReadBytes int64 `json:"readBytes"`
	// Datoms are the counts by branch and index, of a deep verification.
	Datoms map[string]map[string]int64 `json:"datoms,omitempty"`
	// Digests are those of the datoms, by branch, if they were asked for.
	Digests map[string]Digests `json:"digests,omitempty"`
	// Faults are everything that is wrong, up to MaxFaults.
	Faults []Fault `json:"faults"`
}

// MaxFaults bounds a report: where the whole store is gone, nobody needs it
// segment by segment.
const MaxFaults = 10_000

// ErrFaults is what Verify returns beside its report if there are faults.
var ErrFaults = errors.New("the backup is damaged")

// Verify checks a point of dst: that all its segments are there with their
// sizes, that records and inner nodes are what was written and reach exactly
// what the point lists; deep, every byte of every segment.
func Verify(ctx context.Context, dst fs.Fs, opt VerifyOptions) (*VerifyReport, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	v := &verify{opt: opt, place: snapshot.Open(dst), native: datomic.New(), faults: map[Fault]bool{}, counts: spill.NewSorter()}
	defer v.counts.Close()
	v.started = v.place.Now()
	if err := v.do(ctx); err != nil {
		return nil, final(ctx, because(ctx, err))
	}
	v.report.Deep, v.report.Subset = opt.Deep, opt.Subset
	v.report.Reads, v.report.ReadBytes = v.reads.Load(), v.readBytes.Load()
	v.report.Faults = slices.AppendSeq([]Fault{}, maps.Keys(v.faults))
	slices.SortFunc(v.report.Faults, func(a, b Fault) int {
		return strings.Compare(a.ID+a.What, b.ID+b.What)
	})
	if len(v.report.Faults) > 0 {
		return &v.report, final(ctx, fmt.Errorf("%w: %s faults in point %s of %s; %s: %w",
			ErrFaults, v.number(), v.report.Point, v.place, v.remedy(), graph.ErrCorrupt))
	}
	v.record(ctx)
	return &v.report, nil
}

func (v *verify) number() string {
	if len(v.faults) == MaxFaults {
		return fmt.Sprintf("at least %d", MaxFaults)
	}
	return strconv.Itoa(len(v.faults))
}

func (v *verify) remedy() string {
	if v.m.Copy { // of Datahike
		return "it shares nothing with other points: make a new one"
	}
	return "put back what the source still has with: rclone-datom backup --repair"
}

type verify struct {
	opt     VerifyOptions
	place   *snapshot.Place
	m       *snapshot.Manifest
	files   store.Segments
	closure *spill.Table
	native  *datomic.Dialect // of Datomic's segments
	decoder descent.Decoder  // that counts what leaves hold
	chunks  map[string]bool  // in which the point's segments lie
	report  VerifyReport
	started time.Time

	mu     sync.Mutex
	faults map[Fault]bool
	// counts has a line "id TAB datoms" for every leaf that was read, and
	// pending tells whether inner nodes hold edits of leaves.
	counts           *spill.Sorter
	pending          atomic.Bool
	reads, readBytes atomic.Int64
}

func (v *verify) fault(id graph.ID, format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.faults) < MaxFaults {
		v.faults[Fault{string(id), fmt.Sprintf(format, args...)}] = true
	}
}

func (v *verify) do(ctx context.Context) error {
	var err error
	if v.place, err = snapshot.Find(ctx, v.place.F); err != nil {
		return err
	}
	m, err := findPoint(ctx, v.place, v.opt.At)
	if err != nil {
		return err
	}
	v.report.Point = m.Point
	v.m = m
	if v.opt.partial() {
		return v.readPart(ctx)
	}
	if m.Kind == snapshot.Datomic {
		return v.datomic(ctx)
	}
	if v.closure, err = v.place.Closure(ctx, m); err != nil {
		return fmt.Errorf("the lists of point %s cannot be read, so nothing can be checked: %w", m.Point, err)
	}
	defer func() { _ = v.closure.Close() }()
	v.files = v.place.Segments(m, v.closure)
	return v.datahike(ctx)
}

// datahike verifies a point of a Datahike database.
func (v *verify) datahike(ctx context.Context) error {
	held, err := v.place.Held(ctx, v.m)
	if err != nil {
		return fmt.Errorf("the held heads of point %s cannot be read: %w", v.m.Point, err)
	}
	heads, err := v.opt.Dialect.Parse(held, "")
	if err != nil {
		return err
	}
	if err := v.present(ctx); err != nil {
		return err
	}
	reached := spill.NewSorter()
	defer reached.Close()
	if err := v.walkHeads(ctx, heads, reached); err != nil {
		return err
	}
	if err := v.compare(ctx, reached); err != nil {
		return err
	}
	if !v.opt.Deep || len(v.faults) > 0 {
		return nil
	}
	if err := v.countDatoms(ctx, heads); err != nil || !v.opt.Datoms || len(v.faults) > 0 {
		return err
	}
	return v.digestDatoms(ctx, heads)
}

// present compares what the point lists with a listing of the store.
func (v *verify) present(ctx context.Context) error {
	switch {
	case v.place.Chunked():
		return v.presentInChunks(ctx)
	case v.opt.Deep: // what is read need not be listed
		return nil
	}
	there := spill.NewSorter()
	defer there.Close()
	err := v.place.StoreOf(v.m).List(ctx, func(id graph.ID, o fs.Object) error {
		there.Add(string(id) + "\t" + strconv.FormatInt(o.Size(), 10))
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrorDirNotFound) {
		return err
	}
	listed, err := spill.NewTable(there.Sorted())
	if err != nil {
		return err
	}
	defer func() { _ = listed.Close() }()
	for line, err := range v.closure.All() {
		if err != nil {
			return err
		}
		e, err := graph.ParseEntry(line)
		if err != nil {
			return err
		}
		have, ok, err := listed.Get(string(e.ID))
		if err != nil {
			return err
		}
		_, size, _ := strings.Cut(have, "\t")
		switch {
		case !ok:
			v.fault(e.ID, "missing")
		case size == "0":
			v.fault(e.ID, "is empty")
		case e.Size >= 0 && size != strconv.FormatInt(e.Size, 10):
			v.fault(e.ID, "has %s bytes, had %d when it was backed up", size, e.Size)
		}
	}
	return nil
}

// walkHeads goes over everything that the heads reach. What it has read gets a
// line as in a list, the rest its id.
func (v *verify) walkHeads(ctx context.Context, heads *datahike.Heads, reached *spill.Sorter) error {
	w := walk.NewReading(v.opt.Dialect, v.files, fs.GetConfig(ctx).Checkers)
	defer w.Close()
	w.Walker.Known = func(graph.ID) (bool, error) { return !v.byWalking(), nil }
	v.decoder = counting{v}
	if v.opt.Deep {
		w.Walker.Decoder = v.decoder
	}
	w.Walker.Tolerate = func(ref graph.Ref, err error) {
		reached.Add(string(ref.ID)) // it is reached, and its fault is known
		v.faultOf(ref.ID, err)
	}
	w.Begin = func(context.Context) walk.Visitor { return checking{v, reached} }
	load := w.History.Load
	w.History.Load = func(ctx context.Context, id graph.ID) (graph.Record, []byte, error) {
		if err := listed(v.closure, id); err != nil {
			return graph.Record{}, nil, err
		}
		rec, data, err := load(ctx, id)
		if err != nil && ctx.Err() == nil {
			reached.Add(string(id))
			v.faultOf(id, err)
			err = graph.ErrNotFound
		}
		return rec, data, err
	}
	return w.Heads(ctx, heads.Branches)
}

// listed returns graph.ErrNotFound for a commit that the point does not list.
// It was gone when the point was made, though earlier points may keep it here.
func listed(closure *spill.Table, id graph.ID) error {
	_, ok, err := closure.Get(string(id))
	if err == nil && !ok {
		err = fmt.Errorf("%s: %w", id, graph.ErrNotFound)
	}
	return err
}

// faultOf reports an error of reading or decoding. That there is no key is
// one fault, not one for each segment.
func (v *verify) faultOf(id graph.ID, err error) {
	switch {
	case errors.Is(err, konserve.ErrNoKey):
		v.fault("", "the store is encrypted; give its key with --datahike-encryption-key")
	case errors.Is(err, graph.ErrNotFound):
		v.fault(id, "missing")
	default:
		v.fault(id, "%v", err)
	}
}

// checking is the visitor that notes what is reached, and what its bytes are.
type checking struct {
	*verify
	reached *spill.Sorter
}

func (c checking) Visit(ctx context.Context, ref graph.Ref, data []byte) error {
	if ref.Level == graph.Value {
		return c.visitValue(ctx, ref)
	}
	if data == nil {
		c.reached.Add(string(ref.ID))
		return nil
	}
	c.reached.Add(c.line(ref, data))
	return nil
}

// visitValue takes an object to which datoms refer, which may be one that the
// point says was not there.
func (c checking) visitValue(ctx context.Context, ref graph.Ref) error {
	line, ok, err := c.closure.Get(string(ref.ID))
	if err != nil {
		return err
	}
	if !ok && known(c.m.Absent, ref.ID) {
		return nil
	}
	c.reached.Add(string(ref.ID))
	if !ok || !c.opt.Deep {
		return nil
	}
	e, err := graph.ParseEntry(line)
	if err == nil {
		c.checkValue(ctx, e)
	}
	return err
}

// checkValue compares an object of any length with what the point lists.
func (v *verify) checkValue(ctx context.Context, e graph.Entry) {
	v.reads.Add(1)
	v.readBytes.Add(e.Size)
	if err := checkObject(ctx, v.files, e); err != nil && ctx.Err() == nil {
		v.faultOf(e.ID, err)
	}
}

func (c checking) Finish(_ context.Context, records []walk.Record) error {
	for _, r := range records {
		c.reached.Add(c.line(graph.Ref{ID: r.ID, Level: graph.Commit}, r.Data))
	}
	return nil
}

func (c checking) Abandon() error { return nil }

// line describes what was read as a list of a point does.
func (v *verify) line(ref graph.Ref, data []byte) string {
	v.reads.Add(1)
	v.readBytes.Add(int64(len(data)))
	return graph.FormatEntry(graph.Entry{Ref: ref, Size: int64(len(data)), SHA256: sha256.Sum256(data)})
}

// byWalking tells whether the leaves are read by the walk. Those in chunks are
// read in the order in which they lie there, after it.
func (v *verify) byWalking() bool { return v.opt.Deep && !v.place.Chunked() }

// compare reports what is reached and not listed, and what was read and is not
// what is listed. What is listed and not reached hangs under something damaged;
// deep, all is read that was not.
func (v *verify) compare(ctx context.Context, reached *spill.Sorter) error {
	damaged := len(v.faults) > 0
	unread := spill.NewSorter()
	defer unread.Close()
	last := ""
	err := snapshot.Join(reached.Sorted(), v.closure.All(), func(line, want string) error {
		if want == "" {
			id, _, _ := strings.Cut(line, "\t")
			v.fault(graph.ID(id), "is needed and not listed by the point")
			return nil
		}
		e, err := graph.ParseEntry(want)
		if err != nil {
			return err
		}
		if want != last {
			v.report.Segments.Add(e)
		}
		first := want != last
		last = want
		if line == "" && !damaged {
			v.fault(e.ID, "is listed by the point and not reached from its heads")
		}
		if first && v.unread(e, line) {
			unread.Add(want)
		}
		if line != "" && line != string(e.ID) {
			return v.compareOne(e, line)
		}
		return nil
	})
	if err != nil || !v.opt.Deep {
		return err
	}
	if chunks, ok := v.files.(*chunk.Segments); ok {
		return v.readChunks(ctx, chunks, unread.Sorted())
	}
	return each(ctx, v.files, unread.Sorted(), fs.GetConfig(ctx).Checkers, v.readOne)
}

// unread tells of a segment and the walk's line on it whether it is still to be
// read.
func (v *verify) unread(e graph.Entry, line string) bool {
	if line == "" {
		return true
	}
	return !v.byWalking() && (line == string(e.ID) || strings.HasSuffix(line, "\t-\t-"))
}

// compareOne says how what was read differs from what is listed.
func (v *verify) compareOne(want graph.Entry, line string) error {
	got, err := graph.ParseEntry(line)
	if err != nil {
		return err
	}
	if got.Digested() { // it was read
		err = checkSum(want, got.Size, got.SHA256)
	}
	if err == nil && got.Level != want.Level {
		err = fmt.Errorf("it is of kind %s, was of kind %s when it was backed up: %w", got.Level, want.Level, graph.ErrCorrupt)
	}
	if err != nil {
		v.fault(want.ID, "%v", err)
	}
	return nil
}

// readOne takes a segment that the walk has not read.
func (v *verify) readOne(ctx context.Context, e graph.Entry, data []byte, err error) error {
	if errors.Is(err, chunk.ErrLarge) {
		v.checkValue(ctx, e)
		return context.Cause(ctx)
	}
	if e.ID == "" { // it is about the chunk itself
		e.ID = graph.ID(e.At.Chunk)
	}
	if err != nil {
		v.faultOf(e.ID, err)
		return context.Cause(ctx)
	}
	v.reads.Add(1)
	v.readBytes.Add(int64(len(data)))
	if err := checkSegment(e, data, v.native.Check); err != nil {
		v.fault(e.ID, "%v", err)
		return nil
	}
	if e.Level == graph.Leaf && v.place.Chunked() {
		if _, err := v.decoder.Decode(e.Ref, data); err != nil {
			v.faultOf(e.ID, err)
		}
	}
	return nil
}
