package datahike

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/walk"
)

// view is the listing of a snapshot: a line "name TAB size" for each object
// that the held heads reach.
type view struct{ table *spill.Table }

// newView walks what the heads reach and takes the sizes from one listing of
// the store.
func newView(ctx context.Context, f *Fs) (*view, error) {
	for _, br := range f.heads.Branches {
		if br.Config.OnlineGC {
			return nil, fmt.Errorf("datahike: %s: the database runs with :online-gc, which writes other nodes under old names while you read: "+
				"back it up with backup --online-gc-copy and read the backup: %w", f.files, graph.ErrUnsupported)
		}
	}
	names, values := spill.NewSorter(), spill.NewSorter()
	defer names.Close()
	defer values.Close()
	w := walk.NewReading(f.dialect, f.files, fs.GetConfig(ctx).Checkers)
	defer w.Close()
	w.Walker.Known = func(graph.ID) (bool, error) { return true, nil }
	w.Begin = func(context.Context) walk.Visitor { return collect{walk.Collect{IDs: names}, values} }
	if err := w.Heads(ctx, f.heads.Branches); err != nil {
		return nil, fmt.Errorf("datahike: %s: %w", f.files, err)
	}
	for name := range f.held {
		names.Add(name)
	}
	sizes := spill.NewSorter()
	defer sizes.Close()
	err := f.files.List(ctx, func(id graph.ID, o fs.Object) error {
		if o.Size() < konserve.MinSize {
			return nil // created, and not written yet
		}
		sizes.Add(string(id) + "\t" + strconv.FormatInt(o.Size(), 10))
		return nil
	})
	if err != nil {
		return nil, err
	}
	listed, err := spill.NewTable(sizes.Sorted())
	if err != nil {
		return nil, err
	}
	defer func() { _ = listed.Close() }()
	optional, err := spill.NewTable(values.Sorted())
	if err != nil {
		return nil, err
	}
	defer func() { _ = optional.Close() }()
	table, err := spill.NewTable(f.withSizes(names.Sorted(), listed, optional))
	return &view{table}, err
}

// collect is walk.Collect that tells objects to which datoms refer from the
// rest: they may be kept elsewhere.
type collect struct {
	walk.Collect
	values *spill.Sorter
}

// Visit implements walk.Visitor.
func (c collect) Visit(ctx context.Context, ref graph.Ref, data []byte) error {
	if ref.Level == graph.Value {
		c.values.Add(string(ref.ID))
	}
	return c.Collect.Visit(ctx, ref, data)
}

// withSizes joins names with the listing.
func (f *Fs) withSizes(names iter.Seq2[string, error], listed, optional *spill.Table) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for name, err := range names {
			line, ok := "", false
			if data, held := f.held[name]; held && err == nil {
				line, ok = name+"\t"+strconv.Itoa(len(data)), true
			} else if err == nil {
				line, ok, err = listed.Get(name)
			}
			if err == nil && !ok {
				if _, ok, err = optional.Get(name); ok && err == nil {
					continue
				}
			}
			if err == nil && !ok {
				err = fmt.Errorf("datahike: %s: %s is missing although the database refers to it; garbage collection may have run: open the remote again: %w",
					f.files, name, graph.ErrNotFound)
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// objects yields every object, sorted by name.
func (v *view) objects(f *Fs) iter.Seq2[*Object, error] {
	return func(yield func(*Object, error) bool) {
		for line, err := range v.table.All() {
			if err != nil {
				yield(nil, err)
				return
			}
			o, err := newObject(f, line)
			if !yield(o, err) {
				return
			}
		}
	}
}

// object finds one object.
func (v *view) object(f *Fs, remote string) (*Object, error) {
	line, ok, err := v.table.Get(remote)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fs.ErrorObjectNotFound
	}
	return newObject(f, line)
}

func newObject(f *Fs, line string) (*Object, error) {
	name, digits, _ := strings.Cut(line, "\t")
	size, err := strconv.ParseInt(digits, 10, 64)
	return f.newObject(name, size, f.held[name]), err
}

func (v *view) close() error { return v.table.Close() }
