// Package datomicsample makes values of Datomic databases of any size without
// Datomic: trees of the fixed shape, full text, a log and its tail, encoded as
// sync/dialect/datomic describes them. What the datoms say has no meaning.
package datomicsample

import (
	"maps"
	"math/rand/v2"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Options say how large a value is. Zero means the number in parentheses.
type Options struct {
	Seed   uint64
	Leaves int // of each of the four indexes (8)
	Datoms int // of each leaf (16)
	Fanout int // leaves of a dir, of an index or of the log (4)
	Files  int // of full text, each of one to 14 chunks; none if 0
	Log    int // leaves of the log (3)
	Tail   int // transactions in the tail; none if 0
	// New is a database just created: its log has no leaves, and one dir.
	New bool
}

// segmented is how many transactions a leaf of the log has.
const segmented = 4

// Sample is one value of a database.
type Sample struct {
	Value *datomic.Value
	// Segments are those which the value reaches, as they are stored.
	Segments map[graph.ID][]byte
	// T is that of the newest transaction.
	T int64
	// Datoms counts those in the leaves of indexes, LogDatoms those of the log.
	Datoms, LogDatoms int64

	options Options
	rng     *rand.Rand
	indexes map[string][]leaf
	files   []file
	log     []leaf
	tail    []txn
}

// leaf is a leaf of an index, or of the log.
type leaf struct {
	id    fressian.UUID
	count int32
	t     int64 // of the first transaction; of the log only
	data  []byte
}

// Make returns the first value of a database. Equal options make equal bytes.
func Make(o Options) *Sample {
	for n, usual := range map[*int]int{&o.Leaves: 8, &o.Datoms: 16, &o.Fanout: 4, &o.Log: 3} {
		if *n == 0 {
			*n = usual
		}
	}
	s := &Sample{T: 999, options: o, rng: rand.New(rand.NewPCG(o.Seed, 1)), indexes: map[string][]leaf{}}
	for _, name := range []string{"eavt-main", "aevt-main", "avet-main", "raet-hist"} {
		for range o.Leaves {
			s.indexes[name] = append(s.indexes[name], s.indexLeaf())
		}
	}
	for range o.Files {
		s.files = append(s.files, s.file())
	}
	if !o.New {
		for range o.Log * segmented {
			s.transact()
		}
		s.segment()
		for range o.Tail {
			s.transact()
		}
	}
	s.Value = &datomic.Value{
		DatabaseID: "sample-" + hasch.String(s.uuid()), IndexVersion: 2, LogVersion: 3,
	}
	s.build()
	return s
}

// Next returns a later value of the same database: so many leaves of each
// index are written anew, a new one is added, and so many transactions are in
// the tail, or in a leaf if they are many. It shares all other segments.
func (s *Sample) Next(changes int) *Sample {
	n := *s
	n.rng = rand.New(rand.NewPCG(s.rng.Uint64(), 2))
	n.indexes = map[string][]leaf{}
	for _, name := range names(s.indexes) {
		leaves := append([]leaf{}, s.indexes[name]...)
		for range changes {
			leaves[n.rng.IntN(len(leaves))] = n.indexLeaf()
		}
		n.indexes[name] = append(leaves, n.indexLeaf())
	}
	n.files = append([]file{}, s.files...)
	if len(n.files) > 0 {
		n.files[n.rng.IntN(len(n.files))] = n.file()
	}
	n.log, n.tail = append([]leaf{}, s.log...), append([]txn{}, s.tail...)
	for range changes {
		n.transact()
	}
	if len(n.tail) > 2*segmented {
		n.segment()
	}
	value := *s.Value
	n.Value = &value
	n.build()
	return &n
}

// build writes all nodes above the leaves, whose ids are made of what is below
// them: so equal nodes of two generations are one.
func (s *Sample) build() {
	s.Segments, s.Datoms, s.LogDatoms = map[graph.ID][]byte{}, 0, 0
	top := fressian.Map{
		{Key: key("version"), Value: int64(2)},
		{Key: key("basisT"), Value: s.T},
		{Key: key("avet-mid"), Value: nil},
	}
	for _, name := range names(s.indexes) {
		for _, l := range s.indexes[name] {
			s.Datoms += int64(l.count)
		}
		top = append(top, fressian.Entry{Key: key(name), Value: s.indexRoot(s.indexes[name])})
	}
	if len(s.files) > 0 {
		top = append(top, fressian.Entry{Key: key("fulltext"), Value: s.fullText()})
	}
	s.Value.Index = id(s.node(top))
	s.Value.Log = id(s.logRoot())
	s.Value.Tail = []byte{0xee}
	for _, tx := range s.tail {
		s.Value.Tail = append(s.Value.Tail, tx.data...)
	}
}

// All joins the segments of values.
func All(values ...*Sample) map[graph.ID][]byte {
	all := map[graph.ID][]byte{}
	for _, v := range values {
		maps.Copy(all, v.Segments)
	}
	return all
}
