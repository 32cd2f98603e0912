package fressian

// skip passes the value at the position, checks it, and enters what it puts
// into the caches. It allocates only when a cache outgrows its memory.
func (r *Reader) skip() error { //nolint:gocyclo // one case for each kind of code
	c, err := r.code()
	if err != nil {
		return err
	}
	for c == codeResetCaches {
		if err := r.forget(); err != nil {
			return err
		}
		if c, err = r.code(); err != nil {
			return err
		}
	}
	r.nodes++
	if w := int(width[c]); w != variable {
		if w >= len(r.buf)-r.pos {
			return r.truncated()
		}
		r.pos += 1 + w
		return nil
	}
	switch {
	case c < codeStruct0 || c == codeGetPriority:
		return r.skipRef()
	case isString(c):
		return r.rawString()
	case c == codeKeyword || c == codeSymbol:
		return r.skipNamed()
	case c == codeUUID:
		return r.skipUUID()
	case c == codeBytesChunk || c == codeBytes:
		_, err := r.rawBytes()
		return err
	}
	if r.depth++; r.depth > MaxDepth {
		return r.fail("nested deeper than %d", MaxDepth)
	}
	r.peak = max(r.peak, r.depth)
	err = r.skipDeep(c)
	r.depth--
	return err
}

// skipDeep passes a value that holds others, or one of the rare scalars.
func (r *Reader) skipDeep(c byte) error {
	switch {
	case isStruct(c):
		return r.skipStruct()
	case isList(c):
		return r.skipList()
	case c == codeMap:
		return r.skipMap()
	case c == codeSet:
		r.pos++
		return r.skipList()
	case c >= codeLongArray && c <= codeObjectArray:
		return r.skipArray(c)
	case c == codePutPriority:
		p, err := r.beginPut()
		if err != nil {
			return err
		}
		if err := r.skip(); err != nil {
			return err
		}
		r.endPut(p)
		return nil
	case c == codeMeta:
		r.pos++
		return r.skipElems(2)
	}
	return r.skipScalar(c)
}

func (r *Reader) skipScalar(c byte) error {
	r.pos++
	switch c {
	case codeInst:
		_, err := r.rawInt()
		return err
	case codeRegex, codeURI:
		return r.skipName(false)
	case codeBigInt, codeBigDec:
		n, err := r.rawBytes()
		if err == nil && n == 0 {
			err = r.fail("big integer without bytes")
		}
		if err == nil && c == codeBigDec {
			_, err = r.int32()
		}
		return err
	}
	r.pos--
	return r.fail("code %#02x begins no value", c)
}

func (r *Reader) skipNamed() error {
	r.pos++
	if err := r.skipName(true); err != nil {
		return err
	}
	return r.skipName(false)
}

// skipName passes a string, perhaps through the cache, or nil if that is
// allowed.
func (r *Reader) skipName(null bool) error {
	c, err := r.code()
	if err != nil {
		return err
	}
	if c == codeNull && null {
		r.pos++
		return nil
	}
	if isString(c) {
		return r.rawString()
	}
	if i := r.base + int(c) - codePriority0; r.passed(c, i) && r.entries[i].str {
		r.pos++
		r.nodes++
		return nil
	}
	off, next := r.pos, r.cursor
	if c != codePutPriority && c != codeGetPriority && (c < codePriority0 || c >= codeStruct0) {
		return r.fail("want a string, found code %#02x", c)
	}
	if err := r.skip(); err != nil {
		return err
	}
	if !r.stringAt(off, next) {
		r.pos = off
		return r.fail("want a string, found another cached value")
	}
	return nil
}

// passed tells whether c is a packed reference to entry i behind the cursor.
func (r *Reader) passed(c byte, i int) bool {
	return c >= codePriority0 && c < codeStruct0 && i < r.cursor
}

func (r *Reader) skipUUID() error {
	r.pos++
	p, more, err := r.run(codeBytes0)
	if err == nil && (more || len(p) != len(UUID{})) {
		err = r.fail("UUID of %d bytes", len(p))
	}
	return err
}

// How a list without a count ends.
const (
	untilEnd   = -1 // by END_COLLECTION
	untilInput = -2 // by that or the end of the input
)

// beginList consumes a list's header and returns its length or how it ends.
func (r *Reader) beginList() (n int, err error) {
	c, err := r.code()
	if err != nil {
		return 0, err
	}
	if !isList(c) {
		return 0, r.fail("want a list, found code %#02x", c)
	}
	r.pos++
	switch c {
	case codeClosedList:
		return untilEnd, nil
	case codeOpenList:
		if r.depth > 1 {
			return untilEnd, nil
		}
		return untilInput, nil
	case codeList:
		return r.length()
	}
	return int(c - codeList0), nil
}

// beginMap consumes a map's header and returns how many entries it has, or how
// it ends.
func (r *Reader) beginMap() (n int, err error) {
	r.pos++
	n, err = r.beginList()
	if err == nil && n > 0 && n%2 != 0 {
		err = r.fail("map of %d keys and values", n)
	}
	if n > 0 {
		n /= 2
	}
	return n, err
}

// next tells whether a list with *n to go has another element, and consumes
// the end of a list without a count.
func (r *Reader) next(n *int) (bool, error) {
	if *n >= 0 {
		*n--
		return *n >= 0, nil
	}
	if r.pos >= len(r.buf) {
		if *n == untilInput {
			return false, nil
		}
		return false, r.truncated()
	}
	if r.buf[r.pos] == codeEndCollection {
		r.pos++
		return false, nil
	}
	return true, nil
}

func (r *Reader) skipList() error {
	n, err := r.beginList()
	if err != nil {
		return err
	}
	return r.skipElems(n)
}

// skipElems passes n values, or those up to the end of the list.
func (r *Reader) skipElems(n int) error {
	for ; n > 0; n-- {
		if r.pos < len(r.buf) {
			w := int(width[r.buf[r.pos]])
			if w != variable && w < len(r.buf)-r.pos {
				r.pos += 1 + w
				r.nodes++
				continue
			}
		}
		if err := r.skip(); err != nil {
			return err
		}
	}
	for {
		more, err := r.next(&n)
		if err != nil || !more {
			return err
		}
		if err := r.skip(); err != nil {
			return err
		}
	}
}

func (r *Reader) skipMap() error {
	n, err := r.beginMap()
	if err != nil {
		return err
	}
	for {
		more, err := r.next(&n)
		if err != nil || !more {
			return err
		}
		if err := r.skipElems(2); err != nil {
			return err
		}
	}
}

func (r *Reader) skipArray(c byte) error {
	r.pos++
	n, err := r.length()
	if err != nil {
		return err
	}
	if c == codeObjectArray {
		return r.skipElems(n)
	}
	for ; n > 0 && err == nil; n-- {
		switch c {
		case codeLongArray:
			_, err = r.rawInt()
		case codeIntArray:
			_, err = r.int32()
		case codeDoubleArray:
			_, err = r.rawDouble()
		case codeFloatArray:
			_, err = r.rawFloat()
		default:
			_, err = r.rawBool()
		}
	}
	return err
}
