package dbsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// heal reads everything under the roots that no point of ours is for, and puts
// back from the source what is missing or damaged. What the newest of them
// reaches goes into lines.
func (b *datomicBackup) heal(ctx context.Context, lines *spill.Sorter) error {
	roots, err := store.Roots(ctx, b.place.F)
	if err != nil {
		return err
	}
	ids, err := b.place.IDs(ctx)
	if err != nil {
		return err
	}
	if err := b.healRoots(ctx, ids); err != nil {
		return err
	}
	for root, err := range unrecorded(ctx, b.place, ids, roots) {
		if err == nil {
			err = root.read(ctx, b.place)
		}
		if errors.Is(err, graph.ErrCorrupt) {
			err = b.setAside(ctx, root, err)
		} else if err == nil {
			err = b.healBelow(ctx, root, lines)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// healBelow reads everything that one root reaches.
func (b *datomicBackup) healBelow(ctx context.Context, root nativeRoot, lines *spill.Sorter) error {
	newest := b.foreign != nil && root.T == b.foreign.T
	if !newest {
		lines = spill.NewSorter()
		defer lines.Close()
	}
	h, before := &healing{b: b}, b.lost.Load()
	err := reachNative(ctx, root.value, checked{b.dialect}, h.read, true, lines, h.note)
	b.report.Repaired += h.repaired.Load()
	if newest && b.lost.Load() > before {
		b.foreign = nil // it cannot be built on
	}
	return errors.Join(err, h.failed)
}

// checked is the decoder of segments whose reader has looked at all of their
// bytes: leaves are not unpacked once more.
type checked struct{ *datomic.Dialect }

// Decode implements descent.Decoder.
func (c checked) Decode(ref graph.Ref, data []byte) (graph.Node, error) {
	if ref.Level == graph.Leaf {
		return graph.Node{Level: graph.Leaf, Count: -1}, nil
	}
	return c.Dialect.Decode(ref, data)
}

// setAside renames a root that is no root and that no point of ours has: for
// Datomic, and for us, it would be the newest one. Its bytes are kept.
func (b *datomicBackup) setAside(ctx context.Context, root nativeRoot, why error) error {
	name := store.RootName(root.T)
	fs.Errorf(b.place.F, "%v: it is renamed to %s.damaged, which Datomic passes over", why, name)
	if fs.GetConfig(ctx).DryRun {
		return nil
	}
	if err := b.copier.Replace(ctx, name+".damaged", root.data); err != nil {
		return err
	}
	o, err := b.place.F.NewObject(ctx, name)
	if err != nil {
		return err
	}
	b.report.Repaired++
	return o.Remove(ctx)
}

// healRoots puts back the roots of points of ours, from the bytes that the
// points hold: the newest of each t.
func (b *datomicBackup) healRoots(ctx context.Context, ids []string) error {
	seen := map[int64]bool{}
	for _, id := range slices.Backward(ids) {
		m, err := b.place.Manifest(ctx, id)
		if damaged(err) || errors.Is(err, graph.ErrUnsupported) {
			continue // it is no point, or cannot be restored by this version
		}
		if err != nil {
			return err
		}
		if m.ID != b.id() || seen[m.T] {
			continue
		}
		seen[m.T] = true
		if err := b.healRoot(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (b *datomicBackup) healRoot(ctx context.Context, m *snapshot.Manifest) error {
	held, err := heldOf(ctx, b.place, m)
	if damaged(err) {
		fs.Errorf(b.place.F, "Cannot repair: point %s: %v", m.Point, err)
		b.lost.Add(1)
		return nil
	}
	if err != nil {
		return err
	}
	for _, h := range held {
		if err := b.healHeld(ctx, m, h); err != nil {
			return err
		}
		name := snapshot.DatomicName(h.ID)
		data, err := b.place.Heads().Get(ctx, graph.ID(name))
		if err == nil && h.ID != store.OwnerName && string(data) != string(h.Data) {
			err = checkRoot(ctx, b.place, m, b.dialect, h.Data, data)
		}
		if err == nil {
			continue
		}
		if !damaged(err) && !errors.Is(err, graph.ErrUnsupported) {
			return err
		}
		if err := b.copier.Replace(ctx, name, h.Data); err != nil {
			return err
		}
		b.report.Repaired++
	}
	return nil
}

// healHeld puts back what the point itself keeps.
func (b *datomicBackup) healHeld(ctx context.Context, m *snapshot.Manifest, h graph.Held) error {
	data, err := b.place.HeldBytes(ctx, m.Point, string(h.ID))
	if err == nil && string(data) == string(h.Data) || err != nil && !errors.Is(err, graph.ErrNotFound) {
		return err
	}
	b.report.Repaired++
	return b.copier.Replace(ctx, b.place.HeldName(m.Point, string(h.ID)), h.Data)
}

// healing is a reader that repairs.
type healing struct {
	b        *datomicBackup
	repaired atomic.Int64

	mu     sync.Mutex
	failed error // that is no damage
}

// note takes what could not be repaired; the rest is looked at all the same.
func (h *healing) note(_ graph.Ref, err error) {
	if damaged(err) {
		fs.Errorf(h.b.place.F, "Cannot repair: %v", err)
		h.b.lost.Add(1)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = cmp.Or(h.failed, err)
}

func (h *healing) read(ctx context.Context, ref graph.Ref) ([]byte, error) {
	data, err := h.b.destination.Get(ctx, ref.ID)
	if err == nil {
		err = h.b.sound(ref, data)
	}
	if err == nil || !damaged(err) {
		return data, err
	}
	whole, serr := h.b.Datomic.Get(ctx, ref.ID)
	if serr == nil {
		serr = h.b.sound(ref, whole)
	}
	if serr != nil {
		return nil, errors.Join(err, fmt.Errorf("the source's copy does not help: %w", serr))
	}
	h.repaired.Add(1)
	return whole, h.b.copier.Replace(ctx, h.b.destination.Remote(ref.ID), whole)
}
