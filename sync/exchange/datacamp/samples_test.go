package datacamp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/sync/codec/edn"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// samples are backups that datacamp made of databases whose stores are fixtures.
var samples = map[string]string{
	"testdata/a-default/20261121-022136-97a9ae": "a-default",
	"testdata/legacy/20261121-023842-67087d":    "z-legacy-0.6.1607",
}

const sampleDir = "testdata/a-default/20261121-022136-97a9ae"

// in opens the files of a directory.
func in(dir string) Open {
	return func(_ context.Context, path string) (io.ReadCloser, error) {
		f, err := os.Open(filepath.Join(dir, path))
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", graph.ErrNotFound, err)
		}
		return f, err
	}
}

// scanned gathers what a scan gives.
func scanned(t testing.TB, v view.View, q datom.Query) (all []datom.Datom) {
	t.Helper()
	require.NoError(t, v.Scan(t.Context(), q, func(d datom.Datom) error {
		all = append(all, d)
		return nil
	}))
	return all
}

// digest is that of the datoms of a scan.
func digest(t testing.TB, v view.View, q datom.Query) (string, int64) {
	t.Helper()
	sums := datom.NewDigest()
	defer sums.Close()
	require.NoError(t, v.Scan(t.Context(), q, sums.Add))
	sum, n, err := sums.Sum()
	require.NoError(t, err)
	return sum, n
}

// TestSamples: what datacamp wrote is sound.
func TestSamples(t *testing.T) {
	for dir, name := range samples {
		found, err := Verify(t.Context(), in(dir), 2)
		require.NoError(t, err)
		require.Empty(t, found.Faults)
		want := fixture.Expected(t, name).ByBranch[":db"].DatomsCurrent
		assert.Equal(t, want, found.Datoms)

		v, err := OpenView(t.Context(), in(dir))
		require.NoError(t, err)
		assert.Equal(t, want, v.Info().Datoms)
		assert.False(t, v.Info().History)
		require.ErrorIs(t, v.Scan(t.Context(), datom.Query{History: true}, nil), graph.ErrUnsupported)
		require.NoError(t, v.Close())
	}
}

// TestSampleLikeStore: a backup reads as the store does, in all orders.
func TestSampleLikeStore(t *testing.T) {
	theirs, err := OpenView(t.Context(), in(sampleDir))
	require.NoError(t, err)
	store := stored(t, "a-default")[":db"]
	for _, a := range theirs.Schema().Attributes {
		want := store.Schema().Attr(a.Ident)
		require.NotNil(t, want, a.Ident)
		assert.Equal(t, []any{want.ValueType, want.Unique, want.Many, want.Indexed, want.NoHistory, want.Component, want.ID},
			[]any{a.ValueType, a.Unique, a.Many, a.Indexed, a.NoHistory, a.Component, a.ID}, a.Ident)
	}
	name := fressian.Keyword{NS: "p", Name: "name"}
	entity := int64(22)
	for _, q := range []datom.Query{
		{}, {Index: datom.AEVT}, {Index: datom.AVET}, {Attr: &name}, {Index: datom.AVET, Attr: &name},
		{Entity: &entity}, {Index: datom.AEVT, Entity: &entity}, {TxFrom: 536870914, TxTo: 536870915},
	} {
		want, got := scanned(t, store, q), scanned(t, theirs, q)
		require.NotEmpty(t, want)
		same(t, untimed(want), untimed(got))
	}
	enough := errors.New("enough")
	n := 0
	require.ErrorIs(t, theirs.Scan(t.Context(), datom.Query{}, func(datom.Datom) error {
		if n++; n == 10 {
			return enough
		}
		return nil
	}), enough)
	assert.Equal(t, 10, n)
}

// untimed leaves out when the transactions were: the backup is of a database
// that was made like the fixture's, at another time.
func untimed(all []datom.Datom) []datom.Datom {
	return slices.DeleteFunc(all, func(d datom.Datom) bool { return d.A == any(keyword("db/txInstant")) })
}

// same compares datoms, and shows the first that differs.
func same(t testing.TB, want, got []datom.Datom) {
	t.Helper()
	for i := range min(len(want), len(got)) {
		require.Equal(t, text(t, want[i]), text(t, got[i]), "datom %d", i)
	}
	require.Equal(t, len(want), len(got))
}

