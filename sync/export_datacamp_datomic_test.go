package dbsync_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// TestDatacampOfDatomic: a Datomic database comes back as it was, its history
// and its references to the schema's entities too.
func TestDatacampOfDatomic(t *testing.T) {
	src := opened(t, local(t, fixture.DatomicBackup(t, "gen2")))
	for _, history := range []bool{false, true} {
		dir := local(t, t.TempDir())
		rep, err := dbsync.Export(t.Context(), src, dir, asDatacamp(history))
		require.NoError(t, err)
		_, err = dbsync.VerifyForeign(t.Context(), dir, dbsync.ForeignOptions{})
		require.NoError(t, err)
		back := opened(t, dir)
		assert.Equal(t, view.Datomic, back.Info().Kind)
		assert.Equal(t, src.Info().MaxTx, back.Info().MaxTx)
		assert.Equal(t, src.Info().T, back.Info().T)
		for _, q := range []datom.Query{{}, {Index: datom.VAET}, {History: true}} {
			if q.History && !history {
				continue
			}
			want, got := texts(t, src, q), texts(t, back, q)
			require.NotEmpty(t, want)
			slices.Sort(want) // attributes go by their names here, and by their ids there
			slices.Sort(got)
			assert.True(t, slices.Equal(want, got), "%+v", q)
			if q.Index == "" && q.History == history {
				assert.Equal(t, rep.Datoms, int64(len(got)))
			}
		}
	}
}

// texts are the datoms of a scan as text.
func texts(t *testing.T, v view.View, q datom.Query) (all []string) {
	t.Helper()
	require.NoError(t, v.Scan(t.Context(), q, func(d datom.Datom) error {
		text, err := datom.AppendText(nil, d)
		all = append(all, string(text))
		return err
	}))
	return all
}
