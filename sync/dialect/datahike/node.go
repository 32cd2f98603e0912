package datahike

import (
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// The tags of index nodes: what Datahike writes today, and up to 0.7.
const (
	tagSet        = "pss/set"
	tagLeaf       = "pss/leaf"
	tagBranch     = "pss/branch"
	tagSetOld     = "datahike.index.PersistentSortedSet"
	tagLeafOld    = "datahike.index.PersistentSortedSet.Leaf"
	tagBranchOld  = "datahike.index.PersistentSortedSet.Branch"
	maxBranchSize = 1 << 20
)

// Decode implements descent.Decoder for nodes and schema blobs. A leaf is only
// scanned: that its datoms are some is what DecodeDeep checks.
func (d *Dialect) Decode(ref graph.Ref, data []byte) (graph.Node, error) {
	blob, err := d.open(ref.ID, data)
	if err != nil {
		return graph.Node{}, err
	}
	if ref.Level == graph.Schema {
		err := checkSchema(blob.Value)
		return graph.Node{Level: graph.Schema, Count: -1}, describe(ref.ID, err)
	}
	l := d.leaf() // for its reader's memory: a new one each time costs as much as the scan
	defer d.leaves.Put(l)
	n, _, err := readWhole(l.begin(blob.Value), nil)
	return n, describe(ref.ID, err)
}

// DecodeDeep is Decode, but takes leaves apart: each datom must be one, and
// Count is how many there are. Of an inner node it tells whether edits are
// pending there, which that count lacks.
func (d *Dialect) DecodeDeep(ref graph.Ref, data []byte) (n graph.Node, pending bool, err error) {
	if ref.Level == graph.Schema {
		n, err = d.Decode(ref, data)
		return n, false, err
	}
	l := d.leaf()
	defer d.leaves.Put(l)
	n, slots, err := d.ReadNode(l, ref, data)
	return n, len(slots) > 0, err
}

// ReadNode reads a node and all that it holds: a leaf's datoms into l, an
// inner node's pending edits into slots. data must not change while l is in
// use.
func (d *Dialect) ReadNode(l *Leaf, ref graph.Ref, data []byte) (n graph.Node, slots Slots, err error) {
	blob, err := d.open(ref.ID, data)
	if err != nil {
		return n, nil, err
	}
	n, slots, err = readWhole(l.begin(blob.Value), l)
	return n, slots, describe(ref.ID, err)
}

// ReadInlineNode is ReadNode for the root that a record, whose object is id
// and holds data, has inside it for an index, such as "eavt".
func (d *Dialect) ReadInlineNode(l *Leaf, id graph.ID, data []byte, index string) (n graph.Node, slots Slots, err error) {
	blob, err := d.open(id, data)
	if err != nil {
		return n, nil, err
	}
	found := false
	r := l.begin(blob.Value)
	err = r.ReadMap(func(key any) (err error) {
		if key != (fressian.Keyword{Name: index + "-root"}) {
			return r.Skip()
		}
		found = true
		n, slots, err = readAny(r, l)
		return err
	})
	if err == nil && !found {
		err = corrupt("the record holds no root of :%s", index)
	}
	return n, slots, describe(id, err)
}

// readWhole reads one node and nothing after it.
func readWhole(r *fressian.Reader, l *Leaf) (graph.Node, Slots, error) {
	n, slots, err := readAny(r, l)
	if err == nil && r.Len() > 0 {
		err = corrupt("%d bytes follow the node at offset %d", r.Len(), r.Offset())
	}
	return n, slots, err
}

// readNode reads the node that comes next. A leaf's datoms are counted only
// if deep.
func readNode(r *fressian.Reader, deep bool) (graph.Node, error) {
	var l *Leaf
	if deep {
		l = &Leaf{r: r}
	}
	n, _, err := readAny(r, l)
	return n, err
}

// readAny reads the node that comes next; a leaf into l, which reads r, or
// nowhere if l is nil.
func readAny(r *fressian.Reader, l *Leaf) (graph.Node, Slots, error) {
	at := r.Offset()
	tag, fields, err := r.ReadStruct()
	if err != nil {
		return graph.Node{}, nil, err
	}
	if fields != 1 {
		return graph.Node{}, nil, corrupt("%s at offset %d has %d fields, not 1", tag, at, fields)
	}
	switch tag {
	case tagLeaf, tagLeafOld:
		n, err := readLeaf(r, l)
		return n, nil, err
	case tagBranch, tagBranchOld:
		return readBranch(r, l)
	}
	return graph.Node{}, nil, unsupported("unknown tag %q at offset %d where an index node should be", tag, at)
}

func readLeaf(r *fressian.Reader, l *Leaf) (graph.Node, error) {
	n := graph.Node{Level: graph.Leaf, Count: -1}
	if l == nil {
		return n, r.Skip()
	}
	err := r.ReadMap(func(key any) error {
		if key != (fressian.Keyword{Name: "keys"}) {
			return r.Skip()
		}
		err := l.readKeys()
		n.Count = int64(l.Len())
		return err
	})
	if err == nil && n.Count < 0 {
		err = corrupt("a leaf has no :keys")
	}
	return n, err
}

// readBranch reads an inner node, and its keys into l if they are wanted.
func readBranch(r *fressian.Reader, l *Leaf) (graph.Node, Slots, error) {
	n := graph.Node{Level: graph.Root, Count: -1}
	keyed := l != nil && l.Keyed
	var addresses []fressian.UUID
	var pending any
	err := r.ReadMap(func(key any) (err error) {
		switch key {
		case fressian.Keyword{Name: "level"}:
			n.Level, err = readLevel(r)
		case fressian.Keyword{Name: "addresses"}:
			addresses, err = readAddresses(r)
		case fressian.Keyword{Name: "subtree-count"}:
			n.Count, err = r.ReadInt()
		case fressian.Keyword{Name: "slots"}:
			pending, err = r.Read()
		case fressian.Keyword{Name: "keys"}:
			if keyed {
				return l.readKeys()
			}
			fallthrough
		default:
			err = r.Skip()
		}
		return err
	})
	if err != nil {
		return n, nil, err
	}
	if n.Level < 1 || len(addresses) == 0 {
		return n, nil, corrupt("an inner node at level %d has %d children", n.Level, len(addresses))
	}
	if keyed && l.Len() != len(addresses) {
		return n, nil, corrupt("an inner node has %d keys for %d children", l.Len(), len(addresses))
	}
	n.Children = make([]graph.Ref, len(addresses))
	for i, a := range addresses {
		n.Children[i] = graph.Ref{ID: AddressID(a), Level: n.Level - 1}
	}
	slots, err := parseSlots(pending, int(n.Level), len(addresses))
	return n, slots, err
}

func readLevel(r *fressian.Reader) (graph.Level, error) {
	l, err := r.ReadInt()
	if err == nil && (l < 1 || l > int64(graph.MaxLevel)) {
		err = corrupt("an inner node has level %d", l)
	}
	return graph.Level(l), err
}

func readAddresses(r *fressian.Reader) ([]fressian.UUID, error) {
	var a []fressian.UUID
	err := r.ReadList(func(i int) error {
		at := r.Offset()
		u, ok, err := r.ReadUUID()
		if err != nil {
			return err
		}
		if !ok {
			return corrupt("child %d at offset %d has no address", i, at)
		}
		if len(a) == maxBranchSize {
			return corrupt("an inner node has more than %d children", maxBranchSize)
		}
		a = append(a, u)
		return nil
	})
	return a, err
}
