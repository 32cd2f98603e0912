package gunzip

import (
	"encoding/binary"
)

const (
	// slackIn is what must lie behind the input, in bytes, so that eight can
	// be read at a time.
	slackIn = 32
	// slackOut is what must lie behind the output: room for what one turn
	// writes before it is noticed to be too much.
	slackOut = 3 + 258 + 2*word
	word     = 8
)

// What is wrong most often.
const (
	tooShort = "unexpected end"
	tooMuch  = "more is made than the trailer says"
)

// inflater has the tables and the state of one run.
type inflater struct {
	lit  [litSize]uint32
	dist [distSize]uint32
	pre  [preSize]uint32

	lengths [litCount + distCount]uint8

	in   []byte // input, and slackIn
	end  int    // of the input
	pos  int    // of the byte that comes next
	bits uint64 // bits before that, lowest first; what is beyond n is right, too
	n    uint   // how many

	dst  []byte // output, and slackOut
	size int    // of the output
	out  int    // bytes written
}

// inflate decodes the first end bytes of in, which must make exactly size
// bytes. Both slices have slack behind that.
func (f *inflater) inflate(dst []byte, size int, in []byte, end int) error {
	f.in, f.end, f.pos, f.bits, f.n = in, end, 0, 0, 0
	f.dst, f.size, f.out = dst, size, 0
	for last := false; !last; {
		f.refill()
		last = f.take(1) == 1
		var reason string
		switch f.take(2) {
		case 0:
			reason = f.stored()
		case 1:
			f.fixed()
			reason = f.block()
		case 2:
			if reason = f.dynamic(); reason == "" {
				reason = f.block()
			}
		default:
			reason = "a block of no kind"
		}
		if reason == "" && f.at() > f.end {
			reason = tooShort
		}
		if reason != "" {
			return malformed(headerSize+min(f.at(), f.end), "%s", reason)
		}
	}
	if f.at() != f.end || f.out != f.size {
		return malformed(headerSize+f.at(), "deflate ends after %d of %d bytes and made %d of %d", f.at(), f.end, f.out, f.size)
	}
	return nil
}

// at is the offset of the first byte of which no bit has been taken.
func (f *inflater) at() int { return f.pos - int(f.n/word) }

// refill makes at least 56 bits ready. Beyond the input there are zeros.
func (f *inflater) refill() {
	f.pos = min(f.pos, f.end+slackIn-word)
	f.bits |= binary.LittleEndian.Uint64(f.in[f.pos:]) << (f.n & 63)
	f.pos += int(63-f.n) >> 3
	f.n |= 56
}

// take returns the next few bits.
func (f *inflater) take(n uint) uint {
	v := uint(f.bits & (1<<n - 1))
	f.bits >>= n
	f.n -= n
	return v
}

// stored copies a block that is not compressed.
func (f *inflater) stored() string {
	pos := f.at()
	f.pos, f.bits, f.n = pos, 0, 0
	if f.end-pos < 4 {
		return tooShort
	}
	size := int(binary.LittleEndian.Uint16(f.in[pos:]))
	if size^0xffff != int(binary.LittleEndian.Uint16(f.in[pos+2:])) {
		return "the length of a stored block contradicts itself"
	}
	if pos += 4; size > f.end-pos {
		return tooShort
	}
	if size > f.size-f.out {
		return tooMuch
	}
	copy(f.dst[f.out:], f.in[pos:pos+size])
	f.pos, f.out = pos+size, f.out+size
	return ""
}

// fixed makes the tables of the code that needs none.
func (f *inflater) fixed() {
	l := &f.lengths
	for s := range l {
		switch {
		case s < 144:
			l[s] = 8
		case s < 256:
			l[s] = 9
		case s < 280:
			l[s] = 7
		case s < litCount:
			l[s] = 8
		default:
			l[s] = 5
		}
	}
	build(f.lit[:], litBits, l[:litCount], litSymbols[:])
	build(f.dist[:], distBits, l[litCount:], distSymbols[:])
}

// order is that in which a dynamic block has the lengths of the code of its
// lengths.
var order = [preCount]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamic reads the codes of a block and makes their tables.
func (f *inflater) dynamic() string {
	lits, dists, pres := 257+f.take(5), 1+f.take(5), 4+f.take(4)
	if lits > 286 || dists > 30 {
		return "too many codes"
	}
	var pre [preCount]uint8
	for _, s := range order[:pres] {
		f.refill()
		pre[s] = uint8(f.take(3)) //nolint:gosec // 3 bits
	}
	if !build(f.pre[:], preBits, pre[:], preSymbols[:]) {
		return "the lengths of codes have no code"
	}
	all := f.lengths[:lits+dists]
	if reason := f.readLengths(all); reason != "" {
		return reason
	}
	if all[endSymbol] == 0 {
		return "a block has no end"
	}
	if !build(f.lit[:], litBits, all[:lits], litSymbols[:]) || !build(f.dist[:], distBits, all[lits:], distSymbols[:]) {
		return "the lengths of codes make none"
	}
	return ""
}

