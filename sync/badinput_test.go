package dbsync_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/pierrec/lz4/v4"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/forge"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/konserve"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

var plain = konserve.Header{Serializer: konserve.Fressian}

// badInput is a database whose second generation is not what it must be.
type badInput struct {
	name  string
	spoil func(t *testing.T, d *database)
	want  error
	// names is the object that the message must name, as a word or a text.
	names string
	// memory bounds what the run may allocate, in bytes; 0 is no bound.
	memory uint64
}

// cutting returns the cases of each kind of object cut, emptied, or damaged
// in its header.
func cutting() (all []badInput) {
	for _, word := range []string{"leaf", "inner", "root", "schema", "commit", "head", "branches"} {
		gone := graph.ErrNotFound // what is too short counts as absent
		if word != "commit" {     // see TestCommitIsGone
			all = append(all, badInput{word + " missing", func(t *testing.T, d *database) {
				require.NoError(t, os.Remove(filepath.Join(d.Dir, d.what[word])))
			}, gone, word, 0}, badInput{word + " empty", func(_ *testing.T, d *database) { d.Write(d.what[word], nil) }, gone, word, 0},
				badInput{word + " cut in the header", func(_ *testing.T, d *database) {
					d.change(word, func(b []byte) []byte { return b[:19] })
				}, gone, word, 0})
		}
		all = append(all,
			badInput{word + " cut in the metadata", func(_ *testing.T, d *database) {
				d.change(word, func(b []byte) []byte { return b[:40] })
			}, graph.ErrCorrupt, word, 0},
			badInput{word + " without its value", func(_ *testing.T, d *database) {
				d.change(word, func(b []byte) []byte { return b[:20+binary.BigEndian.Uint32(b[4:])] })
			}, graph.ErrCorrupt, word, 0},
			badInput{word + " cut by a byte", func(_ *testing.T, d *database) {
				d.change(word, func(b []byte) []byte { return b[:len(b)-1] })
			}, graph.ErrCorrupt, word, 0},
			badInput{word + " with a byte too many", func(_ *testing.T, d *database) {
				d.change(word, func(b []byte) []byte { return append(b, 0) })
			}, graph.ErrCorrupt, word, 0},
			badInput{word + " of zeros", func(_ *testing.T, d *database) {
				d.change(word, func(b []byte) []byte { return make([]byte, len(b)) })
			}, graph.ErrUnsupported, word, 0},
			badInput{word + " flipped in its key", func(_ *testing.T, d *database) {
				d.change(word, func(b []byte) []byte { b[d.keyAt(word, b)] ^= 1; return b })
			}, graph.ErrCorrupt, word, 0},
			badInput{word + " with metadata of 4 GiB", func(_ *testing.T, d *database) {
				d.change(word, func(b []byte) []byte { copy(b[4:], "\xff\xff\xff\xff"); return b })
			}, graph.ErrCorrupt, word, 1 << 26},
			badInput{word + " too large", func(t *testing.T, d *database) {
				require.NoError(t, os.Truncate(filepath.Join(d.Dir, d.what[word]), store.MaxSize+1))
			}, graph.ErrTooLarge, word, 1 << 26},
			badInput{word + " under another's name", func(_ *testing.T, d *database) {
				d.Write(d.what[word], d.Read(d.name("a")))
			}, graph.ErrCorrupt, word, 0},
		)
	}
	return all
}

// header returns the cases of headers that are not read here.
func header() (all []badInput) {
	set := func(at int, v byte) func(*testing.T, *database) {
		return func(_ *testing.T, d *database) {
			d.change("inner", func(b []byte) []byte { b[at] = v; return b })
		}
	}
	return []badInput{
		{"version 2", set(0, 2), graph.ErrUnsupported, "inner", 0},
		{"serializer string", set(1, 0), graph.ErrUnsupported, "inner", 0},
		{"serializer clj-cbor", set(1, 2), graph.ErrUnsupported, "inner", 0},
		{"serializer boring", set(1, 3), graph.ErrUnsupported, "inner", 0},
		{"serializer unknown", set(1, 9), graph.ErrUnsupported, "inner", 0},
		{"compressor unknown", set(2, 9), graph.ErrUnsupported, "inner", 0},
		{"compressor that it is not", set(2, 1), graph.ErrCorrupt, "inner", 0},
		{"encryptor unknown", set(3, 9), graph.ErrUnsupported, "inner", 0},
		{"encryptor without key", set(3, 1), konserve.ErrNoKey, "inner", 0},
	}
}

