package engine

import (
	"context"
	"encoding/binary"
	"math/bits"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/object"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/forge"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
)

// vastOrder is how many children an inner node of a vast tree has at most.
const vastOrder = 64

// vast is a store with one tree of any number of nodes, which are made when
// they are read and never kept: not in memory, and not on disk. Its root, its
// commit and its head are those of the embedded remote.
type vast struct {
	fs.Fs
	widths []int // of the levels, leaves first
	nodes  int
	names  *os.File // a hash table from names to nodes, 4 bytes a slot
	mask   uint32
	leaf   []byte // the value that all leaves have
	codec  *konserve.Codec
}

// newVast makes a store with at least so many segments.
func newVast(t *testing.T, segments int) *vast {
	st := forge.New(t)
	v := &vast{Fs: remote(t, st.Dir), leaf: st.Serialize(forge.LeafValue(1)), codec: konserve.NewCodec("")}
	for n := segments - segments/vastOrder; ; n = (n + vastOrder - 1) / vastOrder {
		v.widths = append(v.widths, n)
		v.nodes += n
		if n == 1 {
			break
		}
	}
	id := st.UUID()
	index := map[string]fressian.Tagged{"eavt": forge.Index(vastKey(v.nodes-1), v.widths[0])}
	st.Commit(id, st.Record(id, 1, st.Schema("string"), index), "db")
	st.Branches("db")
	v.tabulate(t)
	return v
}

// vastKey is the key of node i.
func vastKey(i int) fressian.UUID {
	u := fressian.UUID{0: 0xfa, 6: 0x40, 8: 0x80}
	binary.BigEndian.PutUint32(u[12:], uint32(i))
	return u
}

// tabulate fills the table in which nodes are found by their names: those are
// hashes, and cannot be reversed. The table is in a file, so that it does not
// count as memory of the process.
func (v *vast) tabulate(t *testing.T) {
	var err error
	v.names, err = os.CreateTemp(t.TempDir(), "names")
	require.NoError(t, err)
	t.Cleanup(func() { _ = v.names.Close() })
	v.mask = 1<<bits.Len(uint(2*v.nodes)) - 1
	require.NoError(t, v.names.Truncate(4*(int64(v.mask)+1)))
	for i := range v.nodes {
		at, _, err := v.probe(hasch.OfUUID(vastKey(i)))
		require.NoError(t, err)
		_, err = v.names.WriteAt(binary.BigEndian.AppendUint32(nil, uint32(i+1)), at)
		require.NoError(t, err)
	}
}

// probe returns the node of a name and the place of its slot; -1 means that
// the slot is free.
func (v *vast) probe(name fressian.UUID) (at int64, node int, err error) {
	var slot [4]byte
	for h := binary.BigEndian.Uint32(name[:]); ; h++ {
		at = 4 * int64(h&v.mask)
		if _, err := v.names.ReadAt(slot[:], at); err != nil {
			return 0, 0, err
		}
		node = int(binary.BigEndian.Uint32(slot[:])) - 1
		if node < 0 || hasch.OfUUID(vastKey(node)) == name {
			return at, node, nil
		}
	}
}

// find tells which node an object is, if it is one.
func (v *vast) find(remote string) (node int, ok bool, err error) {
	text, _ := strings.CutSuffix(remote, ".ksv")
	name, err := hasch.Parse(text)
	if err != nil {
		return 0, false, nil
	}
	_, node, err = v.probe(name)
	return node, node >= 0, err
}

// children is the range of nodes below one, and its level; leaves have none.
func (v *vast) children(node int) (level, from, to int) {
	first := 0
	for node >= first+v.widths[level] {
		first += v.widths[level]
		level++
	}
	if level == 0 {
		return 0, 0, 0
	}
	below := first - v.widths[level-1]
	from = below + (node-first)*vastOrder
	return level, from, min(from+vastOrder, first)
}

// blob makes a node.
func (v *vast) blob(node int) ([]byte, error) {
	value := v.leaf
	if level, from, to := v.children(node); level > 0 {
		var addresses []fressian.UUID
		for i := from; i < to; i++ {
			addresses = append(addresses, vastKey(i))
		}
		w := fressian.NewWriter()
		if err := w.Write(forge.BranchValue(level, to-from, addresses...)); err != nil {
			return nil, err
		}
		value = w.Bytes()
	}
	meta := konserve.Meta{Key: vastKey(node), Type: konserve.TypeEDN, LastWrite: 1_700_000_000_000, Immutable: true}
	return v.codec.Seal(konserve.Header{Serializer: konserve.Fressian}, meta, value, nil)
}

// NewObject implements fs.Fs.
func (v *vast) NewObject(ctx context.Context, remote string) (fs.Object, error) {
	node, ok, err := v.find(remote)
	if err != nil {
		return nil, err
	}
	if !ok {
		return v.Fs.NewObject(ctx, remote)
	}
	data, err := v.blob(node)
	return object.NewMemoryObject(remote, time.Unix(0, 0), data), err
}
