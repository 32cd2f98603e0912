package dbsync

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// nativeRoot is a root in Datomic's own layout, of a point of ours or not.
type nativeRoot struct {
	t    int64
	time time.Time // of the object
	// The rest is there when it was read.
	data  []byte
	value *datomic.Value
	last  datomic.Transaction
}

// nativeRoots lists the roots at a place by their t. Like Datomic it passes
// over names that are no plain decimal numbers.
func nativeRoots(ctx context.Context, place *snapshot.Place) (roots []nativeRoot, err error) {
	entries, err := place.F.List(ctx, snapshot.RootsDir)
	if errors.Is(err, fs.ErrorDirNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("failed to list %s of %s: %w", snapshot.RootsDir, place, err)
	}
	for _, e := range entries {
		o, ok := e.(fs.Object)
		if !ok {
			continue
		}
		name := o.Remote()[len(snapshot.RootsDir)+1:]
		if t, err := strconv.ParseInt(name, 10, 64); err == nil && t >= 0 && strconv.FormatInt(t, 10) == name {
			roots = append(roots, nativeRoot{t: t, time: o.ModTime(ctx)})
		}
	}
	slices.SortFunc(roots, func(a, b nativeRoot) int { return int(min(max(a.t-b.t, -1), 1)) })
	return roots, nil
}

// read gets and decodes the root itself.
func (r *nativeRoot) read(ctx context.Context, place *snapshot.Place) (err error) {
	name := snapshot.RootsDir + "/" + strconv.FormatInt(r.t, 10)
	if r.data, err = place.Heads().Get(ctx, graph.ID(name)); err != nil {
		return err
	}
	r.value, err = datomic.DecodeRoot(name, r.data)
	return err
}

// held are the mutable objects of the root.
func (r *nativeRoot) held() []graph.Held {
	return []graph.Held{
		{ID: snapshot.OwnerName, Data: []byte(r.value.DatabaseID)},
		{ID: graph.ID(strconv.FormatInt(r.t, 10)), Data: r.data},
	}
}

// describe makes a manifest of a root that no point of ours is for.
func (r *nativeRoot) describe(m *snapshot.Manifest) {
	m.Kind, m.ID, m.Adopted = snapshot.Datomic, r.value.DatabaseID, true
	m.T, m.Tx, m.Time = r.t, r.last.ID, r.time.UTC().Truncate(time.Millisecond)
	m.Name = firstName(m.ID)
	for _, h := range r.held() {
		m.Held = append(m.Held, snapshot.Describe(string(h.ID), h.Data))
	}
}

// pointValue is the value of a point of a Datomic database.
func pointValue(ctx context.Context, place *snapshot.Place, m *snapshot.Manifest) (*datomic.Value, error) {
	held, err := place.Held(ctx, m)
	if err != nil {
		return nil, err
	}
	return heldValue(m, held)
}

func heldValue(m *snapshot.Manifest, held []graph.Held) (*datomic.Value, error) {
	for _, h := range held {
		if h.ID != snapshot.OwnerName {
			return datomic.DecodeRoot(string(h.ID), h.Data)
		}
	}
	return nil, fmt.Errorf("point %s holds no root: %w", m.Point, graph.ErrCorrupt)
}

// reachNative lists what a value reaches at a place: a line as in a point's
// list for each segment, with what was learned of it. Leaves are read if deep
// says so.
func reachNative(ctx context.Context, v *datomic.Value, d *datomic.Dialect, read descent.Reader, deep bool, lines *spill.Sorter) error {
	w := descent.Walker{
		Decoder: d, Read: read, Workers: fs.GetConfig(ctx).Checkers,
		Known: func(graph.ID) (bool, error) { return !deep, nil },
		Visit: func(_ context.Context, ref graph.Ref, data []byte) error {
			e := graph.Entry{Ref: ref, Size: -1}
			if data != nil {
				e.Size, e.SHA256 = int64(len(data)), sha256.Sum256(data)
			}
			lines.Add(snapshot.FormatEntry(e))
			return nil
		},
	}
	return w.Diff(ctx, v.Trees(), nil)
}
