package datoms

import (
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// CurrentOnly returns the attributes whose current datoms :temporal-eavt lacks:
// those of cardinality many, and those without history (:db/txInstant is one).
// A history is what :temporal-eavt has, and the datoms of these attributes in
// :eavt; so reads Datahike (datahike.db.utils/distinct-datoms, 0.6 to 0.8).
// Current datoms of other attributes are in :temporal-eavt as well; but where
// 0.6 asserted an identity anew, only :eavt has the new transaction, and the
// history that a connection shows does not.
//
// schema is the decoded schema blob, or a record that has the schema itself.
func CurrentOnly(schema fressian.Map) (datahike.AttrSet, error) {
	v, _ := schema.Get("", "rschema")
	properties, ok := v.(fressian.Map)
	if !ok {
		return nil, fmt.Errorf("%w: the schema has no :rschema", graph.ErrCorrupt)
	}
	attrs := datahike.AttrSet{}
	for _, p := range []fressian.Keyword{{NS: "db.cardinality", Name: "many"}, {NS: "db", Name: "noHistory"}} {
		v, _ := properties.Get(p.NS, p.Name)
		set, _ := v.(fressian.Set)
		for _, a := range set {
			if k, ok := a.(fressian.Keyword); ok {
				attrs[k] = true
			}
		}
	}
	ids, _ := schema.Get("", "ident-ref-map") // with :attribute-refs?, datoms have these
	m, _ := ids.(fressian.Map)
	for _, e := range m {
		k, isName := e.Key.(fressian.Keyword)
		id, isID := e.Value.(int64)
		if isName && isID && attrs[k] {
			attrs[id] = true
		}
	}
	return attrs, nil
}
