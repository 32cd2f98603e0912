package datomic

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"strconv"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/storage"
)

// view is the listing of a snapshot: a line for each segment that the pinned
// value reaches, sorted by path, and the folders in which they lie.
type view struct {
	table   *spill.Table
	folders []string
}

// segment is a line of a view: "path TAB size TAB tree TAB level".
type segment struct {
	path  string
	size  int64 // in bytes; -1 while it is not known
	tree  string
	level graph.Level
}

func (s segment) String() string {
	return fmt.Sprintf("%s\t%d\t%s\t%s", s.path, s.size, s.tree, s.level)
}

func parseSegment(line string) (s segment, err error) {
	fields := strings.Split(line, "\t")
	if len(fields) != 4 {
		return s, fmt.Errorf("bad line %q in a listing", line)
	}
	s.path, s.tree = fields[0], fields[2]
	if s.size, err = strconv.ParseInt(fields[1], 10, 64); err != nil {
		return s, err
	}
	s.level, err = graph.ParseLevel(fields[3])
	return s, err
}

// snapshot walks the database when a listing is first needed. A walk that
// failed, perhaps because its caller gave up, is no answer for the next one.
func (f *Fs) snapshot(ctx context.Context) (*view, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.view != nil {
		return f.view, nil
	}
	s, err := f.live(ctx)
	if err != nil {
		return nil, err
	}
	v, err := f.newView(ctx, s)
	if errors.Is(err, graph.ErrNotFound) {
		err = fmt.Errorf("%w; garbage collection may have run: open the remote again", err)
	}
	if err != nil {
		return nil, fmt.Errorf("datomic: %s: %w", s, err)
	}
	f.view = v
	return v, nil
}

// newView walks the trees without reading leaves, and asks for the sizes of
// these.
func (f *Fs) newView(ctx context.Context, s storage.Storage) (*view, error) {
	segments := spill.NewSorter()
	defer segments.Close()
	for _, tree := range f.value.Trees() {
		w := descent.Walker{
			Decoder: f.dialect,
			Workers: s.Workers(),
			Read:    func(ctx context.Context, ref graph.Ref) ([]byte, error) { return s.Get(ctx, ref.ID) },
			Known:   func(graph.ID) (bool, error) { return true, nil },
			Visit: func(_ context.Context, ref graph.Ref, data []byte) error {
				size := int64(len(data))
				if data == nil {
					size = -1
				}
				segments.Add(segment{segmentPath(ref.ID), size, tree.Name, ref.Level}.String())
				return nil
			},
		}
		if err := w.Diff(ctx, []graph.Tree{tree}, nil); err != nil {
			return nil, err
		}
	}
	v := &view{}
	var err error
	v.table, err = spill.NewTable(v.sized(ctx, s, segments.Sorted()))
	return v, err
}

// ask is how many sizes are asked for at a time.
const ask = 4096

// sized adds the sizes that are missing, and notes the folders.
func (v *view) sized(ctx context.Context, s storage.Storage, lines iter.Seq2[string, error]) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		batch := make([]segment, 0, ask)
		flush := func() bool {
			err := fill(ctx, s, batch)
			for i := range batch {
				if !yield(batch[i].String(), err) || err != nil {
					return false
				}
				if folder := path.Base(parent(batch[i].path)); !v.hasFolder(folder) {
					v.folders = append(v.folders, folder)
				}
			}
			batch = batch[:0]
			return true
		}
		for line, err := range lines {
			var s segment
			if err == nil {
				s, err = parseSegment(line)
			}
			if err != nil {
				yield("", err)
				return
			}
			if batch = append(batch, s); len(batch) == ask && !flush() {
				return
			}
		}
		flush()
	}
}

// fill asks for the sizes that are missing.
func fill(ctx context.Context, s storage.Storage, batch []segment) error {
	var ids []graph.ID
	for _, seg := range batch {
		if seg.size < 0 {
			ids = append(ids, graph.ID(path.Base(seg.path)))
		}
	}
	sizes, err := s.Sizes(ctx, ids)
	if err != nil {
		return err
	}
	for i := range batch {
		if batch[i].size >= 0 {
			continue
		}
		id := graph.ID(path.Base(batch[i].path))
		size, ok := sizes[id]
		if !ok {
			return fmt.Errorf("%s is missing although the database refers to it: %w", id, graph.ErrNotFound)
		}
		batch[i].size = size
	}
	return nil
}

func (v *view) close() error {
	if v == nil {
		return nil
	}
	return v.table.Close()
}
