package sample

import (
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
)

// The struct tags of persistent-sorted-set's and Datahike's handlers.
const (
	tagSet    = "pss/set"
	tagLeaf   = "pss/leaf"
	tagBranch = "pss/branch"
	tagDatom  = "datahike.datom.Datom"
	tagVector = "pvec"
)

// encode returns the value of an object.
func encode(v any) ([]byte, error) {
	w := fressian.NewWriter()
	err := w.Write(v)
	return w.Bytes(), err
}

// encodeNode returns the value of a node's object. The children of an inner
// node must have addresses.
func encodeNode(n *node, factor, buffer int) ([]byte, error) {
	w := nodeWriter{w: fressian.NewWriter()}
	if n.level == 0 {
		w.header(tagLeaf, 3)
		w.keys(n.keys)
	} else {
		slots := slotsOf(n)
		w.header(tagBranch, 6+min(len(slots), 1))
		w.entry("level", int64(n.level))
		w.keys(n.keys)
		w.addresses(n.kids)
		w.entry("subtree-count", n.count)
		if len(slots) > 0 {
			w.entry("slots", slots)
		}
	}
	w.entry("branching-factor", int64(factor))
	w.entry("diff-buf-size", int64(buffer))
	return w.w.Bytes(), w.err
}

// nodeWriter writes piece by piece what would else be millions of values.
type nodeWriter struct {
	w   *fressian.Writer
	err error // the first
}

func (w *nodeWriter) write(v any) {
	if err := w.w.Write(v); w.err == nil {
		w.err = err
	}
}

func (w *nodeWriter) begin(tag string, n int) {
	if err := w.w.WriteStruct(tag, n); w.err == nil {
		w.err = err
	}
}

func (w *nodeWriter) header(tag string, entries int) {
	w.begin(tag, 1)
	w.w.WriteMapHeader(entries)
}

func (w *nodeWriter) entry(key string, v any) {
	w.write(kw("", key))
	w.write(v)
}

func (w *nodeWriter) keys(keys []*datom) {
	w.write(kw("", "keys"))
	w.begin(tagVector, len(keys))
	for _, d := range keys {
		w.begin(tagDatom, 1)
		w.begin(tagVector, 5)
		w.write(d.e)
		w.write(d.a.boxed)
		w.write(d.v)
		w.write(d.tx)
		w.write(d.added)
	}
}

func (w *nodeWriter) addresses(kids []*node) {
	w.write(kw("", "addresses"))
	w.begin(tagVector, len(kids))
	for _, k := range kids {
		w.write(k.address)
	}
}

// contentAddress is a node's address with :crypto-hash?: the hash of the
// vector of its datoms as vectors, or of the addresses of its children.
func contentAddress(n *node) (fressian.UUID, error) {
	var content fressian.Vector
	for _, k := range n.kids {
		content = append(content, k.address)
	}
	if n.level == 0 {
		for _, d := range n.keys {
			content = append(content, fressian.Vector{d.e, d.a.boxed, d.v, d.tx, d.added})
		}
	}
	return hasch.UUID(content)
}
