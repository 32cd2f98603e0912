package fressian

import "fmt"

// Tags of incognito whose declared component count is not the real one.
const (
	tagVector = "pvec"
	tagSeq    = "plist"
	tagRecord = "irecord"

	incognitoCount = 2 // what they declare
)

// structType is an entry of the struct cache.
type structType struct {
	tag    int // offset of the tag's string run
	fields int // declared component count
	form   form
	name   string // the tag once asked for
}

// form is what follows the header of a struct.
type form uint8

const (
	plain  form = iota
	vector      // a count, then values
	record      // a count, a tag, then pairs
)

// header consumes a struct's header, for incognito's tags with the count that
// follows. n is the number of values that come next.
func (r *Reader) header() (s *structType, n int, err error) {
	if s, err = r.structType(); err != nil {
		return nil, 0, err
	}
	n = s.fields
	if s.form != plain {
		n, err = r.length()
	}
	if s.form == record {
		n++
	}
	if err == nil && n > len(r.buf)-r.pos {
		err = r.fail("struct of %d values with %d bytes left", n, len(r.buf)-r.pos)
	}
	return s, n, err
}

// structType consumes a struct's code and what identifies its type.
func (r *Reader) structType() (*structType, error) {
	c := r.buf[r.pos]
	if c == codeStructType {
		return r.declare()
	}
	off := r.pos
	r.pos++
	n := int64(c) - codeStruct0
	if c == codeStruct {
		var err error
		if n, err = r.rawInt(); err != nil {
			return nil, err
		}
	}
	if n < 0 || n >= int64(r.scursor-r.sbase) {
		r.pos = off
		return nil, r.fail("struct reference %d of %d", n, r.scursor-r.sbase)
	}
	return &r.structs[r.sbase+int(n)], nil
}

// declare consumes a STRUCTTYPE code, a tag and a component count.
func (r *Reader) declare() (*structType, error) {
	r.pos++
	off := r.pos
	if err := r.skipName(false); err != nil {
		return nil, err
	}
	fields, err := r.int32()
	if err == nil && fields < 0 {
		err = r.fail("struct of %d components", fields)
	}
	if err != nil {
		return nil, err
	}
	if r.scursor >= maxCached {
		return nil, r.fail("more than %d struct types", maxCached)
	}
	if r.scursor == len(r.structs) {
		s := structType{tag: r.stringOff(off), fields: int(fields)}
		if s.form, err = r.formOf(s); err != nil {
			return nil, err
		}
		r.structs = append(r.structs, s)
	}
	r.scursor++
	return &r.structs[r.scursor-1], nil
}

// stringOff follows PUTs and references from off to a string's first code.
func (r *Reader) stringOff(off int) int {
	for !isString(r.buf[off]) {
		if r.buf[off] == codePutPriority {
			off++
			continue
		}
		i, _, err := r.refAt(off)
		if err != nil {
			return off // not reached: the value has been walked
		}
		off = r.entries[i].off
	}
	return off
}

// tagBytes returns the tag, which must be in one run.
func (r *Reader) tagBytes(s structType) ([]byte, error) {
	was := r.pos
	r.pos = s.tag
	p, more, err := r.run(codeString0)
	r.pos = was
	if more {
		err = r.fail("struct tag in chunks")
	}
	return p, err
}

func (r *Reader) formOf(s structType) (form, error) {
	tag, err := r.tagBytes(s)
	switch string(tag) {
	case tagVector, tagSeq:
		return vector, err
	case tagRecord:
		return record, err
	}
	return plain, err
}

func (r *Reader) tagOf(s *structType) string {
	if s.name == "" {
		if p, err := r.tagBytes(*s); err == nil {
			s.name, _ = r.interns.str(p).(string)
		}
	}
	return s.name
}

func (r *Reader) skipStruct() error {
	s, n, err := r.header()
	if err != nil {
		return err
	}
	if s.form != record {
		return r.skipElems(n)
	}
	if err := r.skip(); err != nil {
		return err
	}
	for ; n > 1; n-- {
		if err := r.skipPair(); err != nil {
			return err
		}
	}
	return nil
}

// skipPair passes a record's field: a list or vector of key and value.
func (r *Reader) skipPair() error {
	n, err := r.pair()
	if err == nil && n != 2 {
		err = r.fail("record field of %d values", n)
	}
	if err == nil {
		err = r.skipElems(n)
	}
	return err
}

// pair consumes the header of a record's field.
func (r *Reader) pair() (n int, err error) {
	c, err := r.code()
	if err != nil {
		return 0, err
	}
	if !isStruct(c) {
		return r.beginList()
	}
	s, n, err := r.header()
	if err == nil && s.form != vector {
		err = r.fail("record field is a struct")
	}
	return n, err
}

func (r *Reader) buildStruct() (any, error) {
	off := r.pos
	s, n, err := r.header()
	if err != nil {
		return nil, err
	}
	tag, kind := r.tagOf(s), s.form
	if h := r.Handlers[tag]; h != nil {
		v, err := r.handle(h, n)
		if err != nil {
			return nil, fmt.Errorf("fressian: struct %q at offset %d: %w", tag, off, err)
		}
		return v, nil
	}
	if kind == record {
		return r.buildRecord(n - 1)
	}
	fields, err := r.buildElems(n)
	switch {
	case err != nil:
		return nil, err
	case kind == plain:
		return Tagged{Tag: tag, Fields: fields}, nil
	case tag == tagSeq:
		return Seq(fields), nil
	}
	return Vector(fields), nil
}

// handle calls h at its own level, so that it can be held to its n values.
func (r *Reader) handle(h Handler, n int) (any, error) {
	due := r.due
	r.due = n
	r.depth++
	v, err := h(r, n)
	r.depth--
	if err == nil && r.due != 0 {
		err = r.fail("handler left %d of %d values", r.due, n)
	}
	r.due = due
	return v, err
}

func (r *Reader) buildRecord(n int) (any, error) {
	tag, err := r.build()
	rec := Record{Tag: tag, Fields: make(Map, n)}
	for i := 0; i < n && err == nil; i++ {
		if _, err = r.pair(); err == nil {
			rec.Fields[i], err = r.buildEntry()
		}
	}
	return rec, err
}
