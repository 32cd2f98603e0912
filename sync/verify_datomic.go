package dbsync

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/datoms"
	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// datomic verifies a point of a Datomic database. One that Datomic itself has
// written has no lists: then it is what its root reaches that must be there.
func (v *verify) datomic(ctx context.Context) error {
	held, err := heldOf(ctx, v.place, v.m)
	if err != nil {
		return fmt.Errorf("the root of point %s cannot be read: %w", v.m.Point, err)
	}
	value, err := heldValue(v.m, held)
	if err != nil {
		return err
	}
	if !v.place.Chunked() {
		v.checkHeads(ctx, held)
	}
	listed, err := v.lists(ctx)
	if err != nil {
		return err
	}
	v.files = v.place.Segments(v.m, v.closure)
	reached := spill.NewSorter()
	defer reached.Close()
	w := v.walker(ctx, reached)
	if err := w.Diff(ctx, value.Trees(), nil); err != nil {
		return err
	}
	if !listed {
		if v.closure, err = spill.NewTable(snapshot.FirstOfEach(reached.Sorted())); err != nil {
			return err
		}
	}
	defer func() { _ = v.closure.Close() }()
	if err := v.present(ctx); err != nil {
		return err
	}
	if listed {
		err = v.compare(ctx, reached)
	} else {
		err = v.sum()
	}
	if err != nil || !v.opt.Deep || len(v.faults) > 0 {
		return err
	}
	return v.datoms(ctx, value)
}

// datoms counts a Datomic database's datoms, and digests them if that is wanted.
func (v *verify) datoms(ctx context.Context, value *datomic.Value) error {
	if err := v.countIndexes(ctx, value); err != nil || !v.opt.Datoms || len(v.faults) > 0 {
		return err
	}
	return v.digestDatomic(ctx, value)
}

// digestDatomic makes the digests of a Datomic database's datoms.
func (v *verify) digestDatomic(ctx context.Context, value *datomic.Value) error {
	db, err := view.OpenDatomic(ctx, v.native, v.files.Get, value, fs.GetConfig(ctx).Checkers)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	d, err := digestsOf(ctx, db)
	if errors.Is(err, datom.ErrNoText) {
		v.report.Digests = map[string]Digests{v.m.Name: {None: err.Error()}}
		return nil
	}
	if err != nil {
		return err
	}
	v.report.Digests = map[string]Digests{v.m.Name: {Digests: d}}
	return nil
}

// digestsOf makes the digests of a view, of which nothing else is known.
func digestsOf(ctx context.Context, v view.View) (*datoms.Digests, error) {
	d := &datoms.Digests{}
	var err error
	if d.Current, d.CurrentDatoms, err = digestOf(ctx, v, datom.Query{}); err == nil && v.Info().History {
		d.History, d.HistoryDatoms, err = digestOf(ctx, v, datom.Query{History: true})
	}
	return d, err
}

func digestOf(ctx context.Context, v view.View, q datom.Query) (string, int64, error) {
	lines := datom.NewDigest()
	defer lines.Close()
	if err := v.Scan(ctx, q, lines.Add); err != nil {
		return "", 0, err
	}
	return lines.Sum()
}

// lists reads those of the point, if it has any. That they are lost is a fault;
// what the root reaches can be looked at all the same.
func (v *verify) lists(ctx context.Context) (listed bool, err error) {
	if isNative(v.m) {
		return false, nil
	}
	v.closure, err = v.place.Closure(ctx, v.m)
	if !v.place.Chunked() && (damaged(err)) {
		v.fault(graph.ID(v.m.Point), "its lists cannot be read, so there are no digests: %v", err)
		return false, nil
	}
	return err == nil, err
}

// sum counts what a point reaches that has no lists.
func (v *verify) sum() error {
	for line, err := range v.closure.All() {
		if err != nil {
			return err
		}
		e, err := graph.ParseEntry(line)
		if err != nil {
			return err
		}
		v.report.Segments.Add(e)
	}
	return nil
}

