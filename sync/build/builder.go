package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// ErrRefused says that no Datahike database could have a datom.
var ErrRefused = errors.New("refused")

// ErrSame says that two datoms are one for Datahike, though they are not the
// same. It matches ErrRefused.
var ErrSame = fmt.Errorf("%w: two values that Datahike takes for one", ErrRefused)

// DefaultFactor is Datahike's branching factor.
const DefaultFactor = 512

// sortMemory is what each of the three sorts takes of memory, in bytes.
const sortMemory = 8 << 20

// maxID is the greatest id that Datahike's searches reach
// (datahike.constants/emax and txmax).
const maxID = 0x7fffffff

// Options say what database to make.
type Options struct {
	// History keeps what was: six indexes, not three.
	History bool
	// Told: what is true now is told with Now. If not, it is what the history
	// asserted last.
	Told bool
	// Refs, if set, makes a database with :attribute-refs?, in which datoms have
	// the entities of their attributes; it tells the attributes' names.
	Refs func(id int64) (fressian.Keyword, bool)
	// AnyAttribute makes a database with :schema-flexibility :read, which may have
	// attributes that its schema does not declare.
	AnyAttribute bool
	// Skip, if set, is told of an attribute that the schema does not declare; its
	// datoms are left out. Without it there must be none.
	Skip func(error)
	// BranchingFactor is the most keys of a node, 4 or more; 0 is DefaultFactor.
	BranchingFactor int
	// MaxTx and MaxEid are the newest transaction and the greatest entity that
	// were ever in use, if they are greater than those of the datoms.
	MaxTx, MaxEid int64
	// StoreID must be given when the store is opened; DatabaseID is
	// :datahike/id.
	StoreID, DatabaseID fressian.UUID
	// Store is what :config says of the :store but for its :id.
	Store fressian.Map
	// Now is when the database is made.
	Now time.Time
	// Random is where addresses come from.
	Random io.Reader
	// Put writes an object of the store. It is called from many goroutines, and
	// keeps nothing of data.
	Put func(ctx context.Context, id graph.ID, data []byte) error
	// Workers is how many objects are written at a time; 0 is 1.
	Workers int
}

// Mark tells what a datom is.
type Mark byte

// The marks of datoms. One that is both is added twice.
const (
	// Now: it is true now.
	Now = Mark(isNow)
	// Past: it is of the history, which has what is true now as well.
	Past = Mark(isPast)
)

// Result is what was made.
type Result struct {
	// Heads are still to be written, in this order: what makes the store one
	// that can be opened.
	Heads []graph.Held
	// Commit is the only one.
	Commit fressian.UUID
	// Datoms are those of the current indexes, History those that the history
	// was given.
	Datoms, History int64
	// Skipped are those of the attributes of which Skip was told.
	Skipped int64
	// Blobs and Bytes are what was put, without Heads.
	Blobs, Bytes  int64
	MaxTx, MaxEid int64
	Attributes    int
}

// Builder makes one store. Close it when it is not wanted any more.
type Builder struct {
	o      Options
	attrs  attributes
	sorter *spill.Sorter // of EAVT

	mu   sync.Mutex
	all  []*Adder
	idle []*Adder

	now           fressian.Inst
	maxTx, maxEid int64
	ops, hash     int64
	trees         []tree
	result        Result
}

// New returns a Builder.
func New(o Options) (*Builder, error) {
	if o.BranchingFactor == 0 {
		o.BranchingFactor = DefaultFactor
	}
	if o.BranchingFactor < 4 {
		return nil, fmt.Errorf("%w: a branching factor of %d", ErrRefused, o.BranchingFactor)
	}
	if o.MaxTx > maxID || o.MaxEid >= tx0 {
		return nil, fmt.Errorf("%w: the source says that it has had transaction %d and entity %d: transactions of Datahike are up to %d, entities below %d",
			ErrRefused, o.MaxTx, o.MaxEid, maxID, tx0)
	}
	return &Builder{
		o: o, sorter: spill.NewSorterOf(sortMemory), attrs: attributes{known: map[any]int{}, name: o.Refs},
		now: fressian.Inst(o.Now.UnixMilli()), maxTx: max(o.MaxTx, tx0), maxEid: o.MaxEid,
	}, nil
}

// Close frees what is left.
func (b *Builder) Close() { b.sorter.Close() }

// learn makes the schema once all datoms are there.
func (b *Builder) learn() (*schema, error) {
	var about []datom.Datom
	for _, a := range b.all {
		about = append(about, a.schema...)
		b.hash += a.hash
		b.maxTx, b.maxEid = max(b.maxTx, a.maxTx), max(b.maxEid, a.maxEid)
	}
	b.all, b.idle = nil, nil
	name := func(a any) fressian.Keyword {
		k, _ := b.attrs.ident(a) // it was named before
		return k
	}
	about, err := distinct(about)
	if err != nil {
		return nil, err
	}
	s := newSchema(about, b.o.Refs != nil, name)
	if b.o.Refs != nil && len(s.system) == 0 {
		return nil, fmt.Errorf("%w: attributes are referred to by their entities, and the datoms of those that Datahike defines itself are missing", ErrRefused)
	}
	return s, b.attrs.learn(s, &b.o)
}

// distinct drops datoms that came twice.
func distinct(all []datom.Datom) ([]datom.Datom, error) {
	seen := map[string]bool{}
	kept := all[:0]
	for _, d := range all {
		key, err := datom.AppendKey(nil, datom.EAVT, d)
		if err != nil {
			return nil, err
		}
		if !seen[string(key)] {
			seen[string(key)] = true
			kept = append(kept, d)
		}
	}
	return kept, nil
}
