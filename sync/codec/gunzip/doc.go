// Package gunzip decodes gzip (RFC 1952) that lies in memory as a whole, as
// Datomic stores each of its segments: one member without optional header
// fields.
//
//	offset  size
//	0       2     1f 8b
//	2       1     08: deflate (RFC 1951)
//	3       1     00: no optional fields
//	4       6     time, flags of the compressor, system: not looked at
//	10      n     deflate
//	10+n    4     CRC-32 of the content, little-endian
//	14+n    4     length of the content, little-endian
//
// Knowing where input and output end lets it decode twice as fast as what
// reads a stream. Neither is believed: the length is held against what so many
// bytes of deflate can make before memory is taken for it, and nothing is
// written beyond it.
package gunzip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Errors of Decode; match them with errors.Is.
var (
	// ErrMalformed: the bytes are not one sound member and nothing else.
	ErrMalformed = errors.New("malformed gzip")
	// ErrTooLarge: the content is larger than the caller allows.
	ErrTooLarge = errors.New("gzip makes too much")
)

const (
	magic       = "\x1f\x8b\x08\x00"
	headerSize  = 10
	trailerSize = 8
	// maxRatio is how many bytes a byte of deflate makes at most.
	maxRatio = 1032
	// maxKept bounds the memory that waits for the next call, in bytes.
	maxKept = 1 << 20
)

// Decoder decodes one member after the other with the same memory. The zero
// value is ready. It is not safe for concurrent use.
type Decoder struct {
	inflater
	in, out []byte
}

// Decode returns the content of data, which must be one member and nothing
// else, if it has at most limit bytes. It is valid until the next call.
func (d *Decoder) Decode(data []byte, limit int) ([]byte, error) {
	if len(data) < headerSize+trailerSize || string(data[:len(magic)]) != magic {
		return nil, malformed(0, "no header of deflate without optional fields")
	}
	deflate, trailer := data[headerSize:len(data)-trailerSize], data[len(data)-trailerSize:]
	size := int(binary.LittleEndian.Uint32(trailer[4:]))
	if size > maxRatio*len(deflate) {
		return nil, malformed(len(data)-4, "%d bytes cannot make %d", len(deflate), size)
	}
	if size > limit {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", ErrTooLarge, size, limit)
	}
	d.in = append(append(grow(d.in, len(deflate)+slackIn)[:0], deflate...), make([]byte, slackIn)...)
	d.out = grow(d.out, size+slackOut)
	if err := d.inflate(d.out, size, d.in, len(deflate)); err != nil {
		return nil, err
	}
	content := d.out[:size]
	if sum, want := crc32.ChecksumIEEE(content), binary.LittleEndian.Uint32(trailer); sum != want {
		return nil, malformed(len(data)-trailerSize, "CRC-32 is %08x, not %08x", sum, want)
	}
	return content, nil
}

// Size is how many bytes data says that it unpacks to; 0 if it is no gzip.
// Nobody need believe it, but Decode makes no more of it.
func Size(data []byte) int {
	if len(data) < headerSize+trailerSize || string(data[:len(magic)]) != magic {
		return 0
	}
	return int(binary.LittleEndian.Uint32(data[len(data)-4:]))
}

// Forget gives back memory that is larger than most members need.
func (d *Decoder) Forget() {
	if cap(d.in)+cap(d.out) > maxKept {
		d.in, d.out = nil, nil
	}
}

// grow returns memory of a size, b's if it is enough.
func grow(b []byte, size int) []byte {
	if cap(b) < size {
		b = make([]byte, size+size/4)
	}
	return b[:size]
}

// malformed tells what is wrong at an offset of the input.
func malformed(offset int, format string, args ...any) error {
	return fmt.Errorf("%w: offset %d: %s", ErrMalformed, offset, fmt.Sprintf(format, args...))
}
