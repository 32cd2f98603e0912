package dump

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// Source has the datoms that a dump is to be made of.
type Source interface {
	// Each calls fn with all of them, in any order, from one goroutine or many,
	// until fn returns an error, which it returns. What is the same may come
	// more than once: a dump has it once. fn keeps nothing of the slice.
	Each(ctx context.Context, fn func([]datom.Datom) error) error
}

// Sink takes the files of a dump.
type Sink interface {
	// Create begins a file; a name may have a directory and a slash before it.
	// It is called from one goroutine at a time.
	Create(ctx context.Context, name string) (File, error)
}

// File appears as a whole when it is finished, and not at all otherwise.
type File interface {
	io.Writer
	// Finish may run while other files are written.
	Finish(ctx context.Context) error
	// Discard drops the file, in place of Finish.
	Discard()
}

// Options are how a dump is written; the zero value writes what export-db does.
type Options struct {
	// Records and RawBytes (before compression) bound a chunk; 0 is 100,000
	// and 64 MiB: import-db holds a chunk in memory.
	Records, RawBytes int64
	// Uploads is how many files are finished at a time; 0 means 1.
	Uploads int
	// Skip, if not nil, is told of datoms that a dump cannot hold, from many
	// goroutines, and they are left out. Otherwise the first one ends it all.
	Skip func(d datom.Datom, err error)
	// Blob opens the object that a datom names. One that is not there matches
	// graph.ErrNotFound and is :external; where Blob is nil, all are.
	Blob func(ctx context.Context, id fressian.UUID) (io.ReadCloser, error)

	memory int // that sorting takes, in bytes
}

const (
	defaultRecords  = 100_000
	defaultRawBytes = 64 << 20
	defaultMemory   = 16 << 20
)

func (o *Options) fill() {
	if o.Records <= 0 {
		o.Records = defaultRecords
	}
	if o.RawBytes <= 0 {
		o.RawBytes = defaultRawBytes
	}
	o.Uploads = max(o.Uploads, 1)
	if o.memory <= 0 {
		o.memory = defaultMemory
	}
}

// Write writes a dump of the datoms of src, the manifest last. m says what is
// known before: History, Meta, Config, Schema, SystemIdents, Stats.MaxE and
// MaxTx (0 stands for the largest that are met) and Extra; the rest is filled
// in. Memory does not depend on how many datoms there are, temporary files do.
func Write(ctx context.Context, src Source, m *Manifest, sink Sink, opt Options) error {
	opt.fill()
	w := newWriter(m, sink, opt)
	defer w.records.Close()
	defer w.refs.Close()
	if err := src.Each(ctx, w.add); err != nil {
		return err
	}
	p := &packer{sink: sink, opt: opt}
	if err := p.run(ctx, w.records.Each); err != nil {
		return err
	}
	refs, err := w.blobs(ctx)
	if err != nil {
		return err
	}
	m.Compressed, m.Chunks, m.Digest, m.StoreRefs = true, p.chunks, p.digest, refs
	m.Stats = Stats{
		Datoms: p.digest.Count, Source: p.digest.Count, Transformed: m.Stats.Transformed,
		MaxE: max(m.Stats.MaxE, p.maxE), MaxTx: max(m.Stats.MaxTx, p.maxTx, tx0),
	}
	if w.skipped.Load() > 0 {
		m.Stats.Transformed, m.Stats.Source = true, -1
	}
	m.require()
	text, err := m.Text()
	if err != nil {
		return err
	}
	return put(ctx, sink, ManifestName, func(to io.Writer) error {
		_, err := to.Write(text)
		return err
	})
}

// writer collects what a dump is made of.
type writer struct {
	liner
	opt     Options
	sink    Sink
	records *spill.Sorter // lines
	refs    *spill.Sorter // UUIDs of objects
	isRef   map[fressian.Keyword]bool
	// hashed are the attributes with :db.secondary/only: datoms have but a hash
	// of their values, which are in an index of another kind.
	hashed  map[any]bool
	skipped atomic.Int64
}

func newWriter(m *Manifest, sink Sink, opt Options) *writer {
	w := &writer{
		opt: opt, sink: sink, isRef: attrsOf(m.Schema, "store-ref"),
		records: spill.NewSorterOf(opt.memory), refs: spill.NewSorter(), hashed: map[any]bool{},
	}
	for _, e := range m.Schema {
		attr, _ := e.Value.(fressian.Map)
		only, _ := attr.Get("db.secondary", "only")
		if a, ok := e.Key.(fressian.Keyword); ok && only == true {
			w.hashed[a] = true
		}
	}
	if len(m.SystemIdents) > 0 {
		refs := attrsOf(m.Schema, "ref")
		w.sysRef = func(a fressian.Keyword, v int64) (fressian.Keyword, bool) {
			if !refs[a] && !systemRefs[a] {
				return fressian.Keyword{}, false
			}
			name, ok := m.SystemIdents[v]
			return name, ok
		}
	}
	return w
}

// systemRefs are the attributes of Datahike's own that refer to entities where
// the database has :attribute-refs?.
var systemRefs = map[fressian.Keyword]bool{
	{NS: "db", Name: "valueType"}: true, {NS: "db", Name: "cardinality"}: true, {NS: "db", Name: "unique"}: true,
}

// attrsOf are the attributes of a type, such as "ref".
func attrsOf(schema fressian.Map, valueType string) map[fressian.Keyword]bool {
	attrs := map[fressian.Keyword]bool{}
	for _, e := range schema {
		attr, _ := e.Value.(fressian.Map)
		t, _ := attr.Get("db", "valueType")
		if a, ok := e.Key.(fressian.Keyword); ok && t == (fressian.Keyword{NS: "db.type", Name: valueType}) {
			attrs[a] = true
		}
	}
	return attrs
}

// line appends the line of a datom.
func (w *writer) line(dst []byte, d datom.Datom) ([]byte, error) {
	if len(w.hashed) > 0 && d.Added && w.hashed[d.A] {
		return dst, fmt.Errorf("%w: a value of which only a secondary index has more than a hash", ErrValue)
	}
	return w.append(dst, d)
}

// add takes some datoms. Those of the transaction 0 are in every database.
func (w *writer) add(some []datom.Datom) error {
	var line []byte
	for _, d := range some {
		if d.Tx == tx0 {
			continue
		}
		var err error
		if line, err = w.line(line[:0], d); err != nil {
			err = fmt.Errorf("entity %d, attribute %v: %w", d.E, d.A, err)
			if w.opt.Skip == nil {
				return err
			}
			w.skipped.Add(1)
			w.opt.Skip(d, err)
			continue
		}
		w.records.AddBytes(line)
		if a, ok := d.A.(fressian.Keyword); ok && w.isRef[a] && d.Added {
			if id, ok := d.V.(fressian.UUID); ok {
				w.refs.AddBytes(id[:])
			}
		}
	}
	return nil
}

// put writes a file as a whole.
func put(ctx context.Context, sink Sink, name string, fill func(io.Writer) error) error {
	f, err := sink.Create(ctx, name)
	if err != nil {
		return err
	}
	if err := fill(f); err != nil {
		f.Discard()
		return fmt.Errorf("%s: %w", name, err)
	}
	return f.Finish(ctx)
}
