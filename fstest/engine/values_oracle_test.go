package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
)

// What the oracle knows of values that are objects of their own, and of what
// datoms there are: by the same rules as Datahike, naively.

// valueRefs is what a blob says of such values.
type valueRefs struct {
	attrs  map[any]bool // a schema: the attributes of type store-ref, and their ids
	datoms []uuidDatom  // a node: what it adds
	schema string       // a record: where its schema lies
	roots  []string     // a record: roots of the indexes by attribute
	inline []fressian.Tagged
}

// uuidDatom is a datom whose value may name an object.
type uuidDatom struct {
	attr any
	name string
}

// visitValues marks what the datoms of one record refer to.
func (o *oracle) visitValues(rec refs) {
	attrs := rec.values.attrs
	if data, ok := o.get(rec.values.schema); ok {
		if r, err := o.parse(data); err == nil {
			attrs = r.values.attrs
		}
	}
	if len(attrs) == 0 {
		return
	}
	mark := func(datoms []uuidDatom) {
		for _, d := range datoms {
			if !attrs[d.attr] {
				continue
			}
			if data, ok := o.get(d.name); ok && len(data) >= konserve.MinSize {
				o.reached[d.name] = true
			} else {
				o.absent[d.name] = true
			}
		}
	}
	below := slices.Clone(rec.values.roots)
	for _, root := range rec.values.inline {
		mark(uuidsIn(root))
		below = append(below, children(root)...)
	}
	for len(below) > 0 {
		name := below[0]
		below = below[1:]
		data, _ := o.get(name)
		if r, err := o.parse(data); err == nil {
			mark(r.values.datoms)
			below = append(below, r.must...)
		}
	}
}

// storeRefAttrs are the attributes of type store-ref in a schema blob, or in a
// record from before there were such blobs.
func storeRefAttrs(blob fressian.Map) map[any]bool {
	attrs := map[any]bool{}
	for _, e := range entriesOf(blob, "schema") {
		for _, p := range asMap(e.Value) {
			if p.Key == any(keywordOf(":db/valueType")) && p.Value == any(keywordOf(":db.type/store-ref")) {
				attrs[e.Key] = true
			}
		}
	}
	for _, e := range entriesOf(blob, "ident-ref-map") {
		if attrs[e.Key] {
			attrs[e.Value] = true
		}
	}
	return attrs
}

func asMap(v any) fressian.Map { m, _ := v.(fressian.Map); return m }

func entriesOf(m fressian.Map, name string) fressian.Map {
	v, _ := m.Get("", name)
	return asMap(v)
}

// uuidsIn are the datoms of a leaf, or those that are pending in an inner
// node, at any depth.
func uuidsIn(node fressian.Tagged) (found []uuidDatom) {
	m := asMap(node.Fields[0])
	if strings.HasSuffix(strings.ToLower(node.Tag), "leaf") {
		keys, _ := m.Get("", "keys")
		return uuidDatoms(list(keys))
	}
	return uuidsInSlots(entriesOf(m, "slots"))
}

func uuidsInSlots(slots fressian.Map) (found []uuidDatom) {
	for _, s := range slots {
		diff := entriesOf(asMap(s.Value), "diff")
		present, isLeaf := diff.Get("", "present")
		if !isLeaf {
			found = append(found, uuidsInSlots(diff)...)
			continue
		}
		found = append(found, uuidDatoms(list(present))...)
	}
	return found
}

func uuidDatoms(datoms []any) (found []uuidDatom) {
	for _, d := range datoms {
		row := list(d.(fressian.Tagged).Fields[0])
		if u, ok := row[2].(fressian.UUID); ok {
			found = append(found, uuidDatom{row[1], address(u)})
		}
	}
	return found
}

