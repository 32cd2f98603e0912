package datomic

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/gunzip"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// maxSegment bounds a segment's content, in bytes.
const maxSegment = 256 << 20

// gzipMagic begins what is compressed; no value of Fressian begins so.
const gzipMagic = "\x1f\x8b"

// opener unpacks segments, one after the other.
type opener struct {
	r       fressian.Reader
	gzip    gunzip.Decoder
	content []byte
	plain   bool // the segment is not compressed, and so has no CRC
}

// open unpacks a segment and begins to read it.
func (o *opener) open(data []byte) (err error) {
	if len(data) == 0 {
		return corrupt("it is empty")
	}
	o.content = data
	if o.plain = !bytes.HasPrefix(data, []byte(gzipMagic)); !o.plain {
		o.content, err = o.gzip.Decode(data, maxSegment)
	}
	if errors.Is(err, gunzip.ErrTooLarge) || len(o.content) > maxSegment {
		return fmt.Errorf("%w: more than %d bytes", graph.ErrTooLarge, maxSegment)
	}
	if err != nil {
		return err
	}
	o.r.Reset(o.content)
	return nil
}

// close forgets the segment.
func (o *opener) close() {
	o.content = nil
	o.r.Reset(nil)
	o.gzip.Forget()
}

// The footer of Fressian: its code four times, the length of what is before
// it, and the Adler-32 of all up to itself.
const (
	footerSize  = 12
	footerMagic = 0xcfcfcfcf
)

// footer verifies the footer, if there is one that fits. (Log leaves end in
// data, which may look like a footer's beginning.)
func (o *opener) footer() error {
	at := len(o.content) - footerSize
	if at < 0 {
		return nil
	}
	f := o.content[at:]
	if binary.BigEndian.Uint32(f) != footerMagic || binary.BigEndian.Uint32(f[4:]) != uint32(at) {
		return nil
	}
	sum := adler32.Checksum(o.content[:at+8])
	if want := binary.BigEndian.Uint32(f[8:]); sum != want {
		return corrupt("Adler-32 is %08x, the footer at offset %d says %08x", sum, at, want)
	}
	return nil
}

// leaf checks a leaf whose bytes the CRC has vouched for; those of one without
// are all looked at.
func (o *opener) leaf() error {
	if _, err := leafKind(&o.r); err != nil {
		return err
	}
	if o.plain {
		return o.scan()
	}
	return o.footer()
}

// scan looks at the whole content.
func (o *opener) scan() error {
	o.r.Reset(o.content)
	if err := o.r.Skip(); err != nil {
		return err
	}
	return end(&o.r)
}
