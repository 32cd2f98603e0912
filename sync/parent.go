package dbsync

import (
	"context"
	"errors"
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// findParent finds the point that this one builds on, and refuses a place
// that belongs to another database.
func (b *backup) findParent(ctx context.Context) error {
	ids, err := b.place.IDs(ctx)
	if err != nil {
		return err
	}
	mine := b.db.id()
	if b.parent != nil && len(ids) > 0 && ids[len(ids)-1] == b.parent.Point && b.parent.ID == mine {
		return nil
	}
	if err := b.findNewest(ctx, ids); err != nil {
		return err
	}
	b.parent = b.newest
	if b.parent == nil {
		return b.db.fits(ctx)
	}
	if b.parent.Kind != b.place.Kind {
		return refuse("%s holds backups of a %s database, the source is a %s database; choose another destination", b.place, b.parent.Kind, b.place.Kind)
	}
	if b.parent.ID == mine {
		return b.db.fits(ctx)
	}
	if err := b.db.beside(ctx, b.parent.ID); err != nil {
		return err
	}
	b.parent, b.incomplete, err = b.place.Newest(ctx, ids, func(m *snapshot.Manifest) bool { return m.ID == mine })
	if err != nil {
		return err
	}
	return b.db.fits(ctx)
}

// findNewest finds the newest point. Where there is none, or it cannot be read,
// the place may be encrypted with another password.
func (b *backup) findNewest(ctx context.Context, ids []string) (err error) {
	b.newest, b.incomplete, err = b.place.Newest(ctx, ids, func(*snapshot.Manifest) bool { return true })
	if err == nil && b.newest != nil {
		return nil
	}
	if kerr := checkKey(ctx, b.place.F); kerr != nil {
		return kerr
	}
	if errors.Is(err, graph.ErrCorrupt) {
		err = fmt.Errorf("%w; --repair makes a point that does not need it", err)
	}
	return err
}

// unchanged tells whether the heads are the parent's, byte for byte.
func (b *backup) unchanged() bool {
	if b.parent == nil {
		return false
	}
	held := b.db.held()
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

// headsThere tells whether the parent's heads are where the database finds them.
func (b *backup) headsThere(ctx context.Context) (bool, error) {
	for _, o := range b.parent.Held {
		size, err := b.place.Heads().Size(ctx, graph.ID(b.parent.HeadName(graph.ID(o.Name))))
		if errors.Is(err, graph.ErrNotFound) || err == nil && size != o.Size {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}
