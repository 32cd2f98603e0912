package engine

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	"github.com/rclone-datom/rclone-datom/fstest/fault"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
)

// pruned is a destination, what is pruned there, and what must stay.
type pruned struct {
	at   image
	opt  dbsync.PruneOptions
	want map[string]image // what every point restores to
	kept []string
	// end is what there is in the end, if nothing is interrupted.
	end image
	// datomic: the place has Datomic's layout.
	datomic bool
	// roots are what points restore to of which nothing but a root is left; it
	// goes after the record.
	roots map[string]image
}

// TestPruneCrash makes every call to the destination fail, in every way, while
// points are removed. Whatever happens, what is listed can be restored, what is
// to stay is listed, and the next prune comes to the same end.
func TestPruneCrash(t *testing.T) {
	for name, make := range map[string]func(t *testing.T) *pruned{
		"datahike": datahikePruned, "datomic": datomicPruned, "native": nativePruned, "whole": wholePruned,
		"chunks": chunksPruned, "datomic chunks": datomicChunksPruned, "others' chunks": othersChunksPruned, "whole chunks": wholeChunksPruned,
	} {
		kinds := ends
		switch { // what tells them from the others is the same at every end
		case name == "others' chunks":
			kinds = ends[:1]
		case name == "datomic chunks":
			kinds = ends[2:]
		case strings.HasPrefix(name, "whole"), name == "native", sparser > 1:
			kinds = ends[1:2]
		}
		for _, end := range kinds {
			t.Run(name+"/"+end.name, func(t *testing.T) {
				t.Parallel()
				p := make(t)
				p.opt.Confirm, p.opt.Dialect = true, datahike.New("")
				p.finish(t)
				total := 0
				for _, way := range end.ways {
					total += p.crashEverywhere(t, end.empty, end.opt, way)
				}
				t.Logf("%d crashes", total)
			})
		}
	}
}

func datahikePruned(t *testing.T) *pruned {
	dst, points, want := fourPoints(t, dbsync.BackupOptions{})
	return &pruned{at: dump(t, dst), want: want, kept: []string{points[1], points[3]}, opt: dbsync.PruneOptions{Keep: points[1:2]}}
}

func datomicPruned(t *testing.T) *pruned {
	a := datomicsample.Make(datomicsample.Options{Seed: 5, Leaves: 3, Fanout: 2, Files: 1, Tail: 2})
	b := a.Next(3)
	reindexed := b.Next(0) // the same t, another index
	require.Equal(t, b.T, reindexed.T)
	c := reindexed.Next(8)
	p := &pruned{want: map[string]image{}, datomic: true, roots: map[string]image{"t" + at(a): native(t, a)}}
	dst := memory(t)
	var ids []string
	for _, s := range []*datomicsample.Sample{a, b, reindexed, c} {
		id := mustKeep(t, shelved(a, b, reindexed, s), dst, dbsync.BackupOptions{}).Point
		ids, p.want[id] = append(ids, id), native(t, s)
	}
	// roots/<t> of the second point is the third's, which goes.
	p.kept, p.opt.Keep, p.at = []string{ids[1], ids[3]}, ids[1:2], dump(t, dst)
	return p
}

func nativePruned(t *testing.T) *pruned {
	a := datomicsample.Make(datomicsample.Options{Seed: 5, Leaves: 3, Fanout: 2, Files: 1, Tail: 2})
	b := a.Next(3)
	c := b.Next(8)
	p := &pruned{at: native(t, a, b, c), want: map[string]image{}, datomic: true}
	for _, s := range []*datomicsample.Sample{a, b, c} {
		p.want["t"+at(s)] = native(t, s)
	}
	p.kept, p.opt.Keep = []string{"t" + at(a), "t" + at(c)}, []string{at(a)}
	return p
}

func wholePruned(t *testing.T) *pruned {
	return wholePrunedIn(t, dbsync.BackupOptions{})
}

