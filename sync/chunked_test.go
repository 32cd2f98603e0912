package dbsync_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rclone/rclone/fs/fserrors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"olympos.io/encoding/edn"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// packedPlace is a destination with two points in chunks.
type packedPlace struct {
	dir           string // local
	id            string // of the database
	first, second string // points
	images        map[string]map[string]string
}

// packed makes backups of both generations of a database.
func packed(t *testing.T) (*packedPlace, *database) {
	t.Helper()
	d, p := first(t, plain, ""), &packedPlace{dir: t.TempDir(), images: map[string]map[string]string{}}
	point := func() string {
		rep, err := d.pack(t, p.dir)
		require.NoError(t, err)
		p.images[rep.Point] = restored(t, p.dir, rep.Point)
		return rep.Point
	}
	p.first = point()
	d.second()
	p.second = point()
	entries, err := os.ReadDir(p.dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	p.id = entries[0].Name()
	return p, d
}

func (d *database) pack(t testing.TB, dst string) (*dbsync.BackupReport, error) {
	return dbsync.Backup(t.Context(), d.source(t, d.Key), local(t, dst), dbsync.BackupOptions{Layout: dbsync.LayoutChunked})
}

// clone is a copy that may be spoiled.
func (p *packedPlace) clone(t *testing.T) *packedPlace {
	t.Helper()
	c := *p
	c.dir = t.TempDir()
	require.NoError(t, os.CopyFS(c.dir, os.DirFS(p.dir)))
	return &c
}

// file is a file of the second point.
func (p *packedPlace) file(name string) string { return filepath.Join(p.dir, p.id, p.second, name) }

// change writes other bytes in the place of a file of the second point.
func (p *packedPlace) change(t *testing.T, name string, f func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(p.file(name))
	require.NoError(t, err)
	after := f(bytes.Clone(b))
	require.NotEqual(t, b, after, "nothing was spoiled")
	require.NoError(t, os.WriteFile(p.file(name), after, 0o600))
}

// say changes a text in the manifest of the second point.
func (p *packedPlace) say(t *testing.T, old, text string) {
	p.change(t, "manifest.edn", func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(text), 1) })
}

// The chunks of the second point: inner nodes and commit, the rest, the heads.
const (
	innerChunk = "chunks/segments-000000.zip"
	leafChunk  = "chunks/segments-000001.zip"
	headsChunk = "chunks/segments-000002.zip"
)

// spoiledPlace is a way in which the second point is not what it must be.
type spoiledPlace struct {
	name  string
	spoil func(t *testing.T, p *packedPlace)
	want  error
	// names are texts that the message must have.
	names []string
	// unread: restoring needs nothing of what is spoiled, verifying does.
	unread bool
}

// harmedChunks are the cases of chunks that are not what was written.
func harmedChunks(d *database) []spoiledPlace {
	leaf := d.what["leaf"]
	return []spoiledPlace{
		{"a chunk cut", func(t *testing.T, p *packedPlace) {
			p.change(t, leafChunk, func(b []byte) []byte { return b[:len(b)/2] })
		}, graph.ErrCorrupt, []string{leafChunk}, false},
		{"a chunk emptied", func(t *testing.T, p *packedPlace) {
			p.change(t, innerChunk, func([]byte) []byte { return nil })
		}, graph.ErrCorrupt, []string{innerChunk}, false},
		{"a chunk that has grown", func(t *testing.T, p *packedPlace) {
			p.change(t, leafChunk, func(b []byte) []byte { return append(b, 0) })
		}, graph.ErrCorrupt, []string{leafChunk}, false},
		{"a segment flipped", func(t *testing.T, p *packedPlace) {
			p.change(t, leafChunk, func(b []byte) []byte { b[bytes.Index(b, d.Read(leaf))+50] ^= 1; return b })
		}, graph.ErrCorrupt, []string{leaf}, false},
		{"a chunk missing", func(t *testing.T, p *packedPlace) {
			require.NoError(t, os.Remove(p.file(leafChunk)))
		}, graph.ErrNotFound, []string{leafChunk}, false},
		{"the chunk of the heads missing", func(t *testing.T, p *packedPlace) {
			require.NoError(t, os.Remove(p.file(headsChunk)))
		}, graph.ErrNotFound, []string{headsChunk}, true},
		{"a head flipped in its chunk", func(t *testing.T, p *packedPlace) {
			p.change(t, headsChunk, func(b []byte) []byte { b[bytes.Index(b, d.Read(d.what["head"]))+50] ^= 1; return b })
		}, graph.ErrCorrupt, []string{headsChunk}, true},
		{"two chunks swapped", func(t *testing.T, p *packedPlace) {
			require.NoError(t, os.Rename(p.file(leafChunk), p.file("other")))
			require.NoError(t, os.Rename(p.file(innerChunk), p.file(leafChunk)))
			require.NoError(t, os.Rename(p.file("other"), p.file(innerChunk)))
		}, graph.ErrCorrupt, []string{"chunks/segments-00000"}, false},
		{"a directory without an entry", func(t *testing.T, p *packedPlace) {
			p.change(t, leafChunk, func(b []byte) []byte {
				at := bytes.Index(b, []byte("PK\x01\x02"))
				return append(b[:at:at], make([]byte, len(b)-at)...)
			})
		}, graph.ErrCorrupt, []string{leafChunk}, true},
		{"a name forged in the directory", func(t *testing.T, p *packedPlace) {
			p.change(t, leafChunk, func(b []byte) []byte {
				at := bytes.LastIndex(b, []byte("store/"))
				copy(b[at:], "../../")
				return b
			})
		}, graph.ErrCorrupt, []string{leafChunk}, true},
		{"another segment's name in the directory", func(t *testing.T, p *packedPlace) {
			p.change(t, leafChunk, func(b []byte) []byte {
				at := bytes.LastIndex(b, []byte(leaf))
				copy(b[at:], d.name("a"))
				return b
			})
		}, graph.ErrCorrupt, []string{leaf}, true},
		{"a digest forged in the directory", func(t *testing.T, p *packedPlace) {
			p.change(t, leafChunk, func(b []byte) []byte {
				at := bytes.LastIndex(b, []byte(".ksv")) // the comment comes after the name
				at += bytes.IndexByte(b[at:], ' ') + 1
				b[at] = "10"[b[at]&1]
				return b
			})
		}, graph.ErrCorrupt, nil, true},
	}
}

