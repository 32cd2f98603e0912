package snapshot

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/chunk"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
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

// chunks are those that the manifests of a place name, as far as these were read.
type chunks struct {
	mu    sync.Mutex
	infos map[string]chunk.Info
	// named are those that a manifest names: a point needs them.
	named map[string]bool
	// heads are those that have the heads of a point, by its id.
	heads map[string]string
}

func newChunks() *chunks {
	return &chunks{infos: map[string]chunk.Info{}, named: map[string]bool{}, heads: map[string]string{}}
}

// add takes note of a manifest's chunks.
func (c *chunks) add(m *Manifest) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range m.Chunks {
		i, err := ch.info(m.Point)
		if err != nil {
			return fmt.Errorf("manifest of point %s: %w", m.Point, err)
		}
		if have, ok := c.infos[i.Chunk]; ok && have != i {
			return fmt.Errorf("manifest of point %s says of chunk %s what another one does not: %w", m.Point, i.Chunk, graph.ErrCorrupt)
		}
		c.infos[i.Chunk], c.named[i.Chunk] = i, true
		if ch.Heads {
			c.heads[m.Point] = i.Chunk
		}
	}
	return nil
}

func (c *chunks) put(i chunk.Info) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.infos[i.Chunk] = i
}

// holdHeads makes a chunk the one that has the heads of a point.
func (c *chunks) holdHeads(point, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heads[point] = name
}

func (c *chunks) headsOf(point string) (name string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name, ok = c.heads[point]
	return name, ok
}

func (c *chunks) get(name string) (chunk.Info, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.infos[name]
	return i, ok
}

func (c *chunks) all() map[string]chunk.Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.infos)
}

// chunksOf is what the manifest of a point says of the chunks that it needs, and
// of the one that has its heads.
func (p *Place) chunksOf(point string, needed map[string]bool) (list []Chunk, err error) {
	heads, ok := p.chunks.headsOf(point)
	if ok {
		needed[heads] = true
	}
	for _, name := range slices.SortedFunc(maps.Keys(needed), compareChunks) {
		i, ok := p.chunks.get(name)
		if !ok {
			return nil, fmt.Errorf("chunk %s is needed by point %s and named by no manifest: %w", name, point, graph.ErrCorrupt)
		}
		ch := chunkOf(point, i)
		ch.Heads = name == heads
		list = append(list, ch)
	}
	return list, nil
}

// Chunks are what manifests that were read say of some chunks, in order. One that
// no manifest names has no size.
func (p *Place) Chunks(names map[string]bool) (infos []chunk.Info) {
	for _, name := range slices.SortedFunc(maps.Keys(names), compareChunks) {
		i, _ := p.chunks.get(name)
		i.Chunk = name
		infos = append(infos, i)
	}
	return infos
}

// Directory reads which segments of a kind of database a chunk has, and where.
func (p *Place) Directory(ctx context.Context, info chunk.Info, kind edn.Keyword) ([]graph.Entry, error) {
	names := segments(p.F, kind)
	return chunk.ReadDirectory(ctx, p.F, p.dir, info, func(name string) (graph.ID, bool, error) { return segmentOf(names, kind, name) })
}

// CheckChunk compares the bytes of a chunk with what its manifest says of them.
func (p *Place) CheckChunk(ctx context.Context, info chunk.Info) error {
	name, err := chunk.Path(info.Chunk)
	if err != nil {
		return err
	}
	size, sum, err := p.files.Sum(ctx, graph.ID(path.Join(p.dir, name)))
	if err == nil && (size != info.Size || sum != info.SHA256) {
		err = fmt.Errorf("%s is not what was written: %w", name, graph.ErrCorrupt)
	}
	return err
}

// compareChunks orders the names of chunks by backup and number.
func compareChunks(a, b string) int {
	one, i := splitChunk(a)
	two, j := splitChunk(b)
	return cmp.Or(strings.Compare(one, two), cmp.Compare(i, j))
}

// noteChunks notes the chunks in which the segments of a list lie.
func noteChunks(lines Lines, needed map[string]bool) Lines {
	return func(yield func(string, error) bool) {
		for line, err := range lines {
			if err == nil {
				err = noteChunk(line, needed)
			}
			if !yield(line, err) {
				return
			}
		}
	}
}

