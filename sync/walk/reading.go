package walk

import (
	"context"

	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// Reading walks everything that heads reach in one store, without copying.
type Reading struct {
	Walk
	files   store.Segments
	History *descent.History
}

// NewReading returns a walk over the segments in files; set Begin before it
// is used, and Close it afterwards.
func NewReading(d *datahike.Dialect, files store.Segments, workers int) *Reading {
	r := &Reading{files: files}
	r.Walk = Walk{
		Dialect: d, Spool: spill.NewSpool(),
		Walker: &descent.Walker{Decoder: d, Workers: workers, Read: r.read},
	}
	r.Schemas = &Schemas{Dialect: d, Read: r.read}
	r.History = &descent.History{Load: r.load, Spool: r.Spool}
	return r
}

func (r *Reading) read(ctx context.Context, ref graph.Ref) ([]byte, error) {
	return datahike.Present(ctx, r.files.Get, ref.ID)
}

func (r *Reading) load(ctx context.Context, id graph.ID) (graph.Record, []byte, error) {
	data, err := datahike.Present(ctx, r.files.Get, id)
	if err != nil {
		return graph.Record{}, nil, err
	}
	rec, err := r.Dialect.Record(id, data)
	if err != nil {
		return graph.Record{}, nil, err
	}
	return rec.Graph, data, nil
}

// Heads walks what the branches reach.
func (r *Reading) Heads(ctx context.Context, branches []datahike.Branch) error {
	commits, err := r.History.Since(ctx, Entries(branches), nil, 0)
	if err != nil {
		return err
	}
	return r.All(ctx, branches, commits)
}

// Close frees what was spooled.
func (r *Reading) Close() { _ = r.Spool.Close() }

// Collect is a visitor that keeps ids alone.
type Collect struct{ IDs *spill.Sorter }

// Visit implements Visitor.
func (c Collect) Visit(_ context.Context, ref graph.Ref, _ []byte) error {
	c.IDs.Add(string(ref.ID))
	return nil
}

// Finish implements Visitor.
func (c Collect) Finish(_ context.Context, records []Record) error {
	for _, r := range records {
		c.IDs.Add(string(r.ID))
	}
	return nil
}

// Abandon implements Visitor.
func (Collect) Abandon() error { return nil }
