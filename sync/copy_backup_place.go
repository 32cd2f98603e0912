package dbsync

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

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
	// parked are the pruned points of which nothing has gone yet.
	parked map[string]*snapshot.Manifest
	// going are those of which something has.
	going map[string]*snapshot.Manifest
	// planned are the points that are not there because of --dry-run, as they are
	// where they would be copied from.
	planned map[string]*snapshot.Manifest
	ids     []string        // that were there at the last look
	sources map[string]bool // the databases of which points are copied
	repair  bool            // what is damaged is put back
}

// look reads which points are there, and refuses another database.
func (p *copyPlace) look(ctx context.Context, m *snapshot.Manifest) error {
	ids, err := p.IDs(ctx)
	if err != nil {
		return err
	}
	p.points, p.incomplete, p.ids = nil, nil, ids
	p.parked, p.going, p.planned = map[string]*snapshot.Manifest{}, map[string]*snapshot.Manifest{}, map[string]*snapshot.Manifest{}
	begun := false // and never ended, although there are newer ones
	for _, id := range ids {
		have, err := p.Manifest(ctx, id)
		if errors.Is(err, graph.ErrNotFound) {
			if err := p.lookAt(ctx, id); err != nil {
				return err
			}
			begun = begun || id == m.Point && slices.Contains(p.incomplete, id)
			continue
		}
		if errors.Is(err, graph.ErrCorrupt) {
			err = fmt.Errorf("%w; remove the directory of the point from the copy, and it is copied again", err)
		}
		if err != nil {
			return err
		}
		switch {
		case have.Kind != m.Kind:
			return refuse("%s holds backups of a %s database, point %s is of a %s database; choose another destination", p, have.Kind, m.Point, m.Kind)
		case !p.sources[have.ID]:
			return refuse("%s holds backups of the database %s, point %s is of %s; choose another destination", p, have.ID, m.Point, m.ID)
		}
		p.points, p.incomplete = append(p.points, have), nil
	}
	if begun && !slices.Contains(p.incomplete, m.Point) {
		p.incomplete = append(p.incomplete, m.Point)
	}
	if len(p.points) == 0 {
		if err := checkKey(ctx, p.F); err != nil {
			return err
		}
	}
	return p.unclaimed(ctx, m)
}

// lookAt looks at what is no point.
func (p *copyPlace) lookAt(ctx context.Context, id string) error {
	was, err := p.Parked(ctx, id)
	switch {
	case errors.Is(err, graph.ErrNotFound):
		p.incomplete = append(p.incomplete, id)
		return nil
	case err != nil:
		return err
	case was.Going:
		p.going[id] = was.Manifest
	default:
		p.parked[id] = was.Manifest
	}
	return nil
}

// forget removes what is left of a pruned point that has begun to go, so that it
// can be copied again.
func (p *copyPlace) forget(ctx context.Context, run *snapshot.Run, m *snapshot.Manifest) error {
	if err := run.Forget(ctx, m); err != nil {
		return err
	}
	if p.Chunked() { // its chunks are no point's any more
		if err := p.Chunk(m.ID); err != nil {
			return err
		}
	}
	return p.look(ctx, m)
}

// glance is look for when it was looked before: if no point has come or gone
// since, and those are as they were that matter, that is all.
func (p *copyPlace) glance(ctx context.Context, m *snapshot.Manifest) error {
	ids, err := p.IDs(ctx)
	if err != nil {
		return err
	}
	same := slices.Equal(ids, p.ids) && !slices.Contains(ids, m.Point)
	for _, id := range []string{m.Parent, pointID(p.newest())} {
		if have := p.point(id); same && have != nil {
			now, err := p.Manifest(ctx, id)
			same = err == nil && reflect.DeepEqual(now.AddedList, have.AddedList) && now.Parent == have.Parent
		}
	}
	if same {
		return p.unclaimed(ctx, m)
	}
	return p.look(ctx, m)
}

// add takes note of a point that is there now.
func (p *copyPlace) add(m *snapshot.Manifest) {
	byID := func(a, b *snapshot.Manifest) int { return strings.Compare(a.Point, b.Point) }
	p.points, p.incomplete = append(p.points, m), nil
	slices.SortFunc(p.points, byID)
	if !slices.Contains(p.ids, m.Point) {
		p.ids = append(p.ids, m.Point)
		slices.Sort(p.ids)
	}
	delete(p.parked, m.Point)
}

// linear tells whether what the parent does not reach, no other point has either.
// A write in place that is cut short would damage that one.
func (p *copyPlace) linear(parent *snapshot.Manifest) bool {
	before := ""
	for _, have := range p.points {
		if have.Copy {
			continue
		}
		if have.Parent != before || have.Released.Segments > 0 && have.Kind != snapshot.Datomic {
			return false
		}
		before = have.Point
	}
	return before == pointID(parent) && len(p.parked) == 0
}

// changed is what is said of a head that no backup has put where it is.
const changed = "is not what a backup has put there: a database was opened there and written to, or the file is damaged; " +
	"choose another destination, or if it is damaged, remove the file and have it put back with --repair"

// unclaimed refuses a place that something else lies in.
func (p *copyPlace) unclaimed(ctx context.Context, m *snapshot.Manifest) error {
	if p.Chunked() {
		return nil
	}
	owner, err := p.Heads().Get(ctx, store.OwnerName)
	if err == nil && string(owner) != m.ID && (!p.repair || len(p.points) == 0) {
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
// point has put there: those of the newest point, or if there is none, of the one
// that is to come.
func (p *copyPlace) unmoved(ctx context.Context, m *snapshot.Manifest) error {
	for _, have := range p.points {
		if !have.Copy {
			m = have
		}
	}
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
			return refuse("%s in %s %s", m.HeadName(graph.ID(o.Name)), p, changed)
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
		root := m.Kind == snapshot.Datomic && have.ID == m.ID && have.T == m.T
		if have.Point == m.Point || root && (isNative(m) || m.Adopted && have.Adopted) {
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

// present are the heads that need not be written: a newer point has put its own
// there.
func (p *copyPlace) present(m *snapshot.Manifest, held []graph.Held) map[graph.ID]snapshot.Object {
	newer := slices.ContainsFunc(p.points, func(have *snapshot.Manifest) bool {
		return !have.Copy && have.Point > m.Point && (m.Kind != snapshot.Datomic || have.T == m.T)
	})
	if m.Copy || !newer {
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