// noteChunk takes the chunk out of a line: what is in its last field, "chunk:offset:stored".
func noteChunk(line string, needed map[string]bool) error {
	if strings.Count(line, "\t") != 4 {
		return fmt.Errorf("%.60q lies in no chunk: %w", line, graph.ErrCorrupt)
	}
	name, _, _ := strings.Cut(line[strings.LastIndexByte(line, '\t')+1:], ":")
	if !needed[name] {
		needed[strings.Clone(name)] = true
	}
	return nil
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

// needed tells whether a point that was read needs a chunk.
func (c *chunks) needed(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.named[name]
}

// Holds tells whether a point whose manifest was read needs a chunk that lies in
// the directory of another backup, which may be no point itself.
func (p *Place) Holds(backup string) bool {
	if !p.Chunked() {
		return false
	}
	p.chunks.mu.Lock()
	defer p.chunks.mu.Unlock()
	for name := range p.chunks.named {
		if b, _ := splitChunk(name); b == backup {
			return true
		}
	}
	return false
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

// Find returns the place at f as a reader finds it: that of a database in
// chunks, if f has one or is its directory, or one whose segments lie one object
// each.
func Find(ctx context.Context, f fs.Fs) (*Place, error) {
	p := Open(f)
	dirs, err := p.rootDirs(ctx)
	if err != nil {
		return p, err
	}
	if slices.ContainsFunc(dirs, isID) { // the directory of a database
		p.chunks = newChunks()
		return p, nil
	}
	databases, err := p.databases(ctx, dirs)
	switch {
	case err != nil:
		return nil, err
	case len(databases) == 0:
		return p, nil
	case slices.Contains(dirs, snapshotsDir):
		return nil, fserrors.NoRetryError(fmt.Errorf("%s has backups in the native layout and, in %s, some in chunks: move one of them to a place of its own", p, databases[0]))
	case len(databases) == 1:
		return p, p.Chunk(databases[0])
	}
	return nil, fserrors.NoRetryError(fmt.Errorf("%s has backups of %d databases, such as %s: name the directory of one of them", p, len(databases), databases[0]))
}

// databases are those of some directories in which a database has points.
func (p *Place) databases(ctx context.Context, dirs []string) (databases []string, err error) {
	for _, dir := range dirs {
		if !isDatabase(dir) {
			continue
		}
		if ids, err := p.dirs(ctx, dir); err != nil {
			return nil, err
		} else if len(ids) > 0 {
			databases = append(databases, dir)
		}
	}
	return databases, nil
}

// Layouts tells whether the place has points one object a segment, or something
// else that is laid out so, and whether it has points in chunks: of the database,
// or of others.
func (p *Place) Layouts(ctx context.Context, database string) (native, chunked bool, err error) {
	dirs, err := p.rootDirs(ctx)
	switch {
	case err != nil:
		return false, false, err
	case slices.ContainsFunc(dirs, isID):
		return false, false, fserrors.NoRetryError(fmt.Errorf("%s is the directory of one database in chunks: name the directory above it", p))
	case slices.ContainsFunc(dirs, isNativeName):
		return true, slices.Contains(dirs, database), nil
	case slices.Contains(dirs, database):
		return false, true, nil
	}
	others, err := p.databases(ctx, dirs)
	return false, len(others) > 0, err
}

// rootDirs lists the directories at the place's root, and owner, Datomic's claim.
func (p *Place) rootDirs(ctx context.Context) (dirs []string, err error) {
	entries, err := p.F.List(ctx, "")
	if errors.Is(err, fs.ErrorDirNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("failed to list %s: %w", p, err)
	}
	for _, e := range entries {
		name := path.Base(e.Remote())
		if _, ok := e.(fs.Directory); name == store.OwnerName || ok && graph.CheckName(name) == nil {
			dirs = append(dirs, name)
		}
	}
	return dirs, nil
}

// isNativeName tells of a name at a place's root whether only places have it
// whose segments lie one object each.
func isNativeName(name string) bool {
	switch name {
	case snapshotsDir, storesDir, StoreDir, store.RootsDir, store.ValuesDir, store.OwnerName:
		return true
	}
	return false
}

// isDatabase tells of a name whether it may be a database's id: they end with a
// uuid. There may be thousands of other directories.
func isDatabase(name string) bool {
	_, err := hasch.Parse(name[max(len(name)-uuidLength, 0):])
	return err == nil
}

const uuidLength = 36

func isID(name string) bool {
	_, err := IDTime(name)
	return err == nil && graph.CheckName(name) == nil
}
