package dump

import (
	"fmt"
	"maps"
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/codec/edn"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

func key(name string) fressian.Keyword { return fressian.Keyword{Name: name} }

// versionKey is the key by which a manifest is known.
var versionKey = fressian.Keyword{NS: "datahike.migrate", Name: "format-version"}

// Text prints the manifest as EDN.
func (m *Manifest) Text() ([]byte, error) {
	compression := key("none")
	if m.Compressed {
		compression = key("gzip")
	}
	idents := fressian.Map{}
	for _, id := range slices.Sorted(maps.Keys(m.SystemIdents)) {
		idents = append(idents, fressian.Entry{Key: id, Value: m.SystemIdents[id]})
	}
	text, err := edn.Append(nil, append(fressian.Map{
		{Key: versionKey, Value: int64(FormatVersion)},
		{Key: key("history?"), Value: m.History},
		{Key: key("serialization"), Value: key("cbor-seq")},
		{Key: key("compression"), Value: compression},
		{Key: fressian.Keyword{NS: "datahike", Name: "meta"}, Value: m.Meta},
		{Key: key("requires"), Value: vector(m.Requires)},
		{Key: key("source-config"), Value: m.Config},
		{Key: key("schema"), Value: m.Schema},
		{Key: key("system-idents"), Value: idents},
		{Key: key("stats"), Value: m.Stats.value()},
		{Key: key("semantic-digest"), Value: m.Digest.value()},
		{Key: key("store-refs"), Value: m.StoreRefs.value()},
		{Key: key("chunks"), Value: m.chunks()},
	}, m.Extra...))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestName, err)
	}
	return append(text, '\n'), nil
}

func vector[T any](items []T) fressian.Vector {
	v := make(fressian.Vector, len(items))
	for i, item := range items {
		v[i] = item
	}
	return v
}

func (m *Manifest) chunks() fressian.Vector {
	v := fressian.Vector{}
	for _, c := range m.Chunks {
		v = append(v, fressian.Map{
			{Key: key("file"), Value: c.File},
			{Key: key("count"), Value: c.Count},
			{Key: key("bytes"), Value: c.Bytes},
			{Key: key("raw-bytes"), Value: c.RawBytes},
			{Key: key("sha256"), Value: c.SHA256},
		})
	}
	return v
}

func (d Digest) value() fressian.Map {
	return fressian.Map{
		{Key: key("algo"), Value: key("xor64+sum64")},
		{Key: key("xor"), Value: fmt.Sprintf("%016x", d.Xor)},
		{Key: key("sum"), Value: fmt.Sprintf("%016x", d.Sum)},
		{Key: key("count"), Value: d.Count},
	}
}

func (s Stats) value() fressian.Map {
	var source any
	if s.Source >= 0 {
		source = s.Source
	}
	return fressian.Map{
		{Key: key("datom-count"), Value: s.Datoms},
		{Key: key("source-datom-count"), Value: source},
		{Key: key("transformed?"), Value: s.Transformed},
		{Key: key("max-eid"), Value: s.MaxE},
		{Key: key("max-tx"), Value: s.MaxTx},
	}
}

func (r *StoreRefs) value() any {
	if r == nil {
		return nil
	}
	return fressian.Map{
		{Key: key("self-contained?"), Value: len(r.External) == 0},
		{Key: key("carried-count"), Value: int64(len(r.Carried))},
		{Key: key("carried"), Value: vector(r.Carried)},
		{Key: key("external"), Value: vector(r.External)},
	}
}
