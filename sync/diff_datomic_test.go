package dbsync_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// pointView is a point of a backup.
func pointView(t testing.TB, dir, at string) view.View {
	t.Helper()
	v, err := dbsync.OpenView(context.Background(), local(t, dir), dbsync.ViewOptions{At: at, Dialect: datahike.New("")})
	require.NoError(t, err)
	t.Cleanup(func() { _ = v.Close() })
	return v
}

// scans counts how often a view is read as a whole.
type scans struct {
	view.View
	n *int
}

func (s scans) Scan(ctx context.Context, q datom.Query, fn func(datom.Datom) error) error {
	*s.n++
	return s.View.Scan(ctx, q, fn)
}

// TestDiffDatomic compares the moments of a real database. After an excision
// the log does not tell how they differ, and they are read as a whole.
func TestDiffDatomic(t *testing.T) {
	dir := fixture.DatomicBackup(t, "gen3")
	gens := fixture.DatomicGens()
	var moments []view.View
	for _, g := range gens {
		moments = append(moments, pointView(t, dir, fmt.Sprint(g.T)))
	}
	var before, last int64 // the transactions of the first moment
	require.NoError(t, moments[0].Log(t.Context(), 0, 0, func(tx view.Transaction) error {
		before, last = last, tx.T
		return nil
	}))
	require.Equal(t, gens[0].T, last)
	past := pointView(t, dir, fmt.Sprint(before)) // no point: of the history of the first
	for _, c := range []struct {
		from, to view.View
		byLog    bool
	}{
		{moments[0], moments[1], true}, {past, moments[1], true}, {moments[1], moments[1], true},
		{moments[1], moments[2], false}, {moments[0], moments[2], false},
	} {
		n := 0
		rep, err := dbsync.Diff(context.Background(), scans{c.from, &n}, scans{c.to, &n}, nil)
		require.NoError(t, err)
		assert.Equal(t, c.byLog, n == 0, "%d to %d", c.from.Info().T, c.to.Info().T)
		changes := checkDiff(t, c.from, c.to)
		assert.EqualValues(t, changes, rep.Added+rep.Retracted)
		assert.Equal(t, c.from.Info().T != c.to.Info().T, changes > 0)
	}
	other := viewed(t, fixture.Unpack(t, "a-default"), "", dbsync.ViewOptions{})
	assert.EqualValues(t, len(factsOf(t, moments[2]))+len(factsOf(t, other)), checkDiff(t, moments[2], other))
}
