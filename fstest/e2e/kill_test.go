package e2e

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
)

// TestKilled kills a backup that is slow, as soon as it has noted some of what
// it wrote, which it does every quarter of a minute. The next run does not wait
// for the dead one's lease, and goes on from there.
func TestKilled(t *testing.T) {
	u := newUser(t)
	store, dest := fixture.Unpack(t, "a-default"), u.path("backup")
	c := u.command("backup", database(store), dest, "--bwlimit", "20k")
	require.NoError(t, c.Start())
	noted := func() bool {
		notes, err := filepath.Glob(filepath.Join(dest, "inflight", "*", "*.zst"))
		require.NoError(t, err)
		return len(notes) > 0
	}
	assert.Eventually(t, noted, patience, 5*time.Millisecond)
	require.NoError(t, c.Process.Kill())
	require.ErrorContains(t, c.Wait(), "killed")

	assert.Contains(t, u.ok("backups", dest).out, "(incomplete)")
	u.fails(4, "no backup", "restore", dest, u.path("restored"))
	o := u.ok("backup", database(store), dest, "--json")
	resumed := regexp.MustCompile(`Resuming: an unfinished run has written (\d+) segments`).FindStringSubmatch(o.stderr)
	require.NotNil(t, resumed, o.stderr)
	n, err := strconv.ParseInt(resumed[1], 10, 64)
	require.NoError(t, err)
	assert.Greater(t, n, int64(10))
	var report backupReport
	require.NoError(t, json.Unmarshal([]byte(o.out), &report))
	around := int64(10) // heads, lists, lease, manifest
	assert.Less(t, report.Requests.DestinationWrites, report.New.Segments-n+around, "what was there is not written again")

	assert.Contains(t, u.ok("verify", dest, "--deep").out, "0 faults")
	assert.NoDirExists(t, filepath.Join(dest, "inflight"))
	u.ok("restore", dest, u.path("restored"))
	assert.Equal(t, u.tree(store), u.tree(u.path("restored")))
}

// TestRemoteControl asks a running backup how far it is.
func TestRemoteControl(t *testing.T) {
	u := newUser(t)
	store := u.path("store")
	_, err := sample.Create(store, sample.Options{Entities: 500, BranchingFactor: 16})
	require.NoError(t, err)
	address := freeAddress(t)
	c := u.command("backup", database(store), u.path("backup"), "--rc", "--rc-no-auth", "--rc-addr", address, "--bwlimit", "200k")
	require.NoError(t, c.Start())
	defer func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	}()
	assert.Eventually(t, func() bool {
		o := u.run("rc", "--url", "http://"+address, "core/stats")
		var stats struct{ Transfers, Bytes int64 }
		return o.code == 0 && json.Unmarshal([]byte(o.out), &stats) == nil && stats.Transfers > 0 && stats.Bytes > 0
	}, patience, 20*time.Millisecond)
}

// TestOverRemoteControl does all four in one server, whose memory is the
// destination.
func TestOverRemoteControl(t *testing.T) {
	u := newUser(t)
	store := fixture.Unpack(t, "a-default")
	address := u.serve("rcd", "--rc-no-auth", "--rc-addr", "127.0.0.1:0")
	call := func(into any, path string, parameters ...string) {
		o := u.ok(append([]string{"rc", "--url", "http://" + address, path}, parameters...)...)
		d := json.NewDecoder(strings.NewReader(o.out))
		d.DisallowUnknownFields()
		require.NoError(t, d.Decode(into), o.out)
	}
	var backup backupReport
	call(&backup, "datom/backup", "source="+database(store), "destination=:memory:bucket/mydb")
	assert.NotZero(t, backup.New.Segments)
	var list struct{ Points []pointReport }
	call(&list, "datom/backups", "destination=:memory:bucket/mydb")
	require.Len(t, list.Points, 1)
	assert.Equal(t, backup.Point, list.Points[0].ID)
	var verify verifyReport
	call(&verify, "datom/verify", "destination=:memory:bucket/mydb", "deep=true")
	assert.True(t, verify.Deep)
	assert.Empty(t, verify.Faults)
	var restore restoreReport
	call(&restore, "datom/restore", "destination=:memory:bucket/mydb", "target="+u.path("restored"))
	assert.Equal(t, u.tree(store), u.tree(u.path("restored")))
	u.fails(1, "not a database remote", "rc", "--url", "http://"+address, "datom/backup", "source="+store, "destination=:memory:x")
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// TestTwoAtOnce: while a backup runs, another one to the same place is refused.
func TestTwoAtOnce(t *testing.T) {
	u := newUser(t)
	store, dest := u.path("store"), u.path("backup")
	_, err := sample.Create(store, sample.Options{Entities: 500, BranchingFactor: 16})
	require.NoError(t, err)
	c := u.command("backup", database(store), dest, "--bwlimit", "200k")
	require.NoError(t, c.Start())
	defer func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	}()
	require.Eventually(t, func() bool {
		leases, err := filepath.Glob(filepath.Join(dest, "inflight", "*", "lease.edn"))
		require.NoError(t, err)
		return len(leases) > 0
	}, patience, 5*time.Millisecond)
	o := u.run("backup", database(store), dest)
	assert.NotZero(t, o.code)
	assert.Contains(t, o.stderr, "another run is writing to this destination")
	host, err := os.Hostname()
	require.NoError(t, err)
	assert.True(t, strings.Contains(o.stderr, host), "it says who")
}
