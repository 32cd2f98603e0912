package view

import (
	"context"
	"math"
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// recentMemory is about how many bytes of recent datoms are kept in memory.
const recentMemory = 32 << 20

// spilled is how many datoms are written to a temporary file together.
const spilled = 1024

// recent is what the log has beyond the trees. Of few datoms all are kept;
// many are read again by each scan, which sorts them outside of memory.
type recent struct {
	limit  int // bytes
	datoms []datomic.Datom
	many   bool
	schema bool // it changes the schema
}

// loadRecent returns the t of the last transaction, 0 if there is none.
func (v *DatomicView) loadRecent(ctx context.Context) (last int64, err error) {
	r, size := &v.recent, 0
	err = v.walkLog(ctx, v.basis+1, math.MaxInt64, func(tx *datomic.Logged) error {
		last = tx.T
		for i := range tx.Datoms {
			d := &tx.Datoms[i]
			r.schema = r.schema || d.E < datomic.MinUserEntity
			size += weight(d)
		}
		if r.many = size > r.limit; r.many {
			r.datoms = nil
		} else {
			r.datoms = append(r.datoms, tx.Datoms...)
		}
		return nil
	})
	return last, err
}

// weight is about how many bytes of memory a datom takes.
func weight(d *datomic.Datom) int {
	const usual = 96
	switch v := d.V.(type) {
	case string:
		return usual + len(v)
	case []byte:
		return usual + len(v)
	case []any:
		return usual * (1 + len(v))
	}
	return usual
}

// recentSequences returns the recent datoms that a span wants, in its order.
// What spool takes is needed until they are read.
func (v *DatomicView) recentSequences(ctx context.Context, s *span, spool *spill.Spool) ([]*sequence, error) {
	runs := &runs{v: v, index: s.index, spool: spool}
	add := func(d *datomic.Datom) error {
		if !s.wants(d) || !v.inIndex(s.index, d) {
			return nil
		}
		return runs.add(d)
	}
	if !v.recent.many {
		for i := range v.recent.datoms {
			if err := add(&v.recent.datoms[i]); err != nil {
				return nil, err
			}
		}
		return runs.end(), nil
	}
	err := v.walkLog(ctx, v.basis+1, math.MaxInt64, func(tx *datomic.Logged) error {
		for i := range tx.Datoms {
			if err := add(&tx.Datoms[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return runs.end(), err
}

// inIndex tells whether an index has a datom of the log.
func (v *DatomicView) inIndex(index datom.Index, d *datomic.Datom) bool {
	switch index {
	case datom.AVET:
		return !v.absent[d.A]
	case datom.VAET:
		a := v.schema.AttrOf(int64(d.A))
		return a != nil && a.ValueType == typeRef
	}
	return true
}

// runs sorts datoms: in memory, and what is more than that in a spool.
type runs struct {
	v         *DatomicView
	index     datom.Index
	spool     *spill.Spool
	run       []datomic.Datom
	size      int
	sequences []*sequence
}

func (r *runs) add(d *datomic.Datom) error {
	r.run = append(r.run, *d)
	if r.size += weight(d); r.size <= r.v.recent.limit {
		return nil
	}
	r.sort()
	var held []spill.Held
	for part := range slices.Chunk(r.run, spilled) {
		data, err := datomic.EncodeLeaf(part)
		if err != nil {
			return err
		}
		h, err := r.spool.Put(data)
		if err != nil {
			return err
		}
		held = append(held, h)
	}
	r.sequences = append(r.sequences, &sequence{pull: r.pull(held)})
	r.run, r.size = nil, 0
	return nil
}

// pull reads a run back.
func (r *runs) pull(held []spill.Held) func(context.Context) ([]datomic.Datom, error) {
	return func(context.Context) ([]datomic.Datom, error) {
		if len(held) == 0 {
			return nil, nil
		}
		data, err := r.spool.Take(held[0])
		if err != nil {
			return nil, err
		}
		held = held[1:]
		return r.v.dialect.Leaf("temporary file", data)
	}
}

// sort puts a run in order, and drops what a transaction says twice: Datomic
// takes equal arrays of bytes for two values there, and for one in its trees.
func (r *runs) sort() {
	slices.SortFunc(r.run, func(a, b datomic.Datom) int { return datomic.Compare(r.index, &a, &b) })
	r.run = slices.CompactFunc(r.run, func(a, b datomic.Datom) bool {
		_, array := a.V.([]byte)
		return array && datomic.Compare(r.index, &a, &b) == 0
	})
}

func (r *runs) end() []*sequence {
	r.sort()
	return append(r.sequences, &sequence{rest: r.run})
}
