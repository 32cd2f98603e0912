package datoms

import (
	"fmt"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// temporal tells whether an index is one of history, by its name.
func temporal(index string) bool { return strings.HasPrefix(index, "temporal-") }

// edit makes the pending edits of a leaf.
func (p *Part) edit(slot *datahike.Slot, temporal bool) error {
	k := keys{temporal: temporal, w: fressian.NewWriter(), all: map[string]bool{}, times: map[[2]int64]bool{}}
	for _, facts := range [][]datom.Datom{slot.Absent, slot.Present} {
		for _, f := range facts {
			if err := k.add(f); err != nil {
				return err
			}
		}
	}
	// What is present takes the place of what is equal to it.
	err := p.Remove(func(i int) (bool, error) {
		if d := p.Datom(i); !k.times[[2]int64{d.E, d.Tx}] {
			return false, nil
		}
		f, err := p.Leaf.Fact(i)
		if err != nil {
			return false, err
		}
		key, err := k.of(f)
		return k.all[string(key)], err
	})
	p.Pending = slot.Present
	if err == nil && int64(p.Len()) != slot.Count {
		err = fmt.Errorf("%w: it has %d datoms, and %d are stated, with its pending edits made", graph.ErrCorrupt, p.Len(), slot.Count)
	}
	return err
}

// keys is a set of datoms, equal as the comparator of their index has it:
// that of a current index does not look at whether they were added.
type keys struct {
	temporal bool
	w        *fressian.Writer
	all      map[string]bool
	times    map[[2]int64]bool // entity and transaction: most datoms differ in these
}

func (k *keys) add(f datom.Datom) error {
	key, err := k.of(f)
	k.all[string(key)] = true
	k.times[[2]int64{f.E, f.Tx}] = true
	return err
}

// of returns a datom's bytes, valid until the next call.
func (k *keys) of(f datom.Datom) ([]byte, error) {
	k.w.Reset()
	err := k.w.Write([]any{f.E, f.A, f.V, f.Tx, f.Added && k.temporal})
	return k.w.Bytes(), err
}
