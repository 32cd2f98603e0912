package fressian

import "encoding/binary"

// window is how many bytes must be left for the quick ways, so that but for
// strings none of them need look for the end.
const window = 24

// quickRows consumes rows while they begin as one did that has been seen in
// the same list, so that tag, form and depth need no second look: at most
// limit, and no more than dst has room for.
func (r *Reader) quickRows(dst []Row, limit int) ([]Row, error) {
	r.depth++
	for limit = min(len(dst)+limit, cap(dst)); ; {
		dst = dst[:len(dst)+r.easyRows(dst[len(dst):limit])]
		h := &r.rows.header
		if len(dst) == limit || len(r.buf)-r.pos < window || binary.LittleEndian.Uint64(r.buf[r.pos:])&h.mask != h.bits {
			break
		}
		dst = dst[:len(dst)+1]
		if err := r.oddRow(&dst[len(dst)-1]); err != nil {
			return dst, err
		}
	}
	r.depth--
	r.high = max(r.high, r.pos)
	return dst, nil
}

// oddRow consumes a row with a header that has been seen and something that
// is not easy.
func (r *Reader) oddRow(row *Row) (err error) {
	r.pos += r.rows.header.size
	r.nodes += 2
	for i := range row {
		ok := false
		if p := r.buf[r.pos:]; len(p) >= window {
			row[i], ok = r.oddCell((*[window]byte)(p))
		}
		if !ok {
			if row[i], err = r.learnCell(); err != nil {
				return err
			}
		}
	}
	return nil
}

// oddCell consumes a value, which begins with p, if it is like most values but
// for the text of strings.
func (r *Reader) oddCell(p *[window]byte) (c Cell, ok bool) {
	size, nodes := 1, 0
	switch shapes[p[0]] {
	case integer:
		c, size = quickInt([8]byte(p[:]))
	case boolean:
		c = newCell(KindBool, int64(codeFalse-p[0]))
	case keyword:
		if c, size, nodes = r.rows.keyword(p); size == 0 {
			return c, false
		}
	case shortString, longString:
		at := r.pos
		text, more, err := r.run(codeString0)
		size, r.pos = r.pos-at, at
		if err != nil || more || invalidUnit(text) >= 0 {
			return c, false
		}
		c = newCell(KindString, int64(at))
	default:
		return c, false
	}
	r.pos += size
	r.nodes += int64(1 + nodes)
	return c, true
}

// learnCell consumes any value and learns from it.
func (r *Reader) learnCell() (Cell, error) {
	at, nodes := r.pos, r.nodes
	c, err := r.scanCell()
	switch {
	case err != nil:
	case r.base != r.rows.base || r.sbase != r.rows.sbase:
		r.beginRows()
	case r.buf[at] == codeKeyword:
		r.rows.learn(r.buf[at:], c, r.nodes-nodes)
	}
	return c, err
}

// easyRows consumes rows as long as they hold what most rows hold: numbers
// where they begin and end, and between them numbers, ASCII, UUIDs, and
// keywords that have come up in the list. It returns how many. It calls
// nothing, so that all it works with stays in registers.
//
// Rows of one entity begin alike and rows of one transaction end alike, so the
// first value and the last two are compared with those of the row before.
func (r *Reader) easyRows(dst []Row) (done int) { //nolint:gocyclo,funlen // in one piece it is twice as fast
	s, buf, pos, nodes := r.rows, r.buf, r.pos, r.nodes
	if nodes > maxExpansion/2*int64(len(buf)) {
		return 0 // references are counted where that might matter
	}
rows:
	for done < len(dst) && len(buf)-pos >= window {
		row, at, passed := &dst[done], pos, 2+len(Row{})
		w := (*[window]byte)(buf[pos:])
		b := binary.LittleEndian.Uint64(w[:])
		if b&s.first.mask == s.first.bits {
			row[0] = s.first.cells[0]
			at += s.first.size
		} else {
			if b&s.header.mask != s.header.bits || w[3] >= codePriority0 {
				break
			}
			c, size := quickInt([8]byte(w[3:]))
			row[0], s.first.cells[0] = c, c
			s.first.set(b, 3+size)
			at += 3 + size
		}
		for i := 1; i < len(row)-2; i++ {
			if len(buf)-at < window {
				break rows
			}
			w := (*[window]byte)(buf[at:])
			c, size := w[0], 0
			switch shapes[c] {
			case integer:
				row[i], size = quickInt([8]byte(w[:]))
				at += size
				continue
			case boolean:
				row[i] = newCell(KindBool, int64(codeFalse-c))
				at++
				continue
			case keyword:
				if ns, name := w[1]-codePriority0, w[2]-codePriority0; ns|name < packedPriority {
					if k := s.packed[ns][name]; k.list == s.list {
						row[i] = newCell(KindKeyword, int64(k.word))
						at += 3
						passed += 2
						continue
					}
				}
				c, size, nodes := s.keyword(w)
				if size == 0 {
					break rows
				}
				row[i] = c
				at += size
				passed += nodes
				continue
			case shortString:
				size = int(c) - codeString0
				if binary.LittleEndian.Uint64(w[1:])<<(64-8*uint(size&7))&highBits != 0 {
					break rows
				}
				size++
			case longString:
				if size = asciiRun(buf[at:]); size == 0 {
					break rows
				}
			case double:
				size = 9
			case single:
				size = 5
			case instant:
				if w[1] >= codePriority0 {
					break rows
				}
				size = 1 + int(ints[w[1]&0x7f].size)
			case uuid:
				if w[1] != codeBytes || w[2] != 16 {
					break rows
				}
				size = 19
			default:
				break rows
			}
			row[i] = newCell(kinds[c], int64(at))
			at += size
		}
		if len(buf)-at < window {
			break
		}
		w = (*[window]byte)(buf[at:])
		if b = binary.LittleEndian.Uint64(w[:]); b&s.last.mask == s.last.bits {
			row[3], row[4] = s.last.cells[0], s.last.cells[1]
			at += s.last.size
		} else {
			c, n := quickInt([8]byte(w[:]))
			flag := w[n&15]
			if w[0] >= codePriority0 || flag != codeTrue && flag != codeFalse {
				break
			}
			row[3], row[4] = c, newCell(KindBool, int64(codeFalse-flag))
			s.last.cells = [2]Cell{row[3], row[4]}
			s.last.set(b, n+1)
			at += n + 1
		}
		pos = at
		nodes += int64(passed)
		done++
	}
	r.pos, r.nodes = pos, nodes
	return done
}

// highBits are those that ASCII has not.
const highBits = 0x8080808080808080

// asciiRun returns the size of a string with a length of its own at the front
// of p, which has a window's bytes, if it is short of 4096 bytes and ASCII;
// else 0.
func asciiRun(p []byte) int {
	at, size := 2, int(p[1])
	if size >= 0x40 {
		if size < 0x50 || size >= 0x60 {
			return 0
		}
		at, size = 3, (size-0x50)<<8+int(p[2])
	}
	if len(p)-at < size+8 {
		return 0
	}
	var all uint64
	end := at + size
	for ; at+8 <= end; at += 8 {
		all |= binary.LittleEndian.Uint64(p[at:])
	}
	if at < end {
		all |= binary.LittleEndian.Uint64(p[at:]) << (64 - 8*uint(end-at)&63)
	}
	if all&highBits != 0 {
		return 0
	}
	return end
}
