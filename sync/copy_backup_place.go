package dbsync

import (
	"context"
	"errors"
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// copyPlace is where copies of the points of one database go.
type copyPlace struct {
	*snapshot.Place
	// points are the complete ones, oldest first, incomplete the ids of those
	// that are newer and are none.
	points     []*snapshot.Manifest
	incomplete []string
}

// look reads which points are there, and refuses another database.
func (p *copyPlace) look(ctx context.Context, m *snapshot.Manifest) error {
	ids, err := p.IDs(ctx)
	if err != nil {
		return err
	}
	p.points, p.incomplete = nil, nil
	for _, id := range ids {
		have, err := p.Manifest(ctx, id)
		if errors.Is(err, graph.ErrNotFound) {
			if _, err := p.Parked(ctx, id); errors.Is(err, graph.ErrNotFound) {
				p.incomplete = append(p.incomplete, id)
			} else if err != nil {
				return err
			}
			continue
		}
		if errors.Is(err, graph.ErrCorrupt) {
			err = fmt.Errorf("%w; remove the directory of the point from the copy, and it is copied again", err)
		}
		if err != nil {
			return err
		}
		if have.Kind != m.Kind {
			return refuse("%s holds backups of a %s database, point %s is of a %s database; choose another destination", p, have.Kind, m.Point, m.Kind)
		}
		p.points, p.incomplete = append(p.points, have), nil
	}
	if len(p.points) == 0 {
		if err := checkKey(ctx, p.F); err != nil {
			return err
		}
	}
	return p.unclaimed(ctx, m)
}

// unclaimed refuses a place that something else lies in.
func (p *copyPlace) unclaimed(ctx context.Context, m *snapshot.Manifest) error {
	if p.Chunked() {
		return nil
	}
	owner, err := p.Heads().Get(ctx, store.OwnerName)
	if err == nil && string(owner) != m.ID {
		return refuse("%s is claimed by the Datomic database %s, point %s is of %s; choose another destination", p, owner, m.Point, m.ID)
	}
	if err != nil && !errors.Is(err, graph.ErrNotFound) || m.Kind == snapshot.Datomic {
		if errors.Is(err, graph.ErrNotFound) {
			err = nil
		}
		return err
	}
	return p.unmoved(ctx, m)
}

// unmoved refuses a mirror of a Datahike database whose heads are not what a
// point has put there.
func (p *copyPlace) unmoved(ctx context.Context, m *snapshot.Manifest) error {
	for _, o := range m.Held {
		data, err := p.Heads().Get(ctx, graph.ID(m.HeadName(graph.ID(o.Name))))
		if errors.Is(err, graph.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		known, err := p.putThere(ctx, o.Name, data)
		if err != nil {
			return err
		}
		if !known {
			return refuse("%s in %s is not what a backup has put there: a database was opened there and written to, or the file is damaged; choose another destination", o.Name, p)
		}
	}
	return nil
}

// putThere tells whether a point, or an unfinished copy of one, has the head.
func (p *copyPlace) putThere(ctx context.Context, name string, data []byte) (bool, error) {
	for _, have := range p.points {
		for _, o := range have.Held {
			if o.Name == name && o.Matches(data) {
				return true, nil
			}
		}
	}
	for _, id := range p.incomplete {
		held, err := p.HeldBytes(ctx, id, name)
		if err == nil && string(held) == string(data) {
			return true, nil
		}
		if err != nil && !errors.Is(err, graph.ErrNotFound) {
			return false, err
		}
	}
	return false, nil
}

// has tells whether the point is there. One that Datomic has written gets an
// id of its own when it is copied.
func (p *copyPlace) has(m *snapshot.Manifest) bool {
	for _, have := range p.points {
		if have.Point == m.Point || isNative(m) && have.ID == m.ID && have.T == m.T {
			return true
		}
	}
	return false
}

// point is the one of that id, or nil.
func (p *copyPlace) point(id string) *snapshot.Manifest {
	for _, have := range p.points {
		if have.Point == id {
			return have
		}
	}
	return nil
}

// newest is the newest point, or nil.
func (p *copyPlace) newest() *snapshot.Manifest {
	if len(p.points) == 0 {
		return nil
	}
	return p.points[len(p.points)-1]
}

// claim writes owner before anything else, which keeps Datomic from writing
// another database there.
func (p *copyPlace) claim(ctx context.Context, c *copyBackup, held []graph.Held) error {
	if p.Chunked() || p.Kind != snapshot.Datomic {
		return nil
	}
	for _, h := range held {
		if h.ID != store.OwnerName {
			continue
		}
		if have, err := p.Heads().Get(ctx, store.OwnerName); err == nil && string(have) == string(h.Data) {
			continue
		}
		if err := c.copier.Replace(ctx, store.OwnerName, h.Data); err != nil {
			return err
		}
	}
	return nil
}

// present are the heads that need not be written: those of Datahike, if a newer
// point has put its own there.
func (p *copyPlace) present(m *snapshot.Manifest, held []graph.Held) map[graph.ID]snapshot.Object {
	newest := p.newest()
	if m.Kind == snapshot.Datomic || newest == nil || newest.Point < m.Point {
		return nil
	}
	have := map[graph.ID]snapshot.Object{}
	for _, h := range held {
		have[h.ID] = snapshot.Describe(string(h.ID), h.Data)
	}
	return have
}

// segmentsAt is where segments of the point go, one object each.
func (p *copyPlace) segmentsAt(m *snapshot.Manifest) func(graph.ID) string {
	if m.Copy && !p.Chunked() {
		return p.StoreOf(m).Remote
	}
	return p.Store().Remote
}
