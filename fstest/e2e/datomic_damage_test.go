package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/judge"
)

// spoil removes a segment of a backup, empties one and flips a bit in one, and
// returns their ids in that order.
func (u *user) spoil(dest string) []string {
	u.Helper()
	files, err := filepath.Glob(filepath.Join(dest, "values", "*", "*"))
	require.NoError(u, err)
	slices.SortFunc(files, func(a, b string) int { return int(u.size(b) - u.size(a)) }) // leaves first
	require.NoError(u, os.Remove(files[0]))
	require.NoError(u, os.Truncate(files[1], 0))
	data, err := os.ReadFile(files[2])
	require.NoError(u, err)
	data[len(data)/2] ^= 1
	require.NoError(u, os.WriteFile(files[2], data, 0o600))
	return []string{filepath.Base(files[0]), filepath.Base(files[1]), filepath.Base(files[2])}
}

func (u *user) size(path string) int64 {
	u.Helper()
	info, err := os.Stat(path)
	require.NoError(u, err)
	return info.Size()
}

// TestDatomicDamage: what happened to segments is noticed and put back, in
// a backup that we have made, and in one that Datomic has, with older points of
// which we know no more than their roots.
func TestDatomicDamage(t *testing.T) {
	for origin, points := range map[string]int{"ours": 1, "Datomic's": 3} {
		t.Run(origin, func(t *testing.T) {
			u := newUser(t)
			dest := u.path("backup")
			u.remote("live", moment(t, dbserver.SQLite(t), "gen3"))
			if origin == "ours" {
				u.ok("backup", "live:", dest)
			} else {
				u.ok("copy", fixture.DatomicBackup(t, "gen3"), dest)
				u.ok("backup", "live:", dest, "--verify-base")
			}
			before := u.native(dest)
			lost := u.spoil(dest)
			assert.ElementsMatch(t, lost[:2], u.faults(dest))
			assert.ElementsMatch(t, lost, u.faults(dest, "--deep"))
			u.fails(6, "is damaged", "restore", dest, u.path("restored"))
			assert.NoDirExists(t, u.path("restored/roots"), "Datomic sees nothing of it")

			o := u.ok("backup", "live:", dest, "--repair")
			assert.Contains(t, o.out, "repaired  3 segments")
			assert.Equal(t, before, u.native(dest))
			assert.Empty(t, u.faults(dest, "--deep"))
			assert.Equal(t, onRecord(t)[:points], judge.Backup(t, dest))
			u.ok("restore", dest, u.path("restored"))
		})
	}
}

// faults are the ids that verify complains about, of all points.
func (u *user) faults(dest string, flags ...string) (ids []string) {
	u.Helper()
	for _, at := range u.points(dest) {
		o := u.run(append([]string{"verify", dest, "--json", "--at", itoa(at)}, flags...)...)
		var rep verifyReport
		require.NoError(u, json.Unmarshal([]byte(o.out), &rep))
		for _, f := range rep.Faults {
			if !slices.Contains(ids, f.ID) {
				ids = append(ids, f.ID)
			}
		}
		exit := 0
		if len(rep.Faults) > 0 {
			exit = 6
		}
		assert.Equal(u, exit, o.code)
	}
	return ids
}
