package dump

import (
	"io"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// changed is a sample with another text in its manifest.
func changed(t *testing.T, name, from, to string) *Dump {
	t.Helper()
	f := sample(t, name)
	text := regexp.MustCompile(from).ReplaceAll(f.data[ManifestName], []byte(to))
	require.NotEqual(t, string(f.data[ManifestName]), string(text))
	f.data[ManifestName] = text
	return open(t, f)
}

// TestNotAll: whoever reads a dump to its end is told if that is not all of it,
// though each chunk is sound.
func TestNotAll(t *testing.T) {
	for name, c := range map[string][2]string{
		"no chunks":      {`:chunks \[[^\]]*\]`, `:chunks []`},
		"another digest": {`:xor "..`, `:xor "00`},
		"fewer datoms":   {`:datom-count \d+`, `:datom-count 2000`},
		"a larger source": {
			`:source-datom-count \d+`, `:source-datom-count 99999`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := changed(t, sampleHistory, c[0], c[1])
			err := d.Each(t.Context(), func([]datom.Datom) error { return nil })
			require.ErrorIs(t, err, graph.ErrCorrupt)
			require.ErrorContains(t, err, ManifestName)
			err = viewOf(t, d).Scan(t.Context(), datom.Query{}, func(datom.Datom) error { return nil })
			require.ErrorIs(t, err, graph.ErrCorrupt)
			all, _ := faults(t, d)
			assert.NotEmpty(t, all)
		})
	}
}

// TestRetractionsWithoutHistory: what is true now has no retractions.
func TestRetractionsWithoutHistory(t *testing.T) {
	all, done := faults(t, changed(t, sampleHistory, `:history\? true`, `:history? false`))
	require.Len(t, all, 1)
	require.ErrorIs(t, all[0], graph.ErrCorrupt)
	assert.ErrorContains(t, all[0], chunk1)
	assert.Zero(t, done.Chunks)
}

// TestObjects: what a dump carries is handed out as it was, or not at all; what
// it does not say that it carries is kept elsewhere.
func TestObjects(t *testing.T) {
	f := sample(t, sampleRefs)
	d := open(t, f)
	id := d.Manifest.StoreRefs.Carried[0]
	in, err := viewOf(t, d).Object(t.Context(), id)
	require.NoError(t, err)
	got, err := io.ReadAll(in)
	require.NoError(t, err)
	require.NoError(t, in.Close())
	assert.Equal(t, f.data[blobName(id)], got)

	f.data[blobName(id)] = append([]byte("x"), got...)
	_, err = viewOf(t, d).Object(t.Context(), id)
	require.ErrorIs(t, err, graph.ErrCorrupt)
	delete(f.data, blobName(id))
	_, err = viewOf(t, d).Object(t.Context(), id)
	require.ErrorIs(t, err, graph.ErrCorrupt)
	require.NotErrorIs(t, err, graph.ErrNotFound)
	_, err = viewOf(t, d).Object(t.Context(), fressian.UUID{})
	require.ErrorIs(t, err, graph.ErrNotFound)
}
