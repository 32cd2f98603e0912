package datahike_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/forge"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// laughs is a map of 31 levels, each of which refers to the next one twice:
// some hundred bytes that name a thousand million maps.
func laughs() []byte {
	const levels = 31
	b := []byte{0xfe} // forget both caches
	for range levels {
		// A map of two entries: :a, cached; and below, :b and a reference.
		b = append(b, 0xc0, 0xe8, 0xca, 0xf7, 0xdb, 'a', 0xcd)
	}
	b = append(b, 0xc0, 0xe4)
	for i := range levels {
		b = append(b, 0xca, 0xf7, 0xdb, 'b', byte(0x80+levels-1-i))
	}
	return b
}

// TestSharedValuesAreNotExpanded: references to references are refused before
// anybody goes over what they stand for.
func TestSharedValuesAreNotExpanded(t *testing.T) {
	s := forge.New(t)
	id := s.UUID()
	rec := s.Record(id, 1, nil, map[string]fressian.Tagged{"eavt": forge.Index(s.UUID(), 1)})
	rec = slices.DeleteFunc(rec, func(e fressian.Entry) bool { return e.Key == forge.K("config") })
	for _, key := range []string{"config", "schema", "unknown"} {
		w := fressian.NewWriter()
		w.WriteMapHeader(len(rec) + 1)
		for _, e := range rec {
			require.NoError(t, w.Write(e.Key))
			require.NoError(t, w.Write(e.Value))
		}
		require.NoError(t, w.Write(forge.K(key)))
		_, err := plain.Record(datahike.AddressID(id), s.Seal(id, append(w.Bytes(), laughs()...)))
		require.ErrorIs(t, err, graph.ErrCorrupt)
		require.ErrorContains(t, err, "expand")
	}
}
