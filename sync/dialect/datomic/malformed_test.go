package datomic_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicsample"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

func key(name string) fressian.Keyword { return fressian.Keyword{Name: name} }

func tagged(tag string, fields ...any) fressian.Tagged {
	return fressian.Tagged{Tag: tag, Fields: fields}
}

// pairs makes a map of keys, keywords if they are strings, and values.
func pairs(kvs ...any) (m fressian.Map) {
	for i := 0; i < len(kvs); i += 2 {
		if s, ok := kvs[i].(string); ok {
			kvs[i] = key(s)
		}
		m = append(m, fressian.Entry{Key: kvs[i], Value: kvs[i+1]})
	}
	return m
}

var (
	uuid    = fressian.UUID{0x6b, 15: 1}
	ids     = fressian.Array{uuid, uuid}
	columns = []any{fressian.Array{"v", "w"}, []int64{1, 2}, []int32{1, 2}, []int64{1, 2}, []bool{true, false}}
	keydata = tagged("index-tdata", columns...)
	datum   = tagged("datum", true, int64(3), int64(1), int64(10), "v", int64(1000))
	tx      = pairs("id", uuid, "t", int64(1000), "data", []any{datum})
)

// with returns columns with one in place of another.
func with(i int, column any) fressian.Tagged {
	c := append([]any{}, columns...)
	c[i] = column
	return tagged("index-tdata", c...)
}

// The cases in which a node is refused, and what the error names.
func TestRefusedNodes(t *testing.T) {
	file := func(length any, chunk int64) fressian.Tagged {
		return tagged("clusterfs-root", fressian.Map{{Key: "_0.cfs", Value: pairs("base", uuid, "length", length)}}, chunk)
	}
	for _, tc := range []struct {
		name  string
		level graph.Level
		value any
		class error
		says  string
	}{
		{"a top map of another version", 3, pairs("version", int64(3), "eavt-main", uuid), graph.ErrUnsupported, "version 3"},
		{"a top map without a version", 3, pairs("eavt-main", uuid), graph.ErrUnsupported, "version -1"},
		{"a tree that is not known", 3, pairs("version", int64(2), "eavt-main", uuid, "vaet-main", uuid), graph.ErrUnsupported, "vaet-main"},
		{"a known name in a namespace", 3, pairs("version", int64(2), fressian.Keyword{NS: "x", Name: "eavt"}, uuid), graph.ErrUnsupported, "eavt"},
		{"a tree named twice", 3, pairs("version", int64(2), "eavt", uuid, "eavt", uuid), graph.ErrCorrupt, ":eavt"},
		{"a tree that is a string", 3, pairs("version", int64(2), "eavt", "6b00"), graph.ErrCorrupt, "want uuid"},
		{"no tree", 3, pairs("version", int64(2), "eavt", nil), graph.ErrCorrupt, "no tree"},
		{"no map", 3, int64(1), graph.ErrCorrupt, "want a map"},
		{"an unknown root", 2, tagged("index-root-node2", keydata, ids), graph.ErrUnsupported, `"index-root-node2" at offset 0`},
		{"a root with more fields", 2, tagged("index-root-node", keydata, ids, ids), graph.ErrUnsupported, "3 fields"},
		{"a root with a nil child", 2, tagged("index-root-node", keydata, fressian.Array{uuid, nil}), graph.ErrCorrupt, "child 1"},
		{"a root without children", 2, tagged("index-root-node", keydata, fressian.Array{}), graph.ErrCorrupt, "no children"},
		{"a root of strings", 2, tagged("index-root-node", keydata, fressian.Array{"6b"}), graph.ErrCorrupt, "want uuid"},
		{"a root where a dir should be", 1, tagged("index-root-node", keydata, ids), graph.ErrCorrupt, "level 1"},
		{"a dir where a root should be", 2, tagged("index-dir-node", keydata, ids, []int32{0, 0}, []int32{1, 1}), graph.ErrCorrupt, "level 2"},
		{"a dir with a count short", 1, tagged("index-dir-node", keydata, ids, []int32{0, 0}, []int32{1}), graph.ErrCorrupt, "1 of 2"},
		{"a dir with an empty leaf", 1, tagged("index-dir-node", keydata, ids, []int32{0, 0}, []int32{1, 0}), graph.ErrCorrupt, "0 datoms"},
		{"a dir with counts of a kind", 1, tagged("index-dir-node", keydata, ids, []int32{0, 0}, []int64{1, 1}), graph.ErrCorrupt, "[]int64"},
		{"a leaf where a dir should be", 1, keydata, graph.ErrCorrupt, "level 1"},
		{"a log of something else", 2, []any{tagged("log-dir2", int64(0), uuid)}, graph.ErrUnsupported, "log-dir2"},
		{"a log without an id", 2, []any{tagged("log-dir", int64(0), nil)}, graph.ErrCorrupt, "child 0"},
		{"a log's leaf where a dir should be", 1, []any{tx}, graph.ErrCorrupt, "want a struct"},
		{"files of negative length", 1, file(int64(-1), 54000), graph.ErrCorrupt, "-1 bytes"},
		{"files without a length", 1, file(nil, 54000), graph.ErrCorrupt, "want int"},
		{"files in chunks of nothing", 1, file(int64(1), 0), graph.ErrCorrupt, "chunks of 0"},
		{"files in chunks of less", 1, file(int64(1), math.MinInt64), graph.ErrCorrupt, "chunks of -9223372036854775808"},
		{"files too large", 1, file(int64(math.MaxInt64), 1), graph.ErrCorrupt, "9223372036854775807 chunks"},
		{"a full-text root without files", 2, tagged("search-root", pairs(int64(62), nil)), graph.ErrCorrupt, "child 0"},
		{"a node above the top", 4, pairs("version", int64(2), "eavt", uuid), graph.ErrCorrupt, "level 4"},
		{"a node of no height", graph.Root, keydata, graph.ErrCorrupt, "level r"},
		{"an unknown leaf", 0, tagged("index-tdata2", columns...), graph.ErrUnsupported, "index-tdata2"},
		{"a leaf with more fields", 0, tagged("index-tdata", append(columns, nil)...), graph.ErrUnsupported, "6 fields"},
		{"a dir where a leaf should be", 0, tagged("index-dir-node", keydata, ids, []int32{0, 0}, []int32{1, 1}), graph.ErrCorrupt, "level 0"},
		{"a log's dir where a leaf should be", 0, []any{tagged("log-dir", int64(0), uuid)}, graph.ErrCorrupt, "a struct at offset"},
		{"a leaf of the log without transactions", 0, []any{}, graph.ErrCorrupt, "without transactions"},
		{"a leaf that is a number", 0, int64(1), graph.ErrCorrupt, "want a struct"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ref := graph.Ref{ID: "the-node", Level: tc.level}
			data := datomicsample.Pack(tc.value, true)
			_, err := datomic.New().Decode(ref, data)
			require.ErrorIs(t, err, tc.class)
			require.ErrorContains(t, err, tc.says)
			require.ErrorContains(t, err, "the-node")
			require.ErrorIs(t, datomic.New().Check(ref, data), tc.class)
		})
	}
}

