package dbsync_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rclone/rclone/fs/fserrors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"olympos.io/encoding/edn"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
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

// checkpointFile is a checkpoint as a run writes it.
type checkpointFile struct {
	Version  int              `edn:"checkpoint/version"`
	Backup   string           `edn:"checkpoint/backup-id"`
	Kind     edn.Keyword      `edn:"database/kind"`
	ID       string           `edn:"database/id"`
	Finished []snapshot.Chunk `edn:"state/completed-chunks"`
}

// TestCheckpoints: an unfinished backup is gone on with if its checkpoint is
// sound, and made anew if not: whatever somebody puts there, the point is right.
func TestCheckpoints(t *testing.T) {
	sound, d := packed(t)
	for name, spoil := range map[string]func(c *checkpointFile, p *packedPlace) []byte{
		"sound":            nil,
		"a newer version":  func(c *checkpointFile, _ *packedPlace) []byte { c.Version++; return nil },
		"another run":      func(c *checkpointFile, p *packedPlace) []byte { c.Backup = p.first; return nil },
		"another database": func(c *checkpointFile, _ *packedPlace) []byte { c.ID = "x"; return nil },
		"another kind":     func(c *checkpointFile, _ *packedPlace) []byte { c.Kind = snapshot.Datomic; return nil },
		"a chunk outside":  func(c *checkpointFile, _ *packedPlace) []byte { c.Finished[0].ID = "../../../x"; return nil },
		"a chunk of another backup": func(c *checkpointFile, _ *packedPlace) []byte {
			c.Finished[0].Backup = "2099-01-01T000000.000Z-6b000000"
			return nil
		},
		"a chunk that is not there": func(c *checkpointFile, _ *packedPlace) []byte { c.Finished[0].ID = "segments-000044"; return nil },
		"another size":              func(c *checkpointFile, _ *packedPlace) []byte { c.Finished[0].Size++; return nil },
		"a directory elsewhere":     func(c *checkpointFile, _ *packedPlace) []byte { c.Finished[0].Directory--; return nil },
		"a billion entries":         func(c *checkpointFile, _ *packedPlace) []byte { c.Finished[0].Entries = 1 << 40; return nil },
		"no EDN":                    func(*checkpointFile, *packedPlace) []byte { return []byte("{:checkpoint/version") },
		"nested deeply":             func(*checkpointFile, *packedPlace) []byte { return bytes.Repeat([]byte("[{"), 1<<20) },
		"huge":                      func(*checkpointFile, *packedPlace) []byte { return make([]byte, 40<<20) },
		"empty":                     func(*checkpointFile, *packedPlace) []byte { return []byte{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := sound.clone(t)
			p.interrupt(t, spoil)
			left := chunksAt(t, p.dir, p.id+"/"+p.second)
			rep, err := d.pack(t, p.dir)
			require.NoError(t, err)
			assert.Equal(t, p.images[p.second], restored(t, p.dir, rep.Point))
			deep(t, d, p.dir, rep.Point)
			if spoil != nil {
				assert.NoDirExists(t, p.file(""), "nothing of it is of use")
				return
			}
			delete(left, filepath.Base(headsChunk)) // which comes anew
			assert.Equal(t, left, chunksAt(t, p.dir, p.id+"/"+p.second))
			assert.Equal(t, int64(5), rep.New.Segments)
			assert.Len(t, chunksAt(t, p.dir, p.id+"/"+rep.Point), 1, "the heads")
		})
	}
}

// interrupt makes of the second point what a run leaves that ended after its
// last chunk, with a checkpoint that spoil has changed.
func (p *packedPlace) interrupt(t *testing.T, spoil func(*checkpointFile, *packedPlace) []byte) {
	t.Helper()
	b, err := os.ReadFile(p.file("manifest.edn"))
	require.NoError(t, err)
	m, err := snapshot.DecodeManifest(p.second, b)
	require.NoError(t, err)
	for _, name := range []string{"manifest.edn", "complete.marker", "config.edn", "added-0001.zst"} {
		require.NoError(t, os.Remove(p.file(name)))
	}
	c := &checkpointFile{Version: 1, Backup: p.second, Kind: snapshot.Datahike, ID: p.id, Finished: m.Chunks}
	var text []byte
	if spoil != nil {
		text = spoil(c, p)
	}
	if text == nil {
		text, err = edn.Marshal(c)
		require.NoError(t, err)
	}
	require.NoError(t, os.WriteFile(p.file("checkpoint.edn"), text, 0o600))
}