// checkHeads looks at the files in which Datomic finds the point. A newer point
// of the same t may have replaced the root.
func (v *verify) checkHeads(ctx context.Context, held []graph.Held) {
	for _, h := range held {
		name := snapshot.DatomicName(h.ID)
		data, err := v.place.Heads().Get(ctx, graph.ID(name))
		if err == nil && string(data) != string(h.Data) {
			if h.ID == store.OwnerName {
				err = fmt.Errorf("names another database, %q: %w", data, graph.ErrCorrupt)
			} else {
				err = checkRoot(ctx, v.place, v.m, v.native, h.Data, data)
			}
		}
		if err != nil && ctx.Err() == nil {
			v.faultOf(graph.ID(name), err)
		}
	}
}

// walker goes over what a value reaches and gathers a line of a list for each
// segment: with what was read, if it was.
func (v *verify) walker(ctx context.Context, reached *spill.Sorter) *descent.Walker {
	w := &descent.Walker{
		Decoder: v.native, Workers: fs.GetConfig(ctx).Checkers,
		Read:  func(ctx context.Context, ref graph.Ref) ([]byte, error) { return v.files.Get(ctx, ref.ID) },
		Known: func(graph.ID) (bool, error) { return !v.byWalking(), nil },
		Tolerate: func(ref graph.Ref, err error) {
			reached.Add(graph.FormatEntry(graph.Entry{Ref: ref, Size: -1})) // it is reached, and its fault is known
			v.faultOf(ref.ID, err)
		},
		Visit: func(_ context.Context, ref graph.Ref, data []byte) error {
			line := graph.FormatEntry(graph.Entry{Ref: ref, Size: -1})
			if data != nil {
				line = v.line(ref, data)
			}
			reached.Add(line)
			return nil
		},
	}
	v.decoder = countingLeaves{v.native, v}
	if v.opt.Deep {
		w.Decoder = v.decoder
	}
	return w
}

// countingLeaves is the decoder that takes leaves apart, and counts their
// datoms.
type countingLeaves struct {
	*datomic.Dialect
	v *verify
}

// Decode implements descent.Decoder.
func (c countingLeaves) Decode(ref graph.Ref, data []byte) (graph.Node, error) {
	if ref.Level > graph.Leaf {
		return c.Dialect.Decode(ref, data)
	}
	n, err := c.Count(ref, data)
	if err == nil {
		c.v.counts.Add(string(ref.ID) + "\t" + strconv.FormatInt(n, 10))
	}
	return graph.Node{Level: graph.Leaf, Count: n}, err
}

// stated is the decoder that holds what a node says of its leaves against what
// was counted in them.
type stated struct {
	*datomic.Dialect
	v      *verify
	counts *spill.Table
}

// Decode implements descent.Decoder.
func (s stated) Decode(ref graph.Ref, data []byte) (graph.Node, error) {
	node, err := s.Dialect.Decode(ref, data)
	if err != nil || node.Level != 1 || node.Count < 0 {
		return node, err
	}
	sum := int64(0)
	for _, leaf := range node.Children {
		n, err := countOf(leaf.ID, s.counts)
		if err != nil {
			return node, err
		}
		sum += n
	}
	if sum != node.Count {
		s.v.fault(ref.ID, "states %d datoms, its leaves hold %d", node.Count, sum)
	}
	return node, nil
}

// countIndexes adds up the datoms of each index's leaves, and the log's.
func (v *verify) countIndexes(ctx context.Context, value *datomic.Value) error {
	counts, err := spill.NewTable(v.counts.Sorted())
	if err != nil {
		return err
	}
	defer func() { _ = counts.Close() }()
	data, err := v.files.Get(ctx, value.Index)
	if err != nil {
		return err
	}
	trees, err := v.native.Indexes(value.Index, data)
	if err != nil {
		return err
	}
	byIndex := map[string]int64{}
	for _, t := range append(trees, value.Trees()[1]) {
		w := descent.Walker{
			Decoder: stated{v.native, v, counts}, Workers: fs.GetConfig(ctx).Checkers, Known: func(graph.ID) (bool, error) { return true, nil },
			Read: func(ctx context.Context, ref graph.Ref) ([]byte, error) { return v.files.Get(ctx, ref.ID) },
		}
		n, err := countLeaves(ctx, &w, t, counts)
		if err != nil {
			return err
		}
		byIndex[t.Name] = n
	}
	_, tail, err := value.CountTail()
	if err != nil {
		return err
	}
	byIndex["log"] += tail
	v.report.Datoms = map[string]map[string]int64{v.m.Name: byIndex}
	return nil
}
