package fressian

// betweenNames stands between the names of a keyword; no string has it.
const betweenNames = 0xff

// scanKeyword consumes a keyword that begins with its own code. One whose
// names have been seen is not built again.
func (r *Reader) scanKeyword() (Cell, error) {
	s, was := r.rows, r.place
	r.nodes++
	r.pos++
	ns := r.pos
	if err := r.skipName(true); err != nil {
		return 0, err
	}
	name := r.pos
	if err := r.skipName(false); err != nil {
		return 0, err
	}
	r.high = max(r.high, r.pos)
	s.name = append(r.appendName(s.name[:0], ns), betweenNames)
	s.name = r.appendName(s.name, name)
	id, ok := s.names[string(s.name)]
	if !ok {
		v, err := r.valueAt(was)
		if err != nil {
			return 0, err
		}
		id = s.word(v)
		s.names[string(s.name)] = id
		s.bytes += len(s.name)
	}
	return newCell(KindKeyword, id), nil
}

// appendName appends what is at off and has been passed as a name: the bytes
// of a string in all its runs, or nothing for nil.
func (r *Reader) appendName(dst []byte, off int) []byte {
	if r.buf[off] == codeNull {
		return dst
	}
	was := r.pos
	r.pos = r.stringOff(off)
	for more := true; more; {
		var p []byte
		p, more, _ = r.run(codeString0) // checked before
		dst = append(dst, p...)
	}
	r.pos = was
	return dst
}

// word returns the index of a keyword.
func (s *rows) word(v any) int64 {
	k, _ := v.(Keyword)
	id, ok := s.ids[k]
	if !ok {
		id = int64(len(s.words))
		s.ids[k] = id
		s.words = append(s.words, v)
	}
	return id
}