func wholePrunedIn(t *testing.T, opt dbsync.BackupOptions) *pruned {
	opt.OnlineGCCopy = true
	dst, want := memory(t), map[string]image{}
	var ids []string
	for _, dir := range unpackAll(t)[:3] {
		rep, err := dbsync.Backup(quick(), source(remote(t, dir), ""), dst, opt)
		require.NoError(t, err)
		ids = append(ids, rep.Point)
		want[rep.Point] = restored(t, dst, rep.Point)
	}
	return &pruned{at: dump(t, dst), want: want, kept: ids[2:], opt: dbsync.PruneOptions{Policy: last(1)}}
}

// chunksPruned has large chunks of which something is alive.
func chunksPruned(t *testing.T) *pruned {
	dst, points, want := fourPoints(t, chunked(64<<10))
	return &pruned{at: dump(t, dst), want: want, kept: []string{points[1], points[3]}, opt: dbsync.PruneOptions{Policy: last(1), Keep: points[1:2]}}
}

func datomicChunksPruned(t *testing.T) *pruned {
	values := threeValues(t)
	dst, points := sampledDatomic(t, chunked(8<<10), values...)
	p := &pruned{at: dump(t, dst), want: map[string]image{}, kept: []string{points[0], points[2]}}
	for i, v := range values {
		p.want[points[i]] = native(t, v)
	}
	p.opt = dbsync.PruneOptions{Keep: p.kept, MaxDead: 10}
	return p
}

// othersChunksPruned keeps a point all of whose segments lie in the directories of
// others: of a backup that was interrupted, and of points that were pruned.
func othersChunksPruned(t *testing.T) *pruned {
	dst, src := memory(t), unpackAll(t)
	backUp(t, remote(t, src[0]), dst, chunked(64<<10))
	f := fault.New(dst, fault.Options{})
	f.Inject(fault.Rule{N: 1, Match: func(c fault.Call) bool { return c.Op == fault.Put && path.Base(c.Path) == "manifest.edn" }})
	_, err := dbsync.Backup(quick(), source(remote(t, src[1]), ""), f, chunked(64<<10))
	require.ErrorIs(t, err, fault.ErrInjected)
	for _, dir := range src[1:] {
		backUp(t, remote(t, dir), dst, chunked(64<<10))
	}
	thin(t, dst, dbsync.PruneOptions{Policy: last(1), MaxDead: 100})
	again := chunked(64 << 10)
	again.Accept = []string{dbsync.AcceptDiverged}
	backUp(t, remote(t, src[0]), dst, again)
	points := complete(t, dst)
	require.Len(t, points, 2)
	owners := map[string]bool{}
	for _, c := range chunksOf(t, dst, points[0]) {
		owners[path.Dir(path.Dir(c))] = true
	}
	require.Greater(t, len(owners), 2)
	p := &pruned{at: dump(t, dst), want: map[string]image{}, kept: points[:1], opt: dbsync.PruneOptions{Keep: points[:1]}}
	for _, id := range points {
		p.want[id] = restored(t, dst, id)
	}
	return p
}

func wholeChunksPruned(t *testing.T) *pruned {
	return wholePrunedIn(t, chunked(64<<10))
}

// finish prunes without faults and keeps the result.
func (p *pruned) finish(t *testing.T) {
	t.Helper()
	dst, drop := holding(t, memory, p.at)
	defer drop()
	require.Equal(t, len(p.want), len(complete(t, dst)))
	rep, err := dbsync.Prune(quick(), dst, p.opt)
	require.NoError(t, err)
	require.Positive(t, rep.Deleted.Segments)
	p.end = lasting(dump(t, dst))
	p.check(t, dst, true)
}

