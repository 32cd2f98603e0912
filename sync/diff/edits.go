package diff

import (
	"fmt"
	"maps"
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// withEdits puts the pending edits of a node's children into their names.
func withEdits(n *graph.Node, slots datahike.Slots) error {
	for i, slot := range slots {
		if i >= len(n.Children) {
			return fmt.Errorf("%w: edits are pending for child %d of %d", graph.ErrCorrupt, i, len(n.Children))
		}
		w := fressian.NewWriter()
		if err := w.Write(editsOf(slot)); err != nil {
			return err
		}
		n.Children[i].ID += graph.ID("\x00" + string(w.Bytes()))
	}
	return nil
}

// editsOf is a slot as [count absent present [child slot …]]. Equal slots are
// equal then.
func editsOf(s datahike.Slot) []any {
	below := []any{}
	for _, i := range slices.Sorted(maps.Keys(s.Below)) {
		below = append(below, int64(i), editsOf(s.Below[i]))
	}
	return []any{s.Count, rowsOf(s.Absent), rowsOf(s.Present), below}
}

func rowsOf(list []datom.Datom) []any {
	rows := make([]any, len(list))
	for i, d := range list {
		rows[i] = []any{d.E, d.A, d.V, d.Tx, d.Added}
	}
	return rows
}

// parseEdits is the way back, of what was never outside this process.
func parseEdits(text string) (*datahike.Slot, error) {
	v, err := fressian.Decode([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("edits of a node: %w", err)
	}
	s := slotOf(v)
	return &s, nil
}

func slotOf(v any) (s datahike.Slot) {
	f, _ := v.([]any)
	s.Count, _ = f[0].(int64)
	s.Absent, s.Present = datomsOf(f[1]), datomsOf(f[2])
	below, _ := f[3].([]any)
	if len(below) > 0 {
		s.Below = datahike.Slots{}
	}
	for i := 0; i < len(below); i += 2 {
		child, _ := below[i].(int64)
		s.Below[int(child)] = slotOf(below[i+1])
	}
	return s
}

func datomsOf(v any) (list []datom.Datom) {
	rows, _ := v.([]any)
	for _, row := range rows {
		f, _ := row.([]any)
		d := datom.Datom{A: f[1], V: f[2]}
		d.E, _ = f[0].(int64)
		d.Tx, _ = f[3].(int64)
		d.Added, _ = f[4].(bool)
		list = append(list, d)
	}
	return list
}
