package engine

import (
	"bytes"
	"flag"
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
)

// every is one in how many of the calls that write segments are made to fail;
// they are the bulk, and much alike. All others always are.
var every = flag.Int("every", 40, "fail one in so many of the calls that write segments (1: all of them)")

// crash is one way to fail.
type crash struct {
	mode fault.Mode
	dead bool
}

// ends are the kinds of destinations, each with the ways of failing that tell
// it from the others: one that promises whole uploads, one that writes under
// another name and renames, and directories. The dead may leave a torn object,
// as kill -9 in the middle of a write does.
var ends = []struct {
	name  string
	empty func(testing.TB) fs.Fs
	opt   fault.Options
	ways  []crash
}{
	{"memory", memory, fault.Options{}, []crash{{fault.Before, false}, {fault.After, false}, {fault.After, true}}},
	{"partial", memory, fault.Options{Partial: true}, []crash{{fault.During, false}, {fault.During, true}}},
	{"local", local, fault.Options{Partial: true}, []crash{{fault.Before, true}, {fault.During, true}}},
}

// history is what a series of backups has come to.
type history struct {
	at     image            // the destination
	points map[string]image // what each point restores to
	wants  []image          // what the generations restore to
	// always are segments whose writing is always made to fail.
	always map[string]bool
}

// TestCrashBackup makes every call to the destination fail, in every way,
// during each of four backups of one database.
func TestCrashBackup(t *testing.T) {
	crashThrough(t, unpackAll(t), nil)
}

// TestCrashValues does so where datoms refer to objects of their own, some of
// which arrive late.
func TestCrashValues(t *testing.T) {
	dir := scratch(t)
	db, err := sample.Create(dir, sample.Options{Seed: 3, Entities: 12, BranchingFactor: 8, StoreRefs: true})
	require.NoError(t, err)
	dirs := []string{scratch(t), scratch(t), scratch(t)}
	become(t, remote(t, dirs[0]), dir)
	for range 3 {
		require.NoError(t, db.Transact(8))
	}
	become(t, remote(t, dirs[1]), dir)
	_, err = db.Arrive(5000)
	require.NoError(t, err)
	become(t, remote(t, dirs[2]), dir)
	always := map[string]bool{}
	for _, name := range db.Files() {
		always[name] = true
	}
	require.Greater(t, len(always), 10)
	crashThrough(t, dirs, always)
}

// crashThrough backs up the stores of one database, one after the other.
func crashThrough(t *testing.T, dirs []string, always map[string]bool) {
	t.Helper()
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			t.Parallel()
			h := &history{at: image{}, points: map[string]image{}, always: always}
			for i, dir := range dirs {
				src := remote(t, dir)
				h.wants = append(h.wants, fresh(t, src))
				total := 0
				for _, way := range end.ways {
					total += h.crashEverywhere(t, src, end.empty, end.opt, way)
				}
				t.Logf("generation %d: %d crashes", i+1, total)
				h.advance(t, src, end.empty)
			}
		})
	}
}

func unpackAll(t testing.TB) (dirs []string) {
	t.Helper()
	for _, name := range generations {
		dir := scratch(t)
		become(t, remote(t, dir), fixture.Unpack(t, name))
		dirs = append(dirs, dir)
	}
	return dirs
}

// fresh is what a first backup of a store restores to.
func fresh(t testing.TB, src fs.Fs) image {
	t.Helper()
	dst := memory(t)
	_, err := dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{})
	require.NoError(t, err)
	img := restored(t, dst, "")
	require.NoError(t, purge(dst))
	return img
}

// advance makes the next backup without faults.
func (h *history) advance(t *testing.T, src fs.Fs, empty func(testing.TB) fs.Fs) {
	t.Helper()
	dst, drop := holding(t, empty, h.at)
	defer drop()
	rep, err := dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{})
	require.NoError(t, err)
	require.False(t, rep.UpToDate)
	h.at = dump(t, dst)
	h.points[rep.Point] = h.want()
}

func (h *history) want() image { return h.wants[len(h.wants)-1] }

// crashEverywhere crashes at the first call, the second, … until a run gets
// through, and returns how many crashes there were.
func (h *history) crashEverywhere(t *testing.T, src fs.Fs, empty func(testing.TB) fs.Fs, opt fault.Options, way crash) (crashes int) {
	t.Helper()
	commit := h.calls(t, src, empty, opt)
	for n := 1; ; {
		dst, drop := holding(t, empty, h.at)
		f := fault.New(dst, opt)
		f.Inject(fault.Rule{N: n, Mode: way.mode, Dead: way.dead})
		_, err := dbsync.Backup(quick(), source(src, ""), f, dbsync.BackupOptions{})
		call := f.Tripped()
		if call == nil {
			require.NoError(t, err)
			drop()
			return crashes
		}
		crashes++
		n = next(n, isSegment(*call) && !h.always[path.Base(cut(call.Path))], commit)
		closely := crashes%full == 0
		ok := t.Run(fmt.Sprintf("%v %v dead=%v", call, way.mode, way.dead), func(t *testing.T) {
			h.check(t, dst, err == nil, closely)
			_, err = dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{})
			require.NoError(t, err, "a run without faults after the crash")
			h.check(t, dst, true, closely)
		})
		drop()
		if !ok {
			t.FailNow()
		}
	}
}

