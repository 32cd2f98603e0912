package dbsync_test

import (
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// TestOpenPoint: a point of either layout has all that the database reads, under
// the database's own names.
func TestOpenPoint(t *testing.T) {
	for _, layout := range []string{dbsync.LayoutNative, dbsync.LayoutChunked} {
		d, dst := first(t, plain, ""), local(t, t.TempDir())
		rep, err := dbsync.Backup(t.Context(), d.source(t, ""), dst, dbsync.BackupOptions{Layout: layout})
		require.NoError(t, err)
		d.second()
		_, err = dbsync.Backup(t.Context(), d.source(t, ""), dst, dbsync.BackupOptions{})
		require.NoError(t, err)

		p, err := dbsync.OpenPoint(t.Context(), dst, "latest")
		require.NoError(t, err)
		got := map[string]string{}
		for _, h := range p.Held {
			got[p.HeldPath(h.ID)] = string(h.Data)
		}
		for line, err := range p.Lines() {
			require.NoError(t, err)
			e, err := graph.ParseEntry(line)
			require.NoError(t, err)
			data, err := p.Segments().Get(t.Context(), e.ID)
			require.NoError(t, err)
			got[p.Path(e.ID)] = string(data)
		}
		want := map[string]string{}
		for name, data := range files(t, d.Dir) {
			want["store/"+name] = data
		}
		assert.Equal(t, want, got, layout)
		require.NoError(t, p.Close())

		old, err := dbsync.OpenPoint(t.Context(), dst, rep.Point)
		require.NoError(t, err)
		assert.Equal(t, rep.Point, old.Manifest.Point)
		require.NoError(t, old.Close())
		_, err = dbsync.OpenPoint(t.Context(), dst, "nope")
		assert.ErrorIs(t, err, fs.ErrorObjectNotFound)
	}
}
