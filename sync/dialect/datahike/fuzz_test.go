package datahike_test

import (
	"errors"
	"testing"

	"github.com/rclone-datom/rclone-datom/fstest/forge"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// reported fails unless an error is of a class that the engine goes by.
func reported(t *testing.T, err error) {
	for _, known := range []error{nil, graph.ErrCorrupt, graph.ErrUnsupported, graph.ErrTooLarge, konserve.ErrNoKey, konserve.ErrKey} {
		if errors.Is(err, known) {
			return
		}
	}
	t.Fatalf("an error of no class: %v", err)
}

// FuzzDecode: no bytes make a node that does not hold what it must, and the
// two ways of reading a leaf agree.
func FuzzDecode(f *testing.F) {
	s := forge.New(f)
	key := s.UUID()
	for _, v := range []any{forge.LeafValue(2), forge.BranchValue(1, 2, s.UUID()), forge.BranchValue(3, 9, s.UUID(), s.UUID()), forge.M("schema", forge.M())} {
		f.Add(s.Serialize(v))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		id := datahike.AddressID(key)
		blob := s.In(t).Seal(key, value)
		for _, level := range []graph.Level{graph.Root, graph.Schema, graph.Leaf, 1} {
			n, err := plain.Decode(graph.Ref{ID: id, Level: level}, blob)
			reported(t, err)
			if err != nil {
				continue
			}
			for _, c := range n.Children {
				if c.Level != n.Level-1 || c.Level < graph.Leaf || len(c.ID) != 40 {
					t.Fatalf("node at level %d has child %v", n.Level, c)
				}
			}
		}
		n, _, err := plain.DecodeDeep(graph.Ref{ID: id}, blob)
		reported(t, err)
		if _, shallow := plain.Decode(graph.Ref{ID: id}, blob); err == nil && shallow != nil {
			t.Fatalf("a node of %d datoms that is none: %v", n.Count, shallow)
		}
	})
}

// FuzzBlob: the same with the bytes of the whole blob.
func FuzzBlob(f *testing.F) {
	s := forge.New(f)
	key := s.UUID()
	for _, c := range []konserve.Compressor{konserve.Uncompressed, konserve.LZ4, konserve.Zstd} {
		s.Header.Compressor = c
		f.Add(s.Seal(key, s.Serialize(forge.BranchValue(1, 2, s.UUID()))))
	}
	f.Fuzz(func(t *testing.T, blob []byte) {
		_, err := plain.Decode(graph.Ref{ID: datahike.AddressID(key), Level: graph.Root}, blob)
		reported(t, err)
	})
}

// FuzzRecord: no bytes make a record without what the engine relies on.
func FuzzRecord(f *testing.F) {
	s := forge.New(f)
	key := s.UUID()
	index := map[string]fressian.Tagged{"eavt": forge.Index(s.UUID(), 2), "aevt": forge.Index(nil, 0)}
	rec := s.Record(key, 3, s.UUID(), index, s.UUID(), forge.K("db"))
	f.Add(s.Serialize(rec))
	f.Add(s.Serialize(forge.With(rec, "eavt-root", forge.BranchValue(1, 2, s.UUID()))))
	f.Add(s.Serialize(forge.With(rec, "config", forge.Config("online-gc", forge.M("enabled?", true)))))
	f.Fuzz(func(t *testing.T, value []byte) {
		rec, err := plain.Record(datahike.AddressID(key), s.In(t).Seal(key, value))
		reported(t, err)
		if err == nil && (rec.Commit == fressian.UUID{} || len(rec.Graph.ID) != 40) {
			t.Fatalf("a record without its commit: %+v", rec)
		}
	})
}

// FuzzBranches: no bytes make heads without branches.
func FuzzBranches(f *testing.F) {
	s := forge.New(f)
	key := forge.K("branches")
	f.Add(s.Serialize(fressian.Set{forge.K("db"), forge.K("team", "x")}))
	f.Add(s.Serialize(fressian.Set{}))
	f.Fuzz(func(t *testing.T, value []byte) {
		set := graph.Held{ID: datahike.BranchesID(), Data: s.In(t).Seal(key, value)}
		h, err := plain.Parse([]graph.Held{set}, "")
		if err == nil {
			t.Fatalf("heads without a head: %v", names(h))
		}
		reported(t, err)
	})
}
