package fressian

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/bits"
)

// writeInt appends the shortest form of v.
func (w *Writer) writeInt(v int64) {
	if v >= -1 && v < 0x40 {
		w.code(byte(v)) //nolint:gosec // -1 is the code 0xff
		return
	}
	n := payload(v)
	if n == 8 {
		w.code(codeInt)
	} else {
		w.code(byte(packedZero(n) + v>>(8*n))) //nolint:gosec // within the packed run
	}
	for n--; n >= 0; n-- {
		w.code(byte(v >> (8 * n))) //nolint:gosec // takes the low byte
	}
}

// payload is the number of bytes behind the code of v, which needs at least
// one. The code has room for 4 bits and the sign, then 3, then 1.
func payload(v int64) int {
	need := 64 - bits.LeadingZeros64(uint64(v^v>>63)) //nolint:gosec // magnitude bits
	switch {
	case need <= 12:
		return 1
	case need <= 19:
		return 2
	case need <= 49:
		return (need + 6) / 8
	}
	return 8
}

func (w *Writer) writeBool(v bool) {
	if v {
		w.code(codeTrue)
	} else {
		w.code(codeFalse)
	}
}

func (w *Writer) writeFloat(v float32) {
	w.code(codeFloat)
	w.buf = binary.BigEndian.AppendUint32(w.buf, math.Float32bits(v))
}

// writeDouble differs from org.fressian in -0.0, which that writes as 0.0.
func (w *Writer) writeDouble(v float64) {
	switch {
	case v == 0 && !math.Signbit(v):
		w.code(codeDouble0)
	case v == 1:
		w.code(codeDouble1)
	default:
		w.code(codeDouble)
		w.buf = binary.BigEndian.AppendUint64(w.buf, math.Float64bits(v))
	}
}

// writeString splits long strings between UTF-16 units, as org.fressian does.
func (w *Writer) writeString(s string) error {
	p, ok := encodeUnits(w.units[:0], s)
	w.units = p
	if !ok {
		return fmt.Errorf("%w: string is not UTF-8", ErrValue)
	}
	for len(p) > stringChunk {
		n := stringChunk
		for continues(p[n]) {
			n--
		}
		w.run(codeStringChunk, p[:n])
		p = p[n:]
	}
	w.run(codeString, p)
	return nil
}

func (w *Writer) writeBytes(p []byte) {
	if len(p) < packedLength {
		w.run(codeBytes, p)
		return
	}
	for len(p) > bytesChunk {
		w.run(codeBytesChunk, p[:bytesChunk])
		p = p[bytesChunk:]
	}
	// The end of chunks has no packed form for bytes.
	w.code(codeBytes)
	w.writeInt(int64(len(p)))
	w.buf = append(w.buf, p...)
}

// run appends one run of bytes or string: c is the code for a chunk or the
// last run, before which the codes of the packed lengths stand.
func (w *Writer) run(c byte, p []byte) {
	packed := c - packedLength - 1
	switch {
	case len(p) >= packedLength || c == codeBytesChunk || c == codeStringChunk:
		w.code(c)
		w.writeInt(int64(len(p)))
	default:
		w.code(packed + byte(len(p))) //nolint:gosec // below packedLength
	}
	w.buf = append(w.buf, p...)
}

// bigBytes is the shortest big-endian two's complement of v, nil being 0.
func bigBytes(v *big.Int) []byte {
	if v == nil || v.Sign() == 0 {
		return []byte{0}
	}
	if v.Sign() > 0 {
		return v.FillBytes(make([]byte, v.BitLen()/8+1))
	}
	inverse := new(big.Int).Not(v)
	b := inverse.FillBytes(make([]byte, inverse.BitLen()/8+1))
	for i := range b {
		b[i] = ^b[i]
	}
	return b
}
