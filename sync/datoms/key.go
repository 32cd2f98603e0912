package datoms

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// orderNone begins what stands in a key for a value without an order: after
// all that have one.
const orderNone = 0xff

// AppendKey is [datom.AppendKey] for all values that a leaf may have: those
// without a known order come after the others of their entity and attribute, or
// in AVET of their attribute, in the order of their bytes.
func AppendKey(dst []byte, index datom.Index, d datom.Datom) ([]byte, error) {
	return appendKey(dst, fressian.NewWriter(), index, d)
}

func appendKey(dst []byte, w *fressian.Writer, index datom.Index, d datom.Datom) ([]byte, error) {
	n := len(dst)
	dst, err := datom.AppendKey(dst, index, d)
	if !errors.Is(err, datom.ErrNoOrder) {
		return dst, err
	}
	w.Reset()
	if err := w.Write(d.V); err != nil {
		return dst, err
	}
	dst = datom.AppendPrefix(dst[:n], index, &d.E, d.A)
	dst = append(dst, orderNone)
	for _, c := range w.Bytes() {
		if dst = append(dst, c); c == 0 {
			dst = append(dst, 0xff)
		}
	}
	dst = append(dst, 0, 0)
	if index == datom.AVET {
		dst = datom.AppendPrefix(dst, datom.EAVT, &d.E, nil)
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(d.Tx)^1<<63)
	if d.Added {
		return append(dst, 1), nil
	}
	return append(dst, 0), nil
}

// indexOf is the order of a tree.
func indexOf(tree string) datom.Index {
	return datom.Index(strings.TrimPrefix(tree, "temporal-"))
}
