package datacamp

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/klauspost/compress/flate"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
)

const (
	// levels are those of deflate: of what is large (6 takes a quarter more time
	// and saves half a percent of the size), and of what is done in no
	// time whatever it takes.
	fastLevel, smallLevel = 4, 9
	// smallDatoms is how many are done in no time.
	smallDatoms = 50_000
	// pieceSize is how many bytes of Fressian wait to be compressed.
	pieceSize = 64 << 10
)

// batch is some neighbouring datoms as they stand in a chunk: whole blocks of
// deflate that refer to nothing before them.
type batch struct {
	blocks []byte
	// crc and raw are the CRC-32 and the size of what the blocks unpack to.
	crc uint32
	raw int64
	stats
	// next is the place in the source behind them.
	next int64
}

// stats are what a manifest says of datoms.
type stats struct {
	Datoms, Skipped int64
	// MinTx and MaxTx are 0 of no datoms, and MaxE too.
	MinTx, MaxTx, MaxE int64
}

func (s *stats) add(e, tx int64) {
	if s.Datoms == 0 || tx < s.MinTx {
		s.MinTx = tx
	}
	s.MaxTx, s.MaxE = max(s.MaxTx, tx), max(s.MaxE, e)
	s.Datoms++
}

func (s *stats) join(o stats) {
	if o.Datoms > 0 && (s.Datoms == 0 || o.MinTx < s.MinTx) {
		s.MinTx = o.MinTx
	}
	s.MaxTx, s.MaxE = max(s.MaxTx, o.MaxTx), max(s.MaxE, o.MaxE)
	s.Datoms += o.Datoms
	s.Skipped += o.Skipped
}

// packer makes batches, one after another, in the same memory.
type packer struct {
	w   *fressian.Writer
	zip *flate.Writer
	batch
	values
	// apart: what comes next begins with empty caches.
	apart bool
	// skip hears of datoms that are left out; nil if that is not allowed.
	skip func(datom.Datom, error)
	// attribute names what a leaf has; nil if it has names.
	attribute func(any) any
}

func newPacker(level int, skip func(datom.Datom, error)) *packer {
	p := &packer{w: fressian.NewWriter(), skip: skip}
	p.zip, _ = flate.NewWriter(p, level) // which is known to be one
	return p
}

// Write takes what is compressed.
func (p *packer) Write(b []byte) (int, error) {
	p.blocks = append(p.blocks, b...)
	return len(b), nil
}

func (p *packer) begin() {
	p.batch = batch{}
	p.w.Reset()
	p.zip.Reset(p)
	p.apart = true
}

// full tells whether there is enough for a batch.
func (p *packer) full(size int64) bool { return p.raw+int64(len(p.w.Bytes())) >= size }

// end ends the batch.
func (p *packer) end(next int64) (*batch, error) {
	if err := p.flush(); err != nil {
		return nil, err
	}
	if err := p.zip.Flush(); err != nil {
		return nil, err
	}
	b := p.batch
	b.next = next
	return &b, nil
}

// flush compresses what waits.
func (p *packer) flush() error {
	raw := p.w.Bytes()
	p.crc = crc32.Update(p.crc, crc32.IEEETable, raw)
	p.raw += int64(len(raw))
	_, err := p.zip.Write(raw)
	p.w.Drop()
	return err
}

// row begins a datom and returns where.
func (p *packer) row() int {
	n := len(p.w.Bytes())
	if p.apart {
		p.w.ForgetCaches()
		p.apart = false
	}
	p.w.WriteListHeader(5)
	return n
}

// left takes back the datom that began at n, which cannot be written.
func (p *packer) left(n int, d datom.Datom, err error) error {
	if cannot := errors.Is(err, ErrValue) || errors.Is(err, fressian.ErrValue); p.skip == nil || !cannot {
		return fmt.Errorf("entity %d, %s: %w", d.E, name(d.A), err)
	}
	p.skip(d, err)
	p.w.Cut(n)
	p.apart = true
	p.Skipped++
	return nil
}

func name(a any) string {
	text, err := datom.AppendAttr(nil, a)
	if err != nil {
		return "an attribute of an unknown type"
	}
	return string(text)
}

// datom takes a datom.
func (p *packer) datom(d datom.Datom) error {
	n := p.row()
	p.w.WriteInt(d.E)
	if err := p.value(d.A); err != nil {
		return p.left(n, d, err)
	}
	if err := p.value(d.V); err != nil {
		return p.left(n, d, err)
	}
	p.w.WriteInt(d.Tx)
	p.w.WriteBool(d.Added)
	p.add(d.E, d.Tx)
	return p.enough()
}

func (p *packer) enough() error {
	if len(p.w.Bytes()) < pieceSize {
		return nil
	}
	return p.flush()
}

func (p *packer) value(v any) error {
	v, err := p.portable(v)
	if err == nil {
		err = p.w.Write(v)
	}
	return err
}

// leaf takes the datoms of a leaf, without building most of their values.
func (p *packer) leaf(l *datahike.Leaf) error {
	lastE, lastTx := int64(math.MinInt64), int64(math.MinInt64)
	for i := range l.Len() {
		d := l.Datom(i)
		n := p.row()
		p.w.WriteInt(d.E)
		err := p.cell(l, d.A, true)
		if err == nil {
			err = p.cell(l, d.V, false)
		}
		if err != nil {
			whole, e := l.Fact(i)
			if e == nil {
				e = p.left(n, whole, err)
			}
			if e != nil {
				return e
			}
			continue
		}
		p.w.WriteInt(d.Tx)
		p.w.WriteBool(d.Added)
		if d.E == lastE && d.Tx == lastTx {
			p.Datoms++
		} else {
			p.add(d.E, d.Tx)
			lastE, lastTx = d.E, d.Tx
		}
		if err := p.enough(); err != nil {
			return err
		}
	}
	return nil
}

func (p *packer) cell(l *datahike.Leaf, c fressian.Cell, attribute bool) error {
	if !attribute || c.Kind() == fressian.KindKeyword || p.attribute == nil {
		if ok, err := l.CopyCell(p.w, c); ok || err != nil {
			return err
		}
	}
	v, err := l.Value(c)
	if err != nil {
		return err
	}
	if attribute && p.attribute != nil {
		v = p.attribute(v)
	}
	return p.value(v)
}
