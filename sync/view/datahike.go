package view

import (
	"context"
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/datoms"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// DatahikeTx0 is Datahike's transaction of time 0, which no connection makes.
const DatahikeTx0 = 1 << 29

// DatahikeView is a value of a Datahike database.
type DatahikeView struct {
	reader *datoms.Reader
	head   graph.Held
	rec    *datahike.Record
	trees  map[string]graph.Tree
	schema *datahike.Schema
	idents map[int64]any    // the schema's, to hand out without allocating
	kept   datahike.AttrSet // see datoms.CurrentOnly
	info   Info
}

// OpenDatahike opens the value that the record of a head or a commit names.
// r reads its segments and must do so until Close.
func OpenDatahike(ctx context.Context, r *datoms.Reader, head graph.Held, rec *datahike.Record) (*DatahikeView, error) {
	m, err := r.SchemaMap(ctx, head, rec)
	if err != nil {
		return nil, err
	}
	v := &DatahikeView{reader: r, head: head, rec: rec, trees: map[string]graph.Tree{}, idents: map[int64]any{}}
	if v.schema, err = datahike.ParseSchema(m); err != nil {
		return nil, fmt.Errorf("schema of %s: %w", head.ID, err)
	}
	for id, ident := range v.schema.Idents {
		v.idents[id] = ident
	}
	v.info = Info{Kind: Datahike, Database: rec.DatabaseID, MaxTx: rec.MaxTx, T: rec.MaxTx - DatahikeTx0, MaxE: rec.MaxE, Datoms: -1}
	if v.info.Database == "" {
		v.info.Database = rec.Config.StoreID
	}
	v.info.History, _ = rec.Config.Settings["keep-history?"].(bool)
	for _, t := range rec.Graph.Trees {
		v.trees[t.Name] = t
		if t.Name == "temporal-eavt" {
			v.info.History = true
		}
	}
	if t, ok := v.trees["eavt"]; ok {
		v.info.Datoms = t.Count
	}
	if v.info.History {
		v.kept, err = datoms.CurrentOnly(m)
	}
	return v, err
}

// Describe says of which branch, with its colon, and of which point of a backup
// the value is.
func (v *DatahikeView) Describe(branch, point string) { v.info.Branch, v.info.Point = branch, point }

// Reader is what reads the segments.
func (v *DatahikeView) Reader() *datoms.Reader { return v.reader }

// Head is the object of the record, and Record what that says.
func (v *DatahikeView) Head() graph.Held { return v.head }

// Record is the record of the value.
func (v *DatahikeView) Record() *datahike.Record { return v.rec }

// Tree returns the index of a name such as "temporal-eavt", and whether it has
// any datoms.
func (v *DatahikeView) Tree(name string) (graph.Tree, bool) {
	t, ok := v.trees[name]
	return t, ok
}

// Attribute is what a datom's A is for those who read the trees by themselves:
// the keyword of an id, or a itself.
func (v *DatahikeView) Attribute(a any) any {
	if id, ok := a.(int64); ok {
		if ident, ok := v.idents[id]; ok {
			return ident
		}
	}
	return a
}

// Info implements View.
func (v *DatahikeView) Info() Info { return v.info }

// Schema implements View.
func (v *DatahikeView) Schema() *datom.Schema { return v.schema.Schema }

// Close implements View.
func (v *DatahikeView) Close() error { return nil }
