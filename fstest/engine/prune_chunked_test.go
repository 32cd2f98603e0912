package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/rclone-datom/rclone-datom/backend/datomchunks"
	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/prune"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// TestPruneMaxDead: a chunk of which too much is dead is packed anew, and no other;
// the next prune finds nothing to do.
func TestPruneMaxDead(t *testing.T) {
	all, points, want := fourPoints(t, squeezed(chunked(32<<10)))
	at, before := dump(t, all), 0.0
	for _, most := range []float64{0, 20, 50, 100} {
		dst, drop := holding(t, memory, at)
		opt := dbsync.PruneOptions{Keep: points[3:], MaxDead: most}
		size := dump(t, dst).chunkBytes()
		rep := thin(t, dst, opt)
		assert.Equal(t, rep.Freed, rep.Deleted)
		assert.Positive(t, rep.Deleted.Bytes)
		assert.Equal(t, dump(t, dst).chunkBytes()-size, rep.Chunks.WrittenBytes-rep.Chunks.DeletedBytes)
		assert.Equal(t, most == 100, rep.Chunks.Written == 0)
		soundChunks(t, dst, kept(want, points[3:]))
		verified(t, dst, "", "")
		dead := deadest(t, dst)
		assert.GreaterOrEqual(t, dead, before, "the more may be dead, the more is")
		before = dead
		f := fault.New(dst, fault.Options{})
		again := dbsync.PruneOptions{Policy: last(1), MaxDead: most, Confirm: true}
		_, err := dbsync.Prune(quick(), f, again)
		require.NoError(t, err)
		assert.Zero(t, f.Count(func(c fault.Call) bool { return c.Op.Writes() && !strings.Contains(c.Path, "inflight") }), "%v", most)
		drop()
	}
	assert.Greater(t, before, 50.0, "with everything allowed there is a chunk that is mostly dead")
}

// TestPruneUndoChunks: parked points can be brought back as long as nothing has
// begun to go, and nothing of them is touched until then.
func TestPruneUndoChunks(t *testing.T) {
	dst, points, want := fourPoints(t, chunked(16<<10))
	chunks := dump(t, dst).chunksIn()
	rep := thin(t, dst, dbsync.PruneOptions{Keep: points[2:3], Grace: hour})
	assert.Equal(t, prune.Count{}, rep.Deleted)
	assert.Equal(t, points[2:3], complete(t, dst))
	assert.Equal(t, chunks, dump(t, dst).chunksIn())
	parked, err := dbsync.ParkedPoints(quick(), dst)
	require.NoError(t, err)
	require.Len(t, parked, 3)
	for _, p := range parked {
		thin(t, dst, dbsync.PruneOptions{Undo: p.ID})
		assert.Empty(t, want[p.ID].differs(restored(t, dst, p.ID)))
	}
	assert.Equal(t, points, complete(t, dst))
	thin(t, dst, dbsync.PruneOptions{Keep: points[2:3]})
	_, err = dbsync.Prune(quick(), dst, dbsync.PruneOptions{Undo: points[0]})
	require.ErrorIs(t, err, dbsync.ErrRefused)
	soundChunks(t, dst, kept(want, points[2:3]))
}

// TestPruneUndoLater: others are removed while a point waits. It comes back whole.
func TestPruneUndoLater(t *testing.T) {
	for _, layout := range bothLayouts {
		dst, points, want := fourPoints(t, smallChunks(layout))
		thin(t, dst, dbsync.PruneOptions{Keep: points[1:], Grace: hour})
		rep := thin(t, dst, dbsync.PruneOptions{Keep: points[3:]})
		assert.Positive(t, rep.Deleted.Segments)
		assert.Less(t, rep.Deleted.Segments, rep.Freed.Segments)
		assert.Equal(t, points[3:], complete(t, dst))
		thin(t, dst, dbsync.PruneOptions{Undo: points[0]})
		for _, p := range []string{points[0], points[3]} {
			assert.Empty(t, want[p].differs(restored(t, dst, p)))
			verified(t, dst, p, "")
		}
	}
}

