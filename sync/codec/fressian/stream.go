package fressian

// ForgetCaches appends a RESET_CACHES code: what follows stands for itself,
// whatever was written before, by this Writer or another.
func (w *Writer) ForgetCaches() {
	w.code(codeResetCaches)
	w.forget()
}

// BeginList begins a list whose length is not known yet; EndList ends it.
func (w *Writer) BeginList() { w.code(codeClosedList) }

// EndList ends the list that BeginList began.
func (w *Writer) EndList() { w.code(codeEndCollection) }

// WriteBool is Write of a boolean.
func (w *Writer) WriteBool(v bool) { w.writeBool(v) }

// Drop forgets the bytes that were written, but not what is in the caches: what
// is written next goes on behind those bytes. No footer may follow.
func (w *Writer) Drop() { w.buf = w.buf[:0] }

// Cut takes back what was written behind the first n bytes, which must not have
// put anything into the caches.
func (w *Writer) Cut(n int) { w.buf = w.buf[:n] }

// WriteCell appends the value of a cell that r has read, without building it,
// if that is short or stands there in one piece. Otherwise it appends nothing,
// and ok is false: [Reader.Value] and Write do that.
func (w *Writer) WriteCell(r *Reader, c Cell) (ok bool, err error) {
	if c&cellPlace != 0 {
		return false, nil
	}
	n := int64(c >> cellShift)
	switch c.Kind() {
	case KindNil:
		w.code(codeNull)
	case KindInt:
		w.writeInt(n)
	case KindBool:
		w.writeBool(n != 0)
	case KindKeyword:
		err = w.writeWord(r, n)
	default:
		p := r.buf[n:]
		size := sizeOf(p)
		w.buf = append(w.buf, p[:size]...)
		return size > 0, nil
	}
	return true, err
}

// sizeOf is the size of the value at the front of p, if it is of those that a
// cell keeps only the offset of; else 0.
func sizeOf(p []byte) int {
	switch c := p[0]; shapes[c] {
	case shortString:
		return 1 + int(c-codeString0)
	case longString:
		r := Reader{buf: p, place: place{pos: 1}}
		n, err := r.length()
		if err != nil {
			return 0
		}
		return r.pos + n
	case double:
		return 9
	case single:
		return 5
	case instant:
		return 1 + int(ints[p[1]&(codePriority0-1)].size)
	case uuid:
		return 19
	}
	return 0
}

// word is how a keyword is written once its names are in the cache.
type word struct {
	epoch uint64
	size  uint8
	bytes [15]byte
}

// words are those of one Reader, by the numbers in their cells.
type words struct {
	of      *Reader
	cleared uint64 // how often the Reader has forgotten its keywords
	epoch   uint64 // counts what makes all of them worthless
	list    []word
}

// forget makes all worthless.
func (s *words) forget() { s.epoch++ }

// writeWord appends keyword n of r.
func (w *Writer) writeWord(r *Reader, n int64) error {
	s := &w.words
	if s.of != r || s.cleared != r.rows.cleared {
		s.of, s.cleared = r, r.rows.cleared
		s.epoch++
	}
	if n < int64(len(s.list)) {
		if k := &s.list[n]; k.epoch == s.epoch && k.size > 0 {
			w.buf = append(w.buf, k.bytes[:k.size]...)
			return nil
		}
	}
	v := r.rows.words[n]
	if err := w.Write(v); err != nil {
		return err
	}
	// Its names are in the cache now, so it has its shortest form.
	end := len(w.buf)
	if err := w.Write(v); err != nil {
		return err
	}
	for int64(len(s.list)) <= n {
		s.list = append(s.list, word{})
	}
	k := &s.list[n]
	*k = word{epoch: s.epoch}
	if size := len(w.buf) - end; size <= len(k.bytes) {
		k.size = uint8(copy(k.bytes[:], w.buf[end:])) //nolint:gosec // bounded
	}
	w.buf = w.buf[:end]
	return nil
}
