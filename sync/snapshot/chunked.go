package snapshot

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/chunk"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Chunked is the layout whose segments lie in chunks; see DESIGN.md §3. The
// other one has no name in manifests.
const Chunked edn.Keyword = "chunked"

// What is done to segments in chunks.
const (
	Uncompressed edn.Keyword = "none"
	Zstd         edn.Keyword = "zstd"
)

// Names within a database's directory, in which every point has one.
const (
	configName     = "config.edn"
	checkpointName = "checkpoint.edn"
	markerName     = "complete.marker"
)

// chunkedManifest is a Manifest under the names that those who export chunks
// have agreed on.
type chunkedManifest struct {
	FormatVersion int         `edn:"format/version"`
	Layout        edn.Keyword `edn:"format/layout"`
	Compression   edn.Keyword `edn:"format/compression,omitempty"`
	ToolVersion   string      `edn:"tool/version"`

	Kind    edn.Keyword `edn:"database/kind"`
	ID      string      `edn:"database/id"`
	StoreID string      `edn:"database/store-id,omitempty"`

	Name string `edn:"database/name,omitempty"`
	T    int64  `edn:"database/t,omitempty"`
	Tx   string `edn:"database/tx,omitempty"`

	Point    string    `edn:"backup/id"`
	Parent   string    `edn:"backup/parent,omitempty"`
	Copy     bool      `edn:"backup/copy,omitempty"`
	Adopted  bool      `edn:"backup/adopted,omitempty"`
	Time     time.Time `edn:"backup/created-at"`
	Duration int64     `edn:"backup/duration-ms"`

	Branches map[string]Branch `edn:"database/branches"`
	Tails    []string          `edn:"database/tails"`
	Absent   []string          `edn:"database/absent-values,omitempty"`

	New      Count `edn:"stats/new"`
	Released Count `edn:"stats/released"`
	Total    Count `edn:"stats/total"`

	Newest int64 `edn:"backup/newest-write"`

	Held         []Object `edn:"database/heads"`
	AddedList    []List   `edn:"lists/added"`
	ReleasedList []List   `edn:"lists/released"`

	Settings map[edn.Keyword]any `edn:"database/settings"`

	Chunks []Chunk `edn:"chunks"`
}

// Chunk is a manifest's word on a chunk.
type Chunk struct {
	// ID is its name: "segments-000000".
	ID string `edn:"chunk/id"`
	// Backup has it, if it is not the point's own: an earlier one that was
	// interrupted, or pruned.
	Backup string `edn:"chunk/backup,omitempty"`
	Size   int64  `edn:"chunk/size-bytes"`
	// Checksum is the SHA-256 of the file.
	Checksum string `edn:"chunk/checksum"`
	Entries  int64  `edn:"chunk/entries"`
	// Directory is where its list of entries begins.
	Directory int64 `edn:"chunk/directory-offset"`
	// Heads: it has the heads of the point, and no segments.
	Heads bool `edn:"chunk/heads,omitempty"`
}

// chunkOf is what a manifest of point says of a chunk.
func chunkOf(point string, i chunk.Info) Chunk {
	backup, number := splitChunk(i.Chunk)
	if backup == point {
		backup = ""
	}
	return Chunk{
		ID: strings.TrimSuffix(chunk.Name(number), chunkSuffix), Backup: backup, Size: i.Size, Checksum: hex.EncodeToString(i.SHA256[:]), Entries: i.Entries, Directory: i.Directory,
	}
}

const chunkSuffix = ".zip"

// splitChunk takes the name of a chunk apart: "<backup>/<number>".
func splitChunk(name string) (backup string, number int) {
	backup, n, _ := strings.Cut(name, "/")
	number, _ = strconv.Atoi(n)
	return backup, number
}

func chunkName(backup string, number int) string { return backup + "/" + strconv.Itoa(number) }