// TestPruneUndoTooLate: a prune was interrupted when it had begun to remove.
func TestPruneUndoTooLate(t *testing.T) {
	for _, layout := range bothLayouts {
		dst, points, want := fourPoints(t, dbsync.BackupOptions{Layout: layout})
		f := fault.New(dst, fault.Options{})
		f.Inject(fault.Rule{N: 1, Mode: fault.After, Dead: true, Match: func(c fault.Call) bool {
			return c.Op == fault.Remove && (isChunk(c.Path) || isSegmentName(c.Path))
		}})
		_, err := dbsync.Prune(quick(), f, dbsync.PruneOptions{Keep: points[3:], Confirm: true})
		require.ErrorIs(t, err, fault.ErrInjected)
		parked, err := dbsync.ParkedPoints(quick(), dst)
		require.NoError(t, err)
		require.Len(t, parked, 3)
		for _, p := range parked {
			assert.True(t, p.Going)
			_, err := dbsync.Prune(quick(), dst, dbsync.PruneOptions{Undo: p.ID})
			require.ErrorContains(t, err, "its segments have begun to go")
		}
		assert.Empty(t, want[points[3]].differs(restored(t, dst, "")))
		thin(t, dst, dbsync.PruneOptions{Policy: last(1)})
		parked, err = dbsync.ParkedPoints(quick(), dst)
		require.NoError(t, err)
		assert.Empty(t, parked, "the next prune went on")
	}
}

// TestPruneUndoCrash: a crash at any call of --undo leaves the point listed and
// whole, or parked; the next one brings it back.
func TestPruneUndoCrash(t *testing.T) {
	for _, layout := range bothLayouts {
		dst, points, want := fourPoints(t, dbsync.BackupOptions{Layout: layout})
		thin(t, dst, dbsync.PruneOptions{Keep: points[1:], Grace: hour})
		at := dump(t, dst)
		for _, mode := range []fault.Mode{fault.Before, fault.After} {
			for n := 1; ; n++ {
				dst, drop := holding(t, memory, at)
				f := fault.New(dst, fault.Options{})
				f.Inject(fault.Rule{N: n, Mode: mode, Dead: true})
				_, err := dbsync.Prune(quick(), f, dbsync.PruneOptions{Undo: points[0]})
				if f.Tripped() == nil {
					require.NoError(t, err)
					drop()
					break
				}
				if !slices.Contains(complete(t, dst), points[0]) {
					thin(t, dst, dbsync.PruneOptions{Undo: points[0]})
				}
				assert.Equal(t, points, complete(t, dst), "%v %v", f.Tripped(), mode)
				assert.Empty(t, want[points[0]].differs(restored(t, dst, points[0])))
				thin(t, dst, dbsync.PruneOptions{Incomplete: true})
				_, err = place(t, dst).Parked(quick(), points[0])
				require.ErrorIs(t, err, graph.ErrNotFound, "no record is left of its having been parked")
				drop()
			}
		}
	}
}

func place(t testing.TB, dst fs.Fs) *snapshot.Place {
	t.Helper()
	p, err := snapshot.Find(quick(), dst)
	require.NoError(t, err)
	return p
}

