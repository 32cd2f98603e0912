package dbsync

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/datoms"
	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/walk"
)

// Digests are those of a branch, or why it has none.
type Digests struct {
	*datoms.Digests
	None string `json:"none,omitempty"`
}

// counting is the decoder that takes leaves apart, and counts their datoms.
type counting struct{ *verify }

// Decode implements descent.Decoder.
func (c counting) Decode(ref graph.Ref, data []byte) (graph.Node, error) {
	n, pending, err := c.opt.Dialect.DecodeDeep(ref, data)
	switch {
	case err != nil:
	case n.Level == graph.Leaf:
		c.counts.Add(string(ref.ID) + "\t" + strconv.FormatInt(n.Count, 10))
	case pending:
		c.pending.Store(true)
	}
	return n, err
}

// countDatoms compares what each root states with what its leaves hold.
func (v *verify) countDatoms(ctx context.Context, heads *datahike.Heads) error {
	counts, err := spill.NewTable(v.counts.Sorted())
	if err != nil {
		return err
	}
	defer func() { _ = counts.Close() }()
	v.report.Datoms = map[string]map[string]int64{}
	for _, br := range heads.Branches {
		v.report.Datoms[br.Name] = map[string]int64{}
		for _, t := range br.Graph.Trees {
			if t.Ref.Level == graph.Schema {
				continue
			}
			n, err := v.countTree(ctx, br.Head, t, counts)
			if err != nil {
				return err
			}
			v.report.Datoms[br.Name][t.Name] = n
			if t.Count >= 0 && n != t.Count {
				v.fault(t.Ref.ID, "branch %s: the root of %s states %d datoms, its leaves hold %d", br.Name, t.Name, t.Count, n)
			}
		}
	}
	return nil
}

// reader reads the datoms themselves.
func (v *verify) reader(ctx context.Context) *datoms.Reader {
	return &datoms.Reader{Dialect: v.opt.Dialect, Get: v.files.GetInto, Workers: fs.GetConfig(ctx).Checkers}
}

// digestDatoms makes the digests that anyone can compare with a live database.
func (v *verify) digestDatoms(ctx context.Context, heads *datahike.Heads) error {
	v.report.Digests = map[string]Digests{}
	for _, br := range heads.Branches {
		d, err := v.reader(ctx).Digests(ctx, br.Head, br.Record)
		if errors.Is(err, datom.ErrNoText) {
			v.report.Digests[br.Name] = Digests{None: err.Error()}
			continue
		}
		if err != nil {
			return fmt.Errorf("branch %s: %w", br.Name, err)
		}
		v.report.Digests[br.Name] = Digests{Digests: d}
	}
	return nil
}

// countTree adds up the leaves below a tree's root: from what was counted when
// they were read, unless there are edits to be made.
func (v *verify) countTree(ctx context.Context, head graph.Held, t graph.Tree, counts *spill.Table) (int64, error) {
	if t.Inline != nil || v.pending.Load() {
		return v.reader(ctx).Count(ctx, head, t)
	}
	w := walk.NewReading(v.opt.Dialect, v.files, fs.GetConfig(ctx).Checkers)
	defer w.Close()
	w.Walker.Known = func(graph.ID) (bool, error) { return true, nil }
	return countLeaves(ctx, w.Walker, t, counts)
}

// countLeaves adds up what was counted of the leaves below a tree's root.
func countLeaves(ctx context.Context, w *descent.Walker, t graph.Tree, counts *spill.Table) (int64, error) {
	leaves := spill.NewSorter()
	defer leaves.Close()
	w.Visit = func(_ context.Context, ref graph.Ref, _ []byte) error {
		if ref.Level == graph.Leaf {
			leaves.Add(string(ref.ID))
		}
		return nil
	}
	if err := w.Diff(ctx, []graph.Tree{t}, nil); err != nil {
		return 0, err
	}
	total := int64(0)
	for line, err := range lookUp(leaves.Sorted(), counts) {
		if err != nil {
			return 0, err
		}
		count, err := parseCount(line)
		if err != nil {
			return 0, err
		}
		total += count
	}
	return total, nil
}

// countOf looks up what was counted of a leaf.
func countOf(id graph.ID, counts *spill.Table) (int64, error) {
	line, ok, err := counts.Get(string(id))
	if err == nil && !ok {
		err = fmt.Errorf("%s was not counted: %w", id, graph.ErrCorrupt)
	}
	if err != nil {
		return 0, err
	}
	return parseCount(line)
}

// parseCount reads a line "id TAB datoms".
func parseCount(line string) (int64, error) {
	_, n, _ := strings.Cut(line, "\t")
	return strconv.ParseInt(n, 10, 64)
}
