package sample

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
)

// marked is what belongs to branches.
type marked struct {
	names  map[string]bool          // objects
	absent map[string]fressian.UUID // values without their object, by its name
	seen   map[*node]bool
}

// mark finds what belongs to branches: with history their commits up to the
// first, else the newest alone.
func (db *DB) mark(branches []*Branch, history bool) marked {
	m := marked{map[string]bool{}, map[string]fressian.UUID{}, map[*node]bool{}}
	for _, b := range branches {
		m.names[keyName(b.name)] = true
		commits := []*value{b.head}
		if history {
			commits = db.history(b.head)
		}
		for _, v := range commits {
			db.markValue(m, v)
		}
	}
	return m
}

func (db *DB) markValue(m marked, v *value) {
	if db.commits[v.commit] == v {
		m.names[addressName(v.commit)] = true
	}
	m.names[addressName(v.schema.address)] = true
	for i := range v.trees {
		v.trees[i].root.walk(
			func(n *node) bool { return !m.seen[n] },
			func(n *node) {
				m.seen[n] = true
				if n.filed || n.base != nil {
					m.names[addressName(n.address)] = true
				}
			})
	}
	v.eachFile(func(u fressian.UUID) {
		if db.stored[u] {
			m.names[addressName(u)] = true
		} else {
			m.absent[addressName(u)] = u
		}
	})
}

// Digests returns what the branch's newest value holds, by index: the SHA-256
// of its datoms, each encoded as a vector of its five parts, in the order of
// these bytes.
func (b *Branch) Digests() (map[string]string, error) {
	all := map[string]string{}
	for i, t := range b.head.trees {
		var lines [][]byte
		var err error
		t.root.ascend(func(*datom) bool { return true }, func(d *datom) bool {
			var line []byte
			line, err = encode(fressian.Vector{d.e, d.a.boxed, d.v, d.tx, d.added})
			lines = append(lines, slices.Clone(line))
			return err == nil
		})
		if err != nil {
			return nil, err
		}
		slices.SortFunc(lines, slices.Compare)
		h := sha256.New()
		for _, line := range lines {
			_, _ = h.Write(line)
		}
		all[indexName(i)] = hex.EncodeToString(h.Sum(nil))
	}
	return all, nil
}

// Commit returns the id of the branch's newest commit.
func (b *Branch) Commit() string { return hasch.String(b.head.commit) }
