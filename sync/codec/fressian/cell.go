package fressian

// Cell is a value of a row as [Reader.ReadRows] leaves it, in 8 bytes without
// a pointer. A short number is in it; everything else lies in the Reader that
// read it, until Reset: [Reader.Value] gets it from there.
//
// Two cells of one Reader that are keywords are equal if the keywords are.
//
//	bits 0-4   kind
//	bit  5     the rest is the index of a place
//	bits 6-63  signed: a number, 1 for true, the index of a word, or the
//	           offset of a value that needs no cache
type Cell int64

const (
	cellKind  = 1<<5 - 1
	cellPlace = 1 << 5
	cellShift = 6
)

func newCell(k Kind, n int64) Cell { return Cell(n<<cellShift | int64(k)) }

// Kind is the kind of the value.
func (c Cell) Kind() Kind { return Kind(c & cellKind) }

// Bool tells whether the cell is true.
func (c Cell) Bool() bool { return c == newCell(KindBool, 1) }

// Int returns the number of a cell of KindInt.
func (r *Reader) Int(c Cell) int64 {
	if c&cellPlace == 0 {
		return int64(c >> cellShift)
	}
	return r.longInt(c)
}

// longInt stands apart so that Int, which is called twice a datom, is inlined.
//
//go:noinline
func (r *Reader) longInt(c Cell) int64 {
	v, _ := r.Value(c) // has been read before
	n, _ := v.(int64)
	return n
}

// Value returns what the value of a cell is for [Reader.Read].
func (r *Reader) Value(c Cell) (any, error) {
	n := int64(c >> cellShift)
	if c&cellPlace != 0 {
		return r.valueAt(r.rows.places[n])
	}
	switch c.Kind() {
	case KindNil:
		return nil, nil
	case KindInt:
		return n, nil
	case KindBool:
		return n != 0, nil
	case KindKeyword:
		return r.rows.words[n], nil
	}
	return r.valueAt(place{pos: int(n)})
}

// valueAt builds the value at a place that has been passed.
func (r *Reader) valueAt(p place) (any, error) {
	was := r.place
	r.place = p
	v, err := r.build()
	r.place = was
	return v, err
}

// scanCell consumes any value. It is the judge of what the quick ways accept.
func (r *Reader) scanCell() (Cell, error) {
	if r.pos < len(r.buf) && r.buf[r.pos] == codeKeyword {
		return r.scanKeyword()
	}
	was := r.place
	if err := r.skip(); err != nil {
		return 0, err
	}
	r.high = max(r.high, r.pos)
	after := r.place
	r.place = was
	kind, err := r.kindAt(r.pos)
	r.place = after
	if err != nil {
		return 0, err
	}
	switch kind {
	case KindNil, KindInt, KindBool, KindKeyword:
		v, err := r.valueAt(was)
		if err != nil {
			return 0, err
		}
		if n, ok := r.rows.short(v); ok {
			return newCell(kind, n), nil
		}
	}
	r.rows.places = append(r.rows.places, was)
	return newCell(kind, int64(len(r.rows.places)-1)) | cellPlace, nil
}

// short is what a cell holds of a value that fits into it.
func (s *rows) short(v any) (n int64, ok bool) {
	switch v := v.(type) {
	case int64:
		return v, v<<cellShift>>cellShift == v
	case bool:
		if v {
			return 1, true
		}
	case Keyword:
		return s.word(v), true
	}
	return 0, true
}
