package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Databases with online GC, which writes other nodes under old addresses.

// whole allows copies of such databases.
var whole = dbsync.BackupOptions{OnlineGCCopy: true}

// moments are the fixtures that show one such database, earlier and later:
// twenty-two objects have the same name and other bytes.
var moments = fixture.OnlineGC()

// newest is what a whole copy of a store must be: what its heads reach, and
// their own commits.
func newest(t testing.TB, store image) image {
	t.Helper()
	o := &oracle{
		codec: konserve.NewCodec(""), reached: map[string]bool{}, absent: map[string]bool{}, young: true,
		get: func(name string) ([]byte, bool) { b, ok := store[name]; return b, ok },
	}
	o.visit(keywordName(fressian.Keyword{Name: "branches"}), true)
	require.Empty(t, o.missing)
	img := image{}
	for name := range o.reached {
		img[name] = store[name]
	}
	return img
}

// copies are the stores that whole copies have at a destination.
func copies(dst image) map[string]bool {
	found := map[string]bool{}
	for name := range dst {
		if rest, ok := strings.CutPrefix(name, "stores/"); ok {
			point, _, _ := strings.Cut(rest, "/")
			found[point] = true
		}
	}
	return found
}

// TestOnlineGCRefused: unless a whole copy is allowed nothing is written, at
// an empty place or over points.
func TestOnlineGCRefused(t *testing.T) {
	src, dst := local(t), memory(t)
	become(t, src, fixture.Unpack(t, moments[0]))
	for range 2 {
		before := dump(t, dst)
		_, err := dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{})
		require.ErrorIs(t, err, dbsync.ErrRefused)
		require.ErrorIs(t, err, graph.ErrUnsupported)
		for _, word := range []string{":online-gc", "--online-gc-copy", "gc-storage"} {
			assert.ErrorContains(t, err, word)
		}
		assert.Empty(t, before.differs(dump(t, dst)))
		backUp(t, src, dst, whole)
	}
}

// TestWholeCopies: each point restores to its own moment, byte for byte.
func TestWholeCopies(t *testing.T) {
	src, dst := local(t), memory(t)
	wants := map[string]image{}
	for _, name := range moments {
		become(t, src, fixture.Unpack(t, name))
		rep := backUp(t, src, dst, whole)
		require.False(t, rep.UpToDate)
		assert.Empty(t, rep.Parent)
		wants[rep.Point] = newest(t, dump(t, src))
		assert.EqualValues(t, len(wants[rep.Point])-2, rep.New.Segments)
		assert.Equal(t, rep.New, rep.Total)
		checkCounts(t, name, dst)
		assert.True(t, backUp(t, src, dst, whole).UpToDate)
	}
	require.Len(t, wants, 2)
	for point, want := range wants {
		deep(t, dst, point)
		assert.Empty(t, want.differs(restored(t, dst, point)))
		assert.Empty(t, want.differs(dump(t, dst).below("stores/"+point)), "it can be opened as it stands")
	}
}

// TestWholeCopyBesideSteps: where online GC was turned on between points or off
// again, no backup in steps goes on from a copy, and all points stay.
func TestWholeCopyBesideSteps(t *testing.T) {
	src, dst := local(t), memory(t)
	become(t, src, fixture.Unpack(t, moments[0]))
	setOnlineGC(t, src, false)
	// The commits of the fixture say that it is on.
	_, err := dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{})
	require.ErrorIs(t, err, dbsync.ErrRefused)
	setOnlineGC(t, src, true)
	first := backUp(t, src, dst, whole)
	want := newest(t, dump(t, src))
	setOnlineGC(t, src, false)
	_, err = dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{})
	require.ErrorIs(t, err, dbsync.ErrRefused)
	assert.ErrorContains(t, err, "--online-gc-copy")
	second := backUp(t, src, dst, whole)
	assert.Empty(t, want.differs(restored(t, dst, first.Point)))
	assert.Empty(t, newest(t, dump(t, src)).differs(restored(t, dst, second.Point)))
	deep(t, dst, first.Point, second.Point)
}