// What counting alone refuses: to copy a leaf its columns do not matter.
func TestRefusedLeaves(t *testing.T) {
	for _, tc := range []struct {
		name  string
		value any
		says  string
	}{
		{"no datoms", tagged("index-tdata", fressian.Array{}, []int64{}, []int32{}, []int64{}, []bool{}), "[0 0 0 0 0]"},
		{"a value short", with(0, fressian.Array{"v"}), "[1 2 2 2 2]"},
		{"an entity more", with(1, []int64{1, 2, 3}), "[2 3 2 2 2]"},
		{"a flag short", with(4, []bool{true}), "[2 2 2 2 1]"},
		{"a column of strings", with(2, fressian.Array{"a", "b"}), "field 2"},
		{"a transaction without a t", []any{pairs("id", uuid, "data", []any{datum})}, "no t"},
		{"a transaction without data", []any{pairs("id", uuid, "t", int64(1))}, "no data"},
		{"a transaction that is none", []any{tx, datum}, "want a map"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ref := graph.Ref{ID: "the-leaf"}
			data := datomicsample.Pack(tc.value, true)
			require.NoError(t, datomic.New().Check(ref, data))
			_, err := datomic.New().Count(ref, data)
			require.ErrorIs(t, err, graph.ErrCorrupt)
			require.ErrorContains(t, err, tc.says)
			require.ErrorContains(t, err, "the-leaf")
		})
	}
	_, err := datomic.New().Count(graph.Ref{ID: "a-dir", Level: 1}, datomicsample.Pack([]any{}, true))
	require.ErrorIs(t, err, graph.ErrCorrupt)
}

