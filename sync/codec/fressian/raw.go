package fressian

import (
	"encoding/binary"
	"math"
)

// code returns the code at the position.
func (r *Reader) code() (byte, error) {
	if r.pos >= len(r.buf) {
		return 0, r.truncated()
	}
	return r.buf[r.pos], nil
}

// DecodeInt decodes b if it is one integer and nothing else. It is what a
// caller that knows the bytes around needs no Reader for.
func DecodeInt(b []byte) (int64, bool) {
	r := Reader{buf: b}
	v, err := r.rawInt()
	return v, err == nil && r.pos == len(b)
}

// rawInt consumes an integer; cache references are no integers here.
func (r *Reader) rawInt() (int64, error) {
	c, err := r.code()
	if err != nil {
		return 0, err
	}
	if !isInt(c) {
		return 0, r.fail("want an integer, found code %#02x", c)
	}
	w := int(width[c])
	if w >= len(r.buf)-r.pos {
		return 0, r.truncated()
	}
	p := r.buf[r.pos+1 : r.pos+1+w]
	r.pos += 1 + w
	switch {
	case c < 0x40:
		return int64(c), nil
	case c == codeMinusOne:
		return -1, nil
	case c == codeInt:
		return int64(binary.BigEndian.Uint64(p)), nil //nolint:gosec // two's complement
	}
	v := int64(c) - packedZero(w)
	for _, b := range p {
		v = v<<8 | int64(b)
	}
	return v, nil
}

// packedZero is the code of a packed integer with w payload bytes and high
// bits of zero.
func packedZero(w int) int64 {
	switch w {
	case 1:
		return 0x50
	case 2:
		return 0x68
	}
	return int64(0x72 + 4*(w-3))
}

// int32 consumes an integer that fits 32 bits.
func (r *Reader) int32() (int32, error) {
	v, err := r.rawInt()
	if err == nil && v != int64(int32(v)) { //nolint:gosec // range check
		err = r.fail("integer %d exceeds 32 bits", v)
	}
	return int32(v), err //nolint:gosec // checked
}

// length consumes a count of things that take at least a byte each.
func (r *Reader) length() (int, error) {
	if r.pos < len(r.buf) && int(r.buf[r.pos]) < min(0x40, len(r.buf)-r.pos) {
		r.pos++
		return int(r.buf[r.pos-1]), nil
	}
	v, err := r.rawInt()
	if err != nil {
		return 0, err
	}
	if v < 0 || v > int64(len(r.buf)-r.pos) {
		return 0, r.fail("length %d with %d bytes left", v, len(r.buf)-r.pos)
	}
	return int(v), nil
}

// run consumes one run of bytes or string: the packed form with first code
// zero, the chunk or the whole. more tells that it was a chunk.
func (r *Reader) run(zero byte) (p []byte, more bool, err error) {
	c, err := r.code()
	if err != nil {
		return nil, false, err
	}
	chunk := zero + packedLength
	if c < zero || c > chunk+1 {
		return nil, false, r.fail("want bytes or a string, found code %#02x", c)
	}
	r.pos++
	n := int(c - zero)
	if c >= chunk {
		n, err = r.length()
	}
	if err == nil && n > len(r.buf)-r.pos {
		err = r.truncated()
	}
	if err != nil {
		return nil, false, err
	}
	p = r.buf[r.pos : r.pos+n]
	r.pos += n
	return p, c == chunk, nil
}

// rawBytes consumes a byte string in one run or in chunks, and returns the
// size of it all.
func (r *Reader) rawBytes() (n int, err error) {
	for chunked := false; ; chunked = true {
		if chunked && r.pos < len(r.buf) && r.buf[r.pos] < codeBytesChunk {
			return 0, r.fail("chunked bytes end in code %#02x", r.buf[r.pos])
		}
		p, more, err := r.run(codeBytes0)
		n += len(p)
		if err != nil || !more {
			return n, err
		}
	}
}

// rawString consumes a string in one run or in chunks and checks it.
func (r *Reader) rawString() error {
	for {
		p, more, err := r.run(codeString0)
		if err != nil {
			return err
		}
		if bad := invalidUnit(p); bad >= 0 {
			r.pos += bad - len(p)
			return r.fail("string byte %#02x is not CESU-8", r.buf[r.pos])
		}
		if !more {
			return nil
		}
	}
}

// rawDouble consumes a float64.
func (r *Reader) rawDouble() (float64, error) {
	c, err := r.code()
	if err != nil {
		return 0, err
	}
	switch c {
	case codeDouble0, codeDouble1:
		r.pos++
		return float64(c - codeDouble0), nil
	case codeDouble:
		if len(r.buf)-r.pos < 9 {
			return 0, r.truncated()
		}
		r.pos += 9
		return math.Float64frombits(binary.BigEndian.Uint64(r.buf[r.pos-8:])), nil
	}
	return 0, r.fail("want a double, found code %#02x", c)
}

// rawFloat consumes a float32.
func (r *Reader) rawFloat() (float32, error) {
	c, err := r.code()
	if err != nil {
		return 0, err
	}
	if c != codeFloat {
		return 0, r.fail("want a float, found code %#02x", c)
	}
	if len(r.buf)-r.pos < 5 {
		return 0, r.truncated()
	}
	r.pos += 5
	return math.Float32frombits(binary.BigEndian.Uint32(r.buf[r.pos-4:])), nil
}

// rawBool consumes a boolean.
func (r *Reader) rawBool() (bool, error) {
	c, err := r.code()
	if err != nil {
		return false, err
	}
	if c != codeTrue && c != codeFalse {
		return false, r.fail("want a boolean, found code %#02x", c)
	}
	r.pos++
	return c == codeTrue, nil
}
