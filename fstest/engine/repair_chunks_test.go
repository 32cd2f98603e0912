package engine

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// wholeThings are places with several points, by kind of database.
func wholeThings() map[string]func(t *testing.T) fs.Fs {
	return map[string]func(t *testing.T) fs.Fs{
		"datahike": func(t *testing.T) fs.Fs {
			f, _ := chainOf(t, dbsync.BackupOptions{}, "h-gen1", "h-gen4")
			return f
		},
		"values": func(t *testing.T) fs.Fs {
			f := memory(t)
			backUp(t, remote(t, fixture.Unpack(t, "g-storeref")), f, dbsync.BackupOptions{})
			return f
		},
		"datomic": func(t *testing.T) fs.Fs {
			f, _ := sampledDatomic(t, dbsync.BackupOptions{}, threeValues(t)...)
			return f
		},
		"whole": func(t *testing.T) fs.Fs {
			f := memory(t)
			for _, dir := range unpackAll(t)[:1] {
				_, err := dbsync.Backup(quick(), source(remote(t, dir), ""), f, dbsync.BackupOptions{OnlineGCCopy: true})
				require.NoError(t, err)
			}
			return f
		},
	}
}

// oneOfEach names an object of each kind at a place: by what kind of thing it is.
// A point's first chunk has leaves, its last one heads.
func oneOfEach(img image) map[string]string {
	things := map[string]string{}
	for _, name := range sortedKeys(img) {
		dir, base := path.Split(name)
		thing := ""
		switch {
		case isChunk(name):
			thing = base
		case path.Ext(base) == ".zst":
			thing = base
		case base == "owner" && dir == "", dir == "roots/":
			thing = name
		case strings.HasSuffix(dir, "/heads/"), strings.HasPrefix(dir, "store") && isHead[base]:
			thing = strings.SplitAfter(dir, "/")[0] + " head"
		case strings.HasPrefix(dir, "store"), strings.HasPrefix(dir, "values/"):
			thing = strings.SplitAfter(dir, "/")[0] + " segment"
		}
		if thing != "" {
			things[thing] = name // the last one
		}
	}
	return things
}

// TestRepairCopies damages one thing of each kind in a copy, in every way, and has
// it repaired from the original, in either layout. Everything is then as it was.
func TestRepairCopies(t *testing.T) {
	for kind, make := range wholeThings() {
		first := make(t)
		want := map[string]image{}
		for _, p := range complete(t, first) {
			want[p] = restored(t, first, p)
		}
		for _, layout := range bothLayouts {
			opt := to(layout)
			opt.Packing.Size = 1 << 20
			dst := memory(t)
			copyAll(t, first, dst, opt)
			img := dump(t, dst)
			for _, from := range bothLayouts {
				src := copied(t, first, from)
				for thing, object := range oneOfEach(img) {
					for how, harm := range harms {
						if how != "flipped" && from == layout {
							continue // where it comes from matters little
						}
						t.Run(fmt.Sprintf("%s/%s %s from %s/%s", kind, layout, how, from, thing), func(t *testing.T) {
							t.Parallel()
							repairCopy(t, src, harmed(t, img, object, harm), img, object, want)
						})
					}
				}
			}
		}
	}
}