// setOnlineGC rewrites the head of :db, with the setting.
func setOnlineGC(t testing.TB, src fs.Fs, on bool) {
	t.Helper()
	rewriteHead(t, src, func(rec fressian.Map) {
		for _, e := range entriesOf(rec, "config") {
			if m, ok := e.Value.(fressian.Map); ok && e.Key == any(keywordOf(":online-gc")) {
				m[0].Value = on
			}
		}
	})
}

// rewriteHead writes the head of :db anew, a little later.
func rewriteHead(t testing.TB, src fs.Fs, change func(rec fressian.Map)) {
	name := filepath.Join(src.Root(), keywordName(keywordOf(":db")))
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	codec := konserve.NewCodec("")
	blob, err := codec.Open(data)
	require.NoError(t, err)
	v, err := fressian.Decode(blob.Value)
	require.NoError(t, err)
	change(v.(fressian.Map))
	w := fressian.NewWriter()
	require.NoError(t, w.Write(v))
	blob.Meta.LastWrite++
	data, err = codec.Seal(blob.Header, blob.Meta, w.Bytes(), nil)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name+".new", data, 0o600))
	require.NoError(t, os.Rename(name+".new", name))
}

// meddled is a source where change happens before every so many reads.
func meddled(src fs.Fs, every int, change func(n int)) *fault.Fs {
	f := fault.New(src, fault.Options{})
	opened, changes := 0, 0
	f.Inject(fault.Rule{Match: func(c fault.Call) bool {
		if c.Op != fault.Open {
			return false
		}
		if opened++; opened%every == 0 {
			change(changes)
			changes++
		}
		return false
	}})
	return f
}

// TestWholeCopyOvertaken: the database moves while it is copied, so that nodes
// are not what the heads mean. The copy is made again.
func TestWholeCopyOvertaken(t *testing.T) {
	src, dst := local(t), memory(t)
	become(t, src, fixture.Unpack(t, moments[0]))
	later := fixture.Unpack(t, moments[1])
	f := meddled(src, 30, func(n int) {
		if n == 0 {
			become(t, src, later)
		}
	})
	rep := backUp(t, f, dst, whole)
	assert.Empty(t, newest(t, dumpDir(t, later)).differs(restored(t, dst, rep.Point)))
	assert.Equal(t, map[string]bool{rep.Point: true}, copies(dump(t, dst)))
	deep(t, dst, rep.Point)
}

// TestWholeCopyNeverStill: a database that never stands still is given up, and
// nothing is left of the attempts.
func TestWholeCopyNeverStill(t *testing.T) {
	src, dst := local(t), memory(t)
	become(t, src, fixture.Unpack(t, moments[0]))
	first := backUp(t, src, dst, whole)
	before := dump(t, dst)
	rewriteHead(t, src, func(fressian.Map) {})
	f := meddled(src, 10, func(int) { rewriteHead(t, src, func(fressian.Map) {}) })
	_, err := dbsync.Backup(quick(), source(f, ""), dst, whole)
	require.ErrorIs(t, err, dbsync.ErrRefused)
	assert.ErrorContains(t, err, "5 attempts")
	commit := 0
	for name := range newest(t, dump(t, src)) {
		if strings.HasSuffix(name, ".ksv") {
			commit = max(commit, f.Count(fault.On(fault.Open, name)))
		}
	}
	assert.GreaterOrEqual(t, commit, 5, "each attempt reads the nodes anew")
	assert.Equal(t, map[string]bool{first.Point: true}, copies(dump(t, dst)))
	assert.Empty(t, before.differs(dump(t, dst)))
}

// TestWholeCopyDamaged: a store that is damaged and stands still is not tried
// five times.
func TestWholeCopyDamaged(t *testing.T) {
	src, dst := local(t), memory(t)
	become(t, src, fixture.Unpack(t, moments[0]))
	store := dump(t, src)
	for _, name := range sortedKeys(newest(t, store)) {
		if blob, err := konserve.NewCodec("").Open(store[name]); err == nil && isLeaf(blob.Value) {
			require.NoError(t, os.Remove(filepath.Join(src.Root(), name)))
			_, err := dbsync.Backup(quick(), source(src, ""), dst, whole)
			require.ErrorIs(t, err, graph.ErrNotFound)
			require.ErrorContains(t, err, name)
			assert.Empty(t, copies(dump(t, dst)))
			return
		}
	}
	t.Fatal("no leaf")
}

