package datacamp

import (
	"bytes"
	"compress/gzip"
	"context"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// TestRoundTrip: every branch of every fixture, now and with its history, comes
// back with the digests that the database itself reports.
func TestRoundTrip(t *testing.T) {
	for _, name := range fixture.Names() {
		t.Run(name, func(t *testing.T) {
			for branch, v := range stored(t, name) {
				want := fixture.Expected(t, name).ByBranch[branch]
				if name == "i-attrrefs" { // whose digests are of attributes as ids
					want.CurrentSHA256, _ = digest(t, v, datom.Query{})
					want.HistorySHA256, _ = digest(t, v, datom.Query{History: true})
				}
				back := exported(t, v, false)
				sum, n := digest(t, back, datom.Query{})
				assert.Equal(t, want.CurrentSHA256, sum, branch)
				assert.Equal(t, want.DatomsCurrent, n, branch)
				if want.HistorySHA256 == "" {
					continue
				}
				back = exported(t, v, true)
				sum, n = digest(t, back, datom.Query{History: true})
				assert.Equal(t, want.HistorySHA256, sum, branch)
				assert.Equal(t, want.DatomsHistory, n, branch)
			}
		})
	}
}

// exported is what a backup in small chunks reads as.
func exported(t *testing.T, v view.View, history bool) view.View {
	t.Helper()
	p := newPlace()
	e := exporting(v, p, history, 20_000)
	var err error
	e.Schema, err = AppendSchema(nil, v.Schema(), e.Now())
	require.NoError(t, err)
	m, err := e.Run(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, m.Chunks)
	found, err := Verify(t.Context(), p.open, 2)
	require.NoError(t, err)
	require.Empty(t, found.Faults)
	back, err := OpenView(t.Context(), p.open)
	require.NoError(t, err)
	require.Len(t, back.Schema().Attributes, len(v.Schema().Attributes))
	for i, a := range v.Schema().Attributes {
		b := back.Schema().Attributes[i]
		a.Props, b.Props = nil, nil
		assert.Equal(t, a, b)
	}
	return back
}

// TestHistoryFolds: what is true now, and what was true, follows from a history.
func TestHistoryFolds(t *testing.T) {
	v := stored(t, "a-default")[":db"]
	back := exported(t, v, true)
	require.True(t, back.Info().History)
	for _, q := range []datom.Query{
		{AsOf: 536870915}, {AsOf: 536870915, Index: datom.AEVT}, {History: true, Index: datom.AEVT}, {History: true, TxFrom: 536870916},
	} {
		same(t, scanned(t, v, q), scanned(t, back, q))
	}
	var want, got []view.Transaction
	require.NoError(t, v.Log(t.Context(), 536870914, 0, func(x view.Transaction) error { want = append(want, x); return nil }))
	require.NoError(t, back.Log(t.Context(), 536870914, 0, func(x view.Transaction) error { got = append(got, x); return nil }))
	require.Len(t, got, len(want))
	for i := range want {
		same(t, want[i].Datoms, got[i].Datoms)
		assert.Equal(t, []int64{want[i].Tx, want[i].T}, []int64{got[i].Tx, got[i].T})
	}
}

// TestResume: wherever a run dies, the next goes on, makes nothing again that
// was done, and the backup is the same as one that was never interrupted.
func TestResume(t *testing.T) {
	v := stored(t, "a-default")[":db"]
	for _, history := range []bool{false, true} {
		whole := newPlace()
		m, err := exporting(v, whole, history, 30_000).Run(t.Context())
		require.NoError(t, err)
		require.Greater(t, len(m.Chunks), 3)
		died := 0
		for n := range whole.puts {
			p := newPlace()
			p.left = n
			_, err := exporting(v, p, history, 30_000).Run(t.Context())
			require.ErrorIs(t, err, errPlace)
			_, err = ReadManifest(t.Context(), p.open)
			require.ErrorIs(t, err, ErrIncomplete)
			died++

			again := p.clone()
			e := exporting(v, again, history, 30_000)
			if text, ok := p.files[CheckpointFile]; ok {
				e.Checkpoint, err = ParseCheckpoint(text)
				require.NoError(t, err)
			}
			had := len(e.Checkpoint.Done)
			_, err = e.Run(t.Context())
			require.NoError(t, err)
			// One for each new chunk and its checkpoint; first and last
			// checkpoint, and the four files at the end.
			assert.Equal(t, 2*(len(m.Chunks)-had)+6, again.puts)
			for _, c := range m.Chunks {
				assert.Equal(t, whole.files[c.Path], again.files[c.Path])
			}
			assert.Equal(t, string(whole.files[ManifestFile]), string(again.files[ManifestFile]))
			found, err := Verify(t.Context(), again.open, 1)
			require.NoError(t, err)
			require.Empty(t, found.Faults)
		}
		assert.Equal(t, 2*len(m.Chunks)+6, died)
	}
}

// TestResumeWithHole: chunks that are done behind one that is not are kept.
func TestResumeWithHole(t *testing.T) {
	v := stored(t, "a-default")[":db"]
	for _, history := range []bool{false, true} {
		p := newPlace()
		e := exporting(v, p, history, 30_000)
		m, err := e.Run(t.Context())
		require.NoError(t, err)
		again := p.clone()
		done := e.Checkpoint
		delete(done.Done, 1)
		e = exporting(v, again, history, 30_000)
		e.Checkpoint = done
		second, err := e.Run(t.Context())
		require.NoError(t, err)
		assert.Equal(t, m, second)
		assert.Equal(t, 2+6, again.puts)
	}
}

// fake is a view of a few datoms.
func fake(all ...datom.Datom) view.View {
	return view.OfStream(view.Stream{
		Info: view.Info{Kind: view.Datahike, Database: "db", MaxTx: 9, T: 9, History: false}, Schema: datom.NewSchema(nil), Sorted: true,
		Each: func(_ context.Context, fn func(datom.Datom) error) error {
			for _, d := range all {
				if err := fn(d); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// TestValues: what the format cannot hold ends the export and names itself, or
// is left out and counted; what it can comes back, lists as vectors.
func TestValues(t *testing.T) {
	k := fressian.Keyword{NS: "a", Name: "b"}
	d := func(e int64, v any) datom.Datom { return datom.Datom{E: e, A: k, V: v, Tx: 9, Added: true} }
	bad := d(2, fressian.Tagged{Tag: "x", Fields: []any{int64(1)}})
	v := fake(d(1, fressian.Vector{k, fressian.Seq{int64(1)}}), bad, d(3, fressian.Vector{fressian.Record{}}), d(4, "bad \xff"), d(5, k))

	_, err := exporting(v, newPlace(), false, DefaultChunk).Run(t.Context())
	require.ErrorIs(t, err, ErrValue)
	require.ErrorContains(t, err, "entity 2, :a/b")

	p := newPlace()
	e := exporting(v, p, false, DefaultChunk)
	var left []int64
	e.Source = NewSource(v, false, DefaultChunk, func(d datom.Datom, err error) { left = append(left, d.E) })
	m, err := e.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []int64{2, 3, 4}, left)
	assert.Equal(t, []int64{2, 3, 5}, []int64{m.Datoms, m.Skipped, m.MaxE})
	r := Reader{Open: p.open}
	var got []datom.Datom
	require.NoError(t, r.Chunk(t.Context(), m.Chunks[0], func(d datom.Datom) error { got = append(got, d); return nil }))
	assert.Equal(t, []datom.Datom{d(1, fressian.Vector{k, fressian.Vector{int64(1)}}), d(5, k)}, got)

	back, err := ReadManifest(t.Context(), p.open)
	require.NoError(t, err)
	assert.Equal(t, view.Datahike, back.Kind)
	assert.Equal(t, int64(3), back.Skipped)
}

// TestNothing: a database without datoms has a backup without chunks.
func TestNothing(t *testing.T) {
	p := newPlace()
	m, err := exporting(fake(), p, false, DefaultChunk).Run(t.Context())
	require.NoError(t, err)
	assert.Empty(t, m.Chunks)
	found, err := Verify(t.Context(), p.open, 1)
	require.NoError(t, err)
	assert.Empty(t, found.Faults)
}

// TestOnlySkipped: a chunk whose datoms are all left out is sound.
func TestOnlySkipped(t *testing.T) {
	p := newPlace()
	v := fake(datom.Datom{E: 1, A: fressian.Keyword{Name: "a"}, V: fressian.Meta{}, Tx: 1, Added: true})
	e := exporting(v, p, false, DefaultChunk)
	e.Source = NewSource(v, false, DefaultChunk, func(datom.Datom, error) {})
	_, err := e.Run(t.Context())
	require.NoError(t, err)
	found, err := Verify(t.Context(), p.open, 1)
	require.NoError(t, err)
	assert.Empty(t, found.Faults)
}

// TestStandardGzip: what other programs unpack is one Fressian value.
func TestStandardGzip(t *testing.T) {
	p := newPlace()
	m, err := exporting(stored(t, "a-default")[":db"], p, false, 40_000).Run(t.Context())
	require.NoError(t, err)
	for _, c := range m.Chunks {
		zip, err := gzip.NewReader(bytes.NewReader(p.files[c.Path]))
		require.NoError(t, err)
		raw, err := io.ReadAll(zip)
		require.NoError(t, err)
		require.NoError(t, fressian.Scan(raw))
	}
}

func TestJoinCRC(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		b := make([]byte, r.IntN(3000))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		n := r.IntN(len(b) + 1)
		got := joinCRC(crc32.ChecksumIEEE(b[:n]), crc32.ChecksumIEEE(b[n:]), int64(len(b)-n))
		require.Equal(t, crc32.ChecksumIEEE(b), got)
	}
}
