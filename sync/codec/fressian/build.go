package fressian

import "math/big"

// build decodes the value at the position, which has been checked: besides
// handlers nothing can fail, and errors are passed on only for form.
func (r *Reader) build() (any, error) {
	c := r.buf[r.pos]
	switch {
	case isInt(c):
		return r.rawInt()
	case c < codeStruct0 || c == codeGetPriority:
		return r.buildRef()
	case isStruct(c):
		return r.buildStruct()
	case isString(c):
		return r.buildString(), nil
	case isList(c):
		return r.buildList()
	case c == codeKeyword:
		return r.interns.keyword(r.buildKeyword()), nil
	case c == codeMap:
		return r.buildMap()
	case c >= codeLongArray && c <= codeObjectArray:
		return r.buildArray(c)
	case c >= codeBytes0 && c <= codeBytes:
		return r.buildBytes(), nil
	case c == codePutPriority:
		return r.buildPut()
	}
	return r.buildOther(c)
}

func (r *Reader) buildOther(c byte) (any, error) {
	switch c {
	case codeTrue, codeFalse:
		return r.rawBool()
	case codeFloat:
		return r.rawFloat()
	case codeDouble, codeDouble0, codeDouble1:
		return r.rawDouble()
	}
	r.pos++
	switch c {
	case codeNull:
		return nil, nil
	case codeUUID:
		return r.buildUUID(), nil
	case codeInst:
		v, err := r.rawInt()
		return Inst(v), err
	case codeURI:
		return URI(r.buildName()), nil
	case codeRegex:
		return Regex(r.buildName()), nil
	case codeSymbol:
		return Symbol{NS: r.buildName(), Name: r.buildName()}, nil
	case codeBigInt:
		return bigInt(r.buildBytes()), nil
	case codeBigDec:
		b := r.buildBytes()
		scale, err := r.int32()
		return Decimal{Unscaled: bigInt(b), Scale: scale}, err
	case codeSet:
		l, err := r.buildList()
		return Set(l), err
	case codeMeta:
		e, err := r.buildEntry()
		return Meta{Meta: e.Key, Value: e.Value}, err
	case codeResetCaches:
		r.base, r.sbase = r.cursor, r.scursor
		return r.build()
	}
	r.pos--
	return nil, r.fail("code %#02x begins no value", c)
}

func (r *Reader) buildPut() (any, error) {
	i := r.cursor
	r.pos++
	r.cursor++
	v, err := r.buildShared()
	r.entries[i].value, r.entries[i].known = v, err == nil
	return v, err
}

// buildShared is build, with short strings shared between inputs: what one
// puts into its cache, the next is likely to as well.
func (r *Reader) buildShared() (any, error) {
	if c := r.buf[r.pos]; !isString(c) || c == codeStringChunk {
		return r.build()
	}
	p, _, err := r.run(codeString0)
	return r.interns.str(p), err
}

func (r *Reader) buildRef() (any, error) {
	i, end, err := r.refAt(r.pos)
	if err != nil {
		return nil, err
	}
	if !r.entries[i].known {
		p := r.place
		r.place = r.within(i)
		v, err := r.build()
		if err != nil {
			return nil, err
		}
		r.place = p
		r.entries[i].value, r.entries[i].known = v, true
	}
	r.pos = end
	return r.entries[i].value, nil
}

// buildName decodes a string, perhaps through the cache; nil becomes "".
func (r *Reader) buildName() string {
	v, _ := r.build()
	s, _ := v.(string)
	return s
}

func (r *Reader) buildKeyword() Keyword {
	r.pos++
	return Keyword{NS: r.buildName(), Name: r.buildName()}
}

func (r *Reader) buildString() string {
	p, more, _ := r.run(codeString0)
	if !more {
		return decodeUnits(p)
	}
	whole := append([]byte(nil), p...)
	for more {
		p, more, _ = r.run(codeString0)
		whole = append(whole, p...)
	}
	return decodeUnits(whole)
}

func (r *Reader) buildBytes() []byte {
	whole := []byte{}
	for more := true; more; {
		var p []byte
		p, more, _ = r.run(codeBytes0)
		whole = append(whole, p...)
	}
	return whole
}

func (r *Reader) buildUUID() (u UUID) {
	p, _, _ := r.run(codeBytes0)
	copy(u[:], p)
	return u
}

// bigInt decodes big-endian two's complement.
func bigInt(b []byte) *big.Int {
	v := new(big.Int).SetBytes(b)
	if b[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return v
}

func (r *Reader) buildList() ([]any, error) {
	n, err := r.beginList()
	if err != nil {
		return nil, err
	}
	return r.buildElems(n)
}

func (r *Reader) buildElems(n int) ([]any, error) {
	l := make([]any, 0, max(n, 0))
	for {
		more, err := r.next(&n)
		if err != nil || !more {
			return l, err
		}
		v, err := r.build()
		if err != nil {
			return nil, err
		}
		l = append(l, v)
	}
}

func (r *Reader) buildEntry() (e Entry, err error) {
	if e.Key, err = r.build(); err == nil {
		e.Value, err = r.build()
	}
	return e, err
}

func (r *Reader) buildMap() (any, error) {
	n, err := r.beginMap()
	if err != nil {
		return nil, err
	}
	m := make(Map, 0, max(n, 0))
	for {
		more, err := r.next(&n)
		if err != nil || !more {
			return m, err
		}
		e, err := r.buildEntry()
		if err != nil {
			return nil, err
		}
		m = append(m, e)
	}
}

func (r *Reader) buildArray(c byte) (any, error) {
	r.pos++
	n, err := r.length()
	if err != nil {
		return nil, err
	}
	switch c {
	case codeLongArray:
		return fill(n, r.rawInt)
	case codeIntArray:
		return fill(n, r.int32)
	case codeDoubleArray:
		return fill(n, r.rawDouble)
	case codeFloatArray:
		return fill(n, r.rawFloat)
	case codeBooleanArray:
		return fill(n, r.rawBool)
	}
	l, err := r.buildElems(n)
	return Array(l), err
}

func fill[T any](n int, read func() (T, error)) ([]T, error) {
	a := make([]T, n)
	for i := range a {
		v, err := read()
		if err != nil {
			return nil, err
		}
		a[i] = v
	}
	return a, nil
}
