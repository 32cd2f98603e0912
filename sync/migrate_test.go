package dbsync_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// leftOut are the attributes of Datomic's that the samples have beyond t 1000,
// and Datahike has not.
var leftOut = []string{":db/fn", ":db/fulltext", ":db/excise", ":db.excise/", ":db.install/", ":db.alter/"}

// userDatoms is how many datoms of a Datomic database can be taken over.
func userDatoms(t *testing.T, v view.View, history bool) (n int64) {
	t.Helper()
	require.NoError(t, v.Scan(t.Context(), datom.Query{History: history}, func(d datom.Datom) error {
		if d.Tx&(1<<42-1) < 1000 || d.E == 0 {
			return nil
		}
		text, err := datom.AppendAttr(nil, d.A)
		for _, out := range leftOut {
			if strings.HasPrefix(string(text), out) {
				return err
			}
		}
		n++
		return err
	}))
	return n
}

// TestDumpOfDatomic: what Datomic wrote becomes a dump of Datahike's, datom by
// datom, and that a store.
func TestDumpOfDatomic(t *testing.T) {
	for _, gen := range fixture.DatomicGens() {
		for _, history := range []bool{true, false} {
			src := opened(t, local(t, fixture.DatomicBackup(t, gen.Name)))
			to := local(t, t.TempDir())
			rep, err := dbsync.Export(t.Context(), src, to, asDump(history))
			require.NoError(t, err)
			assert.NotEmpty(t, rep.Notes)
			assert.Equal(t, userDatoms(t, src, history), rep.Datoms)
			verified(t, to, rep)
			v := opened(t, to)
			assert.Equal(t, gen.T, v.Info().T)
			assert.Equal(t, userDatoms(t, src, false), int64(len(current(t, v))))

			store := local(t, t.TempDir())
			_, err = dbsync.Import(t.Context(), v, store, dbsync.ImportOptions{})
			require.NoError(t, err)
			assert.Equal(t, current(t, v), current(t, storeView(t, store, "")))
		}
	}
}

// current is the text of the datoms of now.
func current(t *testing.T, v view.View) (all []string) {
	t.Helper()
	require.NoError(t, v.Scan(t.Context(), datom.Query{}, func(d datom.Datom) error {
		text, err := datom.AppendText(nil, d)
		all = append(all, string(text))
		return err
	}))
	return all
}