// info is the reverse of chunkOf.
func (c Chunk) info(point string) (chunk.Info, error) {
	i := chunk.Info{Size: c.Size, Entries: c.Entries, Directory: c.Directory}
	backup := point
	if c.Backup != "" {
		backup = c.Backup
	}
	n, err := chunk.ParseName(c.ID + chunkSuffix)
	if err != nil {
		return i, err
	}
	if _, err := IDTime(backup); err != nil || graph.CheckName(backup) != nil || backup > point {
		return i, fmt.Errorf("%q has no chunks for point %s: %w", backup, point, graph.ErrCorrupt)
	}
	i.Chunk = chunkName(backup, n)
	sum, err := hex.DecodeString(c.Checksum)
	if err != nil || len(sum) != len(i.SHA256) {
		return i, fmt.Errorf("chunk %s has no SHA-256: %w", i.Chunk, graph.ErrCorrupt)
	}
	copy(i.SHA256[:], sum)
	if c.Size < 0 || c.Entries < 0 || c.Directory < 0 || c.Directory > c.Size {
		return i, fmt.Errorf("chunk %s cannot have %d bytes with a directory at %d: %w", i.Chunk, c.Size, c.Directory, graph.ErrCorrupt)
	}
	return i, nil
}

// tidyChunks removes what unfinished backups have left: all of it, but for the
// chunks that a point needs.
func (r *Run) tidyChunks(ctx context.Context, incomplete []string) error {
	if r.checkpointed {
		if err := r.place.remove(ctx, r.place.pointName(r.point, checkpointName)); err != nil {
			return err
		}
	}
	if len(incomplete) > 0 {
		for _, id := range r.place.parked { // which may need chunks of those
			if _, err := r.place.Parked(ctx, id); err != nil && !errors.Is(err, graph.ErrNotFound) {
				return err
			}
		}
	}
	for _, id := range incomplete {
		if err := r.place.removeUnfinished(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// removeUnfinished removes a backup that is no point, but for the chunks in its
// directory that points need.
func (p *Place) removeUnfinished(ctx context.Context, id string) error {
	if err := p.objects(ctx, p.pointName(id), func(o fs.Object) error { return o.Remove(ctx) }); err != nil {
		return err
	}
	kept := false
	dir := p.pointName(id, chunk.Dir)
	err := p.objects(ctx, dir, func(o fs.Object) error {
		n, err := chunk.ParseName(path.Base(o.Remote()))
		if err == nil && p.chunks.needed(chunkName(id, n)) {
			kept = true
			return nil
		}
		return o.Remove(ctx)
	})
	if err != nil || kept {
		return err
	}
	_ = p.rmdir(ctx, dir) // there may be none
	_ = p.rmdir(ctx, p.pointName(id))
	return nil
}

// Chunk makes the place one whose points are in chunks: those of one database.
func (p *Place) Chunk(database string) error {
	if err := graph.CheckName(database); err != nil || !isDatabase(database) {
		return fmt.Errorf("the database's id %q is to be the name of a directory, and to end with a uuid: %w", database, graph.ErrUnsupported)
	}
	p.dir, p.chunks = database, newChunks()
	return nil
}

// Dir is the directory of the place below F: that of a database in chunks, if F is
// not that itself.
func (p *Place) Dir() string { return p.dir }

// Chunked tells whether points are in chunks.
func (p *Place) Chunked() bool { return p.chunks != nil }

// pointsDir is the directory in which every point has one.
func (p *Place) pointsDir() string {
	if p.Chunked() {
		return p.dir
	}
	return snapshotsDir
}

// chunkedManifest reads the manifest of a point in chunks, which is one if it has
// its marker.
func (p *Place) chunkedManifest(ctx context.Context, id string) (*Manifest, error) {
	var manifest, marker fs.Object
	err := p.objects(ctx, p.pointName(id), func(o fs.Object) error {
		switch path.Base(o.Remote()) {
		case manifestName:
			manifest = o
		case markerName:
			marker = o
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if marker == nil {
		return nil, fmt.Errorf("point %s: %w", id, graph.ErrNotFound)
	}
	if manifest == nil {
		return nil, fmt.Errorf("point %s has a marker and no manifest: %w", id, graph.ErrCorrupt)
	}
	b, err := p.files.ReadObject(ctx, manifest)
	if err != nil {
		return nil, err
	}
	return p.decode(id, b)
}

// decode reads a manifest, and takes note of its chunks.
func (p *Place) decode(id string, b []byte) (*Manifest, error) {
	m, err := DecodeManifest(id, b)
	if err != nil {
		return nil, err
	}
	if (m.Layout == Chunked) != p.Chunked() || p.dir != "" && m.ID != p.dir {
		return nil, fmt.Errorf("manifest of point %s is of another layout or of another database: %w", id, graph.ErrCorrupt)
	}
	if p.Chunked() {
		err = p.chunks.add(m)
	}
	return m, err
}
