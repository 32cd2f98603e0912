package datomic

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"io"

	"github.com/klauspost/compress/gzip"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

const (
	// maxSegment bounds a segment's content, in bytes.
	maxSegment = 256 << 20
	// maxKept bounds the memory that waits for the next segment.
	maxKept = 4 << 20
	// maxRatio is how many bytes a byte of deflate makes at most.
	maxRatio = 1032

	gzipMagic   = "\x1f\x8b"
	gzipTrailer = 8 // bytes: CRC-32, and the content's length
)

// opener unpacks segments, one after the other.
type opener struct {
	r       fressian.Reader
	packed  bytes.Reader
	gzip    gzip.Reader
	memory  []byte
	content []byte
	plain   bool // the segment is not compressed, and so has no CRC
}

// open unpacks a segment and begins to read it.
func (o *opener) open(data []byte) (err error) {
	if len(data) == 0 {
		return corrupt("it is empty")
	}
	o.content = data
	o.plain = !bytes.HasPrefix(data, []byte(gzipMagic))
	if !o.plain {
		if o.content, err = o.unpack(data); err != nil {
			return err
		}
	}
	if len(o.content) > maxSegment {
		return fmt.Errorf("%w: more than %d bytes", graph.ErrTooLarge, maxSegment)
	}
	o.r.Reset(o.content)
	return nil
}

// close forgets the segment.
func (o *opener) close() {
	o.content = nil
	o.packed.Reset(nil)
	o.r.Reset(nil)
	if cap(o.memory) > maxKept {
		o.memory = nil
	}
}

// unpack returns the content of one gzip member, after which nothing follows.
// How large it is its trailer says; that is believed as far as the compressed
// bytes could make it.
func (o *opener) unpack(data []byte) ([]byte, error) {
	if len(data) < gzipTrailer {
		return nil, corrupt("%d bytes of gzip", len(data))
	}
	size := int(binary.LittleEndian.Uint32(data[len(data)-4:]))
	if size > maxRatio*len(data) {
		return nil, corrupt("gzip of %d bytes says that it makes %d", len(data), size)
	}
	if size > maxSegment {
		return nil, fmt.Errorf("%w: more than %d bytes when unpacked", graph.ErrTooLarge, maxSegment)
	}
	o.packed.Reset(data)
	if err := o.gzip.Reset(&o.packed); err != nil {
		return nil, corrupt("gzip: %w", err)
	}
	o.gzip.Multistream(false)
	if cap(o.memory) < size+1 {
		o.memory = make([]byte, size+size/4+1)
	}
	// One byte of room more: reading on to the end verifies the trailer.
	n, err := io.ReadFull(&o.gzip, o.memory[:size+1])
	switch {
	case !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF):
		if err == nil {
			err = gzip.ErrChecksum
		}
		return nil, corrupt("gzip at offset %d of its content: %w", n, err)
	case n != size:
		return nil, corrupt("gzip ends at offset %d of its content, not %d", n, size)
	case o.packed.Len() > 0:
		return nil, corrupt("%d bytes after the gzip member", o.packed.Len())
	}
	return o.memory[:n], nil
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
