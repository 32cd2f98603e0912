package e2e

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/sample"
)

// TestKilled kills a backup as soon as it has noted some of what it wrote.
// The next run does not wait for the dead one's lease, and goes on from there.
func TestKilled(t *testing.T) {
	u := newUser(t)
	store, dest := u.path("store"), u.path("backup")
	db, err := sample.Create(store, sample.Options{Entities: 2000, BranchingFactor: 16})
	require.NoError(t, err)
	require.Greater(t, len(db.Reachable()), 4000, "more than one note's worth")

	c := u.command("backup", database(store), dest, "--bwlimit", "3M")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	require.NoError(t, c.Start())
	noted := func() bool {
		notes, err := filepath.Glob(filepath.Join(dest, "inflight", "*", "*.zst"))
		require.NoError(t, err)
		return len(notes) > 0
	}
	assert.Eventually(t, noted, patience, 5*time.Millisecond)
	require.NoError(t, c.Process.Kill())
	require.ErrorContains(t, c.Wait(), "killed", stderr.String())

	assert.Contains(t, u.ok("backups", dest).out, "no backups")
	u.fails(4, "no backup", "restore", dest, u.path("restored"))
	began := time.Now()
	o := u.ok("backup", database(store), dest, "--json")
	assert.Contains(t, o.stderr, "Resuming: an unfinished run has written")
	assert.Less(t, time.Since(began), 20*time.Second)
	var report backupReport
	require.NoError(t, json.Unmarshal([]byte(o.out), &report))
	assert.Less(t, report.Requests.DestinationWrites, report.New.Segments-1000, "what was there is not written again")
	assert.EqualValues(t, len(db.Reachable()), report.Total.Segments+2, "with :branches and the head")

	assert.Contains(t, u.ok("verify", dest, "--deep").out, "0 faults")
	assert.NoDirExists(t, filepath.Join(dest, "inflight"))
	u.ok("restore", dest, u.path("restored"))
	want := map[string]string{}
	all := u.tree(store)
	for _, name := range db.Reachable() {
		want[name] = all[name]
	}
	assert.Equal(t, want, u.tree(u.path("restored")))
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
