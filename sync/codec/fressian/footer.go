package fressian

import (
	"encoding/binary"
	"hash/adler32"
)

// footerMagic is the footer code four times; a big-endian u32 length of the
// bytes before it and the Adler-32 of everything up to itself follow.
const (
	footerMagic = 0xcfcfcfcf
	footerSize  = 12
)

// footer passes a footer and checks it against the bytes since the last one.
// It ends the life of both caches.
func (r *Reader) footer() error {
	if len(r.buf)-r.pos < footerSize {
		return r.truncated()
	}
	f := r.buf[r.pos : r.pos+footerSize]
	if m := binary.BigEndian.Uint32(f); m != footerMagic {
		return r.fail("footer magic is %08x", m)
	}
	if n := binary.BigEndian.Uint32(f[4:]); uint64(n) != uint64(r.pos-r.origin) { //nolint:gosec // not negative
		return r.fail("footer is for %d bytes, not %d", n, r.pos-r.origin)
	}
	sum := adler32.Checksum(r.buf[r.origin : r.pos+8])
	if want := binary.BigEndian.Uint32(f[8:]); sum != want {
		return r.fail("Adler-32 is %08x, footer says %08x", sum, want)
	}
	r.pos += footerSize
	r.origin, r.high = r.pos, r.pos
	r.base, r.sbase = r.cursor, r.scursor
	r.compact()
	return nil
}
