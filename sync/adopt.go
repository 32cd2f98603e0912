package dbsync

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// adopt goes on from a backup that Datomic has made: its newest root becomes a
// point, which the new one builds on. Datomic itself trusts a backup in the
// same way: what hangs under the newest root is there.
func (b *datomicBackup) adopt(ctx context.Context) error {
	if b.place.Chunked() {
		return nil // nobody but us writes chunks
	}
	lines := spill.NewSorter()
	defer lines.Close()
	if b.opt.Repair {
		if err := b.heal(ctx, lines); err != nil {
			return err
		}
	}
	if b.parent != nil || b.foreign == nil {
		return nil
	}
	var err error
	if !b.opt.Repair { // which has read it just now
		err = reachNative(ctx, b.foreign.value, b.dialect, func(ctx context.Context, ref graph.Ref) ([]byte, error) {
			return b.destination.Get(ctx, ref.ID)
		}, b.opt.VerifyBase, lines, nil)
	}
	var m *snapshot.Manifest
	if err == nil {
		m, err = b.adoptRoot(ctx, lines)
	}
	if damaged(err) {
		return fmt.Errorf("the backup that Datomic has made at %s is damaged: %w; --repair puts back what the source still has", b.place, err)
	}
	if err != nil {
		return err
	}
	if b.opt.VerifyBase || b.opt.Repair {
		fs.Logf(b.place.F, "Going on from t %d, which Datomic has written: %d segments, all of them read", b.foreign.T, m.Total.Segments)
	} else {
		fs.Logf(b.place.F, "Going on from t %d, which Datomic has written: trusting that its %d segments are there, as Datomic does. "+
			"Only inner nodes were read; --verify-base with a first backup, or verify --deep, reads everything", b.foreign.T, m.Total.Segments)
	}
	b.parent, b.newest, b.was, b.adopted = m, m, b.foreign.value, true
	// An attempt that did not come so far has left a point of this very name.
	b.incomplete = slices.DeleteFunc(b.incomplete, func(id string) bool { return id == m.Point })
	return nil
}

// adoptRoot makes a point of what the newest root reaches.
func (b *datomicBackup) adoptRoot(ctx context.Context, lines *spill.Sorter) (*snapshot.Manifest, error) {
	m := b.blank()
	b.foreign.describe(m)
	m.Name = b.name()
	at := b.foreign.Time
	if now := b.place.Now(); !at.Before(now) {
		at = now.Add(-time.Millisecond)
	}
	m.Point = snapshot.NewID(at, moment(b.foreign.T))
	present := map[graph.ID]snapshot.Object{}
	for _, h := range b.foreign.held() {
		if h.ID != store.OwnerName || b.owned {
			present[h.ID] = snapshot.Describe(string(h.ID), h.Data)
		}
	}
	return m, b.run.Commit(ctx, m, nil, b.foreign.held(), present, b.sized(ctx, lines.Sorted(), true), nothing)
}
