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

// Decode implements descent.Decoder for nodes and schema blobs.
func (d *Dialect) Decode(ref graph.Ref, data []byte) (graph.Node, error) {
	blob, err := d.open(ref.ID, data)
	if err != nil {
		return graph.Node{}, err
	}
	if ref.Level == graph.Schema {
		err := checkSchema(blob.Value)
		return graph.Node{Level: graph.Schema, Count: -1}, describe(ref.ID, err)
	}
	n, err := decodeNode(fressian.NewReader(blob.Value), false)
	return n, describe(ref.ID, err)
}

// Count decodes a leaf and returns how many datoms it has.
func (d *Dialect) Count(ref graph.Ref, data []byte) (int64, error) {
	blob, err := d.open(ref.ID, data)
	if err != nil {
		return 0, err
	}
	n, err := decodeNode(fressian.NewReader(blob.Value), true)
	return n.Count, describe(ref.ID, err)
}

// decodeNode reads one node and nothing after it. A leaf's datoms are counted
// only if deep.
func decodeNode(r *fressian.Reader, deep bool) (graph.Node, error) {
	n, err := readNode(r, deep)
	if err == nil && r.Len() > 0 {
		err = corrupt("%d bytes follow the node at offset %d", r.Len(), r.Offset())
	}
	return n, err
}

// readNode reads the node that comes next.
func readNode(r *fressian.Reader, deep bool) (graph.Node, error) {
	at := r.Offset()
	tag, fields, err := r.ReadStruct()
	if err != nil {
		return graph.Node{}, err
	}
	if fields != 1 {
		return graph.Node{}, corrupt("%s at offset %d has %d fields, not 1", tag, at, fields)
	}
	switch tag {
	case tagLeaf, tagLeafOld:
		return readLeaf(r, deep)
	case tagBranch, tagBranchOld:
		return readBranch(r)
	}
	return graph.Node{}, unsupported("unknown tag %q at offset %d where an index node should be", tag, at)
}

func readLeaf(r *fressian.Reader, deep bool) (graph.Node, error) {
	leaf := graph.Node{Level: graph.Leaf, Count: -1}
	if !deep {
		return leaf, r.Skip()
	}
	err := r.ReadMap(func(key any) error {
		if key != (fressian.Keyword{Name: "keys"}) {
			return r.Skip()
		}
		leaf.Count = 0
		return r.ReadList(func(int) error {
			leaf.Count++
			return skipDatom(r)
		})
	})
	if err == nil && leaf.Count < 0 {
		err = corrupt("a leaf has no :keys")
	}
	return leaf, err
}

// skipDatom reads a datom, which must be one.
func skipDatom(r *fressian.Reader) error {
	at := r.Offset()
	tag, fields, err := r.ReadStruct()
	if err != nil {
		return err
	}
	if tag != "datahike.datom.Datom" || fields != 1 {
		return unsupported("unknown tag %q at offset %d where a datom should be", tag, at)
	}
	return r.Skip()
}

func readBranch(r *fressian.Reader) (graph.Node, error) {
	n := graph.Node{Level: graph.Root, Count: -1}
	var addresses []fressian.UUID
	err := r.ReadMap(func(key any) (err error) {
		k, _ := key.(fressian.Keyword)
		if k.NS != "" {
			return r.Skip()
		}
		switch k.Name {
		case "level":
			n.Level, err = readLevel(r)
		case "addresses":
			addresses, err = readAddresses(r)
		case "subtree-count":
			n.Count, err = r.ReadInt()
		case "slots":
			err = refuseSlots(r)
		default:
			err = r.Skip()
		}
		return err
	})
	if err != nil {
		return n, err
	}
	if n.Level < 1 || len(addresses) == 0 {
		return n, corrupt("an inner node at level %d has %d children", n.Level, len(addresses))
	}
	n.Children = make([]graph.Ref, len(addresses))
	for i, a := range addresses {
		n.Children[i] = graph.Ref{ID: AddressID(a), Level: n.Level - 1}
	}
	return n, nil
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

// refuseSlots accepts a node without pending edits only: the store-refs and
// counts beneath could not be told without applying them.
func refuseSlots(r *fressian.Reader) error {
	at := r.Offset()
	v, err := r.Read()
	if err != nil {
		return err
	}
	if m, ok := v.(fressian.Map); v == nil || ok && len(m) == 0 {
		return nil
	}
	return unsupported("the node has a diff buffer (:slots at offset %d; the database uses :diff-buf-size)", at)
}
