package dbsync

import (
	"context"

	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// reading walks everything that heads reach in one store, without copying.
type reading struct {
	walk
	files   *store.Files
	history *descent.History
}

func newReading(d *datahike.Dialect, files *store.Files, workers int) *reading {
	r := &reading{files: files}
	r.walk = walk{
		dialect: d, spool: spill.NewSpool(),
		walker: &descent.Walker{Decoder: d, Workers: workers, Read: r.read},
	}
	r.history = &descent.History{Load: r.load, Spool: r.spool}
	return r
}

func (r *reading) read(ctx context.Context, ref graph.Ref) ([]byte, error) {
	return datahike.Present(ctx, r.files.Get, ref.ID)
}

func (r *reading) load(ctx context.Context, id graph.ID) (graph.Record, []byte, error) {
	data, err := datahike.Present(ctx, r.files.Get, id)
	if err != nil {
		return graph.Record{}, nil, err
	}
	rec, err := r.dialect.Record(id, data)
	if err != nil {
		return graph.Record{}, nil, err
	}
	return rec.Graph, data, nil
}

// heads walks what the branches reach.
func (r *reading) heads(ctx context.Context, branches []datahike.Branch) error {
	commits, err := r.history.Since(ctx, entries(branches), nil, 0)
	if err != nil {
		return err
	}
	return r.all(ctx, branches, commits)
}

func (r *reading) close() { _ = r.spool.Close() }
