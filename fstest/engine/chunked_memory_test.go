//go:build linux && !race

package engine

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/hash"
	"github.com/rclone/rclone/fs/object"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// packedAtMost is what a backup in chunks of the usual size may take of memory:
// what is known of the segments in two open chunks, and in those under way.
const packedAtMost = 256 << 20

// TestChunkedMemory: what a backup in chunks takes of memory has a bound, and
// does not depend on how many segments there are once a chunk is full. Each
// backup has a process of its own.
func TestChunkedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	few, many := chunkedPeak(t, *segments), chunkedPeak(t, 5**segments)
	t.Logf("peak of memory: %d MiB for %d segments, %d MiB for %d", few>>20, *segments, many>>20, 5**segments)
	assert.LessOrEqual(t, many, int64(packedAtMost))
	assert.LessOrEqual(t, many-few, int64(mayGrow))
}

func chunkedPeak(t *testing.T, segments int) int64 {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "-test.run=^TestChunkedMemoryChild$", "-test.timeout=2h")
	cmd.Env = append(os.Environ(), childEnv+"="+strconv.Itoa(segments))
	began := time.Now()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%d segments: %v", segments, time.Since(began).Round(time.Second))
	return highWater(t, out)
}

// TestChunkedMemoryChild is the process that TestChunkedMemory measures.
func TestChunkedMemoryChild(t *testing.T) {
	segments, err := strconv.Atoi(os.Getenv(childEnv))
	if err != nil {
		t.Skip("a part of TestChunkedMemory")
	}
	src := newVast(t, segments)
	dst := newPit(remote(t, t.TempDir()))
	rep, err := dbsync.Backup(quick(), source(src, ""), dst, chunked(0))
	require.NoError(t, err)
	assert.EqualValues(t, src.nodes+2, rep.New.Segments, "the commit and the schema as well")
	assert.Greater(t, dst.bytes.Load(), rep.New.Bytes)
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	fmt.Printf("%s", status)
}

// pit is a destination that forgets chunks. Everything else goes to the embedded
// remote.
type pit struct {
	fs.Fs
	features *fs.Features
	bytes    atomic.Int64
}

func newPit(base fs.Fs) *pit {
	return &pit{Fs: base, features: &fs.Features{CanHaveEmptyDirectories: true}}
}

// Features implements fs.Info: an upload is whole or not there at all.
func (p *pit) Features() *fs.Features { return p.features }

// Hashes implements fs.Info: none, as nobody is to compute what is forgotten.
func (p *pit) Hashes() hash.Set { return hash.Set(hash.None) }

// Put implements fs.Fs.
func (p *pit) Put(ctx context.Context, in io.Reader, src fs.ObjectInfo, options ...fs.OpenOption) (fs.Object, error) {
	if !isChunk(src.Remote()) {
		return p.Fs.Put(ctx, in, src, options...)
	}
	n, err := io.Copy(io.Discard, in)
	p.bytes.Add(n)
	return forgotten{object.NewMemoryObject(src.Remote(), time.Unix(0, 0), nil).SetFs(p), n}, err
}

// forgotten is an object of which the size alone is known.
type forgotten struct {
	fs.Object
	size int64
}

// Size implements fs.ObjectInfo.
func (f forgotten) Size() int64 { return f.size }