func repairCopy(t *testing.T, src, bad fs.Fs, img image, object string, want map[string]image) {
	t.Helper()
	before, ctx := dump(t, bad), quick()
	_, dryErr := dbsync.CopyBackup(dry(), src, bad, dbsync.CopyOptions{Repair: true})
	assert.Empty(t, before.differs(dump(t, bad)), "--dry-run changes nothing")
	rep, err := dbsync.CopyBackup(quick(), src, bad, dbsync.CopyOptions{Repair: true})
	if before[object] != nil && strings.HasPrefix(object, "store") && isHead[path.Base(object)] { // somebody may have worked there
		require.ErrorIs(t, err, dbsync.ErrRefused)
		require.ErrorContains(t, err, object)
		o, oerr := bad.NewObject(ctx, object)
		require.NoError(t, oerr)
		require.NoError(t, o.Remove(ctx))
		dryErr = nil
		rep, err = dbsync.CopyBackup(quick(), src, bad, dbsync.CopyOptions{Repair: true})
	}
	if path.Ext(object) == ".zst" && len(img.chunksIn()) > 0 { // which segments lie where, nobody else knows
		require.ErrorContains(t, err, "remove the point from the copy")
		return
	}
	require.NoError(t, err)
	require.NoError(t, dryErr)
	assert.Empty(t, rep.Points)
	assert.Positive(t, rep.Repaired)
	for p, img := range want {
		verified(t, bad, p, "")
		assert.Empty(t, img.differs(restored(t, bad, p)), p)
	}
	assert.Empty(t, img.mirror().differs(dump(t, bad).mirror()))
	nothingLeft(t, bad)
	again, err := dbsync.CopyBackup(quick(), src, bad, dbsync.CopyOptions{Repair: true})
	require.NoError(t, err)
	assert.Zero(t, again.Repaired)
}

// TestRepairLost: what no copy has any more is reported, each segment of it, and
// the points that do not need it stay whole.
func TestRepairLost(t *testing.T) {
	first, points := chain(t, dbsync.BackupOptions{})
	old := reachedBy(t, first, points[0])
	var name string
	for id := range reachedBy(t, first, points[1]) {
		if _, ok := old[id]; !ok && old[id] == "" {
			name = "store/" + string(id)
		}
	}
	lost := graph.ID(path.Base(name))
	for _, layout := range bothLayouts {
		dst := copied(t, first, layout)
		img := dump(t, dst)
		object := name
		for _, c := range img.chunksIn() {
			if _, ok := unzipped(t, img, []string{c})[name]; ok {
				object = c
			}
		}
		bad := harmed(t, img, object, harms["missing"])
		src := harmed(t, dump(t, first), name, harms["missing"])
		_, err := dbsync.CopyBackup(quick(), src, bad, dbsync.CopyOptions{Repair: true})
		require.ErrorContains(t, err, "1 segments of the copy are damaged and no copy has them any more")
		for _, p := range points {
			if _, needs := reachedBy(t, first, p)[lost]; needs {
				_, err := dbsync.Restore(quick(), bad, memory(t), dbsync.RestoreOptions{At: p})
				require.Error(t, err)
				continue
			}
			assert.Empty(t, restored(t, first, p).differs(restored(t, bad, p)))
		}
		copyAll(t, first, bad, dbsync.CopyOptions{Repair: true}) // when it is found again
		for _, p := range points {
			assert.Empty(t, restored(t, first, p).differs(restored(t, bad, p)))
			verified(t, bad, p, "")
		}
	}
}

// TestRepairCrash makes every call fail while a copy with much damage is repaired.
// What was whole stays whole, and the next run mends the rest.
func TestRepairCrash(t *testing.T) {
	first, _ := chainOf(t, dbsync.BackupOptions{}, "h-gen1", "h-gen4")
	for _, layout := range bothLayouts {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			opt := to(layout)
			opt.Packing.Size = 64 << 10
			dst := memory(t)
			copyAll(t, first, dst, opt)
			c := &interrupted{src: first, at: dump(t, dst), opt: dbsync.CopyOptions{Repair: true}}
			c.finish(t)
			n := 0
			for _, name := range sortedKeys(c.at) {
				if isChunk(name) || strings.HasPrefix(name, "store/") && !isHead[path.Base(name)] {
					if n++; n%5 == 0 {
						c.at[name] = c.at[name][:len(c.at[name])/2]
					}
				}
			}
			c.forgiven = true
			for _, way := range ends[0].ways {
				c.crashEverywhere(t, ends[0].empty, ends[0].opt, way)
			}
		})
	}
}
