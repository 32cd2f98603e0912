package engine

import (
	"archive/zip"
	"bytes"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// smallest is the size of the smallest chunks that can be asked for, in bytes.
const smallest = 1 << 10

// chunked are options for chunks of about so many bytes; 0 is the usual size.
func chunked(size int64) dbsync.BackupOptions {
	return dbsync.BackupOptions{Layout: dbsync.LayoutChunked, Packing: snapshot.Packing{Size: size}}
}

// squeezed has the chunks compressed.
func squeezed(opt dbsync.BackupOptions) dbsync.BackupOptions {
	opt.Packing.Compress = true
	return opt
}

// isChunk tells whether a path is that of a chunk, which may not be complete.
func isChunk(name string) bool {
	return path.Base(path.Dir(name)) == "chunks" && strings.HasPrefix(path.Base(name), "segments-")
}

// chunksIn are the paths of all chunks, by backup and number.
func (img image) chunksIn() (names []string) {
	for _, name := range sortedKeys(img) {
		if isChunk(name) {
			names = append(names, name)
		}
	}
	return names
}

// unzipped is what somebody gets who unpacks chunks one after the other and
// knows nothing else.
func unzipped(t testing.TB, img image, chunks []string) image {
	t.Helper()
	files := image{}
	for _, name := range chunks {
		data := img[name]
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		require.NoError(t, err, name)
		z.RegisterDecompressor(zstd.ZipMethodWinZip, zstd.ZipDecompressor())
		for _, f := range z.File {
			in, err := f.Open()
			require.NoError(t, err, f.Name)
			b, err := io.ReadAll(in) // which compares the CRC
			require.NoError(t, err, f.Name)
			files[f.Name] = b
		}
	}
	return files
}

// lacksIn names some objects that are not the same in another image, which may
// have more.
func (img image) lacksIn(other image) []string {
	part := image{}
	for name := range img {
		if b, ok := other[name]; ok {
			part[name] = b
		}
	}
	return img.differs(part)
}

// shelfOf is a storage with the value at t of a backup of Datomic's.
func shelfOf(t testing.TB, backup image, at int64) *shelf {
	t.Helper()
	name := strconv.FormatInt(at, 10)
	v, err := datomic.DecodeRoot(name, backup["roots/"+name])
	require.NoError(t, err)
	s := &shelf{value: v, segments: map[graph.ID][]byte{}}
	for name, data := range backup.below("values") {
		s.segments[graph.ID(path.Base(name))] = data
	}
	return s
}

// placeOf is the place of the only database in chunks at dst.
func placeOf(t testing.TB, dst fs.Fs) *snapshot.Place {
	t.Helper()
	place, err := snapshot.Find(quick(), dst)
	require.NoError(t, err)
	require.True(t, place.Chunked())
	return place
}

// manifestIn is the manifest of a point in chunks.
func manifestIn(t testing.TB, dst fs.Fs, point string) *snapshot.Manifest {
	t.Helper()
	m, err := placeOf(t, dst).Manifest(quick(), point)
	require.NoError(t, err)
	return m
}

// chunksOf are the paths of the chunks that a point and those before it name, in
// the order in which they are unpacked. An empty point is the newest.
func chunksOf(t testing.TB, dst fs.Fs, point string) (paths []string) {
	t.Helper()
	place := placeOf(t, dst)
	if point == "" {
		point = newestPoint(t, dst)
	}
	chain, err := place.Chain(quick(), manifestIn(t, dst, point))
	require.NoError(t, err)
	for _, m := range chain {
		for _, c := range m.Chunks {
			backup := m.Point
			if c.Backup != "" {
				backup = c.Backup
			}
			paths = append(paths, path.Join(m.ID, backup, "chunks", c.ID+".zip"))
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// newestPoint is the id of the newest point that is complete.
func newestPoint(t testing.TB, dst fs.Fs) (id string) {
	t.Helper()
	points, err := dbsync.Points(quick(), dst)
	require.NoError(t, err)
	for _, p := range points {
		if p.Complete {
			id = p.ID
		}
	}
	return id
}

// asDatahikeCounts verifies the newest point to the last byte and compares its
// datoms with the facts of a fixture.
func asDatahikeCounts(t *testing.T, name string, dst fs.Fs) {
	t.Helper()
	v, err := dbsync.Verify(quick(), dst, dbsync.VerifyOptions{Deep: true, Datoms: true, Dialect: datahike.New(fixture.Key(name))})
	require.NoError(t, err, "%+v", v)
	facts := fixture.Expected(t, name)
	require.Len(t, v.Digests, len(facts.ByBranch))
	for branch, b := range facts.ByBranch {
		d := v.Digests[branch]
		assert.Equal(t, [2]string{b.CurrentSHA256, b.HistorySHA256}, [2]string{d.Current, d.History}, branch)
		assert.Equal(t, b.DatomsCurrent, v.Datoms[branch]["eavt"], branch)
	}
}
