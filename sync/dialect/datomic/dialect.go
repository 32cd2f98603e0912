package datomic

import (
	"errors"
	"io"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/gunzip"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Dialect reads segments. It may be used from many goroutines.
type Dialect struct {
	openers sync.Pool // of *opener
	// large is held while a segment is unpacked that has more than largeContent.
	large sync.Mutex
}

// largeContent is more than Datomic's segments have, in bytes, but for a rare one.
const largeContent = 1 << 20

// New returns a Dialect.
func New() *Dialect { return &Dialect{} }

// opened calls fn with a reader of a segment's content, which is valid until
// fn returns.
func (d *Dialect) opened(id graph.ID, data []byte, fn func(o *opener) error) error {
	if gunzip.Size(data) > largeContent {
		// One at a time: as many as are read together would fill the memory.
		d.large.Lock()
		defer d.large.Unlock()
	}
	o, ok := d.openers.Get().(*opener)
	if !ok {
		o = &opener{}
	}
	err := o.open(data)
	if err == nil {
		err = fn(o)
	}
	o.close()
	d.openers.Put(o)
	return describe(id, err)
}

// Decode implements descent.Decoder. An inner node is decoded whole. A leaf is
// unpacked, which verifies its CRC-32 and its length; of its content only the
// beginning is looked at. Check looks at all of it.
func (d *Dialect) Decode(ref graph.Ref, data []byte) (n graph.Node, err error) {
	n = graph.Node{Level: ref.Level, Count: -1}
	err = d.opened(ref.ID, data, func(o *opener) (err error) {
		if ref.Level == graph.Leaf {
			return o.leaf()
		}
		n.Children, n.Count, err = readInner(&o.r, ref.Level)
		if err == nil {
			err = end(&o.r)
		}
		return err
	})
	return n, err
}

// Check is Decode, and looks at every byte of a leaf's content: that it is
// well-formed, and that the footer fits, where there is one.
func (d *Dialect) Check(ref graph.Ref, data []byte) error {
	if ref.Level != graph.Leaf {
		_, err := d.Decode(ref, data)
		return err
	}
	return d.opened(ref.ID, data, func(o *opener) error {
		if _, err := leafKind(&o.r); err != nil {
			return err
		}
		return o.scan()
	})
}

// end makes sure that but for a footer nothing follows.
func end(r *fressian.Reader) error {
	if _, err := r.Peek(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = corrupt("%d bytes after the value at offset %d", r.Len(), r.Offset())
		}
		return err
	}
	return nil
}
