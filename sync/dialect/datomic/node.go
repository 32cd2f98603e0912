package datomic

import (
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// The tags of nodes, each with its number of fields.
const (
	tagRoot      = "index-root-node" // keydata, ids
	tagDir       = "index-dir-node"  // keydata, ids, offsets, counts
	tagLeaf      = "index-tdata"     // v, e, a, tx, added
	tagSearch    = "search-root"     // attribute → clusterfs-root
	tagFiles     = "clusterfs-root"  // file → {base, length}, chunk size
	tagChunk     = "clusterfs-chunk" // bytes
	tagLogDir    = "log-dir"         // t, id
	rootFields   = 2
	dirFields    = 4
	leafFields   = 5
	searchFields = 1
	filesFields  = 2
	chunkFields  = 1
	logDirFields = 2
)

// levels are those at which nodes of a tag stand.
var levels = map[string]struct {
	level  graph.Level
	fields int
}{
	tagRoot: {2, rootFields}, tagSearch: {2, searchFields},
	tagDir: {1, dirFields}, tagFiles: {1, filesFields},
	tagLeaf: {0, leafFields}, tagChunk: {0, chunkFields},
}

// maxChildren bounds the children of one node. Datomic's have some hundreds;
// of the files of a full-text index 57 GB fit.
const maxChildren = 1 << 20

// readInner reads an inner node: its children, and how many datoms are below
// it where it says that, else -1.
func readInner(r *fressian.Reader, level graph.Level) ([]graph.Ref, int64, error) {
	switch level {
	case IndexLevel:
		trees, _, err := readTop(r)
		refs := make([]graph.Ref, len(trees))
		for i, t := range trees {
			refs[i] = t.Ref
		}
		return refs, -1, err
	case 1, 2:
	default:
		return nil, -1, corrupt("no segment of Datomic stands at level %s", level)
	}
	kind, err := r.Peek()
	if err != nil {
		return nil, -1, err
	}
	if kind == fressian.KindList {
		entries, err := readLogDirs(r)
		refs := make([]graph.Ref, len(entries))
		for i, e := range entries {
			refs[i] = graph.Ref{ID: e.id, Level: level - 1}
		}
		return refs, -1, err
	}
	tag, err := readTag(r, level)
	if err != nil {
		return nil, -1, err
	}
	switch tag {
	case tagSearch:
		refs, err := readSearch(r)
		return refs, -1, err
	case tagFiles:
		refs, err := readFiles(r)
		return refs, -1, err
	}
	return readIndexNode(r, level)
}

// readTag reads the header of a struct that must stand at a level.
func readTag(r *fressian.Reader, level graph.Level) (string, error) {
	at := r.Offset()
	tag, fields, err := r.ReadStruct()
	if err != nil {
		return "", err
	}
	known, ok := levels[tag]
	switch {
	case !ok:
		return "", unsupported("unknown tag %q at offset %d where a node of level %s should be", tag, at, level)
	case known.level != level:
		return "", corrupt("a node with tag %q stands at level %s", tag, level)
	case known.fields != fields:
		return "", unsupported("tag %q at offset %d has %d fields, not %d", tag, at, fields, known.fields)
	}
	return tag, nil
}

// readIndexNode reads the fields of an index's root or dir. Only a dir says
// how many datoms its leaves have.
func readIndexNode(r *fressian.Reader, level graph.Level) (refs []graph.Ref, count int64, err error) {
	if err := r.Skip(); err != nil { // keydata
		return nil, -1, err
	}
	err = r.ReadList(func(int) error {
		u, err := readUUID(r, len(refs))
		refs = append(refs, graph.Ref{ID: uuidID(u), Level: level - 1})
		return err
	})
	if err != nil {
		return nil, -1, err
	}
	if len(refs) == 0 {
		return nil, -1, corrupt("an index node of level %s has no children", level)
	}
	if level > 1 {
		return refs, -1, nil
	}
	if err := r.Skip(); err != nil { // offsets
		return nil, -1, err
	}
	count, err = readCounts(r, len(refs))
	return refs, count, err
}

// readCounts sums up how many datoms each of the leaves has.
func readCounts(r *fressian.Reader, leaves int) (sum int64, err error) {
	at := r.Offset()
	v, err := r.Read()
	if err != nil {
		return -1, err
	}
	counts, ok := v.([]int32)
	if !ok || len(counts) != leaves {
		return -1, corrupt("the counts at offset %d are %T, %d of %d", at, v, len(counts), leaves)
	}
	for _, n := range counts {
		if n <= 0 {
			return -1, corrupt("a leaf of %d datoms, before offset %d", n, r.Offset())
		}
		sum += int64(n)
	}
	return sum, nil
}

// readUUID reads the id of a node's child number i.
func readUUID(r *fressian.Reader, i int) (fressian.UUID, error) {
	at := r.Offset()
	u, ok, err := r.ReadUUID()
	switch {
	case err != nil:
		return u, err
	case !ok:
		return u, corrupt("child %d at offset %d is nil", i, at)
	case i >= maxChildren:
		return u, corrupt("a node has more than %d children", maxChildren)
	}
	return u, nil
}
