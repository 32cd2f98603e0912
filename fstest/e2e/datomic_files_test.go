package e2e

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/judge"
)

// TestDatomicAsFiles uses a database with rclone's own commands.
func TestDatomicAsFiles(t *testing.T) {
	u := newUser(t)
	u.remote("live", moment(t, dbserver.MariaDB(t), "gen3"))
	assert.Equal(t, "owner\nroots/\nvalues/\n", u.ok("lsf", "live:").out)
	assert.Equal(t, "1708\n", u.ok("lsf", "live:roots").out)
	assert.Equal(t, fixture.DatomicID, u.ok("cat", "live:owner").out)
	u.ok("copy", "live:", u.path("copied"))
	assert.Equal(t, onRecord(t)[:1], judge.Backup(t, u.path("copied")))
	u.ok("backup", "live:", u.path("backup"))
	assert.Equal(t, u.native(u.path("copied")), u.native(u.path("backup")))
	u.ok("check", "--download", "live:", u.path("copied"))
	u.ok("check", "--download", ":datomic,remote='"+u.path("backup")+"':", "live:")
	for _, args := range [][]string{{"delete", "live:"}, {"copy", u.path("copied"), "live:", "--ignore-times"}, {"purge", "live:"}} {
		o := u.run(args...)
		assert.NotZero(t, o.code, "%q", args)
		assert.Contains(t, o.stderr, "cannot be written to", "%q", args)
	}
	u.ok("check", "--download", "live:", u.path("copied"))
}

// TestDatomicReports: what the commands say for programs.
func TestDatomicReports(t *testing.T) {
	u := newUser(t)
	u.remote("live", moment(t, dbserver.Postgres(t), "gen3"))
	dest := u.path("backup")
	show := func(into any, args ...string) {
		t.Helper()
		require.NoError(t, json.Unmarshal([]byte(u.ok(args...).out), into))
	}
	var databases []struct {
		Name, ID string
		Deleted  bool
	}
	show(&databases, "backend", "databases", "live:")
	require.Len(t, databases, 1)
	assert.Equal(t, "sample", databases[0].Name)
	assert.Equal(t, fixture.DatomicID, databases[0].ID)
	var roots struct {
		T         int64
		Database  string
		TailBytes int
	}
	show(&roots, "backend", "roots", "live:")
	assert.Equal(t, int64(1708), roots.T)
	assert.Equal(t, fixture.DatomicID, roots.Database)
	assert.Equal(t, 349, roots.TailBytes)
	var all countReport
	show(&all, "backend", "stat", "live:")

	var backup backupReport
	u.report(&backup, "backup", "live:", dest)
	assert.Equal(t, all, backup.Total)
	assert.Equal(t, int64(188), all.Segments)
	var points []pointReport
	u.report(&points, "backups", dest)
	require.Len(t, points, 1)
	assert.Equal(t, []any{"datomic", "sample", fixture.DatomicID, int64(1708)}, []any{points[0].Kind, points[0].Name, points[0].Database, points[0].T})
	assert.Equal(t, all, points[0].Total)
	for _, at := range []string{"live:", dest} {
		var stat struct {
			Segments countReport
			Branches []struct {
				Branch string
				MaxTx  int64
			}
		}
		show(&stat, "stat", at, "--json")
		assert.Equal(t, all, stat.Segments)
		require.Len(t, stat.Branches, 1)
		assert.Equal(t, int64(1708), stat.Branches[0].MaxTx)
		assert.Contains(t, u.ok("stat", at).out, "188 segments")
	}
	var verify verifyReport
	u.report(&verify, "verify", dest, "--deep")
	assert.Equal(t, onRecord(t)[0].Restored.AEVTCurrent > 0, verify.Datoms["sample"] != nil)
	assert.Equal(t, all, verify.Segments)
}

// TestDatomicJob runs a job whose settings spare the server.
func TestDatomicJob(t *testing.T) {
	u := newUser(t)
	u.remote("live", moment(t, dbserver.Postgres(t), "gen3"), "connections = 8", "pace = 10s", "batch = 8")
	require.NoError(t, os.WriteFile(u.path("jobs.edn"), []byte(`{:sample {:source "live:" :destination "backup" :pace 10 :connections 1
		:hooks {:after ["`+binary+`" "touch" "`+u.path("done")+`"]}}}`), 0o600))
	began := time.Now()
	var reports []jobReport
	u.report(&reports, "run", "jobs.edn", "sample")
	assert.Greater(t, time.Since(began), 180*10*time.Millisecond, "a pause for each segment, but for those read last")
	require.Len(t, reports, 1)
	assert.Equal(t, "new-point", reports[0].Status)
	assert.Equal(t, int64(188), reports[0].Report.Total.Segments)
	assert.FileExists(t, u.path("done"))
	assert.Equal(t, onRecord(t)[:1], u.sound(u.path("backup")))
	u.report(&reports, "run", "jobs.edn")
	assert.Equal(t, "up-to-date", reports[0].Status)
}
