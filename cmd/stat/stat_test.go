package stat

import (
	"context"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/rc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/rclone/rclone/backend/local"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

func remote(store string) string { return ":datahike,store='" + store + "':" }

// backedUp returns the backup of two generations, and the points' ids.
func backedUp(t *testing.T) (dir string, points []string) {
	t.Helper()
	dir = t.TempDir()
	dst, err := fs.NewFs(t.Context(), dir)
	require.NoError(t, err)
	for _, name := range []string{"h-gen1", "h-gen3"} {
		src, err := cli.Source(t.Context(), remote(fixture.Unpack(t, name)))
		require.NoError(t, err)
		rep, err := dbsync.Backup(t.Context(), src, dst, dbsync.BackupOptions{})
		require.NoError(t, err)
		points = append(points, rep.Point)
	}
	return dir, points
}

// TestRemoteControl: the same call looks at a database and at a backup.
func TestRemoteControl(t *testing.T) {
	dir, points := backedUp(t)
	do := rc.Calls.Get("datom/stat").Fn
	for name, in := range map[string]rc.Params{
		"h-gen1":     {"remote": dir, "at": points[0]},
		"h-gen3":     {"remote": dir},
		"i-attrrefs": {"remote": remote(fixture.Unpack(t, "i-attrrefs"))},
	} {
		out, err := do(context.Background(), in)
		require.NoError(t, err, name)
		var rep dbsync.StatReport
		require.NoError(t, rc.Reshape(&rep, out))
		assert.Equal(t, fixture.Expected(t, name).ByBranch[":db"].DatomsCurrent, rep.Branches[0].Trees[0].Datoms)
		assert.Equal(t, name != "i-attrrefs", rep.Point != "")
	}
	_, err := do(context.Background(), rc.Params{"remote": remote(fixture.Unpack(t, "h-gen1")), "at": points[0]})
	require.ErrorContains(t, err, "--at")
	_, err = do(context.Background(), rc.Params{"remote": t.TempDir()})
	require.ErrorIs(t, err, fs.ErrorObjectNotFound)
}

func TestPrint(t *testing.T) {
	dir, points := backedUp(t)
	rep, err := stat(t.Context(), dir, "")
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, print(&out, rep))
	for _, want := range []string{
		"Point " + points[1] + "\n",
		"Branch :db at " + rep.Branches[0].Commit + ", transaction 536870935\n",
		"commit   24 ", "inner 1  ", "eavt           1063    2      1      1 ", "POINT  ", "\n" + points[0] + "  ",
	} {
		assert.Contains(t, out.String(), want)
	}
	assert.NotContains(t, out.String(), "All branches")

	// What is not known is shown as such.
	out.Reset()
	rep = &dbsync.StatReport{Branches: []dbsync.BranchStat{{}, {Trees: []dbsync.TreeStat{{
		Tree: "eavt", Datoms: -1, Depth: 1, Inline: true, Levels: []dbsync.LevelStat{{Nodes: 1, Items: -1}},
	}}}}}
	require.NoError(t, print(&out, rep))
	assert.Contains(t, out.String(), "eavt (fused)  ?       1      0      1      ?  ")
	assert.Contains(t, out.String(), "All branches\n")
}
