package dbsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/walk"
)

// StatReport says what a database consists of. What branches share counts for
// each of them, and once in the whole.
type StatReport struct {
	// Point is the one that was looked at, of a backup.
	Point string `json:"point,omitempty"`
	// Segments are all that the heads reach, without the heads themselves.
	Segments snapshot.Count `json:"segments"`
	Heads    HeadsStat      `json:"heads"`
	Kinds    []KindStat     `json:"kinds"`
	Branches []BranchStat   `json:"branches"`
	// Growth has the points of a backup up to the one looked at, oldest first.
	Growth []GrowthStat `json:"growth,omitempty"`
}

// HeadsStat counts the mutable objects: the heads and the set of branches.
type HeadsStat struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// KindStat counts the segments of one kind: "commit", "schema", "inner" (a node
// at a level from 1), "leaf" or "value" (an object to which datoms refer).
type KindStat struct {
	Kind     string `json:"kind"`
	Level    int    `json:"level,omitempty"`
	Segments int64  `json:"segments"`
	Bytes    int64  `json:"bytes"`
}

// BranchStat is what one branch reaches, its history included. Where a forced
// commit names its parent by a branch, the history before counts for that one.
type BranchStat struct {
	Branch   string         `json:"branch"`
	Commit   string         `json:"commit"`
	MaxTx    int64          `json:"maxTx"`
	Segments snapshot.Count `json:"segments"`
	Kinds    []KindStat     `json:"kinds"`
	// Trees are the indexes of the head that have a root.
	Trees []TreeStat `json:"trees"`
}

// GrowthStat is what a point added, released and reaches.
type GrowthStat struct {
	Point    string         `json:"point"`
	Time     time.Time      `json:"time"`
	New      snapshot.Count `json:"new"`
	Released snapshot.Count `json:"released"`
	Total    snapshot.Count `json:"total"`
}

// StatOptions are the choices of looking at a backup.
type StatOptions struct {
	// At names the point; empty means the newest.
	At      string
	Dialect *datahike.Dialect
}

// Stat looks at a database: it lists the store once, and reads commits, schema
// blobs and inner nodes. Leaves are read only where datoms may refer to
// objects.
func Stat(ctx context.Context, src Source) (*StatReport, error) {
	rep, err := statSource(ctx, src)
	return rep, final(ctx, because(ctx, err))
}

