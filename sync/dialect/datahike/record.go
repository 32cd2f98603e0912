package datahike

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// indexes are the trees that a record may name. A record without history has
// the first three.
var indexes = []string{"eavt", "aevt", "avet", "temporal-eavt", "temporal-aevt", "temporal-avet"}

// Record is a db record: a branch's head, or a commit.
type Record struct {
	Graph graph.Record
	// Commit is the record's own commit id.
	Commit fressian.UUID
	MaxTx  int64
	// MaxE is the largest entity id but for transactions'; -1 if it is not stated.
	MaxE int64
	// ParentBranches are parents that are named by their branch. They are no
	// immutable objects; a branch that is still there is copied as such.
	ParentBranches []string
	// DatabaseID is what create-database gave the database.
	DatabaseID string
	Config     Config
	// SchemaID is the record's schema blob; databases from before there were
	// such blobs have none, and their attributes in StoreRefs.
	SchemaID  graph.ID
	StoreRefs AttrSet
}

// Record decodes the record of a head or a commit.
func (d *Dialect) Record(id graph.ID, data []byte) (*Record, error) {
	blob, err := d.open(id, data)
	if err != nil {
		return nil, err
	}
	p := recordParser{r: fressian.NewReader(blob.Value), inline: map[string]*graph.Node{}, roots: map[string]root{}, rec: Record{MaxE: -1}}
	rec, err := p.parse()
	if err != nil {
		return nil, describe(id, err)
	}
	rec.Graph.ID = id
	return rec, nil
}

// root is an index's descriptor in a record.
type root struct {
	address *fressian.UUID
	count   int64
}

type recordParser struct {
	r      *fressian.Reader
	rec    Record
	roots  map[string]root
	inline map[string]*graph.Node
	schema *fressian.UUID
	seen   bool
}

func (p *recordParser) parse() (*Record, error) {
	if err := p.r.ReadMap(p.field); err != nil {
		return nil, err
	}
	if p.r.Len() > 0 {
		return nil, corrupt("%d bytes follow the record at offset %d", p.r.Len(), p.r.Offset())
	}
	if !p.seen || p.rec.Commit == (fressian.UUID{}) {
		return nil, corrupt("the record has no :meta with a commit id: it is not a Datahike database record")
	}
	if err := p.rec.Config.refuseUnknown(); err != nil {
		return nil, err
	}
	p.rec.Graph.Generation = p.rec.MaxTx
	return &p.rec, p.trees()
}

// field takes one entry of the record.
func (p *recordParser) field(key any) error {
	k, _ := key.(fressian.Keyword)
	if k.NS != "" {
		return p.r.Skip()
	}
	if name, ok := strings.CutSuffix(k.Name, "-root"); ok && isIndex(name) {
		return p.inlineRoot(name)
	}
	at := p.r.Offset()
	v, err := p.r.Read()
	if err != nil {
		return err
	}
	name, isKey := strings.CutSuffix(k.Name, "-key")
	switch {
	case k.Name == "schema-meta-key":
		return p.schemaKey(v)
	case k.Name == "secondary-index-keys":
		return refuseSecondary(v)
	case isKey && isIndex(name):
		return p.indexKey(name, v)
	case k.Name == "max-tx":
		p.rec.MaxTx, _ = v.(int64)
	case k.Name == "max-eid":
		p.rec.MaxE = numberOr(v, p.rec.MaxE)
	case k.Name == "meta":
		return p.meta(v)
	case k.Name == "config":
		p.rec.Config = parseConfig(v)
	case k.Name == "schema":
		p.rec.StoreRefs = storeRefsIn(v) // before schema blobs, the schema lay here
	case isTree(v):
		return unsupported("unknown index :%s at offset %d", k.Name, at)
	}
	return nil
}

// numberOr is v if that is a number.
func numberOr(v any, otherwise int64) int64 {
	if n, ok := v.(int64); ok {
		return n
	}
	return otherwise
}

func isIndex(name string) bool {
	for _, i := range indexes {
		if i == name {
			return true
		}
	}
	return false
}

// isTree tells whether a value is an index's descriptor or a node.
func isTree(v any) bool {
	t, ok := v.(fressian.Tagged)
	return ok && (strings.HasPrefix(t.Tag, "pss/") || strings.HasPrefix(t.Tag, "datahike.index."))
}

func (p *recordParser) inlineRoot(name string) error {
	if kind, err := p.r.Peek(); err != nil || kind == fressian.KindNil {
		return errors.Join(err, p.r.Skip())
	}
	n, err := readNode(p.r, true) // there is no segment to count later
	p.inline[name] = &n
	return err
}

