package fressian

// frame is what lies before a container at the position: a PUT code, whose
// value ends with it, or a cache reference, behind which reading goes on.
type frame struct {
	put  *put
	back *place
}

// open prepares for consuming a container and moves to its code c.
func (r *Reader) open() (f frame, c byte, err error) {
	if err = r.start(); err != nil {
		return f, 0, err
	}
	for err == nil {
		if c, err = r.code(); err != nil {
			break
		}
		switch {
		case c == codeResetCaches:
			err = r.forget()
		case c == codePutPriority && f.put == nil && f.back == nil:
			r.depth++ // as for skip, a PUT is a level
			var p put
			if p, err = r.beginPut(); err == nil {
				f.put = &p
			}
		case c >= codePriority0 && c < codeStruct0, c == codeGetPriority:
			err = r.jump(&f)
		default:
			r.nodes++
			r.depth++
			r.peak = max(r.peak, r.depth)
			if r.depth > MaxDepth {
				err = r.fail("nested deeper than %d", MaxDepth)
			}
			return f, c, err
		}
	}
	return f, c, err
}

// jump moves to the value that the cache reference at the position stands
// for.
func (r *Reader) jump(f *frame) error {
	i, end, err := r.refAt(r.pos)
	if err != nil {
		return err
	}
	if err := r.skipRef(); err != nil {
		return err
	}
	if f.back == nil {
		back := r.place
		back.pos = end
		f.back = &back
	}
	r.place = r.within(i)
	return nil
}

// close ends what open began, behind the container.
func (r *Reader) close(f frame) {
	r.depth--
	if f.back != nil {
		r.place = *f.back
	}
	if f.put != nil {
		r.endPut(*f.put)
		r.depth--
	}
}

// each calls f for every element of a list with n to go, or that ends as n
// says. f must consume due values.
func (r *Reader) each(n, due int, f func(i int) error) error {
	was := r.due
	for i := 0; ; i++ {
		more, err := r.next(&n)
		if err != nil {
			return err
		}
		if !more {
			r.due = was - 1
			return nil
		}
		r.due = due
		if err := f(i); err != nil {
			return err
		}
		if r.due != 0 {
			return r.fail("callback left a value unread")
		}
	}
}

// ReadMap consumes the next value, a map, and calls f with each key in turn;
// f must consume the value that belongs to it, with one call of any method
// that does. An error of f ends the reading and is returned as it is.
func (r *Reader) ReadMap(f func(key any) error) error {
	fr, c, err := r.open()
	if err != nil {
		return err
	}
	if c != codeMap {
		return r.fail("want a map, found %s", kinds[c])
	}
	n, err := r.beginMap()
	if err != nil {
		return err
	}
	err = r.each(n, 2, func(int) error {
		key, err := r.Read()
		if err != nil {
			return err
		}
		return f(key)
	})
	if err == nil {
		r.close(fr)
	}
	return err
}

// ReadList consumes the next value, a list of any form, a [Vector], [Seq],
// [Set] or [Array], and calls f with the index of each element; f must
// consume it. An error of f ends the reading and is returned as it is.
func (r *Reader) ReadList(f func(i int) error) error {
	fr, c, err := r.open()
	if err != nil {
		return err
	}
	n, err := r.beginElems(c)
	if err == nil {
		err = r.each(n, 1, f)
	}
	if err == nil {
		r.close(fr)
	}
	return err
}

// beginElems consumes the header of anything that ReadList accepts.
func (r *Reader) beginElems(c byte) (n int, err error) {
	switch {
	case c == codeObjectArray:
		r.pos++
		return r.length()
	case c == codeSet:
		r.pos++
		return r.beginList()
	case isList(c):
		return r.beginList()
	case !isStruct(c):
		return 0, r.fail("want a list, found %s", kinds[c])
	}
	s, n, err := r.header()
	if err == nil && s.form != vector {
		err = r.fail("want a list, found struct %q", r.tagOf(s))
	}
	return n, err
}

// ReadStruct consumes the header of the next value, a struct. The caller must
// consume the n values that follow: its components, for "pvec" and "plist"
// the elements, for "irecord" the record's tag and a two-element list per
// field. A struct in the priority cache is refused; Read takes it.
func (r *Reader) ReadStruct() (tag string, n int, err error) {
	f, c, err := r.open()
	if err != nil {
		return "", 0, err
	}
	switch {
	case !isStruct(c):
		return "", 0, r.fail("want a struct, found %s", kinds[c])
	case f.put != nil || f.back != nil:
		return "", 0, r.fail("struct in the priority cache")
	}
	s, n, err := r.header()
	if err != nil {
		return "", 0, err
	}
	r.depth--
	r.due += n - 1
	return r.tagOf(s), n, nil
}
