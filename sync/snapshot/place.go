package snapshot

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/chunk"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// Place is a destination as its readers see it.
type Place struct {
	F fs.Fs
	// Now is the clock.
	Now func() time.Time
	// Kind is the database's whose backups are looked for or made.
	Kind edn.Keyword
	// SkipDamaged: Newest passes by points whose manifest is damaged.
	SkipDamaged bool
	files       *store.Files

	// dir is the directory of a database whose points are in chunks, chunks what
	// the manifests that were read say of these.
	dir    string
	chunks *chunks
	// parked are pruned points that Newest has met.
	parked []string
}

// Open returns the destination at f; nothing is read yet.
func Open(f fs.Fs) *Place {
	return &Place{F: f, Now: time.Now, Kind: Datahike, files: store.New(f, "")}
}

// String names the destination.
func (p *Place) String() string { return fs.ConfigString(p.F) }

// Reads is the number of objects that were asked for.
func (p *Place) Reads() int64 { return p.files.Reads() }

// Store reads the segments that the destination's points share, where they lie
// one object each.
func (p *Place) Store() *store.Files { return segments(p.F, p.Kind) }

// Heads reads mutable objects by their paths in the destination.
func (p *Place) Heads() *store.Files { return p.files }

// StoreOf reads the segments of a point, where they lie one object each.
func (p *Place) StoreOf(m *Manifest) *store.Files {
	if m.Copy {
		return store.New(p.F, CopyDir(m.Point))
	}
	return segments(p.F, m.Kind)
}

// Segments reads the segments of a point. In chunks they are found by the
// closure, without which it takes lines that have the place.
func (p *Place) Segments(m *Manifest, closure *spill.Table) store.Segments {
	if !p.Chunked() {
		return p.StoreOf(m)
	}
	var find func(graph.ID) (string, bool, error)
	if closure != nil {
		find = func(id graph.ID) (string, bool, error) { return closure.Get(string(id)) }
	}
	return chunk.NewSegments(p.F, p.dir, find, p.chunks.all(), segments(p.F, m.Kind).Remote)
}

// IDs returns the ids of all points, the incomplete ones too, oldest first.
func (p *Place) IDs(ctx context.Context) ([]string, error) {
	return p.dirs(ctx, p.pointsDir())
}

