package dbsync

import (
	"context"
	"maps"
	"reflect"
	"slices"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// check verifies the copy: what is read is the copy's own, from its own heads
// down; what that is compared with is the point's.
func (d *drill) check(ctx context.Context) error {
	files := store.New(d.opt.Scratch, "")
	if d.m.Kind == snapshot.Datomic {
		files = store.Native(d.opt.Scratch)
	}
	v := &verify{
		opt: VerifyOptions{Deep: true, Dialect: d.opt.Dialect}, place: d.place, m: d.m, files: files,
		native: datomic.New(), faults: map[Fault]bool{}, counts: spill.NewSorter(),
	}
	defer v.counts.Close()
	held, err := heldOf(ctx, d.place, d.m)
	if err != nil {
		return err
	}
	d.sameHeads(ctx, held)
	listed, err := v.lists(ctx)
	if err == nil && !listed { // Datomic has written it
		v.closure, err = closureOf(ctx, d.place, d.m)
	}
	if err != nil {
		return err
	}
	defer func() { _ = v.closure.Close() }()
	v.place = snapshot.Open(d.opt.Scratch) // one object a segment, whatever the backup's layout
	if err := v.strays(ctx, files, held); err != nil {
		return err
	}
	if d.m.Kind == snapshot.Datomic {
		err = d.checkDatomic(ctx, v)
	} else {
		err = d.checkDatahike(ctx, v)
	}
	d.report.Datoms, d.report.Digests = v.report.Datoms, v.report.Digests
	d.report.Faults = slices.AppendSeq(d.report.Faults, maps.Keys(v.faults))
	return err
}

// strays finds what the copy has and the point does not list.
func (v *verify) strays(ctx context.Context, files *store.Files, held []graph.Held) error {
	heads := map[graph.ID]bool{}
	for _, h := range held {
		heads[h.ID] = true
	}
	return files.List(ctx, func(id graph.ID, _ fs.Object) error {
		_, ok, err := v.closure.Get(string(id))
		if err == nil && !ok && !heads[id] {
			v.fault(id, "is in the copy and not listed by the point")
		}
		return err
	})
}

// checkDatahike opens the copy as Datahike does: the set of branches, their
// heads, and what these reach.
func (d *drill) checkDatahike(ctx context.Context, v *verify) error {
	heads, err := d.opt.Dialect.Hold(ctx, v.files.Get, "")
	if err != nil {
		return err
	}
	reached := spill.NewSorter()
	defer reached.Close()
	if err := v.walkHeads(ctx, heads, reached); err != nil {
		return err
	}
	if err := v.compare(ctx, reached); err != nil || len(v.faults) > 0 {
		return err
	}
	if err := v.countDatoms(ctx, heads); err != nil {
		return err
	}
	if len(v.faults) > 0 || len(d.report.Faults) > 0 {
		return nil
	}
	return d.digest(ctx, v, func() error { return v.digestDatoms(ctx, heads) })
}

// digest compares what digests of datoms are made of the copy and of the point
// where it lies.
func (d *drill) digest(ctx context.Context, v *verify, digest func() error) error {
	if err := digest(); err != nil {
		return err
	}
	copied := v.report.Digests
	v.files = d.place.Segments(d.m, v.closure)
	if err := digest(); err != nil {
		return err
	}
	for branch, was := range v.report.Digests {
		if !reflect.DeepEqual(was, copied[branch]) {
			v.fault(graph.ID(d.m.Point), "branch %s: the datoms of the copy have other digests than those of the backup", branch)
		}
	}
	v.report.Digests = copied
	return ctx.Err()
}

// checkDatomic opens the copy by the root of the point's t.
func (d *drill) checkDatomic(ctx context.Context, v *verify) error {
	name := store.RootName(d.m.T)
	data, err := store.New(d.opt.Scratch, "").Get(ctx, graph.ID(name))
	if err != nil {
		return err
	}
	value, err := datomic.DecodeRoot(name, data)
	if err != nil {
		return err
	}
	reached := spill.NewSorter()
	defer reached.Close()
	if err := v.walker(ctx, reached).Diff(ctx, value.Trees(), nil); err != nil {
		return err
	}
	if err := v.compare(ctx, reached); err != nil || len(v.faults) > 0 {
		return err
	}
	return v.countIndexes(ctx, value)
}
