package datahike_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/forge"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// slotted is an inner node at a level with two children and slots.
func slotted(s *forge.Store, level int, slots any) fressian.Tagged {
	v := forge.BranchValue(level, 9, s.UUID(), s.UUID())
	v.Fields[0] = forge.With(v.Fields[0].(fressian.Map), "slots", slots)
	return v
}

func slots(index any, slot any) fressian.Map { return fressian.Map{{Key: index, Value: slot}} }

var aDatom = row(int64(4), forge.K("a"), "v", tx1, true)

func edits(absent, present any) fressian.Map {
	return forge.M("count", int64(7), "measure", nil, "max-key", aDatom, "diff", forge.M("absent", absent, "present", present))
}

func TestSlots(t *testing.T) {
	s := forge.New(t)
	fact := datom.Datom{E: 4, A: forge.K("a"), V: "v", Tx: tx1, Added: true}
	leaf := edits(fressian.Vector{aDatom}, fressian.Vector{aDatom, aDatom})
	want := datahike.Slots{1: {Absent: []datom.Datom{fact}, Present: []datom.Datom{fact, fact}, Count: 7, MaxKey: &fact}}
	for _, c := range []struct {
		level int
		slots any
		want  datahike.Slots
	}{
		{1, nil, nil},
		{1, fressian.Map{}, datahike.Slots{}},
		{1, slots(int64(1), leaf), want},
		{2, slots(int64(0), forge.M("count", int64(8), "diff", slots(int64(1), leaf))), datahike.Slots{0: {Count: 8, Below: want}}},
	} {
		ref := put(s, slotted(s, c.level, c.slots))
		ref.Level = graph.Level(c.level)
		var l datahike.Leaf
		n, got, err := plain.ReadNode(&l, ref, s.Read(string(ref.ID)))
		require.NoError(t, err)
		assert.Equal(t, c.want, got)
		shallow, err := plain.Decode(ref, s.Read(string(ref.ID)))
		require.NoError(t, err)
		assert.Equal(t, n, shallow)
		assert.Len(t, n.Children, 2)
	}
}

func TestSlotsThatAreNone(t *testing.T) {
	s := forge.New(t)
	none := fressian.Vector{}
	for name, c := range map[string]struct {
		level int
		slots any
		class error
	}{
		"no map":            {1, int64(1), graph.ErrCorrupt},
		"index":             {1, slots(int64(2), edits(none, none)), graph.ErrCorrupt},
		"negative":          {1, slots(int64(-1), edits(none, none)), graph.ErrCorrupt},
		"index no number":   {1, slots("0", edits(none, none)), graph.ErrCorrupt},
		"twice":             {1, append(slots(int64(0), edits(none, none)), slots(int64(0), edits(none, none))...), graph.ErrCorrupt},
		"slot no map":       {1, slots(int64(0), "x"), graph.ErrCorrupt},
		"no diff":           {1, slots(int64(0), forge.M("count", int64(1))), graph.ErrCorrupt},
		"max-key":           {1, slots(int64(0), forge.With(edits(none, none), "max-key", forge.Tag("x", none))), graph.ErrUnsupported},
		"diff no map":       {1, slots(int64(0), forge.M("diff", none)), graph.ErrCorrupt},
		"count":             {1, slots(int64(0), forge.With(edits(none, none), "count", "1")), graph.ErrCorrupt},
		"unknown key":       {1, slots(int64(0), forge.With(edits(none, none), "more", none)), graph.ErrUnsupported},
		"unknown edits":     {1, slots(int64(0), forge.M("count", int64(1), "diff", forge.M("changed", none))), graph.ErrUnsupported},
		"datoms no list":    {1, slots(int64(0), edits(none, "x")), graph.ErrCorrupt},
		"no datom":          {1, slots(int64(0), edits(none, fressian.Vector{"x"})), graph.ErrUnsupported},
		"datom of another":  {1, slots(int64(0), edits(fressian.Vector{forge.Tag("x.Datom", none)}, none)), graph.ErrUnsupported},
		"datom of nothing":  {1, slots(int64(0), edits(fressian.Vector{forge.Tag("datahike.datom.Datom", none)}, none)), graph.ErrCorrupt},
		"datom of text":     {1, slots(int64(0), edits(fressian.Vector{row("e", forge.K("a"), "v", tx1, true)}, none)), graph.ErrCorrupt},
		"edits of no leaf":  {2, slots(int64(0), edits(none, none)), graph.ErrCorrupt},
		"slots of no inner": {1, slots(int64(0), forge.M("count", int64(1), "diff", slots(int64(0), edits(none, none)))), graph.ErrUnsupported},
	} {
		ref := put(s, slotted(s, c.level, c.slots))
		ref.Level = graph.Level(c.level)
		_, err := plain.Decode(ref, s.Read(string(ref.ID)))
		require.ErrorIs(t, err, c.class, name)
		require.ErrorContains(t, err, string(ref.ID))
	}
}

// FuzzSlots: no bytes make slots of children that there are not.
func FuzzSlots(f *testing.F) {
	s := forge.New(f)
	key := s.UUID()
	leaf := edits(fressian.Vector{aDatom}, fressian.Vector{aDatom})
	f.Add(s.Serialize(slotted(s, 1, slots(int64(1), leaf))))
	f.Add(s.Serialize(slotted(s, 2, slots(int64(0), forge.M("count", int64(8), "diff", slots(int64(1), leaf))))))
	f.Fuzz(func(t *testing.T, value []byte) {
		var l datahike.Leaf
		n, slots, err := plain.ReadNode(&l, graph.Ref{ID: datahike.AddressID(key), Level: graph.Root}, s.In(t).Seal(key, value))
		reported(t, err)
		for i, slot := range slots {
			if i < 0 || i >= len(n.Children) || n.Level == 1 && len(slot.Below) > 0 || n.Level > 1 && len(slot.Present)+len(slot.Absent) > 0 {
				t.Fatalf("slot %d of a node at level %d with %d children: %+v", i, n.Level, len(n.Children), slot)
			}
		}
	})
}
