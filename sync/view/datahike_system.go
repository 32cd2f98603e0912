package view

import (
	"context"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// SystemIdents are the entities that a database with :attribute-refs? has had
// from the beginning, and their names; nil for any other database.
func (v *DatahikeView) SystemIdents(ctx context.Context) (map[int64]fressian.Keyword, error) {
	if refs, _ := v.rec.Config.Settings["attribute-refs?"].(bool); !refs {
		return nil, nil
	}
	m, err := v.reader.SchemaMap(ctx, v.head, v.rec)
	if err != nil {
		return nil, err
	}
	idents := map[int64]fressian.Keyword{}
	set, _ := m.Get("", "system-entities")
	entities, _ := set.(fressian.Set)
	for _, e := range entities {
		id, ok := e.(int64)
		if name, named := v.schema.Idents[id]; ok && named {
			idents[id] = name
		}
	}
	return idents, nil
}