// meaning returns the cases of sound blobs that mean what is not known here.
func meaning() []badInput {
	put := func(word string, v func(d *database) any) func(*testing.T, *database) {
		return func(_ *testing.T, d *database) { d.Put(d.key[word], v(d)) }
	}
	record := func(entries ...any) func(*testing.T, *database) {
		return func(_ *testing.T, d *database) { d.rerecord(entries...) }
	}
	id := func(d *database, word string) fressian.UUID { u, _ := d.key[word].(fressian.UUID); return u }
	slots := func(slots fressian.Map) func(*testing.T, *database) {
		return put("inner", func(d *database) any {
			v := forge.BranchValue(1, 4, id(d, "leaf"))
			v.Fields[0] = forge.With(v.Fields[0].(fressian.Map), "slots", slots)
			return v
		})
	}
	return []badInput{
		{"a node of an unknown tag", put("inner", func(*database) any { return forge.Tag("pss/twig", forge.M()) }), graph.ErrUnsupported, "inner", 0},
		{"a node that is no struct", put("inner", func(*database) any { return forge.M("level", int64(1)) }), graph.ErrCorrupt, "inner", 0},
		{"a node without children", put("inner", func(*database) any { return forge.BranchValue(1, 0) }), graph.ErrCorrupt, "inner", 0},
		{"a child without address", put("inner", func(*database) any {
			return forge.Tag("pss/branch", forge.M("level", int64(1), "addresses", []any{nil}))
		}), graph.ErrCorrupt, "inner", 0},
		{"an address that is no uuid", put("inner", func(*database) any {
			return forge.Tag("pss/branch", forge.M("level", int64(1), "addresses", []any{"x"}))
		}), graph.ErrCorrupt, "inner", 0},
		{"slots by name", slots(forge.M("diff", forge.M())), graph.ErrCorrupt, "inner", 0},
		{"a slot of a child that is not there", slots(slot(7, "diff", forge.M())), graph.ErrCorrupt, "inner", 0},
		{"a slot without edits", slots(slot(0, "count", int64(1))), graph.ErrCorrupt, "inner", 0},
		{"a slot that says more", slots(slot(0, "diff", forge.M(), "moved", int64(1))), graph.ErrUnsupported, "inner", 0},
		{"edits of an unknown kind", slots(slot(0, "diff", forge.M("replaced", []any{}))), graph.ErrUnsupported, "inner", 0},
		{"a level too high", put("inner", func(d *database) any { return forge.BranchValue(5, 4, id(d, "leaf")) }), graph.ErrCorrupt, "inner", 0},
		{"a level below zero", put("inner", func(d *database) any { return forge.BranchValue(-1, 4, id(d, "leaf")) }), graph.ErrCorrupt, "inner", 0},
		{"a level beyond all", put("root", func(d *database) any { return forge.BranchValue(1<<40, 4, id(d, "inner")) }), graph.ErrCorrupt, "root", 0},
		{"a leaf where an inner node should be", put("inner", func(*database) any { return forge.LeafValue(1) }), graph.ErrCorrupt, "inner", 0},
		{"an inner node where a leaf should be", put("leaf", func(d *database) any { return forge.BranchValue(1, 1, d.old["a"]) }), graph.ErrCorrupt, "leaf", 0},
		{"a node that is its own child", put("inner", func(d *database) any { return forge.BranchValue(1, 1, id(d, "inner")) }), graph.ErrCorrupt, "inner", 0},
		{"a cycle of nodes", put("inner", func(d *database) any { return forge.BranchValue(1, 1, id(d, "root")) }), graph.ErrCorrupt, "root", 0},
		{"an address that names nothing", put("inner", func(*database) any { return forge.BranchValue(1, 1, fressian.UUID{1}) }), graph.ErrNotFound, "2da566ef", 0},
		{"a schema that is no map", put("schema", func(*database) any { return "schema" }), graph.ErrCorrupt, "schema", 0},
		{"nesting 10,000 deep", func(_ *testing.T, d *database) {
			b := append(bytes.Repeat([]byte{0xe5}, 10_000), 0xe4)
			d.Write(d.what["leaf"], d.Seal(d.key["leaf"], b))
		}, graph.ErrCorrupt, "leaf", 1 << 26},
		{"a list of 4 GiB", func(_ *testing.T, d *database) {
			w := fressian.NewWriter()
			_ = w.WriteStruct("pss/branch", 1)
			w.WriteListHeader(1 << 32)
			d.Write(d.what["inner"], d.Seal(d.key["inner"], w.Bytes()))
		}, graph.ErrCorrupt, "inner", 1 << 26},

		{"an unknown type of index", record("eavt-key", forge.Tag("hitchhiker/tree", forge.M())), graph.ErrUnsupported, "head", 0},
		{"an index that is not known", record("vaet-key", forge.Index(fressian.UUID{2}, 1)), graph.ErrUnsupported, "head", 0},
		{"the hitchhiker tree", record("config", forge.Config("index", forge.K("datahike.index", "hitchhiker-tree"))), graph.ErrUnsupported, "head", 0},
		{"secondary indexes", record("secondary-index-keys", forge.M("text", fressian.UUID{3})), graph.ErrUnsupported, "head", 0},
		{"online gc", record("config", forge.Config("online-gc", forge.M("enabled?", true))), graph.ErrUnsupported, ":online-gc", 0},
		{"no index", record("eavt-key", nil, "aevt-key", nil), graph.ErrCorrupt, "head", 0},
		{"no commit id", record("meta", forge.M()), graph.ErrCorrupt, "head", 0},
		{"a schema key that is no uuid", record("schema-meta-key", "x"), graph.ErrCorrupt, "head", 0},
		{"a root without address", record("eavt-key", forge.Index(nil, 9)), graph.ErrCorrupt, "head", 0},
		{"a head that is no map", put("head", func(*database) any { return int64(1) }), graph.ErrCorrupt, "head", 0},
		{"no branch", put("branches", func(*database) any { return fressian.Set{} }), graph.ErrCorrupt, "branches", 0},
		{"a branch that is no keyword", put("branches", func(*database) any { return fressian.Set{"db"} }), graph.ErrCorrupt, "branches", 0},
		{"branches that are no set", put("branches", func(*database) any { return "db" }), graph.ErrCorrupt, "branches", 0},
		{"a branch without head", put("branches", func(*database) any { return fressian.Set{forge.K("db"), forge.K("dev")} }), graph.ErrNotFound, ":dev", 0},
		{"a commit among its own ancestors", func(_ *testing.T, d *database) {
			loop := d.UUID()
			d.Put(loop, d.Record(loop, 1, nil, d.indexes(d.old["root"], 6), id(d, "commit")))
			meta, _ := d.Record(id(d, "commit"), 2, nil, nil, loop).Get("", "meta")
			d.rerecord("meta", meta)
		}, graph.ErrCorrupt, "cycle", 0},
	}
}