// readLengths reads how many bits the code of each symbol has.
func (f *inflater) readLengths(all []uint8) string {
	for i := 0; i < len(all); {
		f.refill()
		e := f.pre[f.bits&(preSize-1)]
		if e == 0 {
			return "a length of a code is none"
		}
		f.take(uint(e & 0xff))
		s := uint8(e >> base) //nolint:gosec // below 19
		if s < 16 {
			all[i] = s
			i++
			continue
		}
		value, times := uint8(0), 0
		switch s {
		case 16:
			if i == 0 {
				return "nothing is repeated"
			}
			value, times = all[i-1], 3+int(f.take(2))
		case 17:
			times = 3 + int(f.take(3))
		default:
			times = 11 + int(f.take(7))
		}
		if times > len(all)-i {
			return "too many lengths of codes"
		}
		for range times {
			all[i] = value
			i++
		}
	}
	return ""
}

// block decodes what follows the codes of a block. In one piece, so that the
// state stays in registers.
func (f *inflater) block() (reason string) { //nolint:gocyclo,funlen // see above
	in, dst, lit, dist := f.in, f.dst, &f.lit, &f.dist
	pos, out, buf, n := f.pos, f.out, f.bits, f.n
	lastIn, lastOut := f.end+slackIn-word, f.size
	for {
		if pos > lastIn || out > lastOut {
			if reason = tooShort; out > lastOut {
				reason = tooMuch
			}
			break
		}
		buf |= binary.LittleEndian.Uint64(in[pos:]) << (n & 63)
		pos += int(63-n) >> 3
		n |= 56
		e := lit[buf&(1<<litBits-1)]
		if e&literal != 0 {
			// Three codes and what they look up have at most 4*litBits bits.
			buf >>= e & 63
			n -= uint(e & 63)
			dst[out] = byte(e >> base & 0xff)
			out++
			if e = lit[buf&(1<<litBits-1)]; e&literal != 0 {
				buf >>= e & 63
				n -= uint(e & 63)
				dst[out] = byte(e >> base & 0xff)
				out++
				if e = lit[buf&(1<<litBits-1)]; e&literal != 0 {
					buf >>= e & 63
					n -= uint(e & 63)
					dst[out] = byte(e >> base & 0xff)
					out++
					continue
				}
			}
			if pos > lastIn {
				continue
			}
			buf |= binary.LittleEndian.Uint64(in[pos:]) << (n & 63)
			pos += int(63-n) >> 3
			n |= 56
		}
		if e&special != 0 {
			if e&another != 0 {
				e = lit[(e>>base+uint32(buf>>litBits)&(1<<(e&63)-1))&(litSize-1)] //nolint:gosec // the low bits
			}
			if e&literal != 0 {
				buf >>= e & 63
				n -= uint(e & 63)
				dst[out] = byte(e >> base & 0xff)
				out++
				continue
			}
			if e&blockEnd != 0 {
				buf >>= e & 63
				n -= uint(e & 63)
				break
			}
		}
		if e&special != 0 || e == 0 {
			reason = "a code has no meaning"
			break
		}
		length := int(e>>base) + int(buf&(1<<(e&63)-1)>>(e>>8&15)) //nolint:gosec // few bits
		buf >>= e & 63
		n -= uint(e & 63)

		e = dist[buf&(1<<distBits-1)]
		if e&another != 0 && e&special != 0 {
			e = dist[(e>>base+uint32(buf>>distBits)&(1<<(e&63)-1))&(distSize-1)] //nolint:gosec // the low bits
		}
		if e&special != 0 || e == 0 {
			reason = "a distance has no meaning"
			break
		}
		distance := int(e>>base) + int(buf&(1<<(e&63)-1)>>(e>>8&15)) //nolint:gosec // few bits
		buf >>= e & 63
		n -= uint(e & 63)
		from := out - distance
		if from < 0 {
			reason = "a distance reaches before the beginning"
			break
		}
		repeatBytes(dst, out, from, length)
		out += length
	}
	f.pos, f.out, f.bits, f.n = pos, out, buf, n
	if reason == "" && out > f.size {
		reason = tooMuch
	}
	return reason
}

// repeatBytes copies length bytes from from to out, which lies behind; they
// may overlap. It writes up to a word more.
func repeatBytes(dst []byte, out, from, length int) {
	if out-from >= word {
		for end := out + length; out < end; out, from = out+word, from+word {
			binary.LittleEndian.PutUint64(dst[out:], binary.LittleEndian.Uint64(dst[from:]))
		}
		return
	}
	for end := out + length; out < end; out, from = out+1, from+1 {
		dst[out] = dst[from]
	}
}
