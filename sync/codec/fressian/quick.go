package fressian

import (
	"encoding/binary"
	"math"
)

// window is how many bytes must be left for the quick ways, so that but for
// strings none of them need look for the end.
const window = 24

// shape is what the quick ways make of a code.
type shape uint8

const (
	smallInt shape = iota
	packedInt
	boolean
	keyword
	shortString
	oneString
	double
	single
	instant
	uuid
	other
)

// How easyRows looks at things. They never change.
var (
	shapes      = shapesByCode()
	packedZeros = [8]int64{1: packedZero(1), packedZero(2), packedZero(3), packedZero(4), packedZero(5), packedZero(6)}
)

func shapesByCode() (s [256]shape) {
	for c := range s {
		switch {
		case c < 0x40:
			s[c] = smallInt
		case c < codePriority0:
			s[c] = packedInt
		case c >= codeString0 && c < codeStringChunk:
			s[c] = shortString
		default:
			s[c] = other
		}
	}
	s[codeTrue], s[codeFalse], s[codeKeyword], s[codeString] = boolean, boolean, keyword, oneString
	s[codeDouble], s[codeFloat], s[codeInst], s[codeUUID] = double, single, instant, uuid
	return s
}

// packedCell is the cell of a packed integer: its code, how many bytes follow
// that, and those bytes with more behind them. With none it is a small one.
func packedCell(c byte, n uint, b uint64) Cell {
	return newCell(KindInt, (int64(c)-packedZeros[n&7])<<(8*n)+int64(b>>(64-8*n))) //nolint:gosec // below 2^48
}

// repeat is what came up in one row and is likely to in the next: its first
// bytes, or its last ones.
type repeat struct {
	bits, mask uint64 // of the bytes, little-endian
	size       int
	cells      [2]Cell
}

// nothing has no mask and so is equal to no bytes.
var nothing = repeat{bits: 1}

// set remembers that the first size bytes of b.
func (a *repeat) set(b uint64, size int) {
	if size > 8 {
		a.bits, a.mask = 1, 0
		return
	}
	a.size, a.mask = size, math.MaxUint64>>(64-8*size)
	a.bits = b & a.mask
}

// quickRows consumes rows while they begin as one did that has been seen in
// the same list, so that tag, form and depth need no second look. It returns
// how many: at most limit, and no more than dst has room for.
func (r *Reader) quickRows(dst []Cell, cells, limit int) (_ []Cell, done int, err error) {
	r.depth++
	for done < limit && cap(dst)-len(dst) >= cells {
		free := dst[len(dst):cap(dst)]
		n := r.easyRows(free[:min(len(free)/cells, limit-done)*cells], cells)
		done += n
		dst = dst[:len(dst)+n*cells]
		h := &r.rows.header
		if done == limit || cap(dst)-len(dst) < cells || len(r.buf)-r.pos < window ||
			binary.LittleEndian.Uint64(r.buf[r.pos:])&h.mask != h.bits {
			break
		}
		dst = dst[:len(dst)+cells]
		if err := r.oddRow(dst[len(dst)-cells:]); err != nil {
			return dst, done, err
		}
		done++
	}
	r.depth--
	r.high = max(r.high, r.pos)
	return dst, done, nil
}

// oddRow consumes a row with a header that has been seen and something that
// is not easy.
func (r *Reader) oddRow(row []Cell) (err error) {
	r.pos += r.rows.header.size
	r.nodes += 2
	for i := range row {
		at, nodes := r.pos, r.nodes
		if row[i], err = r.scanCell(); err != nil {
			return err
		}
		switch {
		case r.base != r.rows.base || r.sbase != r.rows.sbase:
			r.beginRows()
		case r.buf[at] == codeKeyword:
			r.rows.learn(r.buf[at:], row[i], r.nodes-nodes)
		}
	}
	return nil
}

