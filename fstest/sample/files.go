package sample

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
)

// With StoreRefs each person has a :doc/file of type :db.type/store-ref: its
// value is the key of a raw object, written before the transaction. Of every
// sixteen values one has no object, and of every sixty-four one is large.

// attributes is how many the schema blob of people declares.
const attributes = 16

// firstPerson is the entity id after those of the attributes.
func (db *DB) firstPerson() int64 {
	if db.o.StoreRefs {
		return attributes + 2
	}
	return attributes + 1
}

func (db *DB) peopleSchema() (*schema, error) {
	s, err := newSchema(peopleSchema)
	if err == nil && db.o.StoreRefs {
		s, err = s.declare(attributes+1, fileIdent, "store-ref")
	}
	return s, err
}

var fileIdent = kw("doc", "file")

// file is the attribute, nil where there is none.
func (v *value) file() *attr { return v.schema.attrs[fileIdent] }

// newFile returns a value that nothing refers to yet. Its object, if it is to
// have one, is written by putFiles.
func (db *DB) newFile() fressian.UUID {
	u, n := db.uuid(), db.files
	db.files++
	size := db.rand.IntN(2000)
	switch {
	case n%64 == 3:
		size += 250_000
	case n%16 == 7:
		return u
	}
	db.blobs = append(db.blobs, db.binary(u, size))
	db.stored[u] = true
	return u
}

// binary is an object as bassoc writes it.
func (db *DB) binary(u fressian.UUID, size int) object {
	meta := konserve.Meta{Key: u, Type: konserve.TypeBinary, LastWrite: db.now()}
	return object{addressName(u), meta, func() ([]byte, error) { return noise(u, size), nil }}
}

// noise is bytes that depend on u.
func noise(u fressian.UUID, size int) []byte {
	r := rand.NewPCG(binary.BigEndian.Uint64(u[:8]), binary.BigEndian.Uint64(u[8:]))
	b := make([]byte, 0, size+8)
	for len(b) < size {
		b = binary.BigEndian.AppendUint64(b, r.Uint64())
	}
	return b[:size]
}

func (db *DB) putFiles() error {
	blobs := db.blobs
	db.blobs = nil
	return db.put(blobs...)
}

// orphan writes an object that nothing refers to.
func (db *DB) orphan() error {
	if !db.o.StoreRefs {
		return nil
	}
	return db.put(db.binary(db.uuid(), 1000))
}

// Arrive writes the object of a value that has had none, of that many bytes,
// and returns its name. There must be one: see [DB.Absent].
func (db *DB) Arrive(size int) (name string, err error) {
	missing := db.mark(db.branches, true).absent
	if len(missing) == 0 {
		return "", fmt.Errorf("sample: no value is without its object")
	}
	names := db.Absent()
	name = names[db.rand.IntN(len(names))]
	u := missing[name]
	db.stored[u] = true
	return name, db.put(db.binary(u, size))
}

// editFile gives a person another file, or somebody else's, or none.
func (db *DB) editFile(v *value, touched map[string]bool) {
	e, a := db.anyone(v.maxEid), v.file()
	place := fmt.Sprint(e, "file")
	if touched[place] {
		return
	}
	touched[place] = true
	had := v.find(e, a)
	switch db.rand.IntN(4) {
	case 0:
		if len(had) > 0 {
			v.retract(had[0], v.maxTx)
		}
	case 1:
		shared := v.find(db.anyone(v.maxEid), a)
		if len(shared) > 0 && (len(had) == 0 || had[0].v != shared[0].v) {
			v.add(&datom{e, a, shared[0].v, v.maxTx, true})
		}
	default:
		v.add(&datom{e, a, db.newFile(), v.maxTx, true})
	}
}

// eachFile calls visit with the values of :doc/file in the current index of
// attributes and in that of history.
func (v *value) eachFile(visit func(fressian.UUID)) {
	a := v.file()
	for i := int(aevt); a != nil && i < len(v.trees); i += temporal {
		v.trees[i].root.ascend(
			func(d *datom) bool { return d.a.compare(a) >= 0 },
			func(d *datom) bool {
				if d.a.compare(a) != 0 {
					return false
				}
				visit(d.v.(fressian.UUID))
				return true
			})
	}
}

// Files returns the names of objects to which datoms refer, sorted.
func (db *DB) Files() []string {
	var names []string
	for _, b := range db.branches {
		for _, v := range db.history(b.head) {
			v.eachFile(func(u fressian.UUID) {
				if db.stored[u] {
					names = append(names, addressName(u))
				}
			})
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