// TestDamage: whatever bit of a leaf flips, and wherever it is cut, it is
// noticed, unless the content is still the same.
func TestDamage(t *testing.T) {
	d := datomic.New()
	ref := graph.Ref{ID: "the-leaf"}
	for name, data := range map[string][]byte{
		"index": datomicsample.Pack(keydata, true),
		"log":   datomicsample.Pack([]any{tx}, false),
	} {
		require.NoError(t, d.Check(ref, data))
		same := 0
		for i := range data {
			_, err := d.Decode(ref, data[:i])
			require.ErrorIs(t, err, graph.ErrCorrupt, "%s cut to %d", name, i)
			for bit := range 8 {
				bad := bytes.Clone(data)
				bad[i] ^= 1 << bit
				if _, err := d.Decode(ref, bad); err == nil {
					assert.Equal(t, unpack(t, data), unpack(t, bad), "%s: bit %d of byte %d", name, bit, i)
					same++
				}
			}
		}
		assert.Less(t, same, 8*10, "such bits are those of gzip's header, and few others")
	}
}

// unpack is the judge of what a segment's content is.
func unpack(t testing.TB, data []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	content, err := io.ReadAll(z)
	require.NoError(t, err)
	return content
}

// TestFooterIsVerified where the CRC has nothing to say, and where all of a
// leaf is looked at.
func TestFooterIsVerified(t *testing.T) {
	w := fressian.NewWriter()
	require.NoError(t, w.Write(keydata))
	w.WriteFooter()
	bad := bytes.Clone(w.Bytes())
	bad[len(bad)-1] ^= 1
	ref := graph.Ref{ID: "the-leaf"}
	_, decoded := datomic.New().Decode(ref, bad)
	_, counted := datomic.New().Count(ref, pack(t, bad))
	checked := datomic.New().Check(ref, pack(t, bad))
	for _, err := range []error{decoded, counted, checked} {
		require.ErrorIs(t, err, graph.ErrCorrupt)
		require.ErrorContains(t, err, "Adler-32")
	}
}

// pack compresses with another implementation.
func pack(t testing.TB, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	require.NoError(t, err)
	_, err = w.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

func TestRefusedGzip(t *testing.T) {
	d := datomic.New()
	sound := datomicsample.Pack(keydata, true)
	long := bytes.Clone(sound)
	long[len(long)-4]++
	for name, tc := range map[string]struct {
		data  []byte
		class error
		says  string
	}{
		"nothing":            {nil, graph.ErrCorrupt, "empty"},
		"two members":        {append(bytes.Clone(sound), sound...), graph.ErrCorrupt, "deflate ends"},
		"a byte more":        {append(bytes.Clone(sound), 0), graph.ErrCorrupt, "gzip"},
		"a length that lies": {long, graph.ErrCorrupt, "gzip"},
		"a bomb":             {pack(t, make([]byte, 257<<20)), graph.ErrTooLarge, "268435456"},
		"a length beyond what deflate makes": {
			binary.LittleEndian.AppendUint32(bytes.Clone(sound[:len(sound)-4]), 100<<20), graph.ErrCorrupt, "104857600",
		},
		"another method": {[]byte("\x1f\x8b\x07\x00\x00\x00\x00\x00\x00\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), graph.ErrCorrupt, "gzip"},
		"two values":     {pack(t, []byte{1, 2}), graph.ErrCorrupt, "struct"},
	} {
		_, err := d.Decode(graph.Ref{ID: "the-leaf"}, tc.data)
		require.ErrorIs(t, err, tc.class, name)
		require.ErrorContains(t, err, tc.says, name)
	}
	// What a bomb says of itself is not believed, and it is not unpacked.
	bomb := pack(t, make([]byte, 16<<20))
	copy(bomb[len(bomb)-4:], []byte{10, 0, 0, 0})
	allocated := testing.AllocsPerRun(1, func() {
		_, err := d.Decode(graph.Ref{ID: "the-leaf"}, bomb)
		require.ErrorIs(t, err, graph.ErrCorrupt)
	})
	assert.Less(t, allocated, 100.0)
}

// TestTrailing: behind an inner node, too, nothing may follow.
func TestTrailing(t *testing.T) {
	data := unhex(t, "e4 e4")
	_, err := datomic.New().Decode(graph.Ref{ID: "a-dir", Level: 1}, data)
	require.ErrorIs(t, err, graph.ErrCorrupt)
	require.ErrorContains(t, err, "offset 1")
}