// dirs lists the directories in dir whose names are ids, sorted.
func (p *Place) dirs(ctx context.Context, dir string) ([]string, error) {
	entries, err := p.F.List(ctx, dir)
	if errors.Is(err, fs.ErrorDirNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("failed to list %s of %s: %w", dir, p, err)
	}
	var ids []string
	for _, e := range entries {
		id := path.Base(e.Remote())
		if _, ok := e.(fs.Directory); !ok {
			continue
		}
		if _, err := IDTime(id); err == nil && graph.CheckName(id) == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// Manifest reads a point's manifest; graph.ErrNotFound means that the point
// is incomplete.
func (p *Place) Manifest(ctx context.Context, id string) (*Manifest, error) {
	if p.Chunked() {
		return p.chunkedManifest(ctx, id)
	}
	b, err := p.files.Get(ctx, graph.ID(p.pointName(id, manifestName)))
	if err != nil {
		return nil, err
	}
	return p.decode(id, b)
}

// Newest returns the newest complete point for which match is true (nil where
// there is none), and the ids of incomplete ones that are newer.
func (p *Place) Newest(ctx context.Context, ids []string, match func(*Manifest) bool) (*Manifest, []string, error) {
	var incomplete []string
	skipped := false
	p.parked = nil
	for _, id := range slices.Backward(ids) {
		m, err := p.Manifest(ctx, id)
		if errors.Is(err, graph.ErrNotFound) {
			parked, err := p.IsParked(ctx, id)
			if err != nil {
				return nil, nil, err
			}
			if parked {
				p.parked = append(p.parked, id)
			} else {
				incomplete = append(incomplete, id)
			}
			continue
		}
		if p.SkipDamaged && errors.Is(err, graph.ErrCorrupt) {
			skipped = true
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if match(m) {
			if skipped {
				incomplete = nil // nobody knows what the damaged one needs of them
			}
			return m, incomplete, nil
		}
	}
	if skipped {
		incomplete = nil
	}
	return nil, incomplete, nil
}

// Discard removes what a point was to have for itself.
func (p *Place) Discard(ctx context.Context, point string) error {
	if p.Chunked() {
		return p.removeUnfinished(ctx, point)
	}
	return p.removeBut(ctx, CopyDir(point), "")
}

// DiscardUnfinished removes the stores of copies that never became a point.
// Nobody else may be writing.
func (p *Place) DiscardUnfinished(ctx context.Context) error {
	if p.Chunked() {
		return nil // the next point's run tidies them up
	}
	ids, err := p.dirs(ctx, storesDir)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := p.ManifestOrParked(ctx, id); errors.Is(err, graph.ErrNotFound) {
			if err := p.Discard(ctx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// Held reads the exact bytes of a point's mutable objects and checks them.
func (p *Place) Held(ctx context.Context, m *Manifest) ([]graph.Held, error) {
	held := make([]graph.Held, len(m.Held))
	for i, o := range m.Held {
		b, err := o.Bytes, error(nil)
		if !p.Chunked() {
			b, err = p.HeldBytes(ctx, m.Point, o.Name)
		}
		if err != nil {
			return nil, err
		}
		if !o.Matches(b) {
			return nil, fmt.Errorf("%s of %s is not what was written: %w", p.pointName(m.Point, headsDir, o.Name), p, graph.ErrCorrupt)
		}
		held[i] = graph.Held{ID: graph.ID(o.Name), Data: b}
	}
	return held, nil
}

// HeldName is where a point keeps the bytes of a mutable object.
func (p *Place) HeldName(point, name string) string { return p.pointName(point, headsDir, name) }

// HeldBytes reads one object that a point, perhaps an incomplete one, holds.
func (p *Place) HeldBytes(ctx context.Context, point, name string) ([]byte, error) {
	return p.files.Get(ctx, graph.ID(p.pointName(point, headsDir, name)))
}

// Chain returns a point's manifest and those of its parents, newest first.
func (p *Place) Chain(ctx context.Context, m *Manifest) ([]*Manifest, error) {
	chain := []*Manifest{m}
	for m.Parent != "" {
		parent, err := p.ManifestOrParked(ctx, m.Parent)
		if err != nil {
			return nil, fmt.Errorf("point %s builds on %s: %w", m.Point, m.Parent, err)
		}
		chain = append(chain, parent)
		m = parent
	}
	return chain, nil
}

// Closure returns everything that a point reaches, one line of a list a
// segment, sorted by id and found by id.
func (p *Place) Closure(ctx context.Context, m *Manifest) (*spill.Table, error) {
	chain, err := p.Chain(ctx, m)
	if err != nil {
		return nil, err
	}
	s := spill.NewSorter()
	defer s.Close()
	for age, m := range chain {
		if err := p.addLists(ctx, s, m, m.AddedList, fmt.Sprintf("%08d\t+", age)); err != nil {
			return nil, err
		}
		if err := p.addLists(ctx, s, m, m.ReleasedList, fmt.Sprintf("%08d\t-", age)); err != nil {
			return nil, err
		}
	}
	return spill.NewTable(newest(s.Sorted()))
}

// addLists feeds the sorter lines of the form id, age, sign, rest.
func (p *Place) addLists(ctx context.Context, s *spill.Sorter, m *Manifest, lists []List, mark string) error {
	for _, l := range lists {
		err := p.list(ctx, m, l, func(line string) error {
			if _, err := graph.ParseEntry(line); err != nil {
				return err
			}
			id, rest, _ := strings.Cut(line, "\t")
			s.Add(id + "\t" + mark + "\t" + rest)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Added yields the lines of what a point reaches and its parent does not, sorted.
func (p *Place) Added(ctx context.Context, m *Manifest) Lines { return p.lines(ctx, m, m.AddedList) }

// Released yields the lines of what its parent reaches and the point does not.
func (p *Place) Released(ctx context.Context, m *Manifest) Lines {
	return p.lines(ctx, m, m.ReleasedList)
}

func (p *Place) lines(ctx context.Context, m *Manifest, lists []List) Lines {
	return func(yield func(string, error) bool) {
		for _, l := range lists {
			err := p.list(ctx, m, l, func(line string) error {
				if !yield(line, nil) {
					return errEnough
				}
				return nil
			})
			if errors.Is(err, errEnough) {
				return
			}
			if err != nil {
				yield("", err)
				return
			}
		}
	}
}

// errEnough ends reading lines that nobody wants any more.
var errEnough = errors.New("enough")

// list reads one list object, checked against the manifest.
func (p *Place) list(ctx context.Context, m *Manifest, l List, fn func(string) error) error {
	name := p.pointName(m.Point, l.Name)
	b, err := p.files.Get(ctx, graph.ID(name))
	if err != nil {
		return err
	}
	if !l.Matches(b) {
		return fmt.Errorf("%s of %s is not what was written (%w): points that build on it need it; "+
			"make one that stands by itself with rclone-datom backup --repair", name, p, graph.ErrCorrupt)
	}
	n := int64(0)
	err = unpack(b, func(line string) error {
		n++
		return fn(line)
	})
	if err == nil && n != l.Segments {
		err = fmt.Errorf("%s lists %d segments, its manifest says %d: %w", name, n, l.Segments, graph.ErrCorrupt)
	}
	return err
}

// newest keeps of each id the youngest word, if it is "added".
func newest(lines iter.Seq2[string, error]) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		last := ""
		for line, err := range lines {
			if err != nil {
				yield("", err)
				return
			}
			f := strings.SplitN(line, "\t", 4) // id, age, sign, rest
			if f[0] == last {
				continue
			}
			last = f[0]
			if f[2] == "+" && !yield(f[0]+"\t"+f[3], nil) {
				return
			}
		}
	}
}

// Everything returns what any complete point has added to the store that they
// share, in the form of Closure. Points whose manifest or lists are damaged
// cannot be restored any more, and are left out.
func (p *Place) Everything(ctx context.Context) (*spill.Table, error) {
	ids, err := p.IDs(ctx)
	if err != nil {
		return nil, err
	}
	s := spill.NewSorter()
	defer s.Close()
	for _, id := range ids {
		err := p.addAdded(ctx, s, id)
		if errors.Is(err, graph.ErrCorrupt) || errors.Is(err, graph.ErrNotFound) {
			fs.Debugf(p.F, "Point %s is left out: %v", id, err)
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return spill.NewTable(FirstOfEach(s.Sorted()))
}

// addAdded feeds the sorter what one point has added.
func (p *Place) addAdded(ctx context.Context, s *spill.Sorter, id string) error {
	m, err := p.Manifest(ctx, id)
	if errors.Is(err, graph.ErrNotFound) {
		// What a pruned point has is needed by those that build on it, until it goes.
		var was *Parked
		if was, err = p.Parked(ctx, id); err == nil && was.Going {
			return nil
		} else if err == nil {
			m = was.Manifest
		}
	}
	if err != nil || m.Copy {
		return err
	}
	for _, l := range m.AddedList {
		if err := p.list(ctx, m, l, func(line string) error { s.Add(line); return nil }); err != nil {
			return err
		}
	}
	return nil
}
