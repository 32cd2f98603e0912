package sample

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

var tags = []string{"t0", "t1", "t2", "t3", "t4", "t5", "τ1", "日本語"}

func (v *value) attr(name string) *attr { return v.schema.attrs[kw("p", name)] }

// person returns the datoms of a new person, in eavt's order.
func (db *DB) person(v *value, e int64) []*datom {
	var all []*datom
	add := func(name string, values ...any) {
		for _, val := range values {
			all = append(all, &datom{e, v.attr(name), val, v.maxTx, true})
		}
	}
	if db.o.StoreRefs {
		all = append(all, &datom{e, v.file(), db.newFile(), v.maxTx, true})
	}
	add("active", e%2 == 0)
	add("age", db.any(v, "age"))
	add("born", db.any(v, "born"))
	add("friend", db.anyone(e))
	add("kind", db.any(v, "kind"))
	add("name", fmt.Sprintf("person-%d", e))
	add("note", db.any(v, "note"))
	add("ratio", db.any(v, "ratio"))
	add("score", db.any(v, "score"))
	t := db.rand.IntN(len(tags) - 1)
	add("tags", tags[t], tags[t+1])
	add("uid", db.uuid())
	return all
}

// anyone returns one of the people up to e.
func (db *DB) anyone(e int64) int64 { return db.firstPerson() + db.rand.Int64N(e-db.firstPerson()+1) }

// changing are the attributes that updates set.
var changing = []string{"age", "born", "kind", "note", "ratio", "score"}

// any returns a value for an attribute.
func (db *DB) any(v *value, name string) any {
	r := db.rand
	switch name {
	case "age":
		return r.Int64N(100)
	case "born":
		return fressian.Inst(r.Int64N(1_600_000_000) * 1000)
	case "kind":
		return kw("k", fmt.Sprintf("k%d", r.IntN(7)))
	case "ratio":
		return float32(r.IntN(400)) / 4
	case "score":
		return r.Float64() * 100
	}
	note := fmt.Sprintf("note %d of %d", r.Uint32(), v.maxTx-tx0)
	if n := db.o.NoteBytes; n > len(note) {
		// Text that does not compress to nothing, at the price of one number.
		x := r.Uint64()
		var b strings.Builder
		for b.WriteString(note); b.Len() < n; x = x*6364136223846793005 + 1442695040888963407 {
			b.WriteByte(' ' + byte(x>>33)%64)
		}
		note = b.String()
	}
	return note
}

// Transact makes one transaction of that many random edits over all people:
// most set a value anew, some add a person, or add or retract a tag, and where
// people have files a quarter changes those.
func (b *Branch) Transact(edits int) error {
	v := b.head.next()
	touched := map[string]bool{}
	for range edits {
		b.db.edit(v, touched)
	}
	v.add(b.db.instant(v))
	return b.commit(v)
}

// edit makes one edit, and not twice at the same place in a transaction.
func (db *DB) edit(v *value, touched map[string]bool) {
	if db.o.StoreRefs && v.maxEid >= db.firstPerson() && db.rand.IntN(4) == 0 {
		db.editFile(v, touched)
		return
	}
	kind := db.rand.IntN(10)
	if kind == 0 || v.maxEid < db.firstPerson() {
		for _, d := range db.person(v, v.maxEid+1) {
			v.add(d)
		}
		return
	}
	e := db.anyone(v.maxEid)
	name := changing[db.rand.IntN(len(changing))]
	if kind < 3 {
		name = "tags"
	}
	place := fmt.Sprint(e, name)
	if touched[place] {
		return
	}
	touched[place] = true
	switch kind {
	case 1:
		v.add(&datom{e, v.attr(name), tags[db.rand.IntN(len(tags))], v.maxTx, true})
	case 2:
		if found := v.find(e, v.attr(name)); len(found) > 0 {
			v.retract(found[0], v.maxTx)
		}
	default:
		db.update(v, e, v.attr(name))
	}
}

// update sets an attribute to a value that it does not have.
func (db *DB) update(v *value, e int64, a *attr) {
	d := &datom{e, a, db.any(v, a.ident.Name), v.maxTx, true}
	same := func(old *datom) bool { return compareValues(old.v, d.v) == 0 }
	if !slices.ContainsFunc(v.find(e, a), same) {
		v.add(d)
	}
}

// Declare makes a transaction that adds an attribute :p/name of type string,
// and with it another schema.
func (b *Branch) Declare(name string) error {
	v := b.head.next()
	e, ident := v.maxEid+1, kw("p", name)
	s, err := v.schema.declare(e, ident, "string")
	if err != nil {
		return err
	}
	v.schema = s
	for _, d := range s.facts(v.maxTx) {
		if d.e == e {
			v.add(d)
		}
	}
	v.add(b.db.instant(v))
	return b.commit(v)
}