// slot is the pending edits of one child.
func slot(child int64, entries ...any) fressian.Map {
	return fressian.Map{{Key: child, Value: forge.M(entries...)}}
}

// bombs returns the cases of compressed blobs that outgrow every limit.
func bombs() (all []badInput) {
	for _, c := range []konserve.Compressor{konserve.LZ4, konserve.Zstd} {
		all = append(all, badInput{"bomb " + c.String(), func(t *testing.T, d *database) {
			b := bomb(t, d, c)
			d.Write(d.what["leaf"], b)
		}, graph.ErrTooLarge, "leaf", 1200 << 20})
	}
	return all
}

// bomb is a small blob whose value is larger than any may be.
func bomb(t *testing.T, d *database, c konserve.Compressor) []byte {
	big := make([]byte, konserve.DefaultMaxPlain+1)
	if c == konserve.Zstd {
		h := d.Header
		d.Header.Compressor = c
		defer func() { d.Header = h }()
		return d.Seal(d.key["leaf"], big)
	}
	h := d.Header
	d.Header.Compressor = c
	small := d.Seal(d.key["leaf"], nil)
	d.Header = h
	var out bytes.Buffer
	w := lz4.NewWriter(&out)
	_, err := w.Write(big)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return append(small[:20+binary.BigEndian.Uint32(small[4:])], out.Bytes()...)
}

