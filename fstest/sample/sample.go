package sample

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
)

// defaultFactor is Datahike's branching factor.
const defaultFactor = 512

// Options say what database to make. The zero value is a small one with
// Datahike's defaults and no people in it. For many segments: 48,000 people, a
// branching factor of 32 and notes of 1500 bytes make 100,000 of about 4 KiB.
type Options struct {
	Seed            uint64
	Entities        int              // people to begin with, about twelve datoms each
	BranchingFactor int              // most keys of a node, at least 4; 512 if 0
	NoteBytes       int              // length of each person's note; a few words if 0
	NoHistory       bool             // :keep-history? false
	CryptoHash      bool             // :crypto-hash? true
	StoreRefs       bool             // each person has a file: a value that is an object of its own
	DiffBuffer      int              // :diff-buf-size: so many edits of a node stay in the one above it
	FuseRoots       bool             // :fuse-index-roots? true
	NoCommitGraph   bool             // :commit-graph? false
	OnlineGC        bool             // :online-gc: freed addresses are taken for other nodes
	Sync            bool             // flush each file to disk, as konserve does
	Now             func() time.Time // clock; if nil, one that ticks 5 ms when it is read
}

// DB is a database and its store. It is not safe for concurrent use.
type DB struct {
	o       Options
	dir     string
	codec   *konserve.Codec
	rand    *rand.Rand
	last    int64 // newest time handed out, in ms since the epoch
	created fressian.Inst
	id      fressian.UUID
	storeID fressian.UUID

	branches []*Branch // as :branches lists them
	commits  map[fressian.UUID]*value
	written  map[fressian.UUID]bool // addresses of contents that need no second writing
	free     []fressian.UUID        // addresses to be taken again
	reused   int                    // how many were

	files  int                    // values that have been handed out
	blobs  []object               // those of the transaction that is being made
	stored map[fressian.UUID]bool // those that have an object
}

// Create makes a database in the directory dir, which must be empty or absent,
// as create-database, a transaction with the schema, and one with all people
// would. Equal options make equal files, if Now is given nothing or a clock of
// that kind.
func Create(dir string, o Options) (*DB, error) {
	if o.BranchingFactor == 0 {
		o.BranchingFactor = defaultFactor
	}
	if o.BranchingFactor < 4 || o.Entities < 0 {
		return nil, fmt.Errorf("sample: branching factor %d, %d entities", o.BranchingFactor, o.Entities)
	}
	if o.DiffBuffer > 0 && o.CryptoHash || o.OnlineGC && (o.DiffBuffer > 0 || o.CryptoHash || o.NoCommitGraph) {
		return nil, errors.New("sample: these options do not go together")
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		return nil, fmt.Errorf("sample: %s is not an empty directory: %w", dir, err)
	}
	db := &DB{
		o: o, dir: dir, codec: konserve.NewCodec(""),
		rand:    rand.New(rand.NewPCG(o.Seed, 0)),
		commits: map[fressian.UUID]*value{},
		written: map[fressian.UUID]bool{},
		stored:  map[fressian.UUID]bool{},
	}
	db.created = db.now()
	db.id, db.storeID = db.uuid(), db.uuid()
	return db, db.create()
}

func (db *DB) create() error {
	empty, err := newSchema(emptySchema)
	if err != nil {
		return err
	}
	people, err := db.peopleSchema()
	if err != nil {
		return err
	}
	v := &value{schema: empty, maxTx: tx0}
	for o := range orders {
		t := tree{order: o, max: db.o.BranchingFactor, buffer: db.o.DiffBuffer}
		v.trees = append(v.trees, t.rebuilt(nil))
	}
	if !db.o.NoHistory {
		v.trees = append(v.trees, v.trees...) // the empty trees are the same
	}
	main := &Branch{db: db, name: kw("", "db")}
	db.branches = []*Branch{main}
	if err := main.commit(v); err != nil {
		return err
	}
	if err := db.put(db.branchSet()); err != nil {
		return err
	}
	v = v.next()
	v.schema = people
	v.load(append(people.facts(v.maxTx), db.instant(v)))
	if err := errors.Join(main.commit(v), db.orphan()); err != nil || db.o.Entities == 0 {
		return err
	}
	v = v.next()
	var all []*datom
	for e := v.maxEid + 1; e <= v.maxEid+int64(db.o.Entities); e++ {
		all = append(all, db.person(v, e)...)
	}
	v.load(append(all, db.instant(v)))
	return main.commit(v)
}

// instant is the datom that tells when a transaction was.
func (db *DB) instant(v *value) *datom {
	v.updated = db.now()
	return &datom{v.maxTx, v.schema.attrs[kw("db", "txInstant")], v.updated, v.maxTx, true}
}

// now returns the time in milliseconds, never the same twice, as konserve does.
func (db *DB) now() fressian.Inst {
	const start, tick = 1_795_000_000_000, 5
	if db.o.Now != nil {
		db.last = max(db.last+1, db.o.Now().UnixMilli())
	} else {
		db.last = max(db.last+tick, start)
	}
	return fressian.Inst(db.last)
}

// uuid returns a random UUID.
func (db *DB) uuid() (u fressian.UUID) {
	binary.BigEndian.PutUint64(u[:8], db.rand.Uint64())
	binary.BigEndian.PutUint64(u[8:], db.rand.Uint64())
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}

// sequential puts the time in seconds before a UUID, so that those which are
// made later sort after it.
func (db *DB) sequential(u fressian.UUID) fressian.UUID {
	binary.BigEndian.PutUint32(u[:4], uint32(db.last/1000))
	return u
}
