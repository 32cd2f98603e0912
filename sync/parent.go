package dbsync

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/pool"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// findParent finds the point that this one builds on, and refuses a place
// that belongs to another database.
func (b *backup) findParent(ctx context.Context) error {
	ids, err := b.place.IDs(ctx)
	if err != nil {
		return err
	}
	mine := b.heads.Main().DatabaseID
	if b.parent != nil && len(ids) > 0 && ids[len(ids)-1] == b.parent.Point && b.parent.ID == mine {
		return nil
	}
	b.newest, b.incomplete, err = b.place.Newest(ctx, ids, func(*snapshot.Manifest) bool { return true })
	if errors.Is(err, graph.ErrCorrupt) {
		err = fmt.Errorf("%w; --repair makes a point that does not need it", err)
	}
	b.parent = b.newest
	if err != nil || b.parent == nil {
		return err
	}
	if b.parent.ID == mine {
		return b.checkCopy()
	}
	if !b.accepts(AcceptOtherDatabase) {
		return refuse("%s holds backups of database %s, the source is database %s; choose another destination, or give --accept %s to keep both there",
			b.place, b.parent.ID, mine, AcceptOtherDatabase)
	}
	b.parent, b.incomplete, err = b.place.Newest(ctx, ids, func(m *snapshot.Manifest) bool { return m.ID == mine })
	if err != nil {
		return err
	}
	return b.checkCopy()
}

// unchanged tells whether the heads are the parent's, byte for byte.
func (b *backup) unchanged() bool {
	held := b.heads.Held()
	if len(held) != len(b.parent.Held) {
		return false
	}
	for i, o := range b.parent.Held {
		if o.Name != string(held[i].ID) || !o.Matches(held[i].Data) {
			return false
		}
	}
	return true
}

// complete tells whether what the parent point lacked is still not there, and
// whether its heads lie in the store: without reading them.
func (b *backup) complete(ctx context.Context) (bool, error) {
	var lacking []graph.ID
	for _, br := range b.heads.Branches {
		if br.Config.CommitGraph && b.parent.Branches[br.Name].Absent {
			lacking = append(lacking, datahike.AddressID(br.Commit))
		}
	}
	for _, id := range b.parent.Absent {
		lacking = append(lacking, graph.ID(id))
	}
	come := atomic.Bool{}
	err := pool.Each(ctx, fs.GetConfig(ctx).Checkers, lacking, func(ctx context.Context, id graph.ID) error {
		size, err := b.Store.Size(ctx, id)
		if err == nil && size >= minBlob {
			come.Store(true)
		}
		if errors.Is(err, graph.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil || come.Load() {
		return false, err
	}
	return b.headsThere(ctx)
}

// headsThere tells whether the parent's heads are where Datahike finds them.
func (b *backup) headsThere(ctx context.Context) (bool, error) {
	files := b.place.StoreOf(b.parent)
	for _, o := range b.parent.Held {
		size, err := files.Size(ctx, graph.ID(o.Name))
		if errors.Is(err, graph.ErrNotFound) || err == nil && size != o.Size {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// pruned tells whether commits that the parent reaches are gone at the
// source. Collection removes the oldest first, so looking at the tails is
// enough (DESIGN.md §6).
func (b *backup) pruned(ctx context.Context) (bool, error) {
	if b.parent == nil {
		return false, nil
	}
	for _, t := range b.parent.Tails {
		size, err := b.Store.Size(ctx, graph.ID(t))
		if errors.Is(err, graph.ErrNotFound) || err == nil && size < minBlob {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// readPresent reads the heads that lie at the destination, and refuses if
// somebody else has moved them.
func (b *backup) readPresent(ctx context.Context) error {
	b.present = map[graph.ID]snapshot.Object{}
	b.was = nil
	if b.parent == nil {
		return b.checkUnclaimed(ctx)
	}
	var have []graph.Held
	intact := true
	for _, o := range b.parent.Held {
		id := graph.ID(o.Name)
		data, err := b.destination.Get(ctx, id)
		if err != nil && !errors.Is(err, graph.ErrNotFound) {
			return err
		}
		b.present[id] = snapshot.Describe(o.Name, data)
		have = append(have, graph.Held{ID: id, Data: data})
		if o.Matches(data) {
			continue
		}
		intact = false
		if err := b.checkMoved(ctx, id, data); err != nil {
			return err
		}
	}
	if !intact {
		var err error
		if have, err = b.place.Held(ctx, b.parent); err != nil {
			return err
		}
	}
	var err error
	b.was, err = b.Dialect.Parse(have, "")
	return err
}

// checkUnclaimed refuses a place where a database lies that is no backup.
func (b *backup) checkUnclaimed(ctx context.Context) error {
	data, err := b.destination.Get(ctx, datahike.BranchesID())
	if errors.Is(err, graph.ErrNotFound) || b.newest != nil {
		return nil
	}
	if err != nil {
		return err
	}
	explained, err := b.explained(ctx, datahike.BranchesID(), data)
	if err == nil && !explained {
		err = refuse("%s holds a database that no backup has put there; choose another destination, or give --accept %s to write over its heads",
			b.place.Store(), AcceptMovedHeads)
	}
	return err
}

// checkSchemas looks at the heads' schemas before anything is written: what
// is refused leaves the destination as it was.
func (b *backup) checkSchemas(ctx context.Context) error {
	for _, br := range b.heads.Branches {
		if _, err := b.schemas.StoreRefsOf(ctx, br.Record); err != nil {
			return err
		}
	}
	return nil
}

// readSchema gets a schema blob, whether it is wanted or had.
func (b *backup) readSchema(ctx context.Context, ref graph.Ref) ([]byte, error) {
	data, err := datahike.Present(ctx, b.Store.Get, ref.ID)
	if errors.Is(err, graph.ErrNotFound) {
		data, err = b.destination.Get(ctx, ref.ID)
	}
	if errors.Is(err, graph.ErrNotFound) {
		err = &goneError{ref.ID}
	}
	return data, err
}

// checkMoved refuses a head that is not what the parent point has put there.
func (b *backup) checkMoved(ctx context.Context, id graph.ID, data []byte) error {
	explained, err := b.explained(ctx, id, data)
	if err != nil || explained {
		return err
	}
	if data == nil {
		return refuse("%s is missing in %s: put back what is lost there with --repair", id, b.place.Store())
	}
	return refuse("%s in %s is not what the last backup has put there: a database was opened there and written to, or the file is damaged. "+
		"Move it away, or give --accept %s to put the backup's heads back", id, b.place.Store(), AcceptMovedHeads)
}

// explained tells whether other bytes than the last point's are no surprise:
// the user has said so, or an unfinished run of ours has put them there.
func (b *backup) explained(ctx context.Context, id graph.ID, data []byte) (bool, error) {
	if b.opt.Repair || b.accepts(AcceptMovedHeads) || b.accepts(AcceptOtherDatabase) {
		return true, nil
	}
	for _, point := range b.incomplete {
		held, err := b.place.HeldBytes(ctx, point, string(id))
		if err == nil && string(held) == string(data) {
			return true, nil
		}
		if err != nil && !errors.Is(err, graph.ErrNotFound) {
			return false, err
		}
	}
	return false, nil
}