// TestBadInput: whatever is wrong with a database ends a backup with an error
// that says what and where, that no retry is wasted on, and that leaves the
// destination as it was: over an earlier point, and over nothing.
func TestBadInput(t *testing.T) {
	d := first(t, plain, "")
	before := t.TempDir()
	_, err := d.backup(t, before)
	require.NoError(t, err)
	d.second()
	_, err = d.backup(t, t.TempDir())
	require.NoError(t, err, "what is not spoilt is accepted")

	for _, cases := range [][]badInput{cutting(), header(), meaning(), bombs()} {
		for _, tc := range cases {
			t.Run(tc.name, func(t *testing.T) {
				t.Parallel()
				tc.run(t, d, before)
			})
		}
	}
}

func (tc badInput) run(t *testing.T, sound *database, before string) {
	d := *sound
	d.Store = sound.Clone(t)
	tc.spoil(t, &d)
	dst := t.TempDir()
	require.NoError(t, os.CopyFS(dst, os.DirFS(before)))
	for _, dst := range []string{dst, t.TempDir()} {
		had, pointsHad := files(t, dst), points(t, dst)
		_, err := d.backup(t, dst)
		require.ErrorIs(t, err, tc.want)
		names := tc.names
		if id, ok := d.what[names]; ok {
			names = id
		}
		assert.ErrorContains(t, err, names)
		assert.True(t, fserrors.IsNoRetryError(err), "a retry would be wasted: %v", err)
		untouched(t, had, files(t, dst))
		assert.Equal(t, pointsHad, points(t, dst))
	}
}

// TestBadInputInLittleMemory: a length that claims gigabytes, deep nesting
// and a bomb are refused before they cost what they claim.
func TestBadInputInLittleMemory(t *testing.T) {
	d := first(t, plain, "")
	d.second()
	for _, cases := range [][]badInput{cutting(), meaning(), bombs()} {
		for _, tc := range cases {
			if tc.memory == 0 {
				continue
			}
			t.Run(tc.name, func(t *testing.T) {
				c := *d
				c.Store = d.Clone(t)
				tc.spoil(t, &c)
				dst := t.TempDir()
				var start, end runtime.MemStats
				runtime.ReadMemStats(&start)
				_, err := c.backup(t, dst)
				runtime.ReadMemStats(&end)
				require.ErrorIs(t, err, tc.want)
				assert.Less(t, end.TotalAlloc-start.TotalAlloc, tc.memory)
			})
		}
	}
}

func TestBadKey(t *testing.T) {
	aes := konserve.Header{Serializer: konserve.Fressian, Encryptor: konserve.AES}
	d := first(t, aes, "right")
	d.second()
	_, err := d.backup(t, t.TempDir())
	require.NoError(t, err)
	for key, want := range map[string]error{"": konserve.ErrNoKey, "wrong": konserve.ErrKey} {
		dst := t.TempDir()
		_, err := dbsync.Backup(t.Context(), d.source(t, key), local(t, dst), dbsync.BackupOptions{})
		require.ErrorIs(t, err, want, "key %q", key)
		assert.ErrorContains(t, err, d.what["branches"])
		assert.ErrorContains(t, err, "--datahike-encryption-key")
		assert.NotContains(t, err.Error(), "wrong\"")
		assert.True(t, fserrors.IsNoRetryError(err), "a retry would be wasted: %v", err)
		assert.Empty(t, files(t, dst))
	}
}