// easyRows consumes rows as long as they hold what most rows hold: numbers
// where they begin and end, and between them numbers, ASCII, UUIDs, and
// keywords that have come up in the list. It returns how many. It calls
// nothing, so that all it works with stays in registers.
//
// Rows of one entity begin alike and rows of one transaction end alike, so the
// first value and the last two are compared with those of the row before.
func (r *Reader) easyRows(dst []Cell, cells int) (rows int) { //nolint:gocyclo,funlen // in one piece it is twice as fast
	s, buf, pos, nodes := r.rows, r.buf, r.pos, r.nodes
	if nodes > maxExpansion/2*int64(len(buf)) {
		return 0 // references are counted where that might matter
	}
rows:
	for ; len(dst) >= cells && len(buf)-pos >= window; dst = dst[cells:] {
		row, at, passed := dst[:cells], pos, 2+cells
		w := (*[window]byte)(buf[pos:])
		b := binary.LittleEndian.Uint64(w[:])
		if b&s.first.mask == s.first.bits {
			row[0] = s.first.cells[0]
			at += s.first.size
		} else {
			if b&s.header.mask != s.header.bits || shapes[w[3]] > packedInt {
				break
			}
			n := uint(width[w[3]]) & 7
			row[0] = packedCell(w[3], n, binary.BigEndian.Uint64(w[4:]))
			at += 4 + int(n) //nolint:gosec // below 8
			s.first.cells[0] = row[0]
			s.first.set(b, at-pos)
		}
		for i := 1; i < len(row)-2; i++ {
			if len(buf)-at < window {
				break rows
			}
			w := (*[window]byte)(buf[at:])
			c, size := w[0], 0
			switch shapes[c] {
			case smallInt, packedInt:
				n := uint(width[c]) & 7
				row[i] = packedCell(c, n, binary.BigEndian.Uint64(w[1:]))
				at += 1 + int(n) //nolint:gosec // below 8
				continue
			case boolean:
				row[i] = newCell(KindBool, int64(codeFalse-c))
				at++
				continue
			case keyword:
				ns, o, one := nameRef(w, 1)
				name, end, two := nameRef(w, o)
				k := &s.known[nameSlot(ns, name)]
				if k.list != s.list || k.ns != ns || k.name != name {
					break rows
				}
				row[i] = k.cell
				at += end
				passed += one + two
				continue
			case shortString, oneString:
				o, n := 1, int(c)-codeString0
				if c == codeString {
					if o, n = 2, int(w[1]); n >= 0x40 {
						o, n = 3, (n-0x50)<<8+int(w[2])
					}
				}
				if w[1] >= 0x60 && c == codeString || n < 0 || len(buf)-at < n+window {
					break rows
				}
				var all uint64
				for p := buf[at+o:]; n >= 8; n -= 8 {
					all |= binary.LittleEndian.Uint64(p)
					p = p[8:]
					o += 8
				}
				all |= binary.LittleEndian.Uint64(buf[at+o:]) << (64 - 8*n)
				if all&highBits != 0 {
					break rows
				}
				size = o + n
			case double:
				size = 9
			case single:
				size = 5
			case instant:
				size = 2 + int(width[w[1]])
				if shapes[w[1]] > packedInt {
					break rows
				}
			case uuid:
				size = 19
				if w[1] != codeBytes || w[2] != 16 {
					break rows
				}
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
		b = binary.LittleEndian.Uint64(w[:])
		if b&s.last.mask == s.last.bits {
			row[len(row)-2], row[len(row)-1] = s.last.cells[0], s.last.cells[1]
			at += s.last.size
		} else {
			n := uint(width[w[0]]) & 7
			c := w[1+n]
			if shapes[w[0]] > packedInt || shapes[c] > boolean {
				break
			}
			s.last.cells[0] = packedCell(w[0], n, binary.BigEndian.Uint64(w[1:]))
			m := uint(width[c]) & 7
			s.last.cells[1] = packedCell(c, m, binary.BigEndian.Uint64(w[2+n:]))
			if shapes[c] == boolean {
				s.last.cells[1] = newCell(KindBool, int64(codeFalse-c))
			}
			row[len(row)-2], row[len(row)-1] = s.last.cells[0], s.last.cells[1]
			s.last.set(b, int(2+n+m)) //nolint:gosec // below 16
			at += int(2 + n + m)      //nolint:gosec // below 16
		}
		pos = at
		nodes += int64(passed)
		rows++
	}
	r.pos, r.nodes = pos, nodes
	return rows
}

// highBits are those that ASCII has not.
const highBits = 0x8080808080808080
