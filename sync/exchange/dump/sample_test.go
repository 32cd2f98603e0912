package dump

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/datom"
)

func each(t *testing.T, do func(t *testing.T, f *files)) {
	for _, name := range []string{sampleCurrent, sampleHistory, sampleRefs} {
		t.Run(name, func(t *testing.T) { do(t, sample(t, name)) })
	}
}

// TestSamplesSound: what Datahike wrote is as we think that it must be.
func TestSamplesSound(t *testing.T) {
	each(t, func(t *testing.T, f *files) {
		d := open(t, f)
		all, done := faults(t, d)
		assert.Empty(t, all)
		assert.True(t, done.Ordered)
		assert.Equal(t, d.Manifest.Stats.Datoms, done.Datoms)
		assert.EqualValues(t, len(f.data)-2, done.Blobs)
	})
}

// TestSameBytes: each record that Datahike wrote, encoded anew, has the same
// bytes.
func TestSameBytes(t *testing.T) {
	each(t, func(t *testing.T, f *files) {
		z, err := gzip.NewReader(bytes.NewReader(f.data["datoms-000001.cbor.gz"]))
		require.NoError(t, err)
		raw, err := io.ReadAll(z)
		require.NoError(t, err)
		var got []byte
		for _, r := range records(t, open(t, f)) {
			line, err := (&liner{}).append(nil, r)
			require.NoError(t, err)
			from := len(got)
			got, _, _ = appendRecord(got, line)
			require.Equal(t, raw[from:len(got)], got[from:], "%v", r)
		}
		assert.Equal(t, len(raw), len(got))
	})
}

// TestWriteAgain: of the datoms of a dump, in any order and twice, the same
// dump is made: the same records in the same order, and the same manifest.
func TestWriteAgain(t *testing.T) {
	each(t, func(t *testing.T, f *files) {
		d := open(t, f)
		all := records(t, d)
		all = append(all, all...)
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		want := d.Manifest
		m := &Manifest{History: want.History, Meta: want.Meta, Config: want.Config, Schema: want.Schema, Stats: Stats{MaxE: want.Stats.MaxE}}
		to := newFiles()
		v := viewOf(t, d)
		require.NoError(t, Write(t.Context(), list(all), m, to, Options{Blob: v.Object, memory: 10_000}))
		assert.Equal(t, ManifestName, to.names[len(to.names)-1])

		again := open(t, to)
		found, done := faults(t, again)
		assert.Empty(t, found)
		assert.True(t, done.Ordered)
		got := again.Manifest
		got.Chunks[0].Bytes = want.Chunks[0].Bytes // compressors differ
		assert.Equal(t, want, got)
		for name, data := range f.data {
			if name != ManifestName && name != want.Chunks[0].File {
				assert.Equal(t, data, to.data[name], name)
			}
		}
	})
}

func lines(t *testing.T, v *View, q datom.Query) (all []string) {
	t.Helper()
	require.NoError(t, v.Scan(t.Context(), q, func(d datom.Datom) error {
		text, err := datom.AppendText(nil, d)
		all = append(all, string(text))
		return err
	}))
	return all
}

// TestViewOfHistory: the current datoms follow from a history, as the database
// had them.
func TestViewOfHistory(t *testing.T) {
	v, current := viewOf(t, open(t, sample(t, sampleHistory))), viewOf(t, open(t, sample(t, sampleCurrent)))
	want := lines(t, current, datom.Query{})
	assert.Len(t, want, 2079)
	assert.Equal(t, want, lines(t, v, datom.Query{}))
	assert.Len(t, lines(t, v, datom.Query{History: true}), 2331)
	assert.Equal(t, lines(t, current, datom.Query{Index: datom.AVET}), lines(t, v, datom.Query{Index: datom.AVET}))

	n := 0
	require.NoError(t, v.Unsorted(t.Context(), false, func(some []datom.Datom) error { n += len(some); return nil }))
	assert.Equal(t, 2079, n)
	require.Error(t, current.Unsorted(t.Context(), true, func([]datom.Datom) error { return nil }))
}

func TestViewSchema(t *testing.T) {
	v := viewOf(t, open(t, sample(t, sampleHistory)))
	name := v.Schema().Attr(kw("p", "name"))
	require.NotNil(t, name)
	assert.Equal(t, kw("db.unique", "identity"), name.Unique)
	assert.False(t, name.System)
	assert.True(t, v.Schema().Attr(kw("p", "tags")).Many)
	at := v.Schema().Attr(kw("db", "txInstant"))
	assert.True(t, at.System)
	assert.True(t, at.NoHistory)
	info := v.Info()
	assert.Equal(t, "17a5e91b-a381-4f6e-9043-67388f4d871a", info.Database)
	assert.EqualValues(t, 9, info.T)
	assert.EqualValues(t, 166, info.MaxE)
}

// TestManyChunks: chunks are cut by records and by bytes, and keep the order.
func TestManyChunks(t *testing.T) {
	for _, opt := range []Options{{Records: 100, Uploads: 3}, {RawBytes: 5000}, {Records: 1_000_000, memory: 1}} {
		d := open(t, sample(t, sampleHistory))
		all := records(t, d)
		to := newFiles()
		require.NoError(t, Write(t.Context(), list(all), &Manifest{History: true}, to, opt))
		again := open(t, to)
		assert.Equal(t, all, records(t, again))
		found, done := faults(t, again)
		assert.Empty(t, found)
		assert.True(t, done.Ordered)
		n := int64(len(all))
		switch {
		case opt.Records == 100:
			assert.Len(t, again.Manifest.Chunks, 24)
		case opt.RawBytes > 0:
			assert.Greater(t, len(again.Manifest.Chunks), 10)
		}
		assert.Equal(t, Stats{Datoms: n, Source: n, MaxE: 166, MaxTx: tx0 + 9}, again.Manifest.Stats)
		assert.True(t, slices.IsSortedFunc(again.Manifest.Chunks, func(a, b Chunk) int { return bytes.Compare([]byte(a.File), []byte(b.File)) }))
	}
}

// TestEmpty: a database without datoms has a dump without chunks.
func TestEmpty(t *testing.T) {
	to := newFiles()
	require.NoError(t, Write(t.Context(), list{{E: 1, A: kw("", "a"), V: int64(1), Tx: tx0}}, &Manifest{}, to, Options{}))
	assert.Equal(t, []string{ManifestName}, to.names)
	found, done := faults(t, open(t, to))
	assert.Empty(t, found)
	assert.Zero(t, done.Datoms)
}

// TestWriteFails: a file that does not appear ends it before the manifest does.
func TestWriteFails(t *testing.T) {
	for n := 1; n <= 4; n++ {
		to := newFiles()
		failed := fmt.Errorf("no room")
		to.drop = func(name string) error {
			if name == fmt.Sprintf("datoms-%06d.cbor.gz", n) {
				return failed
			}
			return nil
		}
		all := records(t, open(t, sample(t, sampleHistory)))
		err := Write(t.Context(), list(all), &Manifest{}, to, Options{Records: 700, Uploads: 2})
		require.ErrorIs(t, err, failed)
		assert.NotContains(t, to.names, ManifestName)
	}
}