// crashEverywhere crashes at the first call, the second, … until a run gets
// through.
func (p *pruned) crashEverywhere(t *testing.T, empty func(testing.TB) fs.Fs, opt fault.Options, way crash) (crashes int) {
	t.Helper()
	last := p.calls(t, empty, opt)
	for n := 1; ; {
		dst, drop := holding(t, empty, p.at)
		f := fault.New(dst, opt)
		f.Inject(fault.Rule{N: n, Mode: way.mode, Dead: way.dead})
		_, err := dbsync.Prune(quick(), f, p.opt)
		call := f.Tripped()
		if call == nil {
			require.NoError(t, err)
			drop()
			return crashes
		}
		crashes++
		n = next(n, isRemovedSegment(*call), last)
		ok := t.Run(fmt.Sprintf("%v %v dead=%v", call, way.mode, way.dead), func(t *testing.T) {
			p.check(t, dst, err == nil)
			_, err = dbsync.Prune(quick(), dst, p.opt)
			require.NoError(t, err, "a run without faults after the crash")
			p.check(t, dst, true)
			assert.Empty(t, p.end.differs(lasting(dump(t, dst))))
		})
		drop()
		if !ok {
			t.FailNow()
		}
	}
}

// calls counts the calls of a prune up to the last segment.
func (p *pruned) calls(t *testing.T, empty func(testing.TB) fs.Fs, opt fault.Options) int {
	t.Helper()
	dst, drop := holding(t, empty, p.at)
	defer drop()
	f := fault.New(dst, opt)
	count := lastOf(f, isRemovedSegment)
	_, err := dbsync.Prune(quick(), f, p.opt)
	require.NoError(t, err)
	return *count
}

// isRemovedSegment is for calls that are the bulk, and much alike.
func isRemovedSegment(c fault.Call) bool {
	top, _, _ := strings.Cut(c.Path, "/")
	return (c.Op == fault.Remove || c.Op == fault.NewObject || c.Op == fault.Open) && (top == "store" || top == "stores" || top == "values")
}

// lasting are the files of a place that mean something: neither those of runs
// nor uploads that were cut off. Maps in manifests have no order. What is packed
// anew comes in any order, so in chunks what there is counts; see soundChunks.
func lasting(img image) image {
	all, inChunks := image{}, len(img.chunksIn()) > 0
	for name, data := range img {
		switch {
		case strings.Contains("/"+name, "/inflight/"), strings.HasSuffix(name, ".new"), isChunk(name):
			continue
		case inChunks:
			data = nil
		case path.Base(name) == "manifest.edn":
			fields := strings.FieldsFunc(string(data), func(c rune) bool { return c <= ' ' || c == '{' || c == '}' || c == ',' })
			slices.Sort(fields)
			data = []byte(strings.Join(fields, " "))
		}
		all[name] = data
	}
	return all
}

// check looks at a destination after a crash, or after a prune that ended well.
func (p *pruned) check(t *testing.T, dst fs.Fs, done bool) {
	t.Helper()
	there := complete(t, dst)
	assert.Subset(t, there, p.kept, "what is kept is listed")
	for _, id := range there {
		want := p.want[id]
		if want == nil && !done {
			want = p.roots[id]
		}
		if assert.NotNil(t, want, id) {
			assert.Empty(t, want.differs(restored(t, dst, id)), id)
		}
	}
	if done {
		assert.Len(t, there, len(p.kept))
	}
	img := dump(t, dst)
	if len(img.chunksIn()) > 0 {
		if done {
			soundChunks(t, dst, kept(p.want, p.kept))
		}
		return
	}
	if p.datomic {
		assert.Empty(t, unsound(img), "Datomic finds damaged roots")
		return
	}
	if store := img.below("store"); len(store) > 0 {
		_, missing := reachIn("", store)
		assert.Empty(t, missing, "the mirror's heads reach what is not there")
		assert.Empty(t, dangling("", store), "something refers to what is gone")
	}
}

// kept is what some points are.
func kept(want map[string]image, points []string) map[string]image {
	some := map[string]image{}
	for _, id := range points {
		some[id] = want[id]
	}
	return some
}
