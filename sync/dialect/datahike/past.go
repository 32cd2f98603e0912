package datahike

import (
	"crypto/sha3"
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// mainBranch is the branch that a database begins with.
var mainBranch = fressian.Keyword{Name: "db"}

// At returns what the store's heads would be if it had one branch alone and
// that stood at a commit, whose object is id and holds data. An empty branch
// means the one that the commit itself names, or else the main one.
//
// A head is a record under the branch's name instead of the commit's id; of
// what it says only the name of the branch may have to change. The same commit
// gives the same bytes each time.
func (d *Dialect) At(heads *Heads, id graph.ID, data []byte, branch string) (*Heads, error) {
	blob, err := d.open(id, data)
	if err != nil {
		return nil, err
	}
	v, err := fressian.Decode(blob.Value)
	if err != nil {
		return nil, describe(id, err)
	}
	rec, ok := v.(fressian.Map)
	if !ok {
		return nil, describe(id, corrupt("it holds no record"))
	}
	was, stated := statedBranch(rec)
	name := keyword(branch)
	if branch == "" {
		if name = was; !stated {
			name = keyword(heads.Main().Name)
		}
	}
	value := blob.Value
	if !stated {
		was = mainBranch // as Datahike takes it
	}
	if was != name {
		w := fressian.NewWriter()
		if err := w.Write(withBranch(rec, name)); err != nil {
			return nil, describe(id, err)
		}
		value = w.Bytes()
	}
	meta := konserve.Meta{Key: name, Type: konserve.TypeEDN, LastWrite: blob.Meta.LastWrite}
	salt := sha3.NewSHAKE256() // see branchSet
	_, _ = salt.Write(data)    // never fails
	head, err := d.codec.Seal(blob.Header, meta, value, salt)
	if err != nil {
		return nil, describe(id, err)
	}
	set, err := d.branchSet(heads.Set.Data, display(name))
	if err != nil {
		return nil, err
	}
	return d.Parse([]graph.Held{{ID: KeyID(name), Data: head}, {ID: BranchesID(), Data: set}}, "")
}

// statedBranch is the branch for which a record was written.
func statedBranch(rec fressian.Map) (fressian.Keyword, bool) {
	config, _ := rec.Get("", "config")
	m, _ := config.(fressian.Map)
	v, _ := m.Get("", "branch")
	name, ok := v.(fressian.Keyword)
	return name, ok
}

// withBranch is a record for another branch.
func withBranch(rec fressian.Map, name fressian.Keyword) fressian.Map {
	config, _ := rec.Get("", "config")
	m, _ := config.(fressian.Map)
	return set(rec, "config", set(m, "branch", name))
}

// set returns a copy of m with another value under a keyword.
func set(m fressian.Map, name string, v any) fressian.Map {
	key := fressian.Keyword{Name: name}
	m = slices.Clone(m)
	for i := range m {
		if m[i].Key == any(key) {
			m[i].Value = v
			return m
		}
	}
	return append(m, fressian.Entry{Key: key, Value: v})
}
