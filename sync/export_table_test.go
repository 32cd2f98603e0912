package dbsync_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/codec/edn"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

// manifestOf checks each file of an export with its manifest, and returns that
// and the files of datoms.
func manifestOf(t *testing.T, dir string) (m fressian.Map, files []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "manifest.edn"))
	require.NoError(t, err)
	v, err := edn.Parse(text)
	require.NoError(t, err)
	m, _ = v.(fressian.Map)
	check := func(v any) string {
		f, _ := v.(fressian.Map)
		name, _ := f.Get("", "file")
		size, _ := f.Get("", "bytes")
		sum, _ := f.Get("", "sha256")
		data, err := os.ReadFile(filepath.Join(dir, name.(string)))
		require.NoError(t, err)
		got := sha256.Sum256(data)
		assert.Equal(t, sum, hex.EncodeToString(got[:]))
		assert.EqualValues(t, size, len(data))
		return name.(string)
	}
	schema, _ := m.Get("", "schema")
	names := []string{"manifest.edn", check(schema)}
	list, _ := m.Get("", "files")
	for _, f := range list.(fressian.Vector) {
		files = append(files, check(f))
	}
	have, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, have, len(names)+len(files), "nothing else is there")
	return m, files
}

// textOf is every datom of a view as a line.
func textOf(t *testing.T, v view.View, history bool) (lines []string) {
	require.NoError(t, v.Scan(context.Background(), datom.Query{History: history}, func(d datom.Datom) error {
		text, err := datom.AppendText(nil, d)
		lines = append(lines, string(text))
		return err
	}))
	return lines
}

// TestExportEDN: the files have all datoms in the order of EAVT, however many
// files there are.
func TestExportEDN(t *testing.T) {
	for name, opt := range map[string]dbsync.ExportOptions{
		"a-default": {Format: "edn"}, "k-diffbuf": {Format: "edn", ChunkSize: 5000}, "i-attrrefs": {Format: "edn", ChunkSize: 20000, History: true},
	} {
		v := viewed(t, fixture.Unpack(t, name), "", dbsync.ViewOptions{})
		dir := t.TempDir()
		rep, err := dbsync.Export(t.Context(), v, local(t, dir), opt)
		require.NoError(t, err)
		m, files := manifestOf(t, dir)
		assert.EqualValues(t, len(files), rep.Chunks)
		assert.Equal(t, opt.ChunkSize > 0, len(files) > 1)
		n, _ := m.Get("", "datoms")
		assert.Equal(t, rep.Datoms, n)
		var lines []string
		for _, f := range files {
			data, err := os.ReadFile(filepath.Join(dir, f))
			require.NoError(t, err)
			zip, err := gzip.NewReader(bytes.NewReader(data))
			require.NoError(t, err)
			for sc := bufio.NewScanner(zip); sc.Scan(); {
				lines = append(lines, sc.Text())
			}
		}
		want := textOf(t, v, opt.History)
		assert.Equal(t, want, lines)
		assert.EqualValues(t, len(want), rep.Datoms)
	}
}

func TestExportParquet(t *testing.T) {
	v := viewed(t, fixture.Unpack(t, "a-default"), "", dbsync.ViewOptions{})
	dir := t.TempDir()
	rep, err := dbsync.Export(t.Context(), v, local(t, dir), dbsync.ExportOptions{Format: "parquet", ChunkSize: 30_000})
	require.NoError(t, err)
	_, files := manifestOf(t, dir)
	require.Greater(t, len(files), 1)
	rows := int64(0)
	for _, name := range files {
		f, err := os.Open(filepath.Join(dir, name))
		require.NoError(t, err)
		info, err := f.Stat()
		require.NoError(t, err)
		p, err := parquet.OpenFile(f, info.Size())
		require.NoError(t, err)
		rows += p.NumRows()
		require.NoError(t, f.Close())
	}
	assert.Equal(t, rep.Datoms, rows)
	assert.Len(t, textOf(t, v, false), int(rows))
}

// TestExportTablePlace: what an interrupted export has left is replaced; what
// is something else is not touched.
func TestExportTablePlace(t *testing.T) {
	v := viewed(t, fixture.Unpack(t, "a-default"), "", dbsync.ViewOptions{})
	dir := t.TempDir()
	left := filepath.Join(dir, "datoms-000077.edn.gz")
	for _, name := range []string{left, left + ".new", left + ".1a2b3c4d.new", filepath.Join(dir, "manifest.edn.new")} {
		require.NoError(t, os.WriteFile(name, []byte("x"), 0o666))
	}
	_, err := dbsync.Export(t.Context(), v, local(t, dir), dbsync.ExportOptions{Format: "edn"})
	require.NoError(t, err)
	assert.Len(t, names(t, dir), 3)
	_, files := manifestOf(t, dir)
	assert.NotContains(t, files, "datoms-000077.edn.gz")
	assert.NoFileExists(t, left)

	before := names(t, dir)
	_, err = dbsync.Export(t.Context(), v, local(t, dir), dbsync.ExportOptions{Format: "parquet"})
	require.ErrorIs(t, err, dbsync.ErrRefused)
	require.ErrorContains(t, err, "holds an export already")
	assert.Equal(t, before, names(t, dir))

	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "datoms-000001.edn.gz"), []byte("x"), 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "thesis.doc"), []byte("x"), 0o666))
	_, err = dbsync.Export(t.Context(), v, local(t, dir), dbsync.ExportOptions{Format: "edn"})
	require.ErrorIs(t, err, dbsync.ErrRefused)
	assert.Equal(t, []string{"datoms-000001.edn.gz", "thesis.doc"}, names(t, dir))
}

func names(t *testing.T, dir string) (all []string) {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	slices.Sort(all)
	return all
}

// odd is a view with one datom that no format has a form for.
type odd struct{ view.View }

func (o odd) Scan(ctx context.Context, q datom.Query, fn func(datom.Datom) error) error {
	if err := fn(datom.Datom{E: 77, A: fressian.Keyword{Name: "odd"}, V: fressian.Set{int64(1)}}); err != nil {
		return err
	}
	return o.View.Scan(ctx, q, fn)
}

func TestExportTableSkips(t *testing.T) {
	v := odd{viewed(t, fixture.Unpack(t, "a-default"), "", dbsync.ViewOptions{})}
	for _, format := range []string{"edn", "parquet"} {
		dir := t.TempDir()
		_, err := dbsync.Export(t.Context(), v, local(t, dir), dbsync.ExportOptions{Format: format})
		require.ErrorIs(t, err, datom.ErrNoText)
		require.ErrorContains(t, err, "entity 77")
		assert.Empty(t, names(t, dir))
		rep, err := dbsync.Export(t.Context(), v, local(t, dir), dbsync.ExportOptions{Format: format, SkipErrors: true})
		require.NoError(t, err)
		assert.EqualValues(t, 1, rep.Skipped)
		m, _ := manifestOf(t, dir)
		skipped, _ := m.Get("", "skipped")
		assert.EqualValues(t, 1, skipped)
	}
}
