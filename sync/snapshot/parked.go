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
// removed by a later prune. Until then it can be brought back.
type Parked struct {
	Manifest *Manifest
	// Until is when its segments may go.
	Until time.Time
}

// parked is how pruned.edn says so: the manifest's very bytes are in it.
type parked struct {
	FormatVersion int       `edn:"format/version"`
	Until         time.Time `edn:"pruned/until"`
	Manifest      string    `edn:"pruned/manifest"`
}

// Parked reads what a pruned point was; graph.ErrNotFound means that there is
// none of that id.
func (p *Place) Parked(ctx context.Context, id string) (*Parked, error) {
	b, err := p.files.Get(ctx, graph.ID(p.pointName(id, parkedName)))
	if err != nil {
		return nil, err
	}
	var rec parked
	if err := edn.Unmarshal(b, &rec); err != nil {
		return nil, fmt.Errorf("%s of %s: %w: %w", p.pointName(id, parkedName), p, graph.ErrCorrupt, err)
	}
	m, err := p.decode(id, []byte(rec.Manifest))
	return &Parked{m, rec.Until}, err
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

func (p *Place) isParked(ctx context.Context, id string) (bool, error) {
	_, err := p.files.Size(ctx, graph.ID(p.pointName(id, parkedName)))
	if errors.Is(err, graph.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
