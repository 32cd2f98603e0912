package datoms

import (
	"context"
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Digests are those of one database value, as docs/datahike.md defines them.
type Digests struct {
	Current       string `json:"sha256Current"`
	CurrentDatoms int64  `json:"datomsCurrent"`
	// History is empty where the database keeps none.
	History       string `json:"sha256History,omitempty"`
	HistoryDatoms int64  `json:"datomsHistory,omitempty"`
}

// Digests reads all datoms of the value that a head or commit names. datom.ErrNoText
// means that it has no digest.
func (r *Reader) Digests(ctx context.Context, head graph.Held, rec *datahike.Record) (*Digests, error) {
	current, history := datom.NewDigest(), datom.NewDigest()
	defer current.Close()
	defer history.Close()
	kept, err := r.currentOnly(ctx, head, rec)
	if err != nil {
		return nil, err
	}
	temporal := false
	for _, t := range rec.Graph.Trees {
		switch t.Name {
		case "eavt":
			err = r.Each(ctx, head, t, func(p Part) error { return p.addTo(current, history, kept) })
		case "temporal-eavt":
			temporal = true
			err = r.Each(ctx, head, t, func(p Part) error { return p.addTo(history, nil, nil) })
		}
		if err != nil {
			return nil, err
		}
	}
	d := &Digests{}
	if d.Current, d.CurrentDatoms, err = current.Sum(); err == nil && temporal {
		d.History, d.HistoryDatoms, err = history.Sum()
	}
	return d, err
}

// addTo adds the datoms to one digest, and those of some attributes to another.
func (p Part) addTo(all, some *datom.Digest, attrs datahike.AttrSet) error {
	var text []byte
	for i := range p.Len() {
		f, err := p.Fact(i)
		if err != nil {
			return err
		}
		if text, err = datom.AppendText(text[:0], f); err != nil {
			return err
		}
		all.AddText(text)
		if attrs[f.A] {
			some.AddText(text)
		}
	}
	return nil
}

// currentOnly are the attributes whose current datoms belong to the history.
func (r *Reader) currentOnly(ctx context.Context, head graph.Held, rec *datahike.Record) (datahike.AttrSet, error) {
	m, err := r.SchemaMap(ctx, head, rec)
	if err != nil {
		return nil, err
	}
	return CurrentOnly(m)
}

// SchemaMap reads what says the schema of a value: its schema blob, or the
// record itself where there is none.
func (r *Reader) SchemaMap(ctx context.Context, head graph.Held, rec *datahike.Record) (fressian.Map, error) {
	if rec.SchemaID == "" {
		return r.Dialect.Map(head.ID, head.Data)
	}
	data, err := r.Get(ctx, rec.SchemaID, nil)
	if err != nil {
		return nil, fmt.Errorf("failed to read the schema %s: %w", rec.SchemaID, err)
	}
	return r.Dialect.Map(rec.SchemaID, data)
}
