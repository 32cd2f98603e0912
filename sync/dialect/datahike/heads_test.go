package datahike_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/forge"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// branched is a store with the branches :db, :dev and :team/x.
func branched(t *testing.T) *forge.Store {
	s := forge.New(t)
	for _, k := range []fressian.Keyword{forge.K("dev"), forge.K("db"), forge.K("team", "x")} {
		_, rec := commit(s)
		s.Put(k, rec)
	}
	s.Put(forge.K("branches"), fressian.Set{forge.K("team", "x"), forge.K("db"), forge.K("dev")})
	return s
}

func names(h *datahike.Heads) (names []string) {
	for _, b := range h.Branches {
		names = append(names, b.Name)
	}
	return names
}

func TestHold(t *testing.T) {
	s := branched(t)
	h, err := plain.Hold(t.Context(), getter(s), "")
	require.NoError(t, err)
	assert.Equal(t, []string{":db", ":dev", ":team/x"}, names(h))
	assert.Equal(t, ":db", h.Main().Name)
	held := h.Held()
	require.Len(t, held, 4)
	assert.Equal(t, datahike.BranchesID(), held[3].ID, "the set of branches is written last")
	for _, o := range held {
		assert.Equal(t, s.Read(string(o.ID)), o.Data)
	}
	again, err := plain.Parse(held, "")
	require.NoError(t, err)
	assert.Equal(t, h, again)
}

func TestHoldOneBranch(t *testing.T) {
	s := branched(t)
	for _, only := range []string{"team/x", ":team/x"} {
		h, err := plain.Hold(t.Context(), getter(s), only)
		require.NoError(t, err)
		assert.Equal(t, []string{":team/x"}, names(h))
		assert.Equal(t, ":team/x", h.Main().Name)
		assert.NotEqual(t, s.Read(string(datahike.BranchesID())), h.Set.Data)
		alone, err := plain.Parse(h.Held(), "")
		require.NoError(t, err)
		assert.Equal(t, []string{":team/x"}, names(alone), "the set names the others no more")
	}
	_, err := plain.Hold(t.Context(), getter(s), "nope")
	require.ErrorIs(t, err, graph.ErrNotFound)
	assert.ErrorContains(t, err, `"nope"; there are :db :dev :team/x`)
}

func TestHoldRefuses(t *testing.T) {
	_, err := plain.Hold(t.Context(), getter(forge.New(t)), "")
	require.ErrorIs(t, err, graph.ErrNotFound)
	assert.ErrorContains(t, err, "no Datahike database")

	s := branched(t)
	s.Put(forge.K("branches"), fressian.Set{forge.K("db"), forge.K("gone")})
	_, err = plain.Hold(t.Context(), getter(s), "")
	require.ErrorIs(t, err, graph.ErrNotFound)
	assert.ErrorContains(t, err, "head of branch :gone")
}

// TestWaitFor: what a live store is about to write is waited for.
func TestWaitFor(t *testing.T) {
	calls := 0
	late := func(context.Context, graph.ID) ([]byte, error) {
		calls++
		if calls < 3 {
			return make([]byte, 19), nil
		}
		return make([]byte, 20), nil
	}
	data, err := datahike.WaitFor(t.Context(), late, "x")
	require.NoError(t, err)
	assert.Len(t, data, 20)
	assert.Equal(t, 3, calls)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	never := func(context.Context, graph.ID) ([]byte, error) { return nil, nil }
	_, err = datahike.WaitFor(ctx, never, "x")
	require.ErrorIs(t, err, context.Canceled)
	_, err = datahike.Present(ctx, never, "x")
	require.ErrorIs(t, err, graph.ErrNotFound)
}
