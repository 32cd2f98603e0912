package fressian

import "slices"

// rows is what a Reader needs for rows; one that reads none has none.
type rows struct {
	words  []any // keywords, boxed once
	ids    map[Keyword]int64
	names  map[string]int64 // ids by the names' bytes
	name   []byte           // memory for one of those
	places []place          // of the values that cells stand for

	// What is known of the list that is being read, while base and sbase are
	// the Reader's.
	base, sbase int
	header      repeat // what begins a row by itself
	first, last repeat
	list        uint32 // counts the lists
	known       [knownSlots]known
}

// maxWords bounds the keywords that are kept from one input to the next.
const maxWords = 4096

// ReadRows consumes the next value, a list as [Reader.ReadList] takes it, of
// no more than limit elements, which are structs of one component, a list of
// width values. It appends the cells of those to dst. It calls accept with
// the tag and the component count of a struct, but not again for structs that
// begin with the same bytes; an error of accept is returned as it is.
//
// It is what ReadList, ReadStruct and Read do together, without allocating:
// rows as writers put them are taken apart where they lie.
func (r *Reader) ReadRows(dst []Cell, width, limit int, accept func(tag string, n int) error) ([]Cell, error) {
	fr, c, err := r.open()
	if err != nil {
		return dst, err
	}
	n, err := r.beginElems(c)
	if err != nil {
		return dst, err
	}
	was := r.due
	r.beginRows()
	for left := limit; ; {
		if len(dst)+width > cap(dst) {
			dst = slices.Grow(dst, width)
		}
		if want := min(n, left); want > 0 && r.puts == 0 {
			var done int
			if dst, done, err = r.quickRows(dst, width, want); err != nil {
				return dst, err
			}
			if n, left = n-done, left-done; done > 0 {
				continue
			}
		}
		more, err := r.next(&n)
		if err != nil {
			return dst, err
		}
		if !more {
			r.due = was - 1
			r.close(fr)
			return dst, nil
		}
		if left == 0 {
			return dst, r.fail("more than %d rows", limit)
		}
		left--
		dst = dst[:len(dst)+width]
		if err := r.readRow(dst[len(dst)-width:], accept); err != nil {
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
	if len(s.words)+len(s.names) > 2*maxWords {
		clear(s.words)
		s.words = s.words[:0]
		clear(s.ids)
		clear(s.names)
	}
}

// readRow consumes one row.
func (r *Reader) readRow(row []Cell, accept func(tag string, n int) error) error {
	s := r.rows
	if s.base != r.base || s.sbase != r.sbase {
		r.beginRows()
	}
	r.due = 1
	at := r.pos
	if err := r.scanRow(row, accept); err != nil {
		return err
	}
	r.remember(at, len(row))
	return nil
}

// scanRow consumes a row of any form.
func (r *Reader) scanRow(row []Cell, accept func(tag string, n int) error) error {
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
func (r *Reader) remember(at, cells int) {
	if r.pos-at < 3 {
		return
	}
	h := [3]byte(r.buf[at:])
	packed := h[0] >= codeStruct0 && h[0] < codeLongArray && h[1] >= codeStruct0 && h[1] < codeLongArray
	if i := r.sbase + int(h[1]) - codeStruct0; packed && i < r.scursor && r.structs[i].form == vector && int(h[2]) == cells && cells < 0x40 {
		r.rows.header.set(uint64(h[0])|uint64(h[1])<<8|uint64(h[2])<<16, len(h))
		r.rows.first = nothing
	}
}
