package view

import (
	"context"
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// maxAhead bounds the leaves of one tree that are read ahead.
const maxAhead = 4

// DatomicView is a value of a Datomic database.
//
// Of each order there are up to four trees, and the log has what is newer than
// all of them:
//
//	main   what was current when the tree was written, seldom more
//	mid    what came after main, retractions too
//	hist   what was retracted from main, and the retractions
//	(bare) the same as main, of older versions
//
// History is all of them; what is current is in all of them but hist: the
// assertions of each entity, attribute and value that are newer than the last
// retraction.
type DatomicView struct {
	dialect *datomic.Dialect
	read    datomic.Get
	value   *datomic.Value
	depth   int                 // leaves of a tree that are read ahead
	trees   map[string]graph.ID // by Datomic's names, such as "raet-mid"
	basis   int64               // the t up to which the trees are
	recent  recent
	info    Info
	schema  *datom.Schema
	names   map[int32]any // fressian.Keyword by attribute
	// absent are the attributes without datoms in AVET.
	absent map[int32]bool
}

// OpenDatomic opens a value. It reads the schema and what the log has beyond
// the indexes; get is called from as many as workers goroutines for each tree,
// but no more than four.
func OpenDatomic(ctx context.Context, d *datomic.Dialect, get datomic.Get, value *datomic.Value, workers int) (*DatomicView, error) {
	return openDatomic(ctx, d, get, value, workers, recentMemory)
}

func openDatomic(ctx context.Context, d *datomic.Dialect, get datomic.Get, value *datomic.Value, workers, memory int) (*DatomicView, error) {
	v := &DatomicView{
		dialect: d, read: get, value: value, depth: min(max(workers, 1), maxAhead),
		trees: map[string]graph.ID{}, recent: recent{limit: memory},
	}
	if err := v.open(ctx); err != nil {
		return nil, fmt.Errorf("database %s: %w", value.DatabaseID, err)
	}
	return v, nil
}

func (v *DatomicView) open(ctx context.Context) error {
	data, err := v.get(ctx, v.value.Index)
	if err != nil {
		return err
	}
	trees, err := v.dialect.Indexes(v.value.Index, data)
	if err != nil {
		return err
	}
	for _, t := range trees {
		v.trees[t.Name] = t.Ref.ID
	}
	if v.basis, err = v.dialect.Basis(v.value.Index, data); err != nil {
		return err
	}
	last, err := v.readSchema(ctx)
	if err != nil {
		return err
	}
	if last == 0 {
		tx, err := v.dialect.Last(ctx, v.read, v.value)
		if err != nil {
			return err
		}
		last = tx.T
	}
	v.info = Info{
		Kind: Datomic, Database: v.value.DatabaseID, MaxTx: datomic.TxEntity(last), T: last,
		MaxE: -1, History: true, Datoms: -1,
	}
	return nil
}

func (v *DatomicView) get(ctx context.Context, id graph.ID) ([]byte, error) {
	data, err := v.read(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	return data, nil
}

// Describe says which point of a backup the value is.
func (v *DatomicView) Describe(point string) { v.info.Point = point }

// Info implements View.
func (v *DatomicView) Info() Info { return v.info }

// Schema implements View. Attributes have what their entities have.
func (v *DatomicView) Schema() *datom.Schema { return v.schema }

// Close implements View.
func (v *DatomicView) Close() error { return nil }