func isLeaf(value []byte) bool {
	v, err := fressian.Decode(value)
	node, ok := v.(fressian.Tagged)
	return err == nil && ok && len(children(node)) == 0
}

// TestCrashWholeCopy makes every call to the destination fail while the second
// of two copies is made. The first stays as it is, and the run after the crash
// leaves no half copy.
func TestCrashWholeCopy(t *testing.T) {
	src := local(t)
	become(t, src, fixture.Unpack(t, moments[0]))
	start := memory(t)
	first := backUp(t, src, start, whole).Point
	at, was := dump(t, start), newest(t, dump(t, src))
	become(t, src, fixture.Unpack(t, moments[1]))
	now := newest(t, dump(t, src))
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			t.Parallel()
			for _, way := range end.ways {
				c := &wholeCrash{src: src, at: at, first: first, was: was, now: now, end: end.empty, opt: end.opt}
				crashes := c.everywhere(t, way)
				t.Logf("%d crashes %v, dead=%v", crashes, way.mode, way.dead)
			}
		})
	}
}

type wholeCrash struct {
	src      fs.Fs
	at       image  // the destination before
	first    string // its point
	was, now image  // what the two points restore to
	end      func(testing.TB) fs.Fs
	opt      fault.Options
}

func (c *wholeCrash) everywhere(t *testing.T, way crash) (crashes int) {
	t.Helper()
	dst, drop := holding(t, c.end, c.at)
	f := fault.New(dst, c.opt)
	last := lastOf(f, isCopied)
	backUp(t, c.src, f, whole)
	drop()
	for n := 1; ; {
		dst, drop := holding(t, c.end, c.at)
		f := fault.New(dst, c.opt)
		f.Inject(fault.Rule{N: n, Mode: way.mode, Dead: way.dead})
		_, err := dbsync.Backup(quick(), source(c.src, ""), f, whole)
		call := f.Tripped()
		if call == nil {
			require.NoError(t, err)
			drop()
			return crashes
		}
		closely := crashes%full == 0
		crashes++
		n = next(n, isCopied(*call), *last)
		ok := t.Run(fmt.Sprintf("%v %v dead=%v", call, way.mode, way.dead), func(t *testing.T) {
			c.check(t, dst, closely)
			rep := backUp(t, c.src, dst, whole)
			c.check(t, dst, closely)
			assert.Equal(t, map[string]bool{c.first: true, rep.Point: true}, copies(dump(t, dst)), "half copies")
			assert.Empty(t, c.now.differs(dump(t, dst).below("stores/"+rep.Point)))
			if closely {
				assert.Empty(t, c.now.differs(restored(t, dst, rep.Point)))
				deep(t, dst, rep.Point)
			}
		})
		drop()
		if !ok {
			t.FailNow()
		}
	}
}

// isCopied: a copy's segment is written, or read back.
func isCopied(c fault.Call) bool {
	rest, inStores := strings.CutPrefix(c.Path, "stores/")
	_, name, inCopy := strings.Cut(rest, "/")
	return inStores && inCopy && !isHead[cut(name)]
}

// check: nothing of the first point has changed.
func (c *wholeCrash) check(t *testing.T, dst fs.Fs, closely bool) {
	t.Helper()
	now := dump(t, dst)
	for name, data := range c.at {
		if string(now[name]) != string(data) {
			t.Errorf("%s belongs to a point and was changed", name)
		}
	}
	if !closely {
		return
	}
	assert.Empty(t, c.was.differs(restored(t, dst, c.first)))
	points, err := dbsync.Points(quick(), dst)
	require.NoError(t, err)
	for _, p := range points {
		if p.Complete {
			deep(t, dst, p.ID)
		}
	}
}