func text(t testing.TB, d datom.Datom) string {
	t.Helper()
	line, err := datom.AppendText(nil, d)
	require.NoError(t, err)
	return string(line)
}

// TestOursLikeTheirs: of the same database, both write the same datoms, the same
// keys in the same types, and the same values where these can be the same.
func TestOursLikeTheirs(t *testing.T) {
	v := stored(t, "a-default")[":db"]
	p := newPlace()
	m, err := exporting(v, p, false, DefaultChunk).Run(t.Context())
	require.NoError(t, err)

	theirs, err := ReadManifest(t.Context(), in(sampleDir))
	require.NoError(t, err)
	require.Len(t, m.Chunks, 1)
	assert.InEpsilon(t, theirs.Size, m.Size, 0.05)
	theirs.Chunks[0].SHA256, theirs.Chunks[0].Size = m.Chunks[0].SHA256, m.Chunks[0].Size
	assert.Equal(t, theirs.Chunks, m.Chunks)
	assert.Equal(t, theirs.Datoms, m.Datoms)

	ours := Reader{Open: p.open}
	var got, want []datom.Datom
	require.NoError(t, ours.Chunk(t.Context(), m.Chunks[0], func(d datom.Datom) error { got = append(got, d); return nil }))
	their := Reader{Open: in(sampleDir)}
	sound, err := ReadManifest(t.Context(), in(sampleDir))
	require.NoError(t, err)
	require.NoError(t, their.Chunk(t.Context(), sound.Chunks[0], func(d datom.Datom) error { want = append(want, d); return nil }))
	same(t, untimed(want), untimed(got))

	for _, file := range []string{ManifestFile, CheckpointFile} {
		text, err := os.ReadFile(filepath.Join(sampleDir, file))
		require.NoError(t, err)
		likeSample(t, file, parsed(t, text), parsed(t, p.files[file]))
	}
	assert.Equal(t, Marker, string(p.files[MarkerFile]))
}

func parsed(t testing.TB, text []byte) fressian.Map {
	t.Helper()
	v, err := edn.Parse(text)
	require.NoError(t, err)
	m, ok := v.(fressian.Map)
	require.True(t, ok)
	return m
}

// mayDiffer are the keys whose values say who wrote them and when, and those
// that datacamp leaves empty.
var mayDiffer = map[string]bool{
	"_comment": true, "generated-by": true, "inspect-with": true, "backup/created-at": true, "backup-started": true,
	"backup-completed": true, "duration-seconds": true, "chunk/checksum": true, "chunk/size-bytes": true, "stats/size-bytes": true,
	"database/id": true, "datahike/version": true, "stats/tx-range": true, "checkpoint/started-at": true, "checkpoint/updated-at": true,
	"progress/completed": true, "progress/total-chunks": true, "state/completed-chunks": true, "resume/token": true,
}

// likeSample compares the values of all keys that a sample has.
func likeSample(t *testing.T, file string, want, got fressian.Map) {
	t.Helper()
	for _, e := range want {
		k, _ := e.Key.(fressian.Keyword)
		full := k.Name
		if k.NS != "" {
			full = k.NS + "/" + k.Name
		}
		v, ok := got.Get(k.NS, k.Name)
		require.True(t, ok, "%s: no :%s", file, full)
		switch w := e.Value.(type) {
		case fressian.Map:
			m, ok := v.(fressian.Map)
			require.True(t, ok, full)
			likeSample(t, file, w, m)
		case fressian.Vector:
			if full != "chunks" {
				continue
			}
			all, _ := v.(fressian.Vector)
			require.Len(t, all, len(w))
			one, _ := w[0].(fressian.Map)
			other, _ := all[0].(fressian.Map)
			likeSample(t, file, one, other)
		default:
			if !mayDiffer[full] {
				assert.Equal(t, e.Value, v, "%s: :%s", file, full)
			} else if e.Value != nil && v != nil && full != "progress/total-chunks" {
				assert.IsType(t, e.Value, v, "%s: :%s", file, full)
			}
		}
	}
}
