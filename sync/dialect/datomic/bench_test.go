package datomic_test

import (
	"testing"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// leaves are the leaves of the newest moment, with their size in bytes.
func leaves(b *testing.B) (source, int64) {
	s, values := backup(b, "gen3")
	size := int64(0)
	w := walk(b, datomic.New(), s, values[1708])
	for id := range s {
		if n, ok := w.nodes[id]; !ok || n.Level != graph.Leaf {
			delete(s, id)
			continue
		}
		size += int64(len(s[id]))
	}
	return s, size
}

// The sizes are those of the segments as stored.
func benchmarkLeaves(b *testing.B, do func(ref graph.Ref, data []byte) error) {
	s, size := leaves(b)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for id, data := range s {
			if err := do(graph.Ref{ID: id}, data); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	d := datomic.New()
	benchmarkLeaves(b, func(ref graph.Ref, data []byte) error {
		_, err := d.Decode(ref, data)
		return err
	})
}

func BenchmarkCheck(b *testing.B) { benchmarkLeaves(b, datomic.New().Check) }

func BenchmarkCount(b *testing.B) {
	d := datomic.New()
	benchmarkLeaves(b, func(ref graph.Ref, data []byte) error {
		_, err := d.Count(ref, data)
		return err
	})
}
