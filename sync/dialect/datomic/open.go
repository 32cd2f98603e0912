package datomic

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/gunzip"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// maxSegment bounds a segment's content, in bytes.
const maxSegment = 256 << 20

// gzipMagic begins what is compressed. No segment begins so: it is a number.
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

// leaf checks a leaf whose bytes the CRC has vouched for; those of one without
// are all looked at.
func (o *opener) leaf() error {
	if _, err := leafKind(&o.r); err != nil || !o.plain {
		return err
	}
	return o.scan()
}

// scan looks at the whole content.
func (o *opener) scan() error {
	o.r.Reset(o.content)
	if err := o.r.Skip(); err != nil {
		return err
	}
	return end(&o.r)
}