func recordValues(rec fressian.Map) (v valueRefs) {
	v.attrs = storeRefAttrs(rec)
	if u, ok := entry(rec, "schema-meta-key").(fressian.UUID); ok {
		v.schema = address(u)
	}
	for _, index := range []string{"aevt", "temporal-aevt"} {
		if root, ok := entry(rec, index+"-root").(fressian.Tagged); ok {
			v.inline = append(v.inline, root)
		} else if set, ok := entry(rec, index+"-key").(fressian.Tagged); ok {
			if u, ok := entry(asMap(set.Fields[0]), "address").(fressian.UUID); ok {
				v.roots = append(v.roots, address(u))
			}
		}
	}
	return v
}

func entry(m fressian.Map, name string) any { v, _ := m.Get("", name); return v }

// absentIn are the values of a store that have no object, sorted.
func absentIn(key string, img image) []string {
	o := walked(key, func(name string) ([]byte, bool) { b, ok := img[name]; return b, ok })
	return sortedKeys(o.absent)
}

// digests are those of a branch's indexes in a store, in the form of
// sample.Branch.Digests.
func digests(t testing.TB, store image, branch string) map[string]string {
	t.Helper()
	rec := decoded(t, store, keywordName(keywordOf(branch))).(fressian.Map)
	all := map[string]string{}
	for _, e := range rec {
		index, isIndex := strings.CutSuffix(e.Key.(fressian.Keyword).Name, "-key")
		set, isSet := e.Value.(fressian.Tagged)
		if !isIndex || !isSet {
			continue
		}
		root, fused := entry(rec, index+"-root").(fressian.Tagged)
		if !fused {
			u := entry(asMap(set.Fields[0]), "address").(fressian.UUID)
			root = decoded(t, store, address(u)).(fressian.Tagged)
		}
		lines := datomsBelow(t, store, root, nil)
		require.EqualValues(t, entry(asMap(set.Fields[0]), "count"), len(lines), "%s %s", branch, index)
		slices.Sort(lines)
		sum := sha256.Sum256([]byte(strings.Join(lines, "")))
		all[index] = hex.EncodeToString(sum[:])
	}
	return all
}

func decoded(t testing.TB, store image, name string) any {
	t.Helper()
	blob, err := konserve.NewCodec("").Open(store[name])
	require.NoError(t, err, name)
	v, err := fressian.Decode(blob.Value)
	require.NoError(t, err, name)
	return v
}

// datomsBelow are the datoms of a subtree, each encoded; slot is what the node
// above says of the root's edits.
func datomsBelow(t testing.TB, store image, node fressian.Tagged, slot any) (lines []string) {
	t.Helper()
	m := asMap(node.Fields[0])
	diff := entriesOf(asMap(slot), "diff")
	addresses := list(entry(m, "addresses"))
	if len(addresses) == 0 {
		gone := encodedDatoms(t, entry(diff, "absent"))
		lines = slices.DeleteFunc(encodedDatoms(t, entry(m, "keys")), func(l string) bool { return slices.Contains(gone, l) })
		return append(lines, encodedDatoms(t, entry(diff, "present"))...)
	}
	slots := entriesOf(m, "slots")
	if slot != nil {
		slots = diff
	}
	for i, a := range addresses {
		var edits any
		for _, s := range slots {
			if s.Key == any(int64(i)) {
				edits = s.Value
			}
		}
		child := decoded(t, store, address(a.(fressian.UUID))).(fressian.Tagged)
		lines = append(lines, datomsBelow(t, store, child, edits)...)
	}
	return lines
}

func encodedDatoms(t testing.TB, datoms any) (lines []string) {
	t.Helper()
	for _, d := range list(datoms) {
		w := fressian.NewWriter()
		require.NoError(t, w.Write(fressian.Vector(list(d.(fressian.Tagged).Fields[0]))), fmt.Sprint(d))
		lines = append(lines, string(w.Bytes()))
	}
	return lines
}

// commitOf is the id of the commit at which a store's branch stands.
func commitOf(t testing.TB, store image, branch string) string {
	t.Helper()
	rec := decoded(t, store, keywordName(keywordOf(branch))).(fressian.Map)
	id, _ := entriesOf(rec, "meta").Get("datahike", "commit-id")
	return hasch.String(id.(fressian.UUID))
}
