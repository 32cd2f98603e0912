package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// interrupted is a copy whose every call to the destination is made to fail.
type interrupted struct {
	src    fs.Fs
	opt    dbsync.CopyOptions
	at     image            // the destination before
	want   map[string]image // what every point restores to
	points []string         // that there are in the end
	end    image            // without an interruption
	kept   map[string]bool  // were there before
	// forgiven: what is there need not be whole, for that is what is repaired.
	forgiven bool
}

// TestCopyCrash makes every call to the destination fail, in every way, while
// points are copied. Whatever is listed then can be restored, and the next copy
// comes to the same end.
func TestCopyCrash(t *testing.T) {
	for kind, make := range map[string]func(*testing.T, string) (fs.Fs, []string){
		"datahike": func(t *testing.T, layout string) (fs.Fs, []string) {
			return chainOf(t, dbsync.BackupOptions{Layout: layout}, "h-gen1", "h-gen2", "h-gen4")
		},
		"datomic": func(t *testing.T, layout string) (fs.Fs, []string) {
			return sampledDatomic(t, dbsync.BackupOptions{Layout: layout}, threeValues(t)...)
		},
	} {
		for _, from := range bothLayouts {
			for _, layout := range bothLayouts {
				src, points := make(t, from)
				for name, begin := range map[string]func() image{
					"all": func() image { return image{} },
					// The first is there, and the last: those between are copied later.
					"between": func() image {
						dst := copied(t, src, layout)
						thin(t, dst, dbsync.PruneOptions{Keep: []string{points[0], points[len(points)-1]}, MaxDead: 50})
						return dump(t, dst)
					},
				} {
					if (name == "between" || from == dbsync.LayoutChunked) && from == layout {
						continue // where it comes from matters little
					}
					t.Run(strings.Join([]string{kind, name, from + " to " + layout}, "/"), func(t *testing.T) {
						t.Parallel()
						c := &interrupted{src: src, at: begin(), opt: to(layout)}
						c.opt.Packing.Size = 128 << 10
						kinds := len(ends)
						if name == "between" || from == dbsync.LayoutChunked {
							kinds = 1
						}
						c.everyEnd(t, kinds)
					})
				}
			}
		}
	}
}

// everyEnd crashes at the first kinds of destinations.
func (c *interrupted) everyEnd(t *testing.T, kinds int) {
	t.Helper()
	c.finish(t)
	total := 0
	for _, end := range ends[:kinds] {
		for _, way := range end.ways {
			total += c.crashEverywhere(t, end.empty, end.opt, way)
		}
	}
	t.Logf("%d crashes", total)
}

// finish copies without a fault.
func (c *interrupted) finish(t *testing.T) {
	t.Helper()
	dst, drop := holding(t, memory, c.at)
	defer drop()
	c.kept, c.want = map[string]bool{}, map[string]image{}
	if len(c.at) > 0 {
		for _, p := range complete(t, dst) {
			c.kept[p] = true
		}
	}
	copyAll(t, c.src, dst, c.opt)
	c.points = complete(t, dst)
	for _, p := range c.points {
		c.want[p] = restored(t, dst, p)
		assert.Empty(t, restored(t, c.src, p).differs(c.want[p]))
	}
	c.end = dump(t, dst)
}

func (c *interrupted) crashEverywhere(t *testing.T, empty func(testing.TB) fs.Fs, opt fault.Options, way crash) (crashes int) {
	t.Helper()
	last := c.calls(t, empty, opt)
	for n := 1; ; {
		dst, drop := holding(t, empty, c.at)
		f := fault.New(dst, opt)
		f.Inject(fault.Rule{N: n, Mode: way.mode, Dead: way.dead})
		_, err := dbsync.CopyBackup(quick(), c.src, f, c.opt)
		call := f.Tripped()
		if call == nil {
			require.NoError(t, err)
			drop()
			return crashes
		}
		crashes++
		n = next(n, c.bulk(*call), last)
		closely := crashes%5 == 0
		ok := t.Run(fmt.Sprintf("%v %v dead=%v", call, way.mode, way.dead), func(t *testing.T) {
			c.check(t, dst, false, closely)
			rep := copyAll(t, c.src, dst, c.opt)
			c.check(t, dst, true, closely)
			c.compare(t, dst, closely)
			if len(rep.Points) > 0 && len(rep.Points) == len(c.points)-len(c.kept) { // else there was nothing to tidy up for
				nothingLeft(t, withoutTorn(t, dst))
			}
		})
		drop()
		if !ok {
			t.FailNow()
		}
	}
}

// withoutTorn is what is there but for uploads of heads, manifests and such that
// were cut off: their names are nobody's.
func withoutTorn(t *testing.T, dst fs.Fs) fs.Fs {
	t.Helper()
	img := dump(t, dst)
	for name := range img {
		if strings.HasSuffix(name, ".new") {
			delete(img, name)
		}
	}
	f, drop := holding(t, memory, img)
	t.Cleanup(drop)
	return f
}

// calls counts the calls of a copy up to the last segment.
func (c *interrupted) calls(t *testing.T, empty func(testing.TB) fs.Fs, opt fault.Options) int {
	t.Helper()
	dst, drop := holding(t, empty, c.at)
	defer drop()
	f := fault.New(dst, opt)
	count := lastOf(f, c.bulk)
	_, err := dbsync.CopyBackup(quick(), c.src, f, c.opt)
	require.NoError(t, err)
	return *count
}

// bulk is for calls that are most of them, and much alike.
func (c *interrupted) bulk(call fault.Call) bool {
	read := !call.Op.Writes() && (strings.HasPrefix(call.Path, "store/") || isChunk(call.Path))
	return isSegment(call) || isValue(call) || c.forgiven && read
}

// check looks at a destination after a crash, or after a run that ended well.
func (c *interrupted) check(t *testing.T, dst fs.Fs, done, closely bool) {
	t.Helper()
	points, err := dbsync.Points(quick(), dst)
	if err != nil {
		require.ErrorIs(t, err, fs.ErrorObjectNotFound) // nothing is there
	}
	there := 0
	for i, p := range points {
		if !p.Complete || p.Native && strings.HasPrefix(p.ID, "t") {
			continue // a root that has no record yet
		}
		there++
		if done || c.forgiven || !closely && i < len(points)-2 {
			continue // see compare
		}
		assert.Empty(t, c.want[p.ID].differs(restored(t, dst, p.ID)), p.ID)
	}
	assert.GreaterOrEqual(t, there, len(c.kept), "a point is lost")
	if done {
		assert.Equal(t, len(c.points), there)
	}
	assert.True(t, c.forgiven || len(unsound(dump(t, dst))) == 0)
}

// compare looks at a destination in the end: there is what there is without an
// interruption, perhaps in other chunks.
func (c *interrupted) compare(t *testing.T, dst fs.Fs, closely bool) {
	t.Helper()
	img := dump(t, withoutTorn(t, dst))
	assert.Empty(t, c.end.mirror().differs(img.mirror()))
	if !closely {
		assert.Empty(t, restored(t, dst, "").differs(c.want[c.points[len(c.points)-1]]))
		return
	}
	for _, p := range c.points {
		assert.Empty(t, c.want[p].differs(restored(t, dst, p)), p)
		verified(t, dst, p, "")
	}
}
