package engine

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// harms are what can happen to an object.
var harms = map[string]func(data []byte) []byte{
	"flipped":   func(data []byte) []byte { return flipped(data, len(data)/2) },
	"truncated": func(data []byte) []byte { return data[:len(data)/2] },
	"missing":   func([]byte) []byte { return nil },
}

// harmed is a place with the image's content, of which one object is not what it was.
func harmed(t testing.TB, img image, name string, harm func([]byte) []byte) fs.Fs {
	t.Helper()
	bad := img.with(image{name: harm(img[name])})
	switch { // there are bytes that mean nothing
	case len(bad[name]) != len(img[name]):
	case path.Base(name) == "manifest.edn":
		bad[name] = flipped(img[name], 0)
	case isChunk(name):
		bad[name] = bytes.Clone(img[name])
		for at := range len(img[name]) / 2 {
			bad[name][at] ^= 1
		}
	}
	if bad[name] == nil {
		delete(bad, name)
	}
	f, drop := holding(t, memory, bad)
	t.Cleanup(drop)
	return f
}

// kindsOf names one object of every kind that a copy needs at a place: the kinds
// are told by their paths.
func kindsOf(img image, point string) map[string]string {
	kinds := map[string]string{}
	for _, name := range sortedKeys(img) {
		dir, base := path.Split(name)
		switch {
		case isChunk(name) && strings.Contains(name, point) && kinds["chunk"] == "":
			kinds["chunk"] = name // the last one has heads, which are elsewhere too
		case isChunk(name):
		case dir == "store/" && !isHead[base], strings.HasPrefix(name, "values/"):
			kinds["segment"] = name
		case strings.Contains(dir, point+"/heads/"):
			kinds["head"] = name
		case strings.Contains(name, point) && strings.HasPrefix(base, "added-"):
			kinds["list"] = name
		case strings.Contains(name, point) && (base == "manifest.edn" || base == "complete.marker"):
			kinds[base] = name
		}
	}
	return kinds
}

// TestCopyDamaged: whatever is damaged or missing in the first copy is taken from
// another one, of either layout. Without one the copy says what is damaged, and
// lists nothing that it has not.
func TestCopyDamaged(t *testing.T) {
	sources := map[string]func() (fs.Fs, string){
		"datahike": func() (fs.Fs, string) {
			f := memory(t)
			rep := backUp(t, remote(t, fixture.Unpack(t, "g-storeref")), f, dbsync.BackupOptions{})
			return f, rep.Point
		},
		"datomic": func() (fs.Fs, string) {
			f, points := sampledDatomic(t, dbsync.BackupOptions{}, threeValues(t)[0])
			return f, points[0]
		},
	}
	for kind, make := range sources {
		first, point := make()
		want := restored(t, first, point)
		for _, a := range bothLayouts {
			img := dump(t, copied(t, first, a))
			for _, c := range bothLayouts {
				whole := copied(t, first, c)
				for what, object := range kindsOf(img, point) {
					for how, harm := range harms {
						t.Run(fmt.Sprintf("%s/%s %s %s, else %s", kind, a, what, how, c), func(t *testing.T) {
							t.Parallel()
							copyHarmed(t, harmed(t, img, object, harm), whole, point, want, what, how, object)
						})
					}
				}
			}
		}
	}
}

func copyHarmed(t *testing.T, bad, whole fs.Fs, point string, want image, what, how, object string) {
	t.Helper()
	dst := memory(t)
	defer func() { require.NoError(t, purge(dst)) }()
	_, err := dbsync.CopyBackup(quick(), bad, dst, to(""))
	if what == "manifest.edn" && how == "missing" && len(dump(t, bad).below("roots")) > 0 {
		point = "" // the root alone is a point of Datomic's
	}
	unneeded := what == "head" && strings.HasPrefix(path.Base(object), "owner") || what == "complete.marker" && how != "missing"
	switch {
	case err == nil: // it was not needed: Datomic's heads are there twice, and what a marker says is not read
		assert.True(t, unneeded || what == "head" || point == "", "%s %s is needed", what, how)
		assert.Empty(t, want.differs(restored(t, dst, point)))
	case strings.Contains(err.Error(), "there is no backup"): // without its manifest it is none
		assert.Equal(t, "missing", how)
	default:
		if what != "chunk" { // what lies in it is named
			assert.ErrorContains(t, err, strings.TrimSuffix(path.Base(object), ".edn"))
		}
		assert.ErrorContains(t, err, "--from")
		points, _ := dbsync.Points(quick(), dst) // an error is that there are none
		for _, p := range points {
			assert.False(t, p.Complete)
		}
	}
	opt := to("")
	opt.From = []fs.Fs{whole}
	rep := copyAll(t, bad, dst, opt)
	if err != nil {
		assert.Len(t, rep.Points, 1)
	}
	assert.Empty(t, want.differs(restored(t, dst, point)))
	verified(t, dst, point, "")
	nothingLeft(t, dst)
	if what == "segment" {
		assert.EqualValues(t, 1, rep.Healed)
	}
}

// TestCopyDamagedValue: a value with other bytes, which stream, does not get into
// the copy, and is not in the way when a copy that is whole is named.
func TestCopyDamagedValue(t *testing.T) {
	first := memory(t)
	backUp(t, remote(t, fixture.Unpack(t, "g-storeref")), first, dbsync.BackupOptions{})
	img := dump(t, first)
	referred, _ := binaries(t, img.below("store"))
	require.NotEmpty(t, referred)
	for _, layout := range bothLayouts {
		dst := memory(t)
		bad := harmed(t, img, "store/"+referred[0], harms["flipped"])
		for range 2 {
			_, err := dbsync.CopyBackup(quick(), bad, dst, to(layout))
			require.ErrorContains(t, err, referred[0])
		}
		opt := to(layout)
		opt.From = []fs.Fs{first}
		assert.EqualValues(t, 1, copyAll(t, bad, dst, opt).Healed)
		sameBackups(t, "", first, dst)

		dst = memory(t) // or when it was mended
		_, err := dbsync.CopyBackup(quick(), bad, dst, to(layout))
		require.Error(t, err)
		copyAll(t, first, dst, to(layout))
		sameBackups(t, "", first, dst)
		nothingLeft(t, dst)
	}
}

// TestCopyDamagedEverywhere: the error names what is damaged in the first copy,
// and earlier points are copied.
func TestCopyDamagedEverywhere(t *testing.T) {
	first, points := chain(t, dbsync.BackupOptions{})
	img := dump(t, first)
	var name string
	for id := range reachedBy(t, first, points[1]) {
		if _, old := reachedBy(t, first, points[0])[id]; !old {
			name = "store/" + string(id)
		}
	}
	for _, layout := range bothLayouts {
		dst, opt := memory(t), to(layout)
		opt.From = []fs.Fs{harmed(t, img, name, harms["missing"]), memory(t)}
		opt.From = opt.From[:1]
		_, err := dbsync.CopyBackup(quick(), harmed(t, img, name, harms["flipped"]), dst, opt)
		require.ErrorContains(t, err, path.Base(name))
		require.ErrorContains(t, err, points[1])
		assert.Equal(t, points[:1], complete(t, dst))
		verified(t, dst, points[0], "")
	}
}
