package engine

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	"github.com/rclone-datom/rclone-datom/fstest/fault"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// tale is a destination of Datomic backups on its way through a series of runs.
type tale struct {
	at image
	// points and roots are what points of ours, and roots that Datomic has
	// written, must restore to, by what names them.
	points, roots map[string]image
	src           *shelf
	opt           dbsync.BackupOptions
	want          image // of the point that the run is to make, or of the newest
	// harmed are objects that somebody has damaged.
	harmed map[string]bool
	// puts is how many points the run adds.
	puts int
}

// chapter is one run, after something has happened at the destination.
type chapter struct {
	name   string
	before func(t *tale)
	value  *datomicsample.Sample // of the source
	all    []*datomicsample.Sample
	repair bool
	puts   int
}

// datomicTales are the stories through which a destination goes.
func datomicTales(t *testing.T) map[string][]chapter {
	a := datomicsample.Make(datomicsample.Options{Seed: 5, Leaves: 3, Fanout: 2, Files: 1, Tail: 2})
	b := a.Next(3)
	c := b.Next(8)
	reindexed := a.Next(0) // the same t, another index
	require.Equal(t, a.T, reindexed.T)
	theirs := func(s *datomicsample.Sample) func(*tale) {
		return func(tl *tale) {
			maps.Copy(tl.at, native(t, s))
			tl.roots[fmt.Sprintf("t%d", s.T)] = native(t, s)
		}
	}
	harm := func(s *datomicsample.Sample) func(*tale) {
		return func(tl *tale) {
			for level, do := range map[int]func(name string, data []byte){
				0: func(name string, data []byte) { tl.at[name] = data[:len(data)/2] },
				1: func(name string, _ []byte) { delete(tl.at, name) },
				2: func(name string, data []byte) { tl.at[name] = append([]byte{data[0] ^ 1}, data[1:]...) },
			} {
				name := segmentName(anyOf(t, s, graph.Level(level)))
				do(name, tl.at[name])
				tl.harmed[name] = true
			}
		}
	}
	loseList := func(tl *tale) {
		for name := range tl.at {
			if strings.HasSuffix(name, "/added-0001.zst") {
				tl.at[name], tl.harmed[name] = []byte("no list"), true
			}
		}
	}
	return map[string][]chapter{
		"ours":    {{name: "first", value: a, puts: 1}, {name: "second", value: b, puts: 1}, {name: "third", value: c, puts: 1}},
		"adopted": {{name: "after Datomic", before: theirs(a), value: b, puts: 2}, {name: "next", value: c, puts: 1}},
		"between": {{name: "first", value: a, puts: 1}, {name: "after Datomic", before: theirs(b), value: c, puts: 1}},
		"same t":  {{name: "first", value: a, puts: 1}, {name: "after Datomic", before: theirs(reindexed), value: reindexed, puts: 1}},
		"repair": {
			{name: "first", value: a, puts: 1}, {name: "second", value: b, puts: 1},
			{name: "repair", before: harm(a), value: b, all: []*datomicsample.Sample{a}, repair: true},
			{name: "repair and go on", before: harm(b), value: c, all: []*datomicsample.Sample{a, b}, repair: true, puts: 1},
		},
		"repair theirs": {
			{name: "harmed before", before: func(tl *tale) { theirs(a)(tl); harm(a)(tl) }, value: b, all: []*datomicsample.Sample{a}, repair: true, puts: 2},
			{name: "harmed after", before: func(tl *tale) { theirs(c)(tl); harm(c)(tl) }, value: c, repair: true, all: []*datomicsample.Sample{a, b}, puts: 1},
		},
		"lost list": {{name: "first", value: a, puts: 1}, {name: "repair", before: loseList, value: b, all: []*datomicsample.Sample{a}, repair: true, puts: 1}},
	}
}

// TestDatomicCrash makes every call to the destination fail, in every way.
// Whatever happens, what could be restored before still can be, by us and by
// Datomic, and the next run completes what the crashed one has begun.
func TestDatomicCrash(t *testing.T) {
	kinds := ends
	if sparser > 1 {
		kinds = ends[:1] // who races is the same everywhere
	}
	for name, chapters := range datomicTales(t) {
		for _, end := range kinds {
			t.Run(name+"/"+end.name, func(t *testing.T) {
				t.Parallel()
				tl := &tale{at: image{}, points: map[string]image{}, roots: map[string]image{}}
				for _, ch := range chapters {
					tl.open(t, ch)
					crashes := 0
					for _, way := range end.ways {
						crashes += tl.crashEverywhere(t, end.empty, end.opt, way)
					}
					t.Logf("%s: %d crashes", ch.name, crashes)
					tl.advance(t, end.empty)
				}
			})
		}
	}
}

// open begins a chapter.
func (tl *tale) open(t *testing.T, ch chapter) {
	tl.at, tl.harmed = maps.Clone(tl.at), map[string]bool{}
	if ch.before != nil {
		ch.before(tl)
	}
	tl.src = shelved(append(slices.Clone(ch.all), ch.value)...)
	tl.opt = dbsync.BackupOptions{Repair: ch.repair}
	tl.want, tl.puts = native(t, ch.value), ch.puts
}

