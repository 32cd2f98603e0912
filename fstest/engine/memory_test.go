//go:build linux

package engine

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

var segments = flag.Int("segments", 120_000, "how many segments TestMemory backs up; 10000000 take some minutes")

// mayGrow is by how much the memory of a backup may grow with the database.
const mayGrow = 48 << 20

// childEnv has the number of segments that a child of this process backs up.
const childEnv = "DATOM_TEST_SEGMENTS"

// TestMemory: what a backup takes of memory does not depend on how many
// segments there are. Each backup has a process of its own, whose peak is
// measured.
func TestMemory(t *testing.T) {
	few, many := peak(t, 10_000), peak(t, *segments)
	t.Logf("peak of memory: %d MiB for 10,000 segments, %d MiB for %d", few>>20, many>>20, *segments)
	assert.LessOrEqual(t, many-few, int64(mayGrow))
}

// peak is the most memory, in bytes, that a process has while it makes a first
// backup of so many segments.
func peak(t *testing.T, segments int) int64 {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "-test.run=^TestMemoryChild$", "-test.timeout=2h")
	cmd.Env = append(os.Environ(), childEnv+"="+strconv.Itoa(segments))
	began := time.Now()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%d segments: %v", segments, time.Since(began).Round(time.Second))
	return cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
}

// TestMemoryChild is the process that TestMemory measures.
func TestMemoryChild(t *testing.T) {
	segments, err := strconv.Atoi(os.Getenv(childEnv))
	if err != nil {
		t.Skip("a part of TestMemory")
	}
	src := newVast(t, segments)
	dst := newHole(remote(t, t.TempDir()), src)
	rep, err := dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{})
	require.NoError(t, err)
	assert.Equal(t, src.nodes, dst.count)
	assert.EqualValues(t, src.nodes+2, rep.New.Segments, "the commit and the schema as well")
	fmt.Println(rep.New.Segments, rep.Seconds)
}
