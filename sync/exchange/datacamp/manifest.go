package datacamp

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/rclone-datom/rclone-datom/sync/codec/edn"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// The files of a backup.
const (
	ManifestFile   = "manifest.edn"
	CheckpointFile = "checkpoint.edn"
	SchemaFile     = "schema.edn"
	ConfigFile     = "config.edn"
	MarkerFile     = "complete.marker"
	// Marker is what MarkerFile has.
	Marker = "complete"
)

// version is that of every file of the format.
const version = "1.0.0"

// MaxManifest bounds manifests and the other small files, in bytes: a chunk has
// some 400, and 671,088 datoms.
const MaxManifest = 64 << 20

// errManifest begins what is wrong with a manifest.
var errManifest = fmt.Errorf("%s: %w", ManifestFile, graph.ErrCorrupt)

// Chunk is what a manifest says of one.
type Chunk struct {
	ID int64
	// Path is the file's, below the backup's directory.
	Path string
	// Size, in bytes, and SHA256, in hex, are those of the file.
	Size   int64
	SHA256 string
	// Datoms is how many it has, MinTx to MaxTx their transactions, and MaxE
	// the largest entity.
	Datoms, MinTx, MaxTx, MaxE int64
}

// Manifest is what a backup's manifest says.
type Manifest struct {
	ID       string
	Database string
	// Branch is Datahike's, with its colon.
	Branch string
	// Kind is of the database that was read; datacamp itself knows Datahike.
	Kind view.Kind
	// History: there are retractions, and what was retracted.
	History bool
	// Complete: all chunks were written.
	Complete          bool
	Created, Finished time.Time
	// Skipped is how many datoms were left out.
	Skipped int64
	Chunks  []Chunk
	// The sums of the chunks; datacamp leaves MinTx and MaxTx of the range out.
	Datoms, Size, MinTx, MaxTx, MaxE int64
}

// sum sets the sums.
func (m *Manifest) sum() {
	var all stats
	m.Size = 0
	for _, c := range m.Chunks {
		all.join(stats{Datoms: c.Datoms, MinTx: c.MinTx, MaxTx: c.MaxTx, MaxE: c.MaxE})
		m.Size += c.Size
	}
	m.Datoms, m.MinTx, m.MaxTx, m.MaxE = all.Datoms, all.MinTx, all.MaxTx, all.MaxE
}

func keyword(s string) fressian.Keyword {
	if ns, name, ok := strings.Cut(s, "/"); ok {
		return fressian.Keyword{NS: ns, Name: name}
	}
	return fressian.Keyword{Name: s}
}

// entry is one of a map, whose key is a keyword.
func entry(key string, v any) fressian.Entry { return fressian.Entry{Key: keyword(key), Value: v} }

func inst(t time.Time) fressian.Inst { return fressian.Inst(t.UnixMilli()) }

// Append appends the manifest's text.
func (m *Manifest) Append(dst []byte) ([]byte, error) {
	branch := cmp.Or(strings.TrimPrefix(m.Branch, ":"), "db")
	chunks := make(fressian.Vector, len(m.Chunks))
	for i, c := range m.Chunks {
		chunks[i] = c.edn()
	}
	text := fressian.Map{
		entry("backup/id", m.ID),
		entry("backup/type", keyword("full")),
		entry("backup/created-at", inst(m.Created)),
		entry("backup/completed", m.Complete),
		entry("backup/version", version),
		entry("_comment", "A backup of datoms in datacamp's format"),
		entry("_debug", fressian.Map{entry("generated-by", "rclone-datom"), entry("edn-format", true), entry("inspect-with", "any text editor")}),
		entry("database/id", m.Database),
		entry("database/branch", keyword(branch)),
		entry("database/kind", keyword(string(m.Kind))),
		entry("datahike/version", nil),
		entry("format/version", version),
		entry("format/compression", keyword("gzip")),
		entry("format/encryption", nil),
		entry("stats/datom-count", m.Datoms),
		entry("stats/chunk-count", int64(len(m.Chunks))),
		entry("stats/size-bytes", m.Size),
		entry("stats/tx-range", fressian.Vector{m.MinTx, m.MaxTx}),
		entry("stats/max-eid", m.MaxE),
		entry("stats/max-tx", m.MaxTx),
		entry("stats/history", m.History),
		entry("stats/skipped", m.Skipped),
		entry("chunks", chunks),
		entry("timing", fressian.Map{
			entry("backup-started", inst(m.Created)),
			entry("backup-completed", inst(m.Finished)),
			entry("duration-seconds", float64(m.Finished.UnixMilli()-m.Created.UnixMilli())/1000),
		}),
	}
	dst, err := edn.Append(dst, text)
	return append(dst, '\n'), err
}

