package dump

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/edn"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// ErrNoDump says that a manifest is another program's.
var ErrNoDump = errors.New("no dump of Datahike")

// maxManifest is how long a manifest may be, in bytes: a million chunks fit.
const maxManifest = 256 << 20

// chunkName is the form of a chunk's name; nothing else is opened.
var chunkName = regexp.MustCompile(`^datoms-\d{6,18}\.cbor(\.gz)?$`)

// ParseManifest reads a manifest. Errors match graph.ErrCorrupt, ErrNoDump,
// or graph.ErrUnsupported for a dump that demands what is not known here.
func ParseManifest(text []byte) (*Manifest, error) {
	v, err := edn.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", ManifestName, graph.ErrCorrupt, err)
	}
	top, _ := v.(fressian.Map)
	version, ok := top.Get(versionKey.NS, versionKey.Name)
	if !ok {
		return nil, fmt.Errorf("%s: %w: it has no :%s/%s", ManifestName, ErrNoDump, versionKey.NS, versionKey.Name)
	}
	if version != int64(FormatVersion) {
		return nil, fmt.Errorf("%s: %w: the format is of version %v, and only %d is known", ManifestName, graph.ErrUnsupported, version, FormatVersion)
	}
	p := parser{files: map[string]bool{}}
	m := p.manifest(top)
	if p.err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestName, p.err)
	}
	return m, nil
}

// parser keeps the first error.
type parser struct {
	err   error
	files map[string]bool // the names of chunks
}

func (p *parser) corrupt(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s", graph.ErrCorrupt, fmt.Sprintf(format, args...))
	}
}

func (p *parser) unsupported(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s", graph.ErrUnsupported, fmt.Sprintf(format, args...))
	}
}

// get returns the value of a key, which must be a T if it is there and not nil.
func get[T any](p *parser, m fressian.Map, name string) (t T) {
	v, _ := m.Get("", name)
	if v == nil {
		return t
	}
	t, ok := v.(T)
	if !ok {
		p.corrupt(":%s is a %T", name, v)
	}
	return t
}

func (p *parser) manifest(top fressian.Map) *Manifest {
	m := &Manifest{
		History:   get[bool](p, top, "history?"),
		Config:    get[fressian.Map](p, top, "source-config"),
		Schema:    get[fressian.Map](p, top, "schema"),
		Digest:    p.digest(get[fressian.Map](p, top, "semantic-digest")),
		StoreRefs: p.storeRefs(get[fressian.Map](p, top, "store-refs")),
		Stats:     p.stats(get[fressian.Map](p, top, "stats")),
	}
	meta, _ := top.Get("datahike", "meta")
	m.Meta, _ = meta.(fressian.Map)
	if s := get[fressian.Keyword](p, top, "serialization"); s != key("cbor-seq") {
		p.unsupported("records are serialized as :%s", s.Name)
	}
	switch c := get[fressian.Keyword](p, top, "compression"); c {
	case key("gzip"):
		m.Compressed = true
	case key("none"), fressian.Keyword{}:
	default:
		p.unsupported("chunks are compressed with :%s", c.Name)
	}
	for _, v := range get[fressian.Vector](p, top, "requires") {
		need, ok := v.(fressian.Keyword)
		if !ok || !known(need) {
			p.unsupported("the dump requires %v", v)
		}
		m.Requires = append(m.Requires, need)
	}
	p.idents(m, get[fressian.Map](p, top, "system-idents"))
	for _, v := range get[fressian.Vector](p, top, "chunks") {
		c, _ := v.(fressian.Map)
		m.Chunks = append(m.Chunks, p.chunk(c, m.Compressed))
	}
	return m
}

func (p *parser) idents(m *Manifest, idents fressian.Map) {
	m.SystemIdents = make(map[int64]fressian.Keyword, len(idents))
	for _, e := range idents {
		id, isID := e.Key.(int64)
		name, isName := e.Value.(fressian.Keyword)
		if !isID || !isName {
			p.corrupt(":system-idents has %v for %v", e.Value, e.Key)
		}
		m.SystemIdents[id] = name
	}
}

func (p *parser) chunk(v fressian.Map, compressed bool) Chunk {
	c := Chunk{
		File:     get[string](p, v, "file"),
		Count:    get[int64](p, v, "count"),
		Bytes:    get[int64](p, v, "bytes"),
		RawBytes: get[int64](p, v, "raw-bytes"),
		SHA256:   get[string](p, v, "sha256"),
	}
	switch {
	case !chunkName.MatchString(c.File):
		p.corrupt("%.60q is no name of a chunk", c.File)
	case strings.HasSuffix(c.File, ".gz") != compressed:
		p.corrupt("%s is not named as its compression demands", c.File)
	case len(c.SHA256) != 64:
		p.corrupt("%s has no :sha256", c.File)
	case c.Count < 0 || c.Bytes < 0 || c.RawBytes < 0:
		p.corrupt("%s has a negative number", c.File)
	case p.files[c.File]:
		p.corrupt("%s is named twice", c.File)
	}
	p.files[c.File] = true
	return c
}

func (p *parser) digest(v fressian.Map) (d Digest) {
	if algo := get[fressian.Keyword](p, v, "algo"); algo != key("xor64+sum64") {
		p.unsupported("the algorithm of :semantic-digest is :%s", algo.Name)
	}
	var err [2]error
	d.Xor, err[0] = strconv.ParseUint(get[string](p, v, "xor"), 16, 64)
	d.Sum, err[1] = strconv.ParseUint(get[string](p, v, "sum"), 16, 64)
	d.Count = get[int64](p, v, "count")
	if e := errors.Join(err[:]...); e != nil {
		p.corrupt(":semantic-digest: %v", e)
	}
	return d
}

func (p *parser) stats(v fressian.Map) Stats {
	s := Stats{
		Datoms:      get[int64](p, v, "datom-count"),
		Source:      get[int64](p, v, "source-datom-count"),
		Transformed: get[bool](p, v, "transformed?"),
		MaxE:        get[int64](p, v, "max-eid"),
		MaxTx:       get[int64](p, v, "max-tx"),
	}
	if n, _ := v.Get("", "source-datom-count"); n == nil {
		s.Source = -1
	}
	return s
}

func (p *parser) storeRefs(v fressian.Map) *StoreRefs {
	if v == nil {
		return nil
	}
	r := &StoreRefs{}
	for name, to := range map[string]*[]fressian.UUID{"carried": &r.Carried, "external": &r.External} {
		for _, v := range get[fressian.Vector](p, v, name) {
			id, ok := v.(fressian.UUID)
			if !ok {
				p.corrupt(":store-refs has %v in :%s", v, name)
			}
			*to = append(*to, id)
		}
	}
	return r
}
