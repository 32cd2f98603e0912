package snapshot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Parked is a point that was pruned: it is listed no more, and its segments are
// removed by a later prune. Until then it can be brought back. A point that has
// a manifest as well is not parked: whoever parked it or brought it back was
// interrupted.
type Parked struct {
	Manifest *Manifest
	// At is when it was pruned, and Until when its segments may go.
	At, Until time.Time
	// Going: some of them may be gone.
	Going bool
}

// parked is how pruned.edn says so: the manifest's very bytes are in it.
type parked struct {
	FormatVersion int       `edn:"format/version"`
	At            time.Time `edn:"pruned/at"`
	Until         time.Time `edn:"pruned/until"`
	Going         bool      `edn:"pruned/going,omitempty"`
	Manifest      string    `edn:"pruned/manifest"`
}

// Parked reads what a pruned point was; graph.ErrNotFound means that there is
// none of that id.
func (p *Place) Parked(ctx context.Context, id string) (*Parked, error) {
	rec, err := p.readParked(ctx, id)
	if err != nil {
		return nil, err
	}
	m, err := p.decode(id, []byte(rec.Manifest))
	return &Parked{m, rec.At, rec.Until, rec.Going}, err
}

func (p *Place) readParked(ctx context.Context, id string) (rec parked, err error) {
	name := p.pointName(id, parkedName)
	b, err := p.files.Get(ctx, graph.ID(name))
	if err != nil {
		return rec, err
	}
	if len(b) > 2*maxManifest || nests(b) {
		return rec, fmt.Errorf("%s of %s has %d bytes, or nests too deeply: %w", name, p, len(b), graph.ErrCorrupt)
	}
	if err := edn.Unmarshal(b, &rec); err != nil {
		return rec, fmt.Errorf("%s of %s: %w: %w", name, p, graph.ErrCorrupt, err)
	}
	if rec.FormatVersion > FormatVersion {
		return rec, fmt.Errorf("%s of %s has format version %d, this program reads up to %d; use a newer rclone-datom: %w",
			name, p, rec.FormatVersion, FormatVersion, graph.ErrUnsupported)
	}
	return rec, nil
}

// ManifestOrParked is Manifest for those who build on a point that may have
// been pruned: its lists are still there.
func (p *Place) ManifestOrParked(ctx context.Context, id string) (*Manifest, error) {
	m, err := p.Manifest(ctx, id)
	if !errors.Is(err, graph.ErrNotFound) {
		return m, err
	}
	was, err := p.Parked(ctx, id)
	if err != nil {
		return nil, err
	}
	return was.Manifest, nil
}

// IsParked tells whether there is a pruned point of that id.
func (p *Place) IsParked(ctx context.Context, id string) (bool, error) {
	_, err := p.files.Size(ctx, graph.ID(p.pointName(id, parkedName)))
	if errors.Is(err, graph.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Park writes that a point is pruned. It stays listed until Unlist, which comes
// after Settle.
func (r *Run) Park(ctx context.Context, m *Manifest, until time.Time) error {
	b, err := r.place.files.Get(ctx, graph.ID(r.place.pointName(m.Point, manifestName)))
	if errors.Is(err, graph.ErrNotFound) { // it had none; see ParkNew
		b, err = m.checked()
	}
	if err != nil {
		return err
	}
	return r.writeParked(ctx, m.Point, parked{FormatVersion, r.place.Now().UTC(), until.UTC(), false, string(b)})
}

// ParkNew makes a point that is pruned from the outset: of what somebody else
// has written, so that it can be brought back. It must reach what added lists.
func (r *Run) ParkNew(ctx context.Context, m *Manifest, held []graph.Held, added Lines, until time.Time) error {
	if err := r.writePoint(ctx, m, held, added, func(func(string, error) bool) {}); err != nil {
		return err
	}
	m.Total = m.New
	return r.Park(ctx, m, until)
}

// Unlist takes the manifest of a parked point away, and first the marker that a
// point in chunks has.
func (r *Run) Unlist(ctx context.Context, id string) error {
	if r.place.Chunked() {
		if err := r.place.remove(ctx, r.place.pointName(id, markerName)); err != nil {
			return err
		}
	}
	return r.place.remove(ctx, r.place.pointName(id, manifestName))
}

// Going marks a parked point: from now on its segments may be missing, and
// nobody brings it back.
func (r *Run) Going(ctx context.Context, id string) error {
	rec, err := r.place.readParked(ctx, id)
	if err != nil || rec.Going {
		return err
	}
	rec.Going = true
	return r.writeParked(ctx, id, rec)
}

// Unpark brings a parked point back.
func (r *Run) Unpark(ctx context.Context, id string) error {
	rec, err := r.place.readParked(ctx, id)
	if err != nil {
		return err
	}
	if err := r.copier.Replace(ctx, r.place.pointName(id, manifestName), []byte(rec.Manifest)); err != nil {
		return err
	}
	if r.place.Chunked() {
		if err := r.Settle(ctx); err != nil {
			return err
		}
		if err := r.copier.Replace(ctx, r.place.pointName(id, markerName), []byte("complete\n")); err != nil {
			return err
		}
	}
	if err := r.Settle(ctx); err != nil {
		return err
	}
	return r.place.remove(ctx, r.place.pointName(id, parkedName))
}

// Forget removes what is left of a parked point, and last the record of it: as
// long as that is there, a later prune goes on.
func (r *Run) Forget(ctx context.Context, m *Manifest) error {
	dirs := []string{r.place.pointName(m.Point, headsDir)}
	if m.Copy {
		dirs = append(dirs, CopyDir(m.Point))
	}
	last := r.place.pointName(m.Point, parkedName)
	for _, dir := range append(dirs, r.place.pointName(m.Point)) {
		if err := r.place.removeBut(ctx, dir, last); err != nil {
			return err
		}
	}
	if err := r.place.remove(ctx, last); err != nil {
		return err
	}
	if r.place.Chunked() { // chunks may stay that other points need
		_ = r.place.rmdir(ctx, r.place.pointName(m.Point))
		return nil
	}
	return unlessGone(r.place.rmdir(ctx, r.place.pointName(m.Point)))
}

func (r *Run) writeParked(ctx context.Context, id string, rec parked) error {
	b, err := edn.MarshalPPrint(rec, nil)
	if err != nil {
		return err
	}
	return r.copier.Replace(ctx, r.place.pointName(id, parkedName), b)
}
