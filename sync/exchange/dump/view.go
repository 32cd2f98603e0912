package dump

import (
	"context"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// View is a dump as a value of a database. Every Scan reads all of it, checks
// it, and sorts what is wanted in temporary files: a dump has no index.
type View struct {
	view.View
	dump    *Dump
	carried map[fressian.UUID]bool // the objects that it has
}

// View returns the view. That of a database with :attribute-refs? reads the
// dump once, to find the entities of attributes.
func (d *Dump) View(ctx context.Context) (*View, error) {
	ids := map[fressian.Keyword]int64{}
	if refs, _ := d.Manifest.Config.Get("", "attribute-refs?"); refs == true {
		for name, id := range d.idents {
			ids[name] = id
		}
		err := d.one(ctx, func(r datom.Datom) error {
			if name, ok := r.V.(fressian.Keyword); ok && r.Added && r.A == any(ident) {
				ids[name] = r.E
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	carried := map[fressian.UUID]bool{}
	if refs := d.Manifest.StoreRefs; refs != nil {
		for _, id := range refs.Carried {
			carried[id] = true
		}
	}
	return &View{view.OfStream(view.Stream{Info: d.info(), Schema: d.schema(ids), Each: d.one}), d, carried}, nil
}

var ident = fressian.Keyword{NS: "db", Name: "ident"}

// schema is that of the manifest, with the entities of attributes.
func (d *Dump) schema(ids map[fressian.Keyword]int64) *datom.Schema {
	var attrs []datom.Attribute
	for _, e := range d.Manifest.Schema {
		name, ok := e.Key.(fressian.Keyword)
		props, _ := e.Value.(fressian.Map)
		if !ok {
			continue
		}
		a, _ := view.AttributeOf(props)
		_, system := d.idents[name]
		a.System = system || a.Ident != name // where it is no entity, it does not say its name
		a.Ident, a.ID = name, ids[name]
		attrs = append(attrs, a)
	}
	return datom.NewSchema(attrs)
}

func (d *Dump) info() view.Info {
	m := d.Manifest
	info := view.Info{
		Kind: view.Datahike, MaxTx: m.Stats.MaxTx, T: m.Stats.MaxTx - tx0, MaxE: m.Stats.MaxE, History: m.History, Datoms: -1,
	}
	if id, _ := m.Meta.Get("datahike", "id"); id != nil {
		if u, ok := id.(fressian.UUID); ok {
			info.Database = hasch.String(u)
		}
	}
	if !m.History {
		info.Datoms = m.Stats.Datoms
	}
	return info
}

// one calls fn with all records in no order, from one goroutine at a time.
func (d *Dump) one(ctx context.Context, fn func(datom.Datom) error) error {
	var mu sync.Mutex
	return d.Each(ctx, func(some []datom.Datom) error {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range some {
			if err := fn(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// Dump is what the view reads.
func (v *View) Dump() *Dump { return v.dump }

// Unsorted implements view.Unsorted.
func (v *View) Unsorted(ctx context.Context, history bool, fn func([]datom.Datom) error) error {
	if history == v.dump.Manifest.History {
		return v.dump.Each(ctx, fn)
	}
	return view.Each(ctx, v.View, history, fn)
}

var (
	_ view.Unsorted = (*View)(nil)
	_ view.Objects  = (*View)(nil)
)
