package datomic

import (
	"errors"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// transactions stands for the tag of a log's leaf, which is a list.
const transactions = "transactions"

// errSeen ends a look at a list's beginning.
var errSeen = errors.New("seen")

// leafKind returns the tag of a leaf, whose first bytes it consumes. A node of
// a known kind that is no leaf is refused, and so is what is not known: it may
// have children.
func leafKind(r *fressian.Reader) (string, error) {
	kind, err := r.Peek()
	if err != nil {
		return "", err
	}
	if kind != fressian.KindList {
		return readTag(r, graph.Leaf)
	}
	err = r.ReadList(func(int) error {
		at := r.Offset()
		kind, err := r.Peek()
		switch {
		case err != nil:
			return err
		case kind != fressian.KindMap:
			return corrupt("a %s at offset %d where a transaction should be", kind, at)
		}
		return errSeen
	})
	if errors.Is(err, errSeen) {
		return transactions, nil
	}
	if err == nil {
		err = corrupt("a leaf of the log without transactions")
	}
	return "", err
}

// Count returns how many datoms a leaf has, of which it reads all. A chunk of
// full text has 0. A leaf without datoms, or one whose parts differ in length,
// matches graph.ErrCorrupt.
func (d *Dialect) Count(ref graph.Ref, data []byte) (n int64, err error) {
	if ref.Level != graph.Leaf {
		return 0, describe(ref.ID, corrupt("level %s is not that of leaves", ref.Level))
	}
	err = d.opened(ref.ID, data, func(o *opener) error {
		kind, err := leafKind(&o.r)
		if err != nil {
			return err
		}
		switch kind {
		case transactions:
			o.r.Reset(o.content)
			err = readTransactions(&o.r, func(tx txn) error {
				n += tx.datoms
				return nil
			})
		case tagLeaf:
			n, err = countDatoms(&o.r)
		default:
			err = o.r.Skip()
		}
		if err == nil {
			err = end(&o.r)
		}
		return err
	})
	return n, err
}

// countDatoms reads the fields of an index's leaf: values, entities,
// attributes, transactions, and whether added.
func countDatoms(r *fressian.Reader) (count int64, err error) {
	lengths := [leafFields]int{}
	err = r.ReadList(func(int) error {
		lengths[0]++
		return r.Skip()
	})
	for i := 1; i < leafFields && err == nil; i++ {
		at := r.Offset()
		var v any
		if v, err = r.Read(); err != nil {
			break
		}
		switch v := v.(type) {
		case []int64:
			lengths[i] = len(v)
		case []int32:
			lengths[i] = len(v)
		case []bool:
			lengths[i] = len(v)
		default:
			err = corrupt("field %d of a leaf at offset %d is %T", i, at, v)
		}
	}
	if err != nil {
		return 0, err
	}
	for _, n := range lengths {
		if n == 0 || n != lengths[0] {
			return 0, corrupt("a leaf's fields have %v parts", lengths)
		}
	}
	return int64(lengths[0]), nil
}