// full is one in how many crashes is looked at with Verify and Restore of all
// points, which takes long; the others are compared byte by byte.
const full = 20

// calls counts the calls of a backup up to the last segment.
func (h *history) calls(t *testing.T, src fs.Fs, empty func(testing.TB) fs.Fs, opt fault.Options) int {
	t.Helper()
	dst, drop := holding(t, empty, h.at)
	defer drop()
	f := fault.New(dst, opt)
	count := lastOf(f, isSegment)
	_, err := dbsync.Backup(quick(), source(src, ""), f, dbsync.BackupOptions{})
	require.NoError(t, err)
	return *count
}

// lastOf keeps the number of the last call for which match is true.
func lastOf(f *fault.Fs, match func(fault.Call) bool) *int {
	calls, last := 0, new(int)
	f.Inject(fault.Rule{Match: func(c fault.Call) bool {
		if calls++; match(c) {
			*last = calls
		}
		return false
	}})
	return last
}

// next is the call to fail after call n. Segments are skipped, but nothing
// that comes after the last one, where each call matters.
func next(n int, segment bool, last int) int {
	if segment && n < last {
		return min(n+*every*sparser, last)
	}
	return n + sparser
}

func isSegment(c fault.Call) bool {
	name, inStore := strings.CutPrefix(c.Path, "store/")
	return c.Op == fault.Put && inStore && !isHead[cut(name)]
}

// cut takes away what an upload adds to a name until it is complete.
func cut(name string) string { return strings.SplitAfter(name, ".ksv")[0] }

// check looks at a destination after a crash, or after a run that ended well.
func (h *history) check(t *testing.T, dst fs.Fs, done, closely bool) {
	t.Helper()
	now := dump(t, dst)
	for name, data := range h.at {
		if mustStay(name) && !bytes.Equal(data, now[name]) {
			t.Errorf("%s belongs to a point and was changed", name)
		}
	}
	h.checkMirror(t, now.below("store"), done)
	if closely {
		h.checkPoints(t, dst, done)
	}
}

// mustStay: everything of a finished point but the heads in the mirror, which
// the next point replaces. store/ has nothing else: h.at is what ended well.
func mustStay(name string) bool {
	segment, inStore := strings.CutPrefix(name, "store/")
	return inStore && !isHead[segment] || strings.HasPrefix(name, "snapshots/")
}

var isHead = map[string]bool{
	keywordName(keywordOf(":branches")): true, keywordName(keywordOf(":db")): true, keywordName(keywordOf(":side")): true,
}

// checkMirror: what lies in store/ can be opened at any moment, as soon as
// there was a point; after a good run it has the new point's very heads.
func (h *history) checkMirror(t *testing.T, store image, done bool) {
	t.Helper()
	assert.Empty(t, dangling("", store), "written before what it refers to")
	_, there := store[keywordName(keywordOf(":branches"))]
	if !there {
		assert.False(t, done || len(h.points) > 0, "the mirror has lost its branches")
		return
	}
	_, missing := reachIn("", store)
	assert.Empty(t, missing, "the mirror's heads reach what is not there")
	if !done {
		return
	}
	for name, data := range h.want() {
		if !bytes.Equal(data, store[name]) {
			t.Errorf("%s of the mirror is not the source's", name)
		}
	}
}

// checkPoints verifies and restores all points that there are.
func (h *history) checkPoints(t *testing.T, dst fs.Fs, done bool) {
	t.Helper()
	points, err := dbsync.Points(quick(), dst)
	require.NoError(t, err)
	complete := 0
	for _, p := range points {
		if !p.Complete {
			continue
		}
		complete++
		want, old := h.points[p.ID]
		if !old {
			want = h.want()
		}
		v, err := dbsync.Verify(quick(), dst, dbsync.VerifyOptions{At: p.ID, Deep: true, Dialect: datahike.New("")})
		require.NoError(t, err, "point %s: %+v", p.ID, v)
		assert.Empty(t, want.differs(restored(t, dst, p.ID)), p.ID)
	}
	assert.GreaterOrEqual(t, complete, len(h.points), "a point is lost")
	assert.LessOrEqual(t, complete, len(h.points)+1)
	if done {
		assert.Equal(t, len(h.points)+1, complete)
	}
}
