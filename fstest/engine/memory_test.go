//go:build linux && !race

package engine

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
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
// segments there are. Each backup has a process of its own. (The race detector
// would take memory for itself.)
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
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
	return highWater(t, out)
}

// highWater finds the line about the peak in a process's status, in bytes. (The
// rusage of a process is no less than that of the one which has started it.)
func highWater(t *testing.T, status []byte) int64 {
	t.Helper()
	m := regexp.MustCompile(`(?m)^VmHWM:\s*(\d+) kB$`).FindSubmatch(status)
	require.NotNil(t, m, "%s", status)
	kib, err := strconv.ParseInt(string(m[1]), 10, 64)
	require.NoError(t, err)
	return kib << 10
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
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	fmt.Printf("%s", status)
}