// TestPruneKeepsCheckpoints: an unfinished backup has finished chunks. A prune
// leaves them, and the next backup goes on with them, whatever was pruned.
func TestPruneKeepsCheckpoints(t *testing.T) {
	all, points, want := fourPoints(t, chunked(8<<10))
	at := dump(t, all)
	for name := range dump(t, all) { // the later points were never made
		if strings.Contains(name, points[2]) || strings.Contains(name, points[3]) {
			delete(at, name)
		}
	}
	src := remote(t, fixture.Unpack(t, generations[2]))
	for _, keep := range [][]string{points[:1], points[1:2], points[:2]} {
		dst, drop := holding(t, memory, at)
		f := fault.New(dst, fault.Options{})
		f.Inject(fault.Rule{N: 1, Match: func(c fault.Call) bool { return c.Op == fault.Put && strings.Contains(c.Path, "added") }})
		_, err := dbsync.Backup(quick(), source(src, ""), f, chunked(8<<10))
		require.ErrorIs(t, err, fault.ErrInjected)
		finished := checkpointed(t, dump(t, dst))
		require.NotEmpty(t, finished)
		thin(t, dst, dbsync.PruneOptions{Keep: keep, MaxDead: 10})
		img := dump(t, dst)
		assert.Equal(t, finished, checkpointed(t, img))
		assert.Subset(t, img.chunksIn(), finished)
		thin(t, dst, dbsync.PruneOptions{Incomplete: true, OlderThan: hour})
		assert.Empty(t, img.differs(dump(t, dst)), "it is young")

		rep := backUp(t, src, dst, chunked(8<<10))
		assert.Empty(t, want[points[2]].differs(restored(t, dst, rep.Point)))
		for _, p := range keep {
			assert.Empty(t, want[p].differs(restored(t, dst, p)))
		}
		soundChunks(t, dst, map[string]image{rep.Point: want[points[2]]})
		drop()
	}
}

// TestPruneKeepsNoted: what the notes of an unfinished run vouch for stays, though
// no point that is kept needs it.
func TestPruneKeepsNoted(t *testing.T) {
	dst, points, _ := fourPoints(t, dbsync.BackupOptions{})
	gone := spots(t, dst, points[0])
	for s := range spots(t, dst, points[3]) {
		delete(gone, s)
	}
	require.Greater(t, len(gone), 1)
	var noted graph.ID
	closure, err := place(t, dst).Closure(quick(), manifest(t, dst, points[0]))
	require.NoError(t, err)
	var lines []string
	for s := range gone {
		line, ok, err := closure.Get(string(s.id))
		require.NoError(t, err)
		require.True(t, ok)
		lines, noted = append(lines, line), s.id
		break
	}
	before, err := dbsync.Prune(quick(), dst, dbsync.PruneOptions{Policy: last(1)})
	require.NoError(t, err)
	run, ctx, err := place(t, dst).Begin(quick(), transfer.NewCopier(dst, dst, time.Now()))
	require.NoError(t, err)
	e, err := graph.ParseEntry(lines[0])
	require.NoError(t, err)
	require.NoError(t, run.Ack(ctx, e))
	run.End(ctx) // without a point: the note stays
	rep := thin(t, dst, dbsync.PruneOptions{Policy: last(1)})
	assert.Equal(t, before.Freed.Segments-1, rep.Freed.Segments)
	_, err = dst.NewObject(quick(), "store/"+string(noted))
	require.NoError(t, err, "the note vouches for it")
}

