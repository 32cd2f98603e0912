package fressian

import (
	"errors"
	"io"
)

// Reader reads the values of one byte slice in turn. Strings and byte strings
// it returns are copies; values that the bytes share through a cache are
// shared, so callers must not change them. After an error only Reset helps.
// A Reader is not safe for concurrent use.
type Reader struct {
	// Handlers decode structs by tag. A struct without one becomes
	// [Vector], [Seq], [Record] or [Tagged]. Set it before reading.
	Handlers map[string]Handler

	buf []byte
	place
	origin int // where the bytes begin that the next footer speaks of
	high   int // everything before has been checked

	entries []cached
	structs []structType
	interns interns
	rows    *rows // nil until ReadRows

	due   int   // values still to be consumed at this level
	depth int   // current level of nesting
	peak  int   // deepest level since the PUT around, or ever
	puts  int   // PUTs in progress
	nodes int64 // values passed, references counted as what they stand for
}

// Handler decodes a struct whose header has been read and whose n components
// are next; it must consume exactly those. For incognito's tags n is what
// really follows, as [Reader.ReadStruct] defines it.
type Handler func(r *Reader, n int) (any, error)

// NewReader returns a Reader of b, which must not change while it is used.
func NewReader(b []byte) *Reader { return &Reader{buf: b} }

// Reset starts over with b and keeps handlers and memory.
func (r *Reader) Reset(b []byte) {
	clear(r.entries)
	*r = Reader{
		Handlers: r.Handlers,
		buf:      b,
		entries:  r.entries[:0],
		structs:  r.structs[:0],
		interns:  r.interns,
		rows:     r.rows,
	}
	if r.rows != nil {
		r.rows.reset()
	}
}

// Offset is the number of bytes consumed.
func (r *Reader) Offset() int { return r.pos }

// Len is the number of bytes left.
func (r *Reader) Len() int { return len(r.buf) - r.pos }

// start prepares for consuming a value: at top level it passes footers and
// returns io.EOF at the end.
func (r *Reader) start() error {
	if r.due == 0 {
		if r.depth > 0 {
			return r.fail("callback reads beyond its value")
		}
		for r.pos < len(r.buf) && r.buf[r.pos] == codeFooter {
			if err := r.footer(); err != nil {
				return err
			}
		}
		if r.pos == len(r.buf) {
			return io.EOF
		}
		r.due = 1
	}
	// Cells of rows go back to what was put before.
	if r.base > 0 && r.rows == nil && r.puts == 0 && r.pos >= r.high && r.cursor == len(r.entries) {
		r.compact()
	}
	_, err := r.code()
	return err
}

// Skip consumes the next value, checking that it is well formed. It returns
// io.EOF at the end of the input.
func (r *Reader) Skip() error {
	if err := r.start(); err != nil {
		return err
	}
	if err := r.skip(); err != nil {
		return err
	}
	r.high = max(r.high, r.pos)
	r.due--
	return nil
}

// Read consumes the next value and returns it. It returns io.EOF at the end
// of the input.
func (r *Reader) Read() (any, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	v, err := r.build()
	r.due--
	return v, err
}

// check makes sure that the next value is well formed, and stays before it.
func (r *Reader) check() error {
	if err := r.start(); err != nil || r.pos < r.high {
		return err
	}
	p, before := r.place, r.nodes
	if err := r.skip(); err != nil {
		return err
	}
	r.high = max(r.high, r.pos)
	r.place = p
	if n := r.nodes - before; n > maxBuilt {
		return r.fail("a value of %d parts, more than %d", n, maxBuilt)
	}
	return nil
}

// Scan checks that b holds exactly one well-formed value, perhaps with a
// footer, and nothing else.
func Scan(b []byte) error {
	r := NewReader(b)
	if err := r.Skip(); err != nil {
		return whole(r, err)
	}
	return r.finish()
}

// Decode is Scan, and returns the value.
func Decode(b []byte) (any, error) {
	r := NewReader(b)
	v, err := r.Read()
	if err != nil {
		return nil, whole(r, err)
	}
	return v, r.finish()
}

// whole turns the clean end of the input into an error.
func whole(r *Reader, err error) error {
	if errors.Is(err, io.EOF) {
		return r.truncated()
	}
	return err
}

func (r *Reader) finish() error {
	if r.pos < len(r.buf) && r.buf[r.pos] == codeFooter {
		if err := r.footer(); err != nil {
			return err
		}
	}
	if r.pos < len(r.buf) {
		return r.fail("%d bytes after the value", len(r.buf)-r.pos)
	}
	return nil
}
