package datomchunks_test

import (
	"context"
	"os"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

func TestCommandPoints(t *testing.T) {
	backup := t.TempDir()
	point := pack(t, fixture.Unpack(t, "l-nocommitgraph"), "", backup, small)
	f := open(t, remote(backup))
	got, err := f.Features().Command(context.Background(), "points", nil, nil)
	require.NoError(t, err)
	points, ok := got.([]dbsync.Point)
	require.True(t, ok)
	require.Len(t, points, 1)
	assert.Equal(t, point, points[0].ID)
	_, err = f.Features().Command(context.Background(), "nonsense", nil, nil)
	assert.ErrorIs(t, err, fs.ErrorCommandNotFound)
}

// TestDocs: the guide names every option and every command.
func TestDocs(t *testing.T) {
	guide, err := os.ReadFile("../../docs/chunked.md")
	require.NoError(t, err)
	info, err := fs.Find("datomchunks")
	require.NoError(t, err)
	for _, o := range info.Options {
		if o.Name != "description" { // rclone's own
			assert.Contains(t, string(guide), "`"+o.Name+"`")
		}
	}
	for _, c := range info.CommandHelp {
		assert.Contains(t, string(guide), "rclone-datom backend "+c.Name+" ")
	}
}