// chunksAt are the chunks of a backup, with their bytes.
func chunksAt(t *testing.T, dst, backup string) map[string]string {
	t.Helper()
	dir := filepath.Join(dst, filepath.FromSlash(backup), "chunks")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return files(t, dir)
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

// TestLayoutMismatch: a place keeps its layout. One that is not named is that of
// the place.
func TestLayoutMismatch(t *testing.T) {
	p, d := packed(t)
	nativeDir := t.TempDir()
	_, err := d.backup(t, nativeDir)
	require.NoError(t, err)
	for dir, layout := range map[string]string{p.dir: dbsync.LayoutNative, nativeDir: dbsync.LayoutChunked} {
		before := files(t, dir)
		_, err := dbsync.Backup(t.Context(), d.source(t, d.Key), local(t, dir), dbsync.BackupOptions{Layout: layout})
		require.ErrorIs(t, err, dbsync.ErrRefused)
		assert.ErrorContains(t, err, "leave out --layout "+layout)
		assert.Equal(t, before, files(t, dir))
		rep, err := d.backup(t, dir)
		require.NoError(t, err)
		assert.True(t, rep.UpToDate)
	}
	_, err = dbsync.Backup(t.Context(), d.source(t, d.Key), local(t, t.TempDir()), dbsync.BackupOptions{Layout: "heaped"})
	require.ErrorContains(t, err, "there are native and chunked")
}

// another is another database, of one generation.
func another(t *testing.T) *database {
	t.Helper()
	d := first(t, plain, "")
	d.DatabaseID = fressian.UUID{9}
	id := d.UUID()
	d.Commit(id, d.Record(id, 1, d.old["schema"], d.indexes(d.old["root"], 6)), "db")
	return d
}

// TestFirstRunEnded: what a first run in the native layout has left, before it
// wrote anything else, is no database in chunks.
func TestFirstRunEnded(t *testing.T) {
	d, dst := first(t, plain, ""), t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dst, "inflight", "2026-01-01T000000.000Z-00000000"), 0o700))
	rep, err := d.backup(t, dst)
	require.NoError(t, err)
	assert.FileExists(t, filepath.Join(dst, "snapshots", rep.Point, "manifest.edn"))
	require.NoError(t, os.MkdirAll(filepath.Join(dst, "inflight", "2026-01-01T000000.000Z-00000000"), 0o700))
	assert.Len(t, points(t, dst), 1)
}

// TestSeveralDatabases: of several databases at a place one has to be named. A
// backup that names no layout goes where the others are.
func TestSeveralDatabases(t *testing.T) {
	p, d := packed(t)
	other := another(t)
	rep, err := other.backup(t, p.dir)
	require.NoError(t, err)
	for what, err := range map[string]error{
		"backups": second(dbsync.Points(t.Context(), local(t, p.dir))),
		"restore": second(dbsync.Restore(t.Context(), local(t, p.dir), local(t, t.TempDir()), dbsync.RestoreOptions{})),
		"verify":  second(dbsync.Verify(t.Context(), local(t, p.dir), dbsync.VerifyOptions{})),
	} {
		require.ErrorContains(t, err, "name the directory of one of them", what)
		assert.True(t, fserrors.IsNoRetryError(err), what)
	}
	mine := filepath.Join(p.dir, p.id)
	assert.Equal(t, p.images[p.second], restored(t, mine, ""))
	deep(t, d, mine, "")
	theirs := filepath.Join(p.dir, "09000000-0000-0000-0000-000000000000")
	require.Len(t, points(t, theirs), 1)
	deep(t, other, theirs, rep.Point)
	for _, db := range []*database{d, other} {
		again, err := db.backup(t, p.dir)
		require.NoError(t, err)
		assert.True(t, again.UpToDate)
	}
}

func second[T any](_ T, err error) error { return err }

// TestDirectoryOfDatabase: a backup goes to the place, not to the directory that
// a database has there.
func TestDirectoryOfDatabase(t *testing.T) {
	p, d := packed(t)
	before := files(t, p.dir)
	for _, db := range []*database{d, another(t)} {
		for _, layout := range []string{"", dbsync.LayoutNative, dbsync.LayoutChunked} {
			_, err := dbsync.Backup(t.Context(), db.source(t, ""), local(t, filepath.Join(p.dir, p.id)), dbsync.BackupOptions{Layout: layout})
			require.ErrorContains(t, err, "name the directory above it", layout)
			assert.True(t, fserrors.IsNoRetryError(err))
		}
	}
	assert.Equal(t, before, files(t, p.dir))
}