func (p *recordParser) schemaKey(v any) error {
	u, ok := v.(fressian.UUID)
	if v != nil && !ok {
		return corrupt(":schema-meta-key is no uuid")
	}
	if ok {
		p.schema = &u
	}
	return nil
}

func refuseSecondary(v any) error {
	switch m := v.(type) {
	case nil:
		return nil
	case fressian.Map:
		if len(m) == 0 {
			return nil
		}
	case fressian.Set:
		if len(m) == 0 {
			return nil
		}
	}
	return unsupported("the database has secondary indexes (:secondary-index-keys), which only their plugin can read")
}

// indexKey reads an index's descriptor.
func (p *recordParser) indexKey(name string, v any) error {
	if v == nil {
		return nil
	}
	t, ok := v.(fressian.Tagged)
	if !ok || (t.Tag != tagSet && t.Tag != tagSetOld) || len(t.Fields) != 1 {
		tag := ""
		if ok {
			tag = t.Tag
		}
		return unsupported("unknown index type %q under :%s-key", tag, name)
	}
	m, ok := t.Fields[0].(fressian.Map)
	if !ok {
		return corrupt(":%s-key describes no index", name)
	}
	rt := root{count: -1}
	if a, _ := m.Get("", "address"); a != nil {
		u, ok := a.(fressian.UUID)
		if !ok {
			return corrupt(":%s-key has no address", name)
		}
		rt.address = &u
	}
	if n, ok := m.Get("", "count"); ok {
		if n, ok := n.(int64); ok {
			rt.count = n
		}
	}
	p.roots[name] = rt
	return nil
}

func (p *recordParser) meta(v any) error {
	m, ok := v.(fressian.Map)
	if !ok {
		return corrupt(":meta is no map")
	}
	p.seen = true
	get := func(name string) any { v, _ := m.Get("datahike", name); return v }
	p.rec.Commit, _ = get("commit-id").(fressian.UUID)
	p.rec.DatabaseID = text(get("id"))
	switch parents := get("parents").(type) {
	case nil:
	case fressian.Set:
		return p.parents(parents)
	case []any:
		return p.parents(parents)
	default:
		return corrupt(":datahike/parents is no set")
	}
	return nil
}

// parents takes the commits that the record was made from. A forced branch may
// name a branch instead. What that stands for changes when the branch moves, so
// it is no segment and no part of the history: if the branch exists, its head
// is held and walked for itself.
func (p *recordParser) parents(ids []any) error {
	for _, v := range ids {
		switch id := v.(type) {
		case fressian.UUID:
			p.rec.Graph.Parents = append(p.rec.Graph.Parents, AddressID(id))
		case fressian.Keyword: // as force-branch! was given it
			p.rec.ParentBranches = append(p.rec.ParentBranches, display(id))
		default:
			return corrupt("a parent commit is no uuid")
		}
	}
	return nil
}

// inlineID names a root that no address does, by what it holds: two records'
// roots must not be taken for one.
func inlineID(n *graph.Node) graph.ID {
	h := sha256.New()
	for _, c := range n.Children {
		_, _ = io.WriteString(h, string(c.ID))
	}
	return graph.ID(hex.EncodeToString(h.Sum(nil)))
}

// trees lists what belongs to the record.
func (p *recordParser) trees() error {
	g := &p.rec.Graph
	if p.schema != nil {
		p.rec.SchemaID = AddressID(*p.schema)
		g.Trees = append(g.Trees, graph.Tree{Name: "schema", Ref: graph.Ref{ID: p.rec.SchemaID, Level: graph.Schema}, Count: -1})
	}
	for _, name := range indexes {
		rt, known := p.roots[name]
		in := p.inline[name]
		if !known && in == nil {
			continue
		}
		t := graph.Tree{Name: name, Count: rt.count, Ref: graph.Ref{Level: graph.Root}}
		switch {
		case rt.address != nil:
			t.Ref.ID = AddressID(*rt.address)
		case in == nil && rt.count <= 0:
			continue // an empty index has no root
		case in == nil:
			return corrupt(":%s-key has no address for %d datoms", name, rt.count)
		}
		// With content hashes the object of a fused root exists as well.
		if in == nil || p.rec.Config.CryptoHash && rt.address != nil {
			g.Trees = append(g.Trees, t)
			continue
		}
		t.Inline = in
		if t.Ref.ID == "" {
			t.Ref.ID = inlineID(in)
		}
		g.Trees = append(g.Trees, t)
	}
	if len(p.roots) == 0 && len(p.inline) == 0 {
		return corrupt("the record names no index: it is not a Datahike database record")
	}
	return nil
}
