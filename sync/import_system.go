package dbsync

import (
	"cmp"
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/exchange/dump"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// systemDatoms are those that a database with :attribute-refs? has had from the
// beginning, as far as the view does not have them: a dump only names what they
// are about, in its manifest.
func (a *sourceAttrs) systemDatoms(v view.View) (all []datom.Datom) {
	d, ok := view.AtAnyTime[*dump.View](v)
	if !ok || !a.refs {
		return nil
	}
	ids := map[fressian.Keyword]int64{}
	for id, name := range d.Dump().Manifest.SystemIdents {
		ids[name] = id
	}
	add := func(e int64, attr fressian.Keyword, value any) {
		if id, known := ids[attr]; known {
			all = append(all, datom.Datom{E: e, A: id, V: value, Tx: view.DatahikeTx0, Added: true})
		}
	}
	add(view.DatahikeTx0, txInstant, fressian.Inst(0))
	for name, id := range ids {
		add(id, fressian.Keyword{NS: "db", Name: "ident"}, name)
		attr := a.schema.Attr(name)
		if attr == nil {
			continue
		}
		for _, p := range attr.Props {
			property, _ := p.Key.(fressian.Keyword)
			if property == (fressian.Keyword{NS: "db", Name: "ident"}) {
				continue
			}
			value := p.Value
			if k, named := value.(fressian.Keyword); named && ids[k] != 0 {
				value = ids[k] // such as :db.type/string
			}
			add(id, property, value)
		}
	}
	slices.SortFunc(all, func(x, y datom.Datom) int { return cmp.Compare(x.E, y.E) })
	return all
}
