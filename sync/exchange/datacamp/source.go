package datacamp

import (
	"context"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/datoms"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

const (
	// runLeaves is how many leaves make a batch: some 25,000 datoms, so
	// that compressing each batch by itself costs little.
	runLeaves = 64
	// viewBatch is the size of a batch of what is read through a view, in bytes
	// before compression.
	viewBatch = 256 << 10
)

// Source is the datoms of a value, in the order of EAVT.
type Source interface {
	// batches calls fn with them from a place on; the place at the beginning is
	// 0, the others are those that batches say. From one place, the batches are
	// always the same.
	batches(ctx context.Context, from int64, fn func(*batch) error) error
}

// NewSource returns the datoms of v, those of its history too if that is wanted.
// skip hears of those that the format cannot hold; if it is nil the first one
// ends the reading. chunk is the size of chunks that is aimed at.
func NewSource(v view.View, history bool, chunk int64, skip func(datom.Datom, error)) Source {
	if skip != nil {
		var mu sync.Mutex
		told := skip
		skip = func(d datom.Datom, err error) {
			mu.Lock()
			defer mu.Unlock()
			told(d, err)
		}
	}
	level := fastLevel
	if n := v.Info().Datoms; n >= 0 && n < smallDatoms {
		level = smallLevel
	}
	if d, ok := view.As[*view.DatahikeView](v); ok && !history {
		return &leaves{v: d, run: int(min(max(chunk/bytesPerDatom/leafDatoms/8, 1), runLeaves)), level: level, skip: skip}
	}
	return &stream{v: v, history: history, size: min(max(chunk/8, 1), viewBatch), level: level, skip: skip}
}

// leafDatoms is how many datoms a leaf has, more or less.
const leafDatoms = 400

// leaves reads a tree's leaves; places are numbers of leaves.
type leaves struct {
	v       *view.DatahikeView
	run     int
	level   int
	skip    func(datom.Datom, error)
	packers sync.Pool
}

func (s *leaves) batches(ctx context.Context, from int64, fn func(*batch) error) error {
	tree, ok := s.v.Tree("eavt")
	if !ok {
		return nil
	}
	rg := datoms.Range{Skip: from, Run: s.run}
	return datoms.ScanMap(ctx, s.v.Reader(), s.v.Head(), tree, rg, s.pack, fn)
}

func (s *leaves) pack(ctx context.Context, run *datoms.Run) (*batch, error) {
	p, ok := s.packers.Get().(*packer)
	if !ok {
		p = newPacker(s.level, s.skip)
		p.attribute = s.v.Attribute
	}
	defer s.packers.Put(p)
	p.begin()
	err := run.Each(ctx, func(part datoms.Part) error {
		if len(part.Pending) == 0 {
			return p.leaf(part.Leaf)
		}
		for i := range part.Len() {
			d, err := part.Fact(i)
			if err != nil {
				return err
			}
			d.A = s.v.Attribute(d.A)
			if err := p.datom(d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p.end(run.Leaf + int64(run.Leaves))
}

// stream reads any view; places are numbers of datoms.
type stream struct {
	v       view.View
	history bool
	size    int64
	level   int
	skip    func(datom.Datom, error)
}

func (s *stream) batches(ctx context.Context, from int64, fn func(*batch) error) error {
	p := newPacker(s.level, s.skip)
	p.tagged = s.v.Info().Kind == view.Datomic
	at := int64(0)
	p.begin()
	send := func() error {
		b, err := p.end(at)
		if err != nil {
			return err
		}
		p.begin()
		return fn(b)
	}
	err := s.v.Scan(ctx, datom.Query{History: s.history}, func(d datom.Datom) error {
		if at++; at <= from {
			return nil
		}
		if err := p.datom(d); err != nil {
			return err
		}
		if !p.full(s.size) {
			return nil
		}
		return send()
	})
	if err == nil && at > from && p.Datoms+p.Skipped > 0 {
		err = send()
	}
	return err
}