// harmedRecords are the cases of manifests and lists.
func harmedRecords() []spoiledPlace {
	says := func(old, text string) func(*testing.T, *packedPlace) {
		return func(t *testing.T, p *packedPlace) { p.say(t, old, text) }
	}
	return []spoiledPlace{
		{"a chunk that no manifest names", says(`"segments-000000"`, `"segments-000077"`), graph.ErrCorrupt, []string{"there is no such chunk"}, false},
		{"a chunk outside", says(`"segments-000000"`, `"../x"`), graph.ErrCorrupt, []string{"../x"}, false},
		{"a chunk with a short number", says(`"segments-000000"`, `"segments-1"`), graph.ErrCorrupt, []string{"segments-1"}, false},
		{"a chunk of a backup to come", says(`:chunk/id "segments-000000"`, `:chunk/backup "2099-01-01T000000.000Z-6b000000" :chunk/id "segments-000000"`), graph.ErrCorrupt, []string{"2099"}, false},
		{"a chunk of a backup outside", says(`:chunk/id "segments-000000"`, `:chunk/backup "2020-01-01T000000.000Z-/../x" :chunk/id "segments-000000"`), graph.ErrCorrupt, []string{"/../x"}, false},
		{"a chunk of a negative size", says(`:chunk/size-bytes `, `:chunk/size-bytes -`), graph.ErrCorrupt, nil, false},
		{"a chunk without a digest", says(`:chunk/checksum "`, `:chunk/checksum "zz`), graph.ErrCorrupt, nil, false},
		{"a newer format", says(`:format/version 1`, `:format/version 2`), graph.ErrUnsupported, []string{"newer rclone-datom"}, false},
		{"an unknown layout", says(`:format/layout :chunked`, `:format/layout :heaped`), graph.ErrUnsupported, []string{"heaped"}, false},
		{"the native layout", says(`:format/layout :chunked`, `:format/layout-no :chunked`), graph.ErrCorrupt, nil, false},
		{"another database", says(`:database/id "`, `:database/id "x`), graph.ErrCorrupt, []string{"another database"}, false},
		{"a manifest cut", func(t *testing.T, p *packedPlace) {
			p.change(t, "manifest.edn", func(b []byte) []byte { return b[:len(b)/2] })
		}, graph.ErrCorrupt, []string{"manifest"}, false},
		{"a manifest nested deeply", func(t *testing.T, p *packedPlace) {
			p.change(t, "manifest.edn", func([]byte) []byte { return bytes.Repeat([]byte("["), 1<<20) })
		}, graph.ErrCorrupt, []string{"manifest"}, false},
		{"a manifest that is huge", func(t *testing.T, p *packedPlace) {
			require.NoError(t, os.Truncate(p.file("manifest.edn"), 40<<20))
		}, graph.ErrCorrupt, []string{"manifest"}, false},
		{"a marker without its manifest", func(t *testing.T, p *packedPlace) {
			require.NoError(t, os.Remove(p.file("manifest.edn")))
		}, graph.ErrCorrupt, []string{"marker"}, false},
		{"a list flipped", func(t *testing.T, p *packedPlace) {
			p.change(t, "added-0001.zst", func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
		}, graph.ErrCorrupt, []string{"added-0001.zst"}, false},
		{"a list gone", func(t *testing.T, p *packedPlace) {
			require.NoError(t, os.Remove(p.file("added-0001.zst")))
		}, graph.ErrNotFound, []string{"added-0001.zst"}, false},
		{"a head's bytes in the manifest", func(t *testing.T, p *packedPlace) {
			p.change(t, "manifest.edn", func(b []byte) []byte {
				at := bytes.Index(b, []byte("#base64 \"")) + 20
				b[at] ^= 3
				return b
			})
		}, graph.ErrCorrupt, []string{"is not what was written"}, false},
	}
}

// TestBadChunkedPlace: whatever is wrong with a point in chunks is said and
// named; it is not restored, nothing is changed, and other points stay whole.
func TestBadChunkedPlace(t *testing.T) {
	sound, d := packed(t)
	for _, cases := range [][]spoiledPlace{harmedChunks(d), harmedRecords()} {
		for _, tc := range cases {
			t.Run(tc.name, func(t *testing.T) {
				t.Parallel()
				p := sound.clone(t)
				tc.spoil(t, p)
				before := files(t, p.dir)
				tc.restore(t, p)
				tc.verify(t, d, p)
				assert.Equal(t, p.images[p.first], restored(t, p.dir, p.first))
				deep(t, d, p.dir, p.first)
				assert.Equal(t, before, files(t, p.dir))
			})
		}
	}
}

// TestRepairChunks: whatever a chunk has lost is put back from the source.
func TestRepairChunks(t *testing.T) {
	sound, d := packed(t)
	for _, tc := range harmedChunks(d) {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := sound.clone(t)
			tc.spoil(t, p)
			rep, err := dbsync.Backup(t.Context(), d.source(t, d.Key), local(t, p.dir), dbsync.BackupOptions{Repair: true})
			require.NoError(t, err)
			assert.Equal(t, p.second, rep.Point)
			for _, at := range []string{p.first, p.second} {
				deep(t, d, p.dir, at)
				assert.Equal(t, p.images[at], restored(t, p.dir, at))
			}
			assert.Len(t, points(t, p.dir), 2)
		})
	}
}

