package fressian

// ReadInt consumes the next value, an integer.
func (r *Reader) ReadInt() (int64, error) {
	if err := r.start(); err != nil {
		return 0, err
	}
	if isInt(r.buf[r.pos]) {
		r.due--
		return r.rawInt()
	}
	return readAs[int64](r, KindInt)
}

// ReadUUID consumes the next value, a UUID, or nil: then ok is false.
func (r *Reader) ReadUUID() (u UUID, ok bool, err error) {
	if err := r.start(); err != nil {
		return UUID{}, false, err
	}
	switch r.buf[r.pos] {
	case codeNull:
		r.pos++
		r.due--
		return UUID{}, false, nil
	case codeUUID:
		if err := r.skipUUID(); err != nil {
			return UUID{}, false, err
		}
		copy(u[:], r.buf[r.pos-len(u):r.pos])
		r.due--
		return u, true, nil
	}
	u, err = readAs[UUID](r, KindUUID)
	return u, err == nil, err
}

// ReadKeyword consumes the next value, a keyword.
func (r *Reader) ReadKeyword() (Keyword, error) {
	if err := r.check(); err != nil {
		return Keyword{}, err
	}
	if r.buf[r.pos] != codeKeyword {
		return readAs[Keyword](r, KindKeyword)
	}
	r.due--
	return r.buildKeyword(), nil
}

// readAs reads a value that must be a T, for what the caches hide from the
// quick ways above.
func readAs[T any](r *Reader, want Kind) (t T, err error) {
	off := r.pos
	k, err := r.Peek()
	if err != nil {
		return t, err
	}
	v, err := r.Read()
	if err != nil {
		return t, err
	}
	t, ok := v.(T)
	if !ok {
		return t, &Error{Offset: off, Reason: "want " + want.String() + ", found " + k.String()}
	}
	return t, nil
}
