package datacamp

import (
	"context"
	"errors"
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// OpenView opens a complete backup as a view. The schema is that of schema.edn;
// without one, as in datacamp's own backups, all chunks are read for it.
func OpenView(ctx context.Context, open Open) (view.View, error) {
	m, err := ReadManifest(ctx, open)
	if err != nil {
		return nil, err
	}
	if err := m.checkSums(); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestFile, err)
	}
	s := view.Stream{Info: m.info(), Sorted: true}
	s.Each = func(ctx context.Context, fn func(datom.Datom) error) error { return m.each(ctx, open, fn) }
	text, err := readSmall(ctx, open, SchemaFile)
	switch {
	case err == nil:
		s.Schema, err = ParseSchema(text)
	case errors.Is(err, graph.ErrNotFound):
		s.Schema, err = view.SchemaOf(ctx, func(ctx context.Context, fn func(datom.Datom) error) error {
			return view.OfStream(s).Scan(ctx, datom.Query{}, fn)
		})
	}
	if err != nil {
		return nil, err
	}
	return view.OfStream(s), nil
}

// datomicPartition is where Datomic has its transactions: entity ids have the
// partition above this bit.
const datomicPartition = 42

func (m *Manifest) info() view.Info {
	i := view.Info{
		Kind: m.Kind, Database: m.Database, Branch: m.Branch, Point: m.ID, History: m.History,
		MaxTx: m.MaxTx, T: m.MaxTx - view.DatahikeTx0, MaxE: -1, Datoms: m.Datoms,
	}
	if m.Kind == view.Datomic {
		i.Branch, i.T = "", m.MaxTx&(1<<datomicPartition-1)
	}
	if m.History {
		i.Datoms = -1
	}
	return i
}

func (m *Manifest) each(ctx context.Context, open Open, fn func(datom.Datom) error) error {
	r := Reader{Open: open}
	last := int64(0)
	for i, c := range m.Chunks {
		n := 0
		err := r.Chunk(ctx, c, func(d datom.Datom) error {
			if (i > 0 || n > 0) && d.E < last {
				return fmt.Errorf("%s: %w: datom %d, of entity %d, comes after one of entity %d", c.Path, graph.ErrCorrupt, n, d.E, last)
			}
			last = d.E
			n++
			return fn(d)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