// TestPruneIncompleteChunks: exactly what nothing needs goes, of one database; and
// nothing that is young.
func TestPruneIncompleteChunks(t *testing.T) {
	for name, empty := range map[string]func(testing.TB) fs.Fs{"memory": memory, "local": local} {
		t.Run(name, func(t *testing.T) {
			p := othersChunksPruned(t)
			points := p.kept[:1]
			dst, drop := holding(t, empty, p.at)
			defer drop()
			db := manifest(t, dst, points[0]).ID
			backUp(t, remote(t, fixture.Unpack(t, "a-default")), dst, chunked(0)) // another database
			other := dump(t, dst)
			old := db + "/2020-01-01T000000.000Z-6b010f3e/"
			rubbish := image{
				old + "added-0001.zst":                                                []byte("a list"),
				old + "checkpoint.edn":                                                []byte("half a checkpoint"),
				old + "chunks/segments-000000.zip":                                    []byte("a chunk"),
				old + "chunks/segments-000001.zip.0a0a0a0a.partial":                   []byte("half a chunk"),
				db + "/inflight/2020-01-01T000000.000Z-6b010f3e/x.zst":                []byte("of a run"),
				db + "/" + points[0] + "/chunks/segments-000900.zip":                  []byte("a stray"),
				db + "/" + points[0] + "/chunks/segments-000901.zip.new":              []byte("half a stray"),
				db + "/" + points[0] + "/chunks/segments-000000.zip.0a0a0a0a.partial": []byte("half of one that is there"),
				db + "/" + points[0] + "/added-9-0001.zst":                            []byte("a list that was not finished"),
				db + "/" + points[0] + "/checkpoint.edn":                              []byte("of the run that made it"),
				db + "/verified.edn.0a0a0a0a.new":                                     []byte("half a record"),
			}
			theirs := image{"6b010f3e-8173-3bef-91f7-a025057c74fb/2020-01-01T000000.000Z-6b010f3e/chunks/segments-000000.zip": []byte("of another database")}
			for name, data := range theirs {
				write(t, dst, name, data)
			}
			_, err := dbsync.Prune(quick(), dst, dbsync.PruneOptions{Incomplete: true})
			require.ErrorContains(t, err, "name the directory of one of them")
			root := remote(t, strings.TrimSuffix(fs.ConfigString(dst), "/")+"/"+db)
			for name, data := range rubbish {
				write(t, dst, name, data)
			}
			opt := dbsync.PruneOptions{Incomplete: true, OlderThan: 24 * time.Hour}
			rep, err := dbsync.Prune(quick(), root, opt)
			require.NoError(t, err)
			assert.EqualValues(t, len(rubbish), rep.Leftovers.Segments)
			assert.Empty(t, other.with(theirs).with(rubbish).differs(dump(t, dst)), "without being confirmed")
			rep = thin(t, root, opt)
			assert.EqualValues(t, len(rubbish), rep.Leftovers.Segments)
			assert.Empty(t, other.with(theirs).differs(dump(t, dst)))
			entries, err := root.List(quick(), "")
			require.NoError(t, err)
			for _, e := range entries {
				assert.NotContains(t, e.Remote(), "2020-01-01", "an empty directory")
			}
			for _, id := range complete(t, root) {
				assert.Empty(t, p.want[id].differs(restored(t, root, id)))
			}
		})
	}
}

// TestPruneCounts: a dry run writes nothing and lists neither segments nor chunks;
// what it reads does not depend on how many segments there are.
func TestPruneCounts(t *testing.T) {
	for _, layout := range bothLayouts {
		dst, _ := chain(t, smallChunks(layout))
		f := fault.New(dst, fault.Options{})
		_, err := dbsync.Prune(quick(), f, dbsync.PruneOptions{Policy: last(1)})
		require.NoError(t, err)
		assert.Zero(t, f.Count(func(c fault.Call) bool { return c.Op.Writes() }))
		assert.Zero(t, f.Count(func(c fault.Call) bool {
			top, _, _ := strings.Cut(c.Path, "/")
			return c.Op == fault.List && (top == "store" || top == "values" || path.Base(c.Path) == "chunks")
		}))
		assert.Zero(t, f.Count(func(c fault.Call) bool { return isChunk(c.Path) || c.Op == fault.Open && isSegmentName(c.Path) }))
		assert.Less(t, f.Count(nil), 60, f.Report())
	}
}

// isSegmentName tells of a path whether a segment lies there, and no head.
func isSegmentName(name string) bool {
	return strings.HasPrefix(name, "store/") && !isHead[path.Base(name)]
}

