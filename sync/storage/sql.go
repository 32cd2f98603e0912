package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// indexVersion is the version of index trees that the dialect reads. The rows do
// not state it: the tree's top does, and is refused if it states another.
const indexVersion = 2

// sqlWorkers is how many Gets wait at a time. The table makes few queries of
// them, so it is more than there are connections.
const sqlWorkers = 256

// SQL is a database in a table of an SQL server.
type SQL struct {
	t     *table.Table
	found found
	reads atomic.Int64
}

// OpenSQL finds a database by its name in the table's catalog, or by its id, by
// which a deleted one is found as well as long as its rows are there. Without a
// name it takes the only one. It returns ErrNoDatabase if there is none, and
// names those that there are. Close closes the table.
func OpenSQL(ctx context.Context, t *table.Table, database string) (*SQL, error) {
	s := &SQL{t: t}
	c, err := s.Catalog(ctx)
	if err == nil {
		s.found, err = find(c, database)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t, err)
	}
	return s, nil
}

// Catalog implements [Storage].
func (s *SQL) Catalog(ctx context.Context) (*datomic.Catalog, error) { return Catalog(ctx, s.t) }

// Catalog reads which databases a table has.
func Catalog(ctx context.Context, t *table.Table) (*datomic.Catalog, error) {
	row, chain, err := t.Named(ctx, datomic.CatalogRow)
	if errors.Is(err, table.ErrNoRow) {
		return nil, fmt.Errorf("the table has no whole catalog of Datomic databases: %w: %w", ErrNoDatabase, err)
	}
	if err != nil {
		return nil, err
	}
	tail, err := datomic.ParsePod(row.Map)
	if err != nil {
		return nil, named(row.ID, err)
	}
	text, err := join(tail, chain)
	if err != nil {
		return nil, named(row.ID, err)
	}
	c, err := datomic.ParseCatalog(text)
	return c, named(row.ID, err)
}

// Pin implements [Storage].
func (s *SQL) Pin(ctx context.Context) (*datomic.Value, error) {
	index, log := datomic.IndexRow(s.found.id), datomic.LogRow(s.found.id)
	rows, chain, err := s.t.Pin(ctx, []string{index}, log)
	if err == nil && rows[index].ID == "" {
		err = fmt.Errorf("row %s: %w", index, table.ErrNoRow)
	}
	if errors.Is(err, table.ErrNoRow) {
		err = fmt.Errorf("%w: %w", graph.ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	v := &datomic.Value{DatabaseID: s.found.id, IndexVersion: indexVersion}
	if v.Index, err = datomic.ParseIndex(rows[index].Map); err != nil {
		return nil, named(index, err)
	}
	ref, err := datomic.ParseLog(rows[log].Map)
	if err != nil {
		return nil, named(log, err)
	}
	v.Log, v.LogVersion = ref.Root, ref.Version
	v.Tail, err = join(ref.Tail, chain)
	return v, named(log, err)
}

// join checks that a pod's links, newest first, follow one another, and returns
// what they hold, oldest first.
func join(tail graph.ID, chain []table.Row) ([]byte, error) {
	want, parts := tail, make([][]byte, 0, len(chain))
	for _, link := range chain {
		if graph.ID(link.ID) != want {
			return nil, fmt.Errorf("link %s is there where %q should be: %w", link.ID, want, graph.ErrCorrupt)
		}
		if link.Val == nil {
			return nil, noBytes(want)
		}
		var err error
		if want, err = datomic.ParsePrev(link.Map); err != nil {
			return nil, fmt.Errorf("link %s: %w", link.ID, err)
		}
		parts = append(parts, link.Val)
	}
	if want != "" {
		return nil, fmt.Errorf("link %s: %w", want, graph.ErrNotFound)
	}
	slices.Reverse(parts)
	return slices.Concat(parts...), nil
}

// noBytes reports a row that has NULL where a segment's bytes are.
func noBytes(id graph.ID) error {
	return fmt.Errorf("row %s has no bytes: %w", id, graph.ErrCorrupt)
}

// named adds a row's name to an error.
func named(row string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("row %s: %w", row, err)
}

// Get implements [Storage].
func (s *SQL) Get(ctx context.Context, id graph.ID) ([]byte, error) {
	s.reads.Add(1)
	data, err := s.t.Get(ctx, string(id))
	switch {
	case errors.Is(err, table.ErrNoRow):
		return nil, fmt.Errorf("%s: %w", id, graph.ErrNotFound)
	case errors.Is(err, table.ErrNull):
		return nil, noBytes(id)
	case err != nil:
		return nil, fmt.Errorf("failed to read %s: %w", id, err)
	}
	return data, nil
}

// Sizes implements [Storage].
func (s *SQL) Sizes(ctx context.Context, ids []graph.ID) (map[graph.ID]int64, error) {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = string(id)
	}
	found, err := s.t.Sizes(ctx, names)
	if err != nil {
		return nil, err
	}
	sizes := make(map[graph.ID]int64, len(found))
	for name, size := range found {
		sizes[graph.ID(name)] = size
	}
	return sizes, nil
}

// Reads implements [Storage].
func (s *SQL) Reads() int64 { return s.reads.Load() }

// Workers implements [Storage].
func (s *SQL) Workers() int { return sqlWorkers }

// Database implements [Storage].
func (s *SQL) Database() string { return s.found.name }

// String implements [Storage].
func (s *SQL) String() string { return fmt.Sprintf("%s in %s", s.found, s.t) }

// Close implements [Storage].
func (s *SQL) Close() error { return s.t.Close() }
