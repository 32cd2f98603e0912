package dbsync_test

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fault"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/exchange/datacamp"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

func asDatacamp(history bool) dbsync.ExportOptions {
	return dbsync.ExportOptions{Format: "datacamp", History: history, ChunkSize: 30_000, Parallel: 2}
}

// TestDatacampExport: what is exported reads as the database did, from wherever
// it is named, and is sound.
func TestDatacampExport(t *testing.T) {
	for _, name := range []string{"a-default", "b-nohist", "k-diffbuf", "z-legacy-0.6.1607"} {
		want, dir := fixture.Expected(t, name).ByBranch[":db"], t.TempDir()
		src := fixtureView(t, name)
		history := src.Info().History
		rep, err := dbsync.Export(t.Context(), src, local(t, dir), asDatacamp(history))
		require.NoError(t, err)
		assert.Zero(t, rep.Resumed)
		require.Greater(t, rep.Chunks, int64(2))
		require.Equal(t, src.Info().Database, path.Dir(rep.Path))
		for _, at := range []string{"", path.Dir(rep.Path), rep.Path} {
			f := local(t, filepath.Join(dir, at))
			found, err := dbsync.VerifyForeign(t.Context(), f, dbsync.ForeignOptions{})
			require.NoError(t, err)
			assert.Equal(t, []any{"datacamp", rep.Datoms, rep.Chunks, rep.Bytes, rep.Path},
				[]any{found.Format, found.Datoms, found.Chunks, found.Bytes, path.Join(at, found.Path)})
			back := opened(t, f)
			assert.Equal(t, src.Info().Database, back.Info().Database)
			got, n := digestOf(t, back, false)
			assert.Equal(t, want.DatomsCurrent, n)
			if name != "z-legacy-0.6.1607" { // whose history lacks the times at which identities were asserted anew
				assert.Equal(t, want.CurrentSHA256, got)
			}
			if history {
				got, n = digestOf(t, back, true)
				assert.Equal(t, want.HistorySHA256, got)
				assert.Equal(t, want.DatomsHistory, n)
				assert.Equal(t, n, rep.Datoms)
			}
		}
	}
}

// digestOf is that of all datoms of a view.
func digestOf(t *testing.T, v view.View, history bool) (string, int64) {
	t.Helper()
	d := datom.NewDigest()
	defer d.Close()
	require.NoError(t, v.Scan(t.Context(), datom.Query{History: history}, d.Add))
	hex, n, err := d.Sum()
	require.NoError(t, err)
	return hex, n
}

// TestDatacampKilled: wherever an export dies, there is no complete backup, and
// the same command goes on in the same directory without sending again what is
// there.
func TestDatacampKilled(t *testing.T) {
	src := fixtureView(t, "a-default")
	whole := fault.New(local(t, t.TempDir()), fault.Options{})
	all, err := dbsync.Export(t.Context(), src, whole, asDatacamp(false))
	require.NoError(t, err)
	puts := whole.Count(writes)
	require.Greater(t, puts, 10)
	for n := 1; n <= puts; n++ {
		for _, mode := range []fault.Mode{fault.Before, fault.After} {
			dir := t.TempDir()
			f := fault.New(local(t, dir), fault.Options{})
			f.Inject(fault.Rule{N: n, Mode: mode, Dead: true, Match: writes})
			_, err := dbsync.Export(t.Context(), src, f, asDatacamp(false))
			require.Error(t, err, "%d %v", n, mode)

			again := fault.New(local(t, dir), fault.Options{})
			rep, err := dbsync.Export(t.Context(), src, again, asDatacamp(false))
			require.NoError(t, err, "%d %v", n, mode)
			require.Equal(t, rep.Chunks-rep.Resumed, int64(again.Count(fault.On(fault.Put, rep.Path+"/chunks/"))), "%d %v", n, mode)
			found, err := dbsync.VerifyForeign(t.Context(), local(t, dir), dbsync.ForeignOptions{})
			require.NoError(t, err)
			require.Equal(t, all.Datoms, found.Datoms)
		}
	}
}

func writes(c fault.Call) bool { return c.Op == fault.Put || c.Op == fault.Update }

// TestDatacampChoices: which backup is gone on with, and which is opened.
func TestDatacampChoices(t *testing.T) {
	dir := t.TempDir()
	a, b := fixtureView(t, "h-gen1"), fixtureView(t, "h-gen2")
	first, err := dbsync.Export(t.Context(), a, local(t, dir), asDatacamp(false))
	require.NoError(t, err)
	unmark := func(p string) { require.NoError(t, os.Remove(filepath.Join(dir, p, datacamp.MarkerFile))) }

	unmark(first.Path)
	_, err = dbsync.OpenView(t.Context(), local(t, dir), dbsync.ViewOptions{})
	require.ErrorIs(t, err, datacamp.ErrIncomplete)
	second, err := dbsync.Export(t.Context(), b, local(t, dir), asDatacamp(false))
	require.NoError(t, err)
	require.NotEqual(t, first.Path, second.Path, "another value does not go on with it")
	assert.Zero(t, second.Resumed)

	opt := asDatacamp(false)
	opt.ChunkSize *= 2
	third, err := dbsync.Export(t.Context(), a, local(t, dir), opt)
	require.NoError(t, err)
	require.NotEqual(t, first.Path, third.Path, "nor do other chunks")

	require.NoError(t, os.Remove(filepath.Join(dir, first.Path, "chunks", "datoms-0.fressian.gz")))
	again, err := dbsync.Export(t.Context(), a, local(t, dir), asDatacamp(false))
	require.NoError(t, err)
	assert.Equal(t, first.Path, again.Path)
	assert.Equal(t, first.Chunks-1, again.Resumed, "what somebody has taken away is made again")

	found, err := dbsync.VerifyForeign(t.Context(), local(t, dir), dbsync.ForeignOptions{At: path.Base(second.Path)})
	require.NoError(t, err)
	assert.Equal(t, second.Datoms, found.Datoms)
	for _, r := range []*dbsync.ExportReport{first, second, third} {
		unmark(r.Path)
	}
	_, err = dbsync.VerifyForeign(t.Context(), local(t, dir), dbsync.ForeignOptions{})
	require.ErrorIs(t, err, datacamp.ErrIncomplete)
}

