package datahike_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/forge"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// TestAt: which branch a past commit becomes, and what of it is rewritten.
func TestAt(t *testing.T) {
	s := branched(t)
	heads, err := plain.Hold(t.Context(), getter(s), "")
	require.NoError(t, err)
	id, rec := commit(s)
	made := forge.With(rec, "config", forge.Config("branch", forge.K("team", "x")))
	none := forge.With(rec, "config", forge.Config())
	for _, tc := range []struct {
		name   string
		record fressian.Map
		asked  string
		branch fressian.Keyword
		want   fressian.Map
	}{
		{"as it was made", made, "", forge.K("team", "x"), made},
		{"as it was made, and asked", made, ":team/x", forge.K("team", "x"), made},
		{"for another one", made, "dev", forge.K("dev"), forge.With(rec, "config", forge.Config("branch", forge.K("dev")))},
		{"says nothing", none, "", forge.K("db"), none},
		{"says nothing, and asked", none, "dev", forge.K("dev"), forge.With(none, "config", forge.Config("branch", forge.K("dev")))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := s.Put(id, tc.record)
			h, err := plain.At(heads, graph.ID(file), s.Read(file), tc.asked)
			require.NoError(t, err)
			require.Len(t, h.Branches, 1)
			assert.Equal(t, id, h.Branches[0].Commit)
			assert.Equal(t, datahike.KeyID(tc.branch), h.Branches[0].Head.ID)
			blob, err := konserve.NewCodec("").Open(h.Branches[0].Head.Data)
			require.NoError(t, err)
			assert.Equal(t, s.Serialize(tc.want), blob.Value)
			assert.Equal(t, tc.branch, blob.Meta.Key)
			assert.False(t, blob.Meta.Immutable)
			again, err := plain.Hold(t.Context(), getter(restoredTo(t, s, h)), "")
			require.NoError(t, err)
			assert.Equal(t, names(h), names(again))
		})
	}
}

// restoredTo is a copy of a store with other heads.
func restoredTo(t *testing.T, s *forge.Store, h *datahike.Heads) *forge.Store {
	c := s.Clone(t)
	for _, o := range h.Held() {
		c.Write(string(o.ID), o.Data)
	}
	return c
}

// TestAtRefuses: only a record can become a head.
func TestAtRefuses(t *testing.T) {
	s := branched(t)
	heads, err := plain.Hold(t.Context(), getter(s), "")
	require.NoError(t, err)
	u := s.UUID()
	for name, value := range map[string]any{"a node": forge.LeafValue(1), "a map": forge.M("a", int64(1)), "a string": "x"} {
		file := s.Put(u, value)
		_, err := plain.At(heads, graph.ID(file), s.Read(file), "")
		require.ErrorIs(t, err, graph.ErrCorrupt, name)
	}
	file := s.Put(u, "x")
	_, err = plain.At(heads, graph.ID(file), s.Read(file)[:30], "")
	require.ErrorIs(t, err, graph.ErrCorrupt)
}
