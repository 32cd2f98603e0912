package migrate

import (
	"encoding/binary"
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/spill"
)

// An entity of Datomic is a partition and a number in it.
const (
	partitionBits = 42
	txPartition   = 3
)

// Datahike's numbers: transactions are above tx0 and not above txMax, all other
// entities below tx0.
const (
	tx0   = 0x20000000
	txMax = 0x7fffffff
)

// number is what is unique of an entity.
func number(e int64) int64 { return e & (1<<partitionBits - 1) }

// ids renumbers entities.
type ids struct {
	// shift is added to the numbers of all partitions but that of the schema,
	// so that none of them is one of its.
	shift int64
}

// tx is the entity of a transaction, and whether Datahike can have it.
func (i ids) tx(e int64) (int64, bool) {
	t := number(e)
	return tx0 + t, t >= firstT && t <= txMax-tx0
}

// entity is the new number of an entity, and whether Datahike can have it.
func (i ids) entity(e int64) (int64, bool) {
	switch e >> partitionBits {
	case txPartition:
		return i.tx(e)
	case 0:
		return e, e > 0 && e < tx0
	}
	n := number(e) + i.shift
	return n, e > 0 && n < tx0
}

// unique finds out whether two entities have got the same number. They come in
// order.
type unique struct {
	numbers *spill.Sorter
	last    int64
	n       int64
}

func newUnique() *unique { return &unique{numbers: spill.NewSorter(), last: -1} }

func (u *unique) add(from, to int64) {
	if from == u.last {
		return
	}
	u.last = from
	u.n++
	u.numbers.AddBytes(binary.BigEndian.AppendUint64(nil, uint64(to)))
}

func (u *unique) err() error {
	err := u.numbers.Each(func([]byte) error {
		u.n--
		return nil
	})
	if err == nil && u.n != 0 {
		err = fmt.Errorf("%w: %d entities have the number of another one, in another partition", graph.ErrUnsupported, u.n)
	}
	return err
}

func (u *unique) close() { u.numbers.Close() }
