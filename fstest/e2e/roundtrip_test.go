package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

// roundTrip backs up three generations of a database to dest, looks at what
// there is, and restores each below target.
func (u *user) roundTrip(source func(generation, dir string) string, dest, target string) {
	u.Helper()
	var points []string
	stores := map[string]string{}
	for i, generation := range []string{"h-gen1", "h-gen2", "h-gen3"} {
		dir := fixture.Unpack(u, generation)
		var backup backupReport
		u.report(&backup, "backup", source(generation, dir), dest)
		assert.NotZero(u, backup.New.Segments)
		assert.Equal(u, i > 0, backup.Reused > 0)
		u.report(&backup, "backup", source(generation, dir), dest)
		assert.True(u, backup.UpToDate)
		points = append(points, backup.Point)
		stores[backup.Point] = dir
	}
	var listed []pointReport
	u.report(&listed, "backups", dest)
	require.Len(u, listed, len(points))
	for i, p := range listed {
		assert.Equal(u, points[i], p.ID)
		assert.True(u, p.Complete)
	}
	for i, point := range points {
		assert.Contains(u, u.ok("verify", dest, "--deep", "--at", point).out, "0 faults")
		to := fmt.Sprintf("%s/%d", target, i)
		assert.Contains(u, u.ok("restore", dest, to, "--at", point).out, "Restored point "+point)
		u.ok("check", "--download", database(stores[point]), to)
		u.ok("check", "--download", database(to), stores[point], "--one-way")
	}
}

// local opens each generation where it was unpacked.
func local(_, dir string) string { return database(dir) }

func TestRoundTripLocal(t *testing.T) {
	u := newUser(t)
	u.roundTrip(local, u.path("backup"), u.path("restored"))
	names := u.tree(u.path("backup"))
	for name := range names {
		assert.Regexp(t, `^(store|snapshots)/|^verified\.edn$`, name, "nothing is left over")
	}
	u.ok("check", database(u.path("backup/store")), database(u.path("restored/2")))
}

// s3 starts a server with a bucket and configures it as the remote s3.
func (u *user) s3() {
	u.Helper()
	require.NoError(u, os.MkdirAll(u.path("s3/bucket"), 0o700))
	address := u.serve("serve", "s3", u.path("s3"), "--addr", "127.0.0.1:0", "--auth-key", "testkey,testsecret", "-v")
	u.configure(strings.Join([]string{
		"[s3]", "type = s3", "provider = Rclone", "endpoint = http://" + address,
		"access_key_id = testkey", "secret_access_key = testsecret", "",
	}, "\n"))
}

func TestRoundTripS3(t *testing.T) {
	u := newUser(t)
	u.s3()
	source := func(generation, dir string) string {
		u.ok("copy", dir, "s3:bucket/live/"+generation)
		return database("s3:bucket/live/" + generation)
	}
	u.roundTrip(source, "s3:bucket/backup", "s3:bucket/restored")
}

func TestRoundTripCrypt(t *testing.T) {
	u := newUser(t)
	password := strings.TrimSpace(u.ok("obscure", "correct horse battery").out)
	u.configure(fmt.Sprintf("[safe]\ntype = crypt\nremote = %s\npassword = %s\nfilename_encryption = standard\ndirectory_name_encryption = true\n", u.path("vault"), password))
	u.roundTrip(local, "safe:backup", u.path("restored"))
	require.NoError(t, filepath.Walk(u.path("vault"), func(path string, info os.FileInfo, err error) error {
		require.NoError(t, err)
		assert.NotContains(t, path, ".ksv")
		assert.NotContains(t, path, "manifest.edn")
		if !info.IsDir() {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.NotContains(t, string(data), "datahike", path)
		}
		return nil
	}))
}

// TestRestoreResumes interrupts a restore by a limit, then lets it end.
func TestRestoreResumes(t *testing.T) {
	u := newUser(t)
	store := fixture.Unpack(t, "a-default")
	u.ok("backup", database(store), u.path("backup"))
	u.fails(8, "max transfer limit", "restore", u.path("backup"), u.path("restored"), "--max-transfer", "300k")
	u.fails(1, "no Datahike database", "ls", database(u.path("restored")))
	o := u.ok("restore", u.path("backup"), u.path("restored"))
	assert.Contains(t, o.stderr, "Resuming the restore")
	assert.Contains(t, o.out, "resumed")
	assert.Equal(t, u.tree(store), u.tree(u.path("restored")))
}
