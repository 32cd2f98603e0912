package engine

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// TestSecondWriter: while a backup is writing, another to the same place is
// refused, and has no effect on the first.
func TestSecondWriter(t *testing.T) {
	src := remote(t, fixture.Unpack(t, "h-gen1"))
	base := memory(t)
	f := fault.New(base, fault.Options{})
	var second error
	tries := 0
	// The rule's own test is called in the midst of the first backup.
	f.Inject(fault.Rule{N: 0, Match: func(c fault.Call) bool {
		if c.Op == fault.Put && isSegment(c) && tries == 0 {
			tries++
			done := make(chan error)
			go func() {
				_, err := dbsync.Backup(quick(), source(src, ""), base, dbsync.BackupOptions{})
				done <- err
			}()
			second = <-done
		}
		return false
	}})
	_, err := dbsync.Backup(quick(), source(src, ""), f, dbsync.BackupOptions{})
	require.NoError(t, err, "the first")
	require.Equal(t, 1, tries)
	require.ErrorIs(t, second, snapshot.ErrLeased)
	checkCounts(t, "h-gen1", f)
	_, err = dbsync.Backup(quick(), source(src, ""), f, dbsync.BackupOptions{})
	require.NoError(t, err, "the lease is given back")
}

// TestLeases: which leases of others keep a backup out.
func TestLeases(t *testing.T) {
	host, err := os.Hostname()
	require.NoError(t, err)
	dead := exec.Command(os.Args[0], "-test.run=^$")
	require.NoError(t, dead.Run())
	now := time.Now()
	for _, test := range []struct {
		name    string
		lease   snapshot.Lease
		refused bool
	}{
		{"alive here", snapshot.Lease{Host: host, Space: snapshot.ProcessSpace(), PID: os.Getppid(), Expires: now.Add(time.Minute)}, true},
		{"dead here", snapshot.Lease{Host: host, Space: snapshot.ProcessSpace(), PID: dead.Process.Pid, Expires: now.Add(time.Minute)}, false},
		{"our own number, another run", snapshot.Lease{Host: host, Space: snapshot.ProcessSpace(), PID: os.Getpid(), Expires: now.Add(time.Minute)}, false},
		{"elsewhere", snapshot.Lease{Host: host, Space: "another container", PID: dead.Process.Pid, Expires: now.Add(time.Minute)}, true},
		{"elsewhere, lapsed", snapshot.Lease{Host: host, Space: "another container", PID: 1, Expires: now.Add(-time.Second)}, false},
		{"here, lapsed", snapshot.Lease{Host: host, Space: snapshot.ProcessSpace(), PID: os.Getppid(), Expires: now.Add(-time.Second)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dst := memory(t)
			test.lease.Run = "2026-01-02T030405.006Z"
			b, err := edn.Marshal(test.lease)
			require.NoError(t, err)
			write(t, dst, fmt.Sprintf("inflight/%s/lease.edn", test.lease.Run), b)
			_, err = dbsync.Backup(quick(), source(remote(t, fixture.Unpack(t, "l-nocommitgraph")), ""), dst, dbsync.BackupOptions{})
			if test.refused {
				require.ErrorIs(t, err, snapshot.ErrLeased)
				assert.Len(t, dump(t, dst), 1, "it leaves nothing behind")
				return
			}
			require.NoError(t, err)
			assert.Empty(t, dump(t, dst).below("inflight"), "and the stale lease is gone")
		})
	}
}