func (tc spoiledPlace) restore(t *testing.T, p *packedPlace) {
	t.Helper()
	target := t.TempDir()
	_, err := dbsync.Restore(t.Context(), local(t, p.dir), local(t, target), dbsync.RestoreOptions{At: p.second})
	if tc.unread {
		require.NoError(t, err)
		assert.Equal(t, p.images[p.second], files(t, target))
		return
	}
	tc.says(t, err)
	assert.NoFileExists(t, filepath.Join(target, string(datahike.BranchesID())))
}

func (tc spoiledPlace) says(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, tc.want)
	for _, text := range tc.names {
		assert.ErrorContains(t, err, text)
	}
	assert.True(t, fserrors.IsNoRetryError(err), "a retry would be wasted: %v", err)
}

func (tc spoiledPlace) verify(t *testing.T, d *database, p *packedPlace) {
	t.Helper()
	dialect := d.source(t, d.Key).Dialect
	rep, err := dbsync.Verify(t.Context(), local(t, p.dir), dbsync.VerifyOptions{At: p.second, Deep: true, Dialect: dialect})
	if rep == nil {
		tc.says(t, err)
		return
	}
	require.ErrorIs(t, err, dbsync.ErrFaults)
	all := ""
	for _, f := range rep.Faults {
		all += f.ID + ": " + f.What + "\n"
	}
	for _, text := range tc.names {
		assert.Contains(t, all, text)
	}
}

// TestChunkedParentGone: a point whose parent somebody has removed is lost, and
// says so.
func TestChunkedParentGone(t *testing.T) {
	p, _ := packed(t)
	require.NoError(t, os.RemoveAll(filepath.Join(p.dir, p.id, p.first)))
	tc := spoiledPlace{want: graph.ErrNotFound, names: []string{p.first, "builds on"}}
	tc.restore(t, p)
}

// TestChunkedWithoutMarker: without its marker a point is none yet. The next run
// makes it anew and leaves nothing of it.
func TestChunkedWithoutMarker(t *testing.T) {
	p, d := packed(t)
	require.NoError(t, os.Remove(p.file("complete.marker")))
	all, err := dbsync.Points(t.Context(), local(t, p.dir))
	require.NoError(t, err)
	require.Len(t, all, 2)
	assert.False(t, all[1].Complete)
	assert.Equal(t, p.images[p.first], restored(t, p.dir, ""))
	rep, err := d.pack(t, p.dir)
	require.NoError(t, err)
	assert.Equal(t, p.first, rep.Parent)
	assert.Equal(t, p.images[p.second], restored(t, p.dir, rep.Point))
	assert.NoDirExists(t, p.file(""))
}

// TestChunkedLeased: a run of another host keeps a backup out.
func TestChunkedLeased(t *testing.T) {
	p, d := packed(t)
	require.NoError(t, os.RemoveAll(p.file("")))
	now := time.Now()
	b, err := edn.Marshal(snapshot.Lease{Run: "x", Host: "elsewhere", PID: 7, Started: now, Expires: now.Add(time.Minute)})
	require.NoError(t, err)
	run := filepath.Join(p.dir, p.id, "inflight", "2026-01-01T000000.000Z-00000000")
	require.NoError(t, os.MkdirAll(run, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(run, "lease.edn"), b, 0o600))
	before := files(t, p.dir)
	_, err = d.pack(t, p.dir)
	require.ErrorIs(t, err, snapshot.ErrLeased)
	assert.ErrorContains(t, err, "elsewhere")
	assert.Equal(t, before, files(t, p.dir))
}
