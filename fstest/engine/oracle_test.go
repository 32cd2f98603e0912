package engine

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
)

// oracle says what a store's branches reach, by the rules of Datahike's own
// garbage collection. It is naive on purpose: every blob is decoded whole,
// nothing is compared with anything, and it shares no code with the engine
// but the codecs.
type oracle struct {
	codec *konserve.Codec
	get   func(name string) ([]byte, bool)

	reached map[string]bool
	missing []string
	// absent are objects to which datoms refer and that are not there: no
	// fault of a store.
	absent map[string]bool
	// young: commits before the heads do not count.
	young bool
}

// refs are what a blob refers to.
type refs struct {
	must []string // nodes and schema blobs
	may  []string // objects of fused roots
	// commit is the record's own, parents those it was made from; they may
	// have been collected.
	commit  string
	graph   bool // commit must be there
	parents []string
	names   []string // the branches
	values  valueRefs
}

// parsed remembers blobs: the same ones are looked at thousands of times.
var parsed sync.Map

// reach walks from :branches. missing are objects that are not there, or that
// cannot be decoded.
func reach(key string, get func(string) ([]byte, bool)) (reached map[string]bool, missing []string) {
	o := walked(key, get)
	return o.reached, o.missing
}

func walked(key string, get func(string) ([]byte, bool)) *oracle {
	o := &oracle{codec: konserve.NewCodec(key), get: get, reached: map[string]bool{}, absent: map[string]bool{}}
	o.visit(keywordName(fressian.Keyword{Name: "branches"}), true)
	return o
}

// reachIn is reach in an image.
func reachIn(key string, img image) (map[string]bool, []string) {
	return reach(key, func(name string) ([]byte, bool) { b, ok := img[name]; return b, ok })
}

// dangling are objects of a store that are whole and refer to one that is not
// there whole, whether or not a branch reaches them.
func dangling(key string, store image) (found []string) {
	o := &oracle{codec: konserve.NewCodec(key)}
	for name, data := range store {
		r, err := o.parse(data)
		if err != nil {
			continue
		}
		for _, child := range r.must {
			if _, err := o.parse(store[child]); err != nil {
				found = append(found, name+" without "+child)
			}
		}
	}
	return found
}

func keywordName(k fressian.Keyword) string {
	return hasch.String(hasch.OfKeyword(k.NS, k.Name)) + ".ksv"
}

func address(u fressian.UUID) string { return hasch.String(hasch.OfUUID(u)) + ".ksv" }

func (o *oracle) visit(name string, must bool) {
	if o.reached[name] {
		return
	}
	data, ok := o.get(name)
	if !ok {
		if must {
			o.missing = append(o.missing, name)
		}
		return
	}
	o.reached[name] = true
	r, err := o.parse(data)
	if err != nil {
		o.missing = append(o.missing, fmt.Sprintf("%s: %v", name, err))
		return
	}
	for _, n := range append(r.must, r.names...) {
		o.visit(n, true)
	}
	if o.young {
		r.parents = nil
	}
	for _, n := range append(r.may, r.parents...) {
		o.visit(n, false)
	}
	if r.commit != "" {
		o.visit(r.commit, r.graph)
		o.visitValues(r)
	}
}

func (o *oracle) parse(data []byte) (refs, error) {
	sum := sha256.Sum256(data)
	if r, ok := parsed.Load(sum); ok {
		return r.(refs), nil
	}
	blob, err := o.codec.Open(data)
	if err != nil {
		return refs{}, err
	}
	v, err := fressian.Decode(blob.Value)
	if err != nil {
		return refs{}, err
	}
	r := refsOf(v)
	parsed.Store(sum, r)
	return r, nil
}

func refsOf(v any) (r refs) {
	switch v := v.(type) {
	case fressian.Set:
		for _, k := range v {
			r.names = append(r.names, keywordName(k.(fressian.Keyword)))
		}
	case fressian.Tagged:
		r.must = children(v)
		r.values.datoms = uuidsIn(v)
	case fressian.Map:
		if _, isRecord := v.Get("", "eavt-key"); isRecord {
			return recordRefs(v)
		}
		r.values.attrs = storeRefAttrs(v)
	}
	return r
}

func children(node fressian.Tagged) (names []string) {
	addresses, _ := node.Fields[0].(fressian.Map).Get("", "addresses")
	for _, a := range list(addresses) {
		names = append(names, address(a.(fressian.UUID)))
	}
	return names
}

func list(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case fressian.Vector:
		return v
	case fressian.Seq:
		return v
	case fressian.Set:
		return v
	}
	return nil
}

func recordRefs(rec fressian.Map) (r refs) {
	fused := map[string]bool{}
	for _, e := range rec {
		name, isRoot := strings.CutSuffix(e.Key.(fressian.Keyword).Name, "-root")
		if node, ok := e.Value.(fressian.Tagged); isRoot && ok {
			fused[name] = true
			r.must = append(r.must, children(node)...)
		}
	}
	for _, e := range rec {
		switch name, _ := strings.CutSuffix(e.Key.(fressian.Keyword).Name, "-key"); v := e.Value.(type) {
		case fressian.UUID:
			if name == "schema-meta" {
				r.must = append(r.must, address(v))
			}
		case fressian.Tagged:
			root, _ := v.Fields[0].(fressian.Map).Get("", "address")
			if u, ok := root.(fressian.UUID); ok && fused[name] {
				r.may = append(r.may, address(u))
			} else if ok {
				r.must = append(r.must, address(u))
			}
		}
	}
	ancestry(rec, &r)
	r.values = recordValues(rec)
	return r
}

func ancestry(rec fressian.Map, r *refs) {
	meta, _ := rec.Get("", "meta")
	id, _ := meta.(fressian.Map).Get("datahike", "commit-id")
	r.commit = address(id.(fressian.UUID))
	config, _ := rec.Get("", "config")
	kept, stated := config.(fressian.Map).Get("", "commit-graph?")
	r.graph = !stated || kept == true
	parents, _ := meta.(fressian.Map).Get("datahike", "parents")
	for _, p := range list(parents) {
		switch p := p.(type) {
		case fressian.UUID:
			r.parents = append(r.parents, address(p))
		case fressian.Keyword:
			r.parents = append(r.parents, keywordName(p))
		}
	}
}
