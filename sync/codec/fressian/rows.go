package fressian

import "slices"

// rows is what a Reader needs for rows; one that reads none has none.
type rows struct {
	words []any // keywords, boxed once
	ids   map[Keyword]int64
	names map[string]int64 // ids by the names' bytes
	// cleared counts how often the keywords were forgotten.
	cleared uint64
	name    []byte  // memory for one of those
	places  []place // of the values that cells stand for

	// What is known of the list that is being read, while base and sbase are
	// the Reader's.
	base, sbase int
	header      repeat // what begins a row by itself
	first, last repeat
	list        uint32 // counts the lists
	bytes       int    // of names
	known       [knownSlots]known
	packed      [packedPriority][packedPriority]packedKnown
}

// maxWords bounds the keywords that are kept from one input to the next.
const maxWords = 4096

// maxNames bounds the bytes of their names.
const maxNames = 1 << 20

// Row is the cells of one row. It has as many as rows have that are worth
// reading quickly: those of Datahike's datoms.
type Row [5]Cell

// ReadRows consumes the next value, a list as [Reader.ReadList] takes it, of
// no more than limit elements, which are structs of one component, a list of
// as many values as a Row has. It appends those to dst. It calls accept with
// the tag and the component count of a struct, but not again for structs that
// begin with the same bytes; an error of accept is returned as it is.
//
// It is what ReadList, ReadStruct and Read do together, without allocating:
// rows as writers put them are taken apart where they lie.
func (r *Reader) ReadRows(dst []Row, limit int, accept func(tag string, n int) error) ([]Row, error) {
	fr, c, err := r.open()
	if err != nil {
		return dst, err
	}
	n, err := r.beginElems(c)
	if err != nil {
		return dst, err
	}
	due, end := r.due, len(dst)+limit
	r.beginRows()
	for {
		dst = slices.Grow(dst, 1)
		if want := min(n, end-len(dst)); want > 0 && r.puts == 0 {
			had := len(dst)
			if dst, err = r.quickRows(dst, want); err != nil {
				return dst, err
			}
			if n -= len(dst) - had; len(dst) > had {
				continue
			}
		}
		more, err := r.next(&n)
		if err != nil {
			return dst, err
		}
		if !more {
			r.due = due - 1
			r.close(fr)
			return dst, nil
		}
		if len(dst) == end {
			return dst, r.fail("more than %d rows", limit)
		}
		dst = append(dst, Row{})
		if err := r.readRow(&dst[len(dst)-1], accept); err != nil {
			return dst, err
		}
	}
}

// beginRows forgets what was known of another list.
func (r *Reader) beginRows() {
	if r.rows == nil {
		r.rows = &rows{ids: map[Keyword]int64{}, names: map[string]int64{}}
	}
	s := r.rows
	s.base, s.sbase = r.base, r.sbase
	s.header, s.first, s.last = nothing, nothing, nothing
	s.list++
}

// reset forgets all that belongs to an input.
func (s *rows) reset() {
	s.places = s.places[:0]
	if len(s.words)+len(s.names) > 2*maxWords || s.bytes > maxNames {
		s.bytes = 0
		s.cleared++
		clear(s.words)
		s.words = s.words[:0]
		clear(s.ids)
		clear(s.names)
	}
}

// readRow consumes one row.
func (r *Reader) readRow(row *Row, accept func(tag string, n int) error) error {
	s := r.rows
	if s.base != r.base || s.sbase != r.sbase {
		r.beginRows()
	}
	r.due = 1
	at := r.pos
	if err := r.scanRow(row, accept); err != nil {
		return err
	}
	r.remember(at)
	return nil
}

// scanRow consumes a row of any form.
func (r *Reader) scanRow(row *Row, accept func(tag string, n int) error) error {
	tag, n, err := r.ReadStruct()
	if err == nil {
		err = accept(tag, n)
	}
	if err == nil && n != 1 {
		err = r.fail("struct %q has %d components, not 1", tag, n)
	}
	if err != nil {
		return err
	}
	cells := 0
	err = r.ReadList(func(i int) (err error) {
		if i == len(row) {
			return r.fail("row of more than %d values", len(row))
		}
		cells++
		r.due--
		row[i], err = r.scanCell()
		return err
	})
	if err == nil && cells < len(row) {
		err = r.fail("row of %d values, not %d", cells, len(row))
	}
	return err
}

// remember keeps the first bytes of a row, if they say by themselves what it
// is as long as the struct cache is not reset.
func (r *Reader) remember(at int) {
	if r.pos-at < 3 {
		return
	}
	h := [3]byte(r.buf[at:])
	packed := h[0] >= codeStruct0 && h[0] < codeLongArray && h[1] >= codeStruct0 && h[1] < codeLongArray
	if i := r.sbase + int(h[1]) - codeStruct0; packed && i < r.scursor && r.structs[i].form == vector && int(h[2]) == len(Row{}) {
		r.rows.header.set(uint64(h[0])|uint64(h[1])<<8|uint64(h[2])<<16, len(h))
		r.rows.first = nothing
	}
}