// TestPruneLeased: neither a prune during a backup nor the reverse.
func TestPruneLeased(t *testing.T) {
	for _, layout := range bothLayouts {
		dst, points := chain(t, dbsync.BackupOptions{Layout: layout})
		src := remote(t, fixture.Unpack(t, generations[0]))
		f, tried := fault.New(dst, fault.Options{}), 0
		f.Inject(fault.Rule{Match: func(c fault.Call) bool {
			if strings.Contains(c.Path, "pruned.edn") && tried == 0 {
				tried++
				_, err := dbsync.Backup(quick(), source(src, ""), dst, dbsync.BackupOptions{Accept: []string{dbsync.AcceptDiverged}})
				assert.ErrorIs(t, err, snapshot.ErrLeased)
				_, err = dbsync.Prune(quick(), dst, dbsync.PruneOptions{Policy: last(1), Confirm: true})
				assert.ErrorIs(t, err, snapshot.ErrLeased)
			}
			return false
		}})
		_, err := dbsync.Prune(quick(), f, dbsync.PruneOptions{Keep: points[3:], Confirm: true})
		require.NoError(t, err)
		require.Equal(t, 1, tried)
		run, _, err := place(t, dst).Begin(quick(), transfer.NewCopier(dst, dst, time.Now()))
		require.NoError(t, err)
		before := dump(t, dst)
		_, err = dbsync.Prune(quick(), dst, dbsync.PruneOptions{Policy: last(1), Confirm: true})
		require.ErrorIs(t, err, snapshot.ErrLeased)
		assert.Empty(t, before.differs(dump(t, dst)))
		run.End(quick())
	}
}

// TestPruneWhileReading: points are pruned at every moment of a restore of one of
// them, or of one that stays. It restores what the point was, or fails.
func TestPruneWhileReading(t *testing.T) {
	for _, layout := range bothLayouts {
		all, points, want := fourPoints(t, smallChunks(layout))
		at := dump(t, all)
		whole, failed := 0, 0
		for _, p := range []string{points[0], points[3]} {
			for n := 1; ; n += 2 + n/8 {
				dst, drop := holding(t, memory, at)
				f, calls, pruned := fault.New(dst, fault.Options{}), 0, false
				f.Inject(fault.Rule{Match: func(fault.Call) bool {
					if calls++; calls == n {
						pruned = true
						thin(t, dst, dbsync.PruneOptions{Keep: points[3:], MaxDead: 0})
					}
					return false
				}})
				target := memory(t)
				_, err := dbsync.Restore(quick(), f, target, dbsync.RestoreOptions{At: p})
				if err == nil {
					whole++
					assert.Empty(t, want[p].differs(dump(t, target)))
				} else {
					failed++
					assert.True(t, errors.Is(err, graph.ErrNotFound) || errors.Is(err, graph.ErrCorrupt) || errors.Is(err, fs.ErrorObjectNotFound), "%v", err)
					assert.Empty(t, openable(dump(t, target)), "half a database that can be opened")
				}
				drop()
				if !pruned {
					break
				}
			}
		}
		assert.Positive(t, whole)
		assert.Positive(t, failed)
	}
}

// TestPruneWhileShown: points are pruned while a remote shows them as files. A
// file is what it was, or cannot be read.
func TestPruneWhileShown(t *testing.T) {
	dst, points := chain(t, chunked(16<<10))
	shown := remote(t, fmt.Sprintf(":datomchunks,remote=':memory:%s':", dst.Root()))
	before := dump(t, shown)
	for _, keep := range []int{1, 3} {
		thin(t, dst, dbsync.PruneOptions{Keep: points[keep:], MaxDead: 20})
		right, gone := 0, 0
		for name, data := range before {
			got, err := readFile(shown, name)
			if err != nil {
				gone++
				continue
			}
			right++
			require.Equal(t, data, got, name)
		}
		assert.Positive(t, right)
		assert.Positive(t, gone)
	}
	now := dump(t, remote(t, fmt.Sprintf(":datomchunks,remote=':memory:%s',at=latest:", dst.Root())))
	assert.Empty(t, before.below(points[3]).differs(now))
}

func readFile(f fs.Fs, name string) ([]byte, error) {
	o, err := f.NewObject(context.Background(), name)
	if err != nil {
		return nil, err
	}
	in, err := o.Open(context.Background())
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	return io.ReadAll(in)
}

// openable are the heads in a store.
func openable(img image) (found []string) {
	for name := range img {
		if isHead[name] {
			found = append(found, name)
		}
	}
	return found
}