func statSource(ctx context.Context, src Source) (*StatReport, error) {
	if src.Datomic != nil {
		return statDatomic(ctx, src.Datomic)
	}
	heads, err := src.Dialect.Hold(ctx, src.Store.Get, src.Branch)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", src.Store, err)
	}
	listed := spill.NewSorter()
	defer listed.Close()
	err = src.Store.List(ctx, func(id graph.ID, o fs.Object) error {
		if o.Size() >= minBlob {
			listed.Add(string(id) + "\t" + strconv.FormatInt(o.Size(), 10))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	sizes, err := spill.NewTable(listed.Sorted())
	if err != nil {
		return nil, err
	}
	defer func() { _ = sizes.Close() }()
	s := newStat(src.Dialect, src.Store, src.Store, sizes)
	return s.look(ctx, heads)
}

// StatPoint looks at a point of a backup, of which it reads what Stat reads.
func StatPoint(ctx context.Context, dst fs.Fs, opt StatOptions) (*StatReport, error) {
	rep, err := statPoint(ctx, dst, opt)
	return rep, final(ctx, because(ctx, err))
}

func statPoint(ctx context.Context, dst fs.Fs, opt StatOptions) (*StatReport, error) {
	place, err := snapshot.Find(ctx, dst)
	if err != nil {
		return nil, err
	}
	m, err := findPoint(ctx, place, opt.At)
	if err != nil {
		return nil, err
	}
	if m.Kind == snapshot.Datomic {
		return statDatomicPoint(ctx, place, m)
	}
	closure, err := place.Closure(ctx, m)
	if err != nil {
		return nil, err
	}
	defer func() { _ = closure.Close() }()
	held, err := place.Held(ctx, m)
	if err != nil {
		return nil, err
	}
	heads, err := opt.Dialect.Parse(held, "")
	if err != nil {
		return nil, err
	}
	s := newStat(opt.Dialect, place, place.Segments(m, closure), closure)
	rep, err := s.look(ctx, heads)
	if err != nil {
		return nil, err
	}
	rep.Point = m.Point
	rep.Growth, err = growth(ctx, place, m)
	return rep, err
}

// growth are the points of m's database up to m.
func growth(ctx context.Context, place *snapshot.Place, m *snapshot.Manifest) (all []GrowthStat, err error) {
	ids, err := place.IDs(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if id > m.Point && !isNative(m) {
			break
		}
		p, err := place.Manifest(ctx, id)
		if damaged(err) || errors.Is(err, graph.ErrUnsupported) {
			continue // "backups" shows what is wrong
		}
		if err != nil {
			return nil, err
		}
		if p.ID == m.ID {
			all = append(all, GrowthStat{Point: p.Point, Time: p.Time, New: p.New, Released: p.Released, Total: p.Total})
		}
	}
	return all, nil
}

// stat is one look at a set of heads.
type stat struct {
	dialect *datahike.Dialect // of a Datahike database
	decoder descent.Decoder
	files   store.Segments
	at      fmt.Stringer
	// listed finds a segment's line by its id: "id TAB size", or that of a
	// point's list.
	listed *spill.Table
	// all has a line "id TAB kind TAB size" for every segment.
	all *spill.Sorter
}

func newStat(d *datahike.Dialect, at fmt.Stringer, files store.Segments, listed *spill.Table) *stat {
	return &stat{dialect: d, decoder: d, at: at, files: files, listed: listed, all: spill.NewSorter()}
}

func (s *stat) look(ctx context.Context, heads *datahike.Heads) (*StatReport, error) {
	defer s.all.Close()
	rep := &StatReport{}
	rep.Heads.count(heads.Held())
	for _, br := range heads.Branches {
		b, err := s.branch(ctx, br)
		if err != nil {
			return nil, fmt.Errorf("branch %s: %w", br.Name, err)
		}
		rep.Branches = append(rep.Branches, b)
	}
	return rep, s.whole(rep)
}

func (h *HeadsStat) count(held []graph.Held) {
	for _, o := range held {
		h.Objects++
		h.Bytes += int64(len(o.Data))
	}
}

// whole adds up what any branch reaches.
func (s *stat) whole(rep *StatReport) error {
	sum := tally{}
	for line, err := range s.all.Sorted() {
		if err == nil {
			err = sum.add(line)
		}
		if err != nil {
			return err
		}
	}
	rep.Segments, rep.Kinds = sum.total(), sum.kinds()
	return nil
}

// branch walks what a branch reaches, and the trees of its head once more.
func (s *stat) branch(ctx context.Context, br datahike.Branch) (BranchStat, error) {
	b := BranchStat{Branch: br.Name, Commit: datahike.Text(br.Commit), MaxTx: br.MaxTx, Trees: []TreeStat{}}
	reached := spill.NewSorter()
	defer reached.Close()
	if err := s.walk(ctx, br, reached); err != nil {
		return b, err
	}
	if err := s.count(&b, reached.Sorted()); err != nil {
		return b, err
	}
	for _, t := range br.Graph.Trees {
		if t.Ref.Level == graph.Schema {
			continue
		}
		r := s.reading(ctx, false, "")
		ts, err := s.tree(ctx, r.Walker, t, branchingFactor(br.Config))
		r.Close()
		if err != nil {
			return b, err
		}
		b.Trees = append(b.Trees, ts)
	}
	return b, nil
}

// count adds up what was reached.
func (s *stat) count(b *BranchStat, reached snapshot.Lines) error {
	sum := tally{}
	for line, err := range reached {
		if err != nil {
			return err
		}
		id, kind, _ := strings.Cut(line, "\t")
		size, there, err := s.size(graph.ID(id))
		if err != nil {
			return err
		}
		if !there && kind == graph.Value.String() {
			continue // it may be kept elsewhere
		}
		if !there {
			return s.missing(graph.ID(id))
		}
		line += "\t" + strconv.FormatInt(size, 10)
		if err := sum.add(line); err != nil {
			return err
		}
		s.all.Add(line)
	}
	b.Segments, b.Kinds = sum.total(), sum.kinds()
	return nil
}

// reading walks without reading leaves, and follows the history no further
// than it is listed: a backup may keep commits for earlier points that its
// source had no more. With :online-gc commits before the heads mean nothing.
func (s *stat) reading(ctx context.Context, online bool, own graph.ID) *walk.Reading {
	w := walk.NewReading(s.dialect, s.files, fs.GetConfig(ctx).Checkers)
	w.Walker.Known = func(graph.ID) (bool, error) { return true, nil }
	load := w.History.Load
	w.History.Load = func(ctx context.Context, id graph.ID) (graph.Record, []byte, error) {
		if online && id != own {
			return graph.Record{}, nil, s.missing(id)
		}
		if err := listed(s.listed, id); err != nil {
			return graph.Record{}, nil, err
		}
		return load(ctx, id)
	}
	return w
}

func (s *stat) walk(ctx context.Context, br datahike.Branch, reached *spill.Sorter) error {
	w := s.reading(ctx, br.Config.OnlineGC, datahike.AddressID(br.Commit))
	defer w.Close()
	w.Begin = func(context.Context) walk.Visitor { return kinds{reached} }
	return w.Heads(ctx, []datahike.Branch{br})
}

// size looks a segment up, and tells whether it is there.
func (s *stat) size(id graph.ID) (int64, bool, error) {
	line, ok, err := s.listed.Get(string(id))
	if err != nil || !ok {
		return 0, false, err
	}
	f := strings.Split(line, "\t")
	digits := f[1]
	if len(f) > 2 {
		digits = f[2] // id, kind, size, digest
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, true, err
}

func (s *stat) missing(id graph.ID) error {
	return fmt.Errorf("%s: %s is missing although the database refers to it; garbage collection may have run meanwhile: %w", s.at, id, graph.ErrNotFound)
}

// kinds is the visitor that keeps ids and kinds.
type kinds struct{ lines *spill.Sorter }

func (k kinds) Visit(_ context.Context, ref graph.Ref, _ []byte) error {
	k.lines.Add(string(ref.ID) + "\t" + ref.Level.String())
	return nil
}

func (k kinds) Finish(_ context.Context, records []walk.Record) error {
	for _, r := range records {
		k.lines.Add(string(r.ID) + "\t" + graph.Commit.String())
	}
	return nil
}

func (kinds) Abandon() error { return nil }

// tally counts segments by kind.
type tally map[graph.Level]*snapshot.Count

// add takes a line "id TAB kind TAB size".
func (t tally) add(line string) error {
	f := strings.Split(line, "\t")
	level, err := graph.ParseLevel(f[1])
	if err != nil {
		return err
	}
	size, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		return err
	}
	if t[level] == nil {
		t[level] = &snapshot.Count{}
	}
	t[level].Add(graph.Entry{Ref: graph.Ref{Level: level}, Size: size})
	return nil
}

func (t tally) total() (sum snapshot.Count) {
	for _, n := range t {
		sum = sum.Plus(*n)
	}
	return sum
}

// kinds lists the counts: commits, schemas, nodes from the top, values.
func (t tally) kinds() []KindStat {
	order := func(l graph.Level) int {
		switch l {
		case graph.Commit:
			return -2
		case graph.Schema:
			return -1
		case graph.Value:
			return int(graph.MaxLevel) + 1
		}
		return int(graph.MaxLevel - l)
	}
	all := []KindStat{}
	for _, l := range slices.SortedFunc(maps.Keys(t), func(a, b graph.Level) int { return cmp.Compare(order(a), order(b)) }) {
		k := KindStat{Kind: "inner", Segments: t[l].Segments, Bytes: t[l].Bytes}
		switch l {
		case graph.Commit:
			k.Kind = "commit"
		case graph.Schema:
			k.Kind = "schema"
		case graph.Value:
			k.Kind = "value"
		case graph.Leaf:
			k.Kind = "leaf"
		default:
			k.Level = int(l)
		}
		all = append(all, k)
	}
	return all
}
