package build

import (
	"fmt"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// The tags of persistent-sorted-set's and Datahike's handlers.
const (
	tagSet    = "pss/set"
	tagLeaf   = "pss/leaf"
	tagBranch = "pss/branch"
	tagDatom  = "datahike.datom.Datom"
	tagVector = "pvec"
)

// nodeWriter writes the values of nodes, one after another in the same memory.
//
// What is the same in every datom is looked up in the codec's caches when it is
// written for the second time; from then on its bytes are copied: they refer to
// places in the caches that do not change within a node.
type nodeWriter struct {
	index  datom.Index
	attrs  []attribute
	w      fressian.Writer
	header repeated
	names  []repeated     // by attribute
	node   int            // number of the node, to tell old memory in names
	values map[string]any // short values that refer to caches, by their bytes: few keywords come often
}

// What values keeps: so many values, of so many bytes at most.
const (
	maxValues = 1024
	maxValue  = 128
)

// repeated is what a node has many times.
type repeated struct {
	node, times int
	encoded     string
}

// write writes what is repeated: by do at first, by copying later.
func (n *nodeWriter) write(r *repeated, do func() error) error {
	if r.node != n.node {
		r.node, r.times = n.node, 0
	}
	if r.times == 2 {
		n.w.WriteEncoded(r.encoded)
		return nil
	}
	at := len(n.w.Bytes())
	if err := do(); err != nil {
		return err
	}
	if r.times++; r.times == 2 {
		r.encoded = string(n.w.Bytes()[at:])
	}
	return nil
}

// begin begins a node; so many entries must follow.
func (n *nodeWriter) begin(tag string, entries int) error {
	n.node++
	n.w.Reset()
	if n.names == nil {
		n.names = make([]repeated, len(n.attrs))
	}
	err := n.w.WriteStruct(tag, 1)
	n.w.WriteMapHeader(entries)
	return err
}

func (n *nodeWriter) entry(key string, v any) error {
	if err := n.w.Write(kw("", key)); err != nil {
		return err
	}
	return n.w.Write(v)
}

// vector begins an entry whose value is a vector of so many.
func (n *nodeWriter) vector(key string, size int) error {
	if err := n.w.Write(kw("", key)); err != nil {
		return err
	}
	return n.w.WriteStruct(tagVector, size)
}

// datom writes one.
func (n *nodeWriter) datom(i item) error {
	a := &n.attrs[i.attr]
	err := n.write(&n.header, func() error {
		if err := n.w.WriteStruct(tagDatom, 1); err != nil {
			return err
		}
		return n.w.WriteStruct(tagVector, 5)
	})
	if err != nil {
		return err
	}
	n.w.WriteInt(i.entity(n.index, a))
	if err := n.write(&n.names[i.attr], func() error { return n.w.Write(a.id) }); err != nil {
		return err
	}
	if i.flags&isDeep == 0 {
		n.w.WriteEncoded(i.value)
	} else {
		v, err := n.value(i.value)
		if err != nil {
			return err
		}
		if err := n.w.Write(v); err != nil {
			return err
		}
	}
	tx, added := i.tail()
	n.w.WriteInt(tx)
	return n.w.Write(added)
}

// value decodes what cannot be copied.
func (n *nodeWriter) value(encoded string) (any, error) {
	if v, ok := n.values[encoded]; ok {
		return v, nil
	}
	v, err := fressian.Decode([]byte(encoded))
	if err != nil {
		return nil, fmt.Errorf("value from temporary data: %w", err)
	}
	if len(encoded) <= maxValue {
		if len(n.values) == maxValues || n.values == nil {
			n.values = make(map[string]any, maxValues)
		}
		n.values[strings.Clone(encoded)] = v
	}
	return v, nil
}

// leaf returns a leaf's value, valid until the next call.
func (n *nodeWriter) leaf(datoms []item, factor int) ([]byte, error) {
	if err := n.begin(tagLeaf, 3); err != nil {
		return nil, err
	}
	if err := n.vector("keys", len(datoms)); err != nil {
		return nil, err
	}
	for _, d := range datoms {
		if err := n.datom(d); err != nil {
			return nil, err
		}
	}
	return n.end(factor)
}

// branch returns an inner node's value, valid until the next call.
func (n *nodeWriter) branch(level int, children []child, factor int) ([]byte, int64, error) {
	if err := n.begin(tagBranch, 6); err != nil {
		return nil, 0, err
	}
	if err := n.entry("level", int64(level)); err != nil {
		return nil, 0, err
	}
	if err := n.vector("keys", len(children)); err != nil {
		return nil, 0, err
	}
	var count int64
	for _, c := range children {
		if err := n.datom(c.last); err != nil {
			return nil, 0, err
		}
		count += c.count
	}
	if err := n.vector("addresses", len(children)); err != nil {
		return nil, 0, err
	}
	for _, c := range children {
		if err := n.w.Write(c.address); err != nil {
			return nil, 0, err
		}
	}
	if err := n.entry("subtree-count", count); err != nil {
		return nil, 0, err
	}
	value, err := n.end(factor)
	return value, count, err
}

func (n *nodeWriter) end(factor int) ([]byte, error) {
	if err := n.entry("branching-factor", int64(factor)); err != nil {
		return nil, err
	}
	err := n.entry("diff-buf-size", int64(0))
	return n.w.Bytes(), err
}
