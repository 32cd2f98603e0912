package datomic

import (
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// isTree tells whether a key of the top map names a tree: each of four sorts,
// over four parts of the database's history, and the full text.
func isTree(k fressian.Keyword) bool {
	if k.NS != "" {
		return false
	}
	sort, part, _ := strings.Cut(k.Name, "-")
	switch sort {
	case "eavt", "aevt", "avet", "raet":
		return part == "" || part == "hist" || part == "mid" || part == "main"
	case "fulltext":
		return part == "" || part == "hist"
	}
	return false
}

// Indexes returns the trees of the top map, by the names that it gives them.
func (d *Dialect) Indexes(id graph.ID, data []byte) (trees []graph.Tree, err error) {
	err = d.opened(id, data, func(o *opener) (err error) {
		trees, _, err = readTop(&o.r)
		return err
	})
	return trees, err
}

// readTop reads the top map: its trees, and the t of the last transaction that
// the indexes have.
func readTop(r *fressian.Reader) (trees []graph.Tree, basis int64, err error) {
	version, seen := int64(-1), map[fressian.Keyword]bool{}
	err = r.ReadMap(func(key any) error {
		k, _ := key.(fressian.Keyword)
		if key == k && seen[k] {
			return corrupt("the top map has :%s twice", k.Name)
		}
		seen[k] = true
		switch {
		case isTree(k):
			u, ok, err := r.ReadUUID()
			if ok {
				trees = append(trees, graph.Tree{Ref: graph.Ref{ID: uuidID(u), Level: IndexLevel - 1}, Name: k.Name, Count: -1})
			}
			return err
		case k == fressian.Keyword{Name: "version"}:
			version, err = r.ReadInt()
			return err
		case k == fressian.Keyword{Name: "basisT"}:
			basis, err = r.ReadInt()
			return err
		}
		return skipUnknown(r, key)
	})
	switch {
	case err != nil:
	case version != indexVersion:
		err = unsupported("version %d of indexes, not %d", version, indexVersion)
	case len(trees) == 0:
		err = corrupt("the top map names no tree")
	}
	return trees, basis, err
}

// skipUnknown passes the value of a key that is not known. A uuid is refused:
// it may be a tree, which would be lost.
func skipUnknown(r *fressian.Reader, key any) error {
	at := r.Offset()
	kind, err := r.Peek()
	if err == nil && kind == fressian.KindUUID {
		return unsupported("the unknown key %v of the top map has a uuid at offset %d, which may be a tree", key, at)
	}
	if err == nil {
		err = r.Skip()
	}
	return err
}

// Basis returns the t of the last transaction that the trees of a top map
// have. Of what came after it only the log knows.
func (d *Dialect) Basis(id graph.ID, data []byte) (t int64, err error) {
	err = d.opened(id, data, func(o *opener) (err error) {
		_, t, err = readTop(&o.r)
		return err
	})
	return t, err
}
