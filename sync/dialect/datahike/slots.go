package datahike

import (
	"iter"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// Slots are the pending edits of an inner node (:slots, written where the
// database has :diff-buf-size): by the index of a child, what the child holds
// beyond what its own object says.
type Slots map[int]Slot

// Slot are the pending edits of one child. The form follows
// persistent-sorted-set 0.4.137, Branch.slotsForStorage: a leaf has
//
//	{:diff {:absent [datom..] :present [datom..]} :count n :max-key datom :measure x}
//
// and an inner node {:diff {index slot..} …}, its children's slots.
type Slot struct {
	// Absent are taken from a leaf first, then Present are put into it.
	Absent, Present []datom.Datom
	// Below are an inner node's slots, in place of those in its own object.
	Below Slots
	// Count is how many datoms are beneath the child, all edits made.
	Count int64
	// MaxKey is the largest of these, in place of the node's own key for the
	// child; nil if the slot does not say.
	MaxKey *datom.Datom
}

// present returns the datoms that slots add, at any depth.
func (s Slots) present() iter.Seq[datom.Datom] {
	return func(yield func(datom.Datom) bool) { s.eachPresent(yield) }
}

func (s Slots) eachPresent(yield func(datom.Datom) bool) bool {
	for _, slot := range s {
		for _, f := range slot.Present {
			if !yield(f) {
				return false
			}
		}
		if !slot.Below.eachPresent(yield) {
			return false
		}
	}
	return true
}

// parseSlots reads the slots of a node at a level from a decoded value. What
// is not known may be an edit, so it is refused.
func parseSlots(v any, level int, children int) (Slots, error) {
	if v == nil {
		return nil, nil
	}
	m, ok := v.(fressian.Map)
	if !ok {
		return nil, corrupt(":slots of a node at level %d are no map", level)
	}
	slots := Slots{}
	for _, e := range m {
		i, ok := e.Key.(int64)
		if !ok || i < 0 || i >= int64(children) {
			return nil, corrupt("a slot of a node at level %d belongs to child %v of %d", level, e.Key, children)
		}
		if _, twice := slots[int(i)]; twice {
			return nil, corrupt("a node at level %d has two slots for child %d", level, i)
		}
		slot, err := parseSlot(e.Value, level-1)
		if err != nil {
			return nil, err
		}
		slots[int(i)] = slot
	}
	return slots, nil
}

// parseSlot reads the slot of a child at a level.
func parseSlot(v any, level int) (s Slot, err error) {
	m, ok := v.(fressian.Map)
	if !ok {
		return s, corrupt("a slot of a child at level %d is no map", level)
	}
	var diff fressian.Map
	for _, e := range m {
		switch k, _ := e.Key.(fressian.Keyword); k {
		case fressian.Keyword{Name: "diff"}:
			if diff, ok = e.Value.(fressian.Map); !ok {
				return s, corrupt(":diff of a slot is no map")
			}
		case fressian.Keyword{Name: "count"}:
			if s.Count, ok = e.Value.(int64); !ok || s.Count < 0 {
				return s, corrupt(":count of a slot is %v", e.Value)
			}
		case fressian.Keyword{Name: "max-key"}:
			if s.MaxKey, err = parseMaxKey(e.Value); err != nil {
				return s, err
			}
		case fressian.Keyword{Name: "measure"}:
		default:
			return s, unsupported("a slot has the unknown key %v", e.Key)
		}
	}
	if diff == nil {
		return s, corrupt("a slot of a child at level %d has no :diff", level)
	}
	if level > 0 {
		s.Below, err = parseSlots(diff, level, maxBranchSize)
		return s, err
	}
	return s, s.parseDiff(diff)
}

// parseDiff reads the edits of a leaf.
func (s *Slot) parseDiff(diff fressian.Map) (err error) {
	for _, e := range diff {
		switch k, _ := e.Key.(fressian.Keyword); k {
		case fressian.Keyword{Name: "present"}:
			s.Present, err = parseFacts(e.Value)
		case fressian.Keyword{Name: "absent"}:
			s.Absent, err = parseFacts(e.Value)
		default:
			err = unsupported("the :diff of a slot has the unknown key %v", e.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func parseMaxKey(v any) (*datom.Datom, error) {
	if v == nil {
		return nil, nil
	}
	facts, err := parseFacts([]any{v})
	if err != nil {
		return nil, err
	}
	return &facts[0], nil
}

func parseFacts(v any) ([]datom.Datom, error) {
	list, ok := sequence(v)
	if v != nil && !ok {
		return nil, corrupt("the datoms of a slot are no list")
	}
	facts := make([]datom.Datom, len(list))
	for i, v := range list {
		t, ok := v.(fressian.Tagged)
		if !ok || t.Tag != tagDatom || len(t.Fields) != 1 {
			return nil, unsupported("an unknown value of type %T where a slot's datom should be", v)
		}
		if facts[i], ok = parseFact(t.Fields[0]); !ok {
			return nil, corrupt("datom %d of a slot is none", i)
		}
	}
	return facts, nil
}

func parseFact(v any) (f datom.Datom, ok bool) {
	row, _ := sequence(v)
	if len(row) != 5 {
		return f, false
	}
	f.A, f.V = row[1], row[2]
	switch f.A.(type) {
	case fressian.Keyword, int64, string:
	default:
		return f, false
	}
	var e, tx, added bool
	f.E, e = row[0].(int64)
	f.Tx, tx = row[3].(int64)
	f.Added, added = row[4].(bool)
	return f, e && tx && added
}

// sequence returns the elements of a list or vector.
func sequence(v any) ([]any, bool) {
	switch v := v.(type) {
	case fressian.Vector:
		return v, true
	case fressian.Seq:
		return v, true
	case fressian.Set:
		return v, true
	case []any:
		return v, true
	}
	return nil, false
}