func (c *Chunk) edn() fressian.Map {
	return fressian.Map{
		entry("chunk/id", c.ID),
		entry("chunk/tx-range", fressian.Vector{c.MinTx, c.MaxTx}),
		entry("chunk/max-eid", c.MaxE),
		entry("chunk/datom-count", c.Datoms),
		entry("chunk/size-bytes", c.Size),
		entry("chunk/checksum", c.SHA256),
		entry("chunk/s3-etag", nil),
		entry("chunk/s3-key", c.Path),
	}
}

// ParseManifest reads a manifest. Its errors match graph.ErrCorrupt, or
// graph.ErrUnsupported for what is sound but not known.
func ParseManifest(text []byte) (*Manifest, error) {
	v, err := edn.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errManifest, err)
	}
	f, err := fieldsOf(v)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errManifest, err)
	}
	m := &Manifest{
		ID: f.text("backup/id"), Database: f.text("database/id"), Kind: view.Kind(f.name("database/kind", string(view.Datahike))),
		Branch: ":" + f.name("database/branch", "db"), History: f.flag("stats/history"), Complete: f.flag("backup/completed"),
		Created: f.time("backup/created-at"), Datoms: f.count("stats/datom-count"), Size: f.count("stats/size-bytes"),
		MaxE: f.number("stats/max-eid"), MaxTx: f.number("stats/max-tx"), Skipped: f.optional("stats/skipped"),
	}
	if f.err == nil && !f.known() {
		return nil, fmt.Errorf("%s: %w: a backup of another version, type, compression or encryption", ManifestFile, graph.ErrUnsupported)
	}
	m.Chunks = f.chunks()
	if n := f.count("stats/chunk-count"); f.err == nil && n != int64(len(m.Chunks)) {
		f.err = fmt.Errorf("it states %d chunks and lists %d", n, len(m.Chunks))
	}
	if f.err != nil {
		return nil, fmt.Errorf("%w: %w", errManifest, f.err)
	}
	return m, nil
}

// known tells whether a manifest is of a kind of backup that is read here.
func (f *fields) known() bool {
	return f.name("format/compression", "") == "gzip" && f.value("format/encryption") == nil &&
		f.text("format/version") == version && f.name("backup/type", "") == "full"
}

// chunks are those that a manifest lists, which must be numbered from 0.
func (f *fields) chunks() (all []Chunk) {
	list, _ := f.value("chunks").(fressian.Vector)
	if seq, ok := f.value("chunks").(fressian.Seq); ok { // of no chunks, datacamp makes a list
		list = fressian.Vector(seq)
	}
	for i, v := range list {
		c, err := parseChunk(v)
		if err == nil && c.ID != int64(i) {
			err = fmt.Errorf("it has the id %d", c.ID)
		}
		if err != nil {
			f.err = fmt.Errorf("chunk %d: %w", i, err)
			return nil
		}
		all = append(all, c)
	}
	return all
}

func parseChunk(v any) (c Chunk, err error) {
	f, err := fieldsOf(v)
	if err != nil {
		return c, err
	}
	c = Chunk{
		ID: f.count("chunk/id"), Path: f.text("chunk/s3-key"), Size: f.count("chunk/size-bytes"), SHA256: f.text("chunk/checksum"),
		Datoms: f.count("chunk/datom-count"), MaxE: f.optional("chunk/max-eid"),
	}
	c.MinTx, c.MaxTx = f.pair("chunk/tx-range")
	// With a bucket the key is the object's whole name, prefix included.
	if i := strings.LastIndex(c.Path, "chunks/"); i > 0 && c.Path[i-1] == '/' {
		c.Path = c.Path[i:]
	}
	if want := chunkPath(c.ID); f.err == nil && c.Path != want {
		f.err = fmt.Errorf("its file is %q, not %s", c.Path, want)
	}
	if len(c.SHA256) != 64 && f.err == nil {
		f.err = fmt.Errorf("its checksum is %q", c.SHA256)
	}
	return c, f.err
}

// chunkPath is where a chunk lies.
func chunkPath(id int64) string { return fmt.Sprintf("chunks/datoms-%d.fressian.gz", id) }