// TestForeignFaults: what is wrong is named, and what is no export is told apart.
func TestForeignFaults(t *testing.T) {
	dir := t.TempDir()
	_, err := dbsync.VerifyForeign(t.Context(), local(t, dir), dbsync.ForeignOptions{})
	require.ErrorIs(t, err, dbsync.ErrNotForeign)
	_, native := both(t)
	_, err = dbsync.VerifyForeign(t.Context(), local(t, native), dbsync.ForeignOptions{})
	require.ErrorIs(t, err, dbsync.ErrNotForeign)

	rep, err := dbsync.Export(t.Context(), fixtureView(t, "a-default"), local(t, dir), asDatacamp(false))
	require.NoError(t, err)
	for _, h := range harms {
		name := path.Join(rep.Path, "chunks", "datoms-1.fressian.gz")
		before, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		h.on(t, dir, name)
		found, err := dbsync.VerifyForeign(t.Context(), local(t, dir), dbsync.ForeignOptions{})
		require.ErrorIs(t, err, dbsync.ErrFaults, h.name)
		require.Len(t, found.Faults, 1)
		assert.Equal(t, "chunks/datoms-1.fressian.gz", found.Faults[0].ID)
		assert.Equal(t, rep.Chunks-1, found.Chunks)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), before, 0o600))
	}
	other := filepath.Join(dir, "another", strings.Repeat("0", 8)+"-000000-abcdef")
	require.NoError(t, os.MkdirAll(other, 0o700))
	_, err = dbsync.VerifyForeign(t.Context(), local(t, dir), dbsync.ForeignOptions{})
	require.ErrorContains(t, err, "2 databases")

	_, err = dbsync.VerifyForeign(t.Context(), local(t, filepath.Join(dir, path.Dir(rep.Path))), dbsync.ForeignOptions{At: "20000101-000000-000000"})
	require.Error(t, err)

	clean := t.TempDir()
	_, err = dbsync.Export(t.Context(), fixtureView(t, "a-default"), local(t, clean), asDump(false))
	require.NoError(t, err)
	found, err := dbsync.VerifyForeign(t.Context(), local(t, clean), dbsync.ForeignOptions{})
	require.NoError(t, err)
	assert.Equal(t, "datahike", found.Format)
	assert.Positive(t, found.Datoms)
	require.NoError(t, os.Truncate(filepath.Join(clean, "datoms-000001.cbor.gz"), 100))
	found, err = dbsync.VerifyForeign(t.Context(), local(t, clean), dbsync.ForeignOptions{})
	require.ErrorIs(t, err, dbsync.ErrFaults)
	require.NotEmpty(t, found.Faults)
	_, err = dbsync.OpenView(t.Context(), local(t, filepath.Join(dir, rep.Path, "chunks")), dbsync.ViewOptions{})
	require.NotErrorIs(t, err, graph.ErrCorrupt)
}

// TestNamedAsDatacamps: a backup of segments is none of datacamp's, whatever its
// directory is called.
func TestNamedAsDatacamps(t *testing.T) {
	gen := fixture.DatomicGens()[0]
	dir := filepath.Join(t.TempDir(), "20261121-022136-97a9ae")
	require.NoError(t, os.Rename(fixture.DatomicBackup(t, gen.Name), dir))
	assert.Equal(t, gen.T, opened(t, local(t, dir)).Info().T)
	_, err := dbsync.VerifyForeign(t.Context(), local(t, dir), dbsync.ForeignOptions{})
	require.ErrorIs(t, err, dbsync.ErrNotForeign)
}

// TestExportSizes: sizes that make no sense, or files that nobody could read, are
// refused before anything is written.
func TestExportSizes(t *testing.T) {
	v := fixtureView(t, "a-default")
	for _, format := range dbsync.Formats() {
		for _, opt := range []dbsync.ExportOptions{{ChunkSize: -1}, {Parallel: -1}, {ChunkSize: 1 << 30}} {
			if opt.ChunkSize > 0 && format != "datacamp" {
				continue
			}
			opt.Format = format
			to := local(t, t.TempDir())
			_, err := dbsync.Export(t.Context(), v, to, opt)
			require.ErrorIs(t, err, dbsync.ErrRefused, format)
			assert.Empty(t, objects(t, to))
		}
	}
}
