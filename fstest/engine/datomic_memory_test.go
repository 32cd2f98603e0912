//go:build linux && !race

package engine

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/hash"
	"github.com/rclone/rclone/fs/object"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// TestDatomicMemory is TestMemory with a Datomic database.
func TestDatomicMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	few, many := datomicPeak(t, 10_000), datomicPeak(t, *segments)
	t.Logf("peak of memory: %d MiB for 10,000 segments, %d MiB for %d", few>>20, many>>20, *segments)
	assert.LessOrEqual(t, many-few, int64(mayGrow))
}

func datomicPeak(t *testing.T, segments int) int64 {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "-test.run=^TestDatomicMemoryChild$", "-test.timeout=2h")
	cmd.Env = append(os.Environ(), childEnv+"="+strconv.Itoa(segments))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return highWater(t, out)
}

// TestDatomicMemoryChild is the process that TestDatomicMemory measures.
func TestDatomicMemoryChild(t *testing.T) {
	segments, err := strconv.Atoi(os.Getenv(childEnv))
	if err != nil {
		t.Skip("a part of TestDatomicMemory")
	}
	src := newVastDatomic(t, segments)
	dst := &forgetful{Fs: remote(t, t.TempDir()), of: src, have: make([]byte, src.nodes()/8+1)}
	rep := mustKeep(t, src, dst, dbsync.BackupOptions{})
	assert.Equal(t, src.nodes(), dst.count)
	assert.EqualValues(t, src.nodes()+len(src.segments), rep.New.Segments)
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	fmt.Printf("%s", status)
}

// vastFanout is how many leaves a dir of a vast index has.
const vastFanout = 500

// vastDatomic is a storage with one index of any number of leaves, which are
// made when they are read and never kept. Node i of a level has an id of its
// own; see vastID. The rest of the value is a sample's.
type vastDatomic struct {
	shelf
	widths [3]int // of the levels, leaves first
	leaf   []byte
}

func newVastDatomic(t testing.TB, segments int) *vastDatomic {
	t.Helper()
	s := datomicsample.Make(datomicsample.Options{Leaves: 1})
	dirs := max(segments/(vastFanout+1), 1)
	v := &vastDatomic{widths: [3]int{dirs * vastFanout, dirs, 1}}
	v.segments = s.Segments
	v.leaf = datomicsample.Pack(vastData(4), true)
	top := datomicsample.Pack(fressian.Map{
		{Key: fressian.Keyword{Name: "version"}, Value: int64(2)},
		{Key: fressian.Keyword{Name: "eavt-main"}, Value: v.id(2, 0)},
	}, true)
	value := *s.Value
	for id := range indexOf(s) {
		delete(v.segments, id)
	}
	value.Index = graph.ID(hasch.String(v.id(3, 0)))
	v.segments[value.Index] = top
	v.value = &value
	return v
}

// indexOf are the segments of a value's index, which a vast one replaces.
func indexOf(s *datomicsample.Sample) map[graph.ID]bool {
	all := map[graph.ID]bool{}
	log := false
	walkSample(s, func(ref graph.Ref) {
		if log = log || ref.ID == s.Value.Log; !log { // the index comes first
			all[ref.ID] = true
		}
	})
	return all
}

// vastData is a leaf of n datoms, or the keys of a node with n children.
func vastData(n int) fressian.Tagged {
	v := fressian.Array{}
	for range n {
		v = append(v, int64(1))
	}
	return fressian.Tagged{Tag: "index-tdata", Fields: []any{v, make([]int64, n), make([]int32, n), make([]int64, n), make([]bool, n)}}
}

func (v *vastDatomic) nodes() int { return v.widths[0] + v.widths[1] + v.widths[2] }

// id says where a node stands.
func (v *vastDatomic) id(level byte, i int) (u fressian.UUID) {
	u[0], u[4], u[6], u[8] = 0x6b, level, 0x40, 0x80
	for at := 15; i > 0; at, i = at-1, i>>8 {
		u[at] = byte(i)
	}
	return u
}

// find is the reverse of id.
func (v *vastDatomic) find(id graph.ID) (level, i int, ok bool) {
	u, err := hasch.Parse(string(id))
	if err != nil || u[0] != 0x6b || u[1] != 0 || u[4] > 2 {
		return 0, 0, false
	}
	for _, b := range u[9:] {
		i = i<<8 | int(b)
	}
	return int(u[4]), i, true
}

// below is the range of a node's children.
func (v *vastDatomic) below(level, i int) (from, to int) {
	if level == 2 {
		return 0, v.widths[1]
	}
	return i * vastFanout, (i + 1) * vastFanout
}

// Get makes a node.
func (v *vastDatomic) Get(ctx context.Context, id graph.ID) ([]byte, error) {
	level, i, ok := v.find(id)
	if !ok {
		return v.shelf.Get(ctx, id)
	}
	if level == 0 {
		return v.leaf, nil
	}
	ids, counts := fressian.Array{}, []int32{}
	for from, to := v.below(level, i); from < to; from++ {
		ids, counts = append(ids, v.id(byte(level-1), from)), append(counts, 4)
	}
	if level == 2 {
		return datomicsample.Pack(fressian.Tagged{Tag: "index-root-node", Fields: []any{vastData(1), ids}}, true), nil
	}
	return datomicsample.Pack(fressian.Tagged{Tag: "index-dir-node", Fields: []any{vastData(1), ids, make([]int32, len(ids)), counts}}, true), nil
}

// forgetful is a destination that notes which nodes of a vast index are
// written, a bit each, and forgets their bytes. It refuses a node that comes
// twice or before its children. Everything else goes to the embedded remote.
type forgetful struct {
	fs.Fs
	of    *vastDatomic
	mu    sync.Mutex
	have  []byte
	count int
}

// Features implements fs.Info: an upload is whole or not there at all.
func (f *forgetful) Features() *fs.Features {
	return &fs.Features{CanHaveEmptyDirectories: f.Fs.Features().CanHaveEmptyDirectories}
}

// Hashes implements fs.Info.
func (f *forgetful) Hashes() hash.Set { return hash.Set(hash.None) }

// Put implements fs.Fs.
func (f *forgetful) Put(ctx context.Context, in io.Reader, src fs.ObjectInfo, options ...fs.OpenOption) (fs.Object, error) {
	level, i, ok := f.of.find(graph.ID(path.Base(src.Remote())))
	if !ok {
		return f.Fs.Put(ctx, in, src, options...)
	}
	data, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	return object.NewMemoryObject(src.Remote(), time.Unix(0, 0), data).SetFs(f), f.note(level, i)
}

// note remembers a node: leaves are counted first, then dirs, then the root.
func (f *forgetful) note(level, i int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := func(level, i int) int {
		for l := range level {
			i += f.of.widths[l]
		}
		return i
	}
	has := func(n int) bool { return f.have[n/8]&(1<<(n%8)) != 0 }
	n := at(level, i)
	if has(n) {
		return fmt.Errorf("node %d of level %d comes twice", i, level)
	}
	if level > 0 {
		for from, to := f.of.below(level, i); from < to; from++ {
			if !has(at(level-1, from)) {
				return fmt.Errorf("node %d of level %d comes before its child %d", i, level, from)
			}
		}
	}
	f.have[n/8] |= 1 << (n % 8)
	f.count++
	return nil
}