// advance runs without faults and keeps the result.
func (tl *tale) advance(t *testing.T, empty func(testing.TB) fs.Fs) {
	t.Helper()
	dst, drop := holding(t, empty, tl.at)
	defer drop()
	rep := mustKeep(t, tl.src, dst, tl.opt)
	tl.check(t, dst, true, true)
	tl.at = dump(t, dst)
	tl.points[rep.Point] = tl.want
	tl.adopted(t, dst)
}

// adopted remembers points that were made of Datomic's roots.
func (tl *tale) adopted(t *testing.T, dst fs.Fs) {
	t.Helper()
	points, err := dbsync.Points(quick(), dst)
	require.NoError(t, err)
	for _, p := range points {
		if want, ok := tl.roots[fmt.Sprintf("t%d", p.T)]; ok && p.Native && !strings.HasPrefix(p.ID, "t") {
			tl.points[p.ID] = want
		}
	}
}

// crashEverywhere crashes at the first call, the second, … until a run gets
// through.
func (tl *tale) crashEverywhere(t *testing.T, empty func(testing.TB) fs.Fs, opt fault.Options, way crash) (crashes int) {
	t.Helper()
	last := tl.calls(t, empty, opt)
	for n := 1; ; {
		dst, drop := holding(t, empty, tl.at)
		f := fault.New(dst, opt)
		f.Inject(fault.Rule{N: n, Mode: way.mode, Dead: way.dead})
		_, err := keep(tl.src, f, tl.opt)
		call := f.Tripped()
		if call == nil {
			require.NoError(t, err)
			drop()
			return crashes
		}
		crashes++
		closely := crashes%full == 0
		ok := t.Run(fmt.Sprintf("%v %v dead=%v", call, way.mode, way.dead), func(t *testing.T) {
			tl.check(t, dst, err == nil, closely)
			_, err := keep(tl.src, dst, tl.opt)
			require.NoError(t, err, "a run without faults after the crash")
			tl.check(t, dst, true, closely)
		})
		drop()
		if !ok {
			t.FailNow()
		}
		n = next(n, isValue(*call), last)
	}
}

// isValue: the call is about a segment, as most are; see the flag -every.
func isValue(c fault.Call) bool { return strings.HasPrefix(c.Path, "values") }

// calls counts the calls of a run up to the last segment.
func (tl *tale) calls(t *testing.T, empty func(testing.TB) fs.Fs, opt fault.Options) int {
	t.Helper()
	dst, drop := holding(t, empty, tl.at)
	defer drop()
	f := fault.New(dst, opt)
	last := lastOf(f, isValue)
	_, err := keep(tl.src, f, tl.opt)
	require.NoError(t, err)
	return *last
}

// check looks at a destination after a crash, or after a run that ended well.
func (tl *tale) check(t *testing.T, dst fs.Fs, done, closely bool) {
	t.Helper()
	now := dump(t, dst)
	for name := range unsound(now) {
		assert.True(t, tl.harmed[name] && !done, "%s is needed by a root and not sound", name)
	}
	for name, data := range tl.at {
		if !tl.harmed[name] && !strings.HasPrefix(name, "inflight/") && !bytes.Equal(data, now[name]) {
			t.Errorf("%s belongs to a point and was changed", name)
		}
	}
	if !done {
		if closely && len(tl.harmed) == 0 {
			tl.checkPoints(t, dst, now, false)
		}
		return
	}
	for name, data := range tl.want {
		if !bytes.Equal(data, now[name]) {
			t.Errorf("%s is not the source's", name)
		}
	}
	if closely {
		tl.checkPoints(t, dst, now, true)
	} else {
		assert.Empty(t, check(t, dst, "", false))
	}
}

// checkPoints verifies and restores all points, and all roots of Datomic's.
func (tl *tale) checkPoints(t *testing.T, dst fs.Fs, now image, done bool) {
	t.Helper()
	points, err := dbsync.Points(quick(), dst)
	if len(tl.points)+len(tl.roots) == 0 && !done {
		return // there may be none
	}
	require.NoError(t, err)
	added := 0
	for _, p := range points {
		if !p.Complete || string(now["snapshots/"+p.ID+"/added-0001.zst"]) == "no list" {
			continue
		}
		want, old := tl.points[p.ID]
		if !old {
			if !strings.HasPrefix(p.ID, "t") {
				added++
			}
			if want = tl.roots[fmt.Sprintf("t%d", p.T)]; want == nil || !p.Native {
				want = tl.want
			}
		}
		assert.Empty(t, check(t, dst, p.ID, true), p.ID)
		assert.Empty(t, want.differs(restored(t, dst, p.ID)), p.ID)
	}
	for id := range tl.points {
		assert.Contains(t, now, "snapshots/"+id+"/manifest.edn", "a point is lost")
	}
	assert.LessOrEqual(t, added, max(tl.puts, 1))
	if done {
		assert.Equal(t, tl.puts, added)
	}
}
