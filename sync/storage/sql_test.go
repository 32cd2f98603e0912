package storage_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/datomicdb"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/storage"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// open opens a database in an SQLite file of rows.
func open(t *testing.T, rows []table.Row, database string) (*storage.SQL, error) {
	t.Helper()
	tab, err := table.Open(t.Context(), table.Config{Kind: table.SQLite, Path: datomicdb.SQLite(t, rows)})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, tab.Close()) })
	return storage.OpenSQL(t.Context(), tab, database)
}

// gen2 are the rows of a storage, and the value at which it stands.
func gen2(t *testing.T) ([]table.Row, *datomic.Value) {
	t.Helper()
	dir := fixture.DatomicBackup(t, "gen2")
	b, err := storage.OpenBackup(t.Context(), remote(t, dir), 0)
	require.NoError(t, err)
	v, err := b.Pin(t.Context())
	require.NoError(t, err)
	return datomicdb.Rows(t, dir, 1638), v
}

// catalog replaces the catalog.
func catalog(t *testing.T, rows []table.Row, text string) []table.Row {
	t.Helper()
	datomicdb.Row(t, rows, datomicdb.Catalog).Val = []byte(text)
	return rows
}

func TestSQL(t *testing.T) {
	ctx := t.Context()
	rows, want := gen2(t)
	s, err := open(t, rows, "")
	require.NoError(t, err)
	assert.Equal(t, datomicdb.Name, s.Database())
	assert.Contains(t, s.String(), "sample in sqlite ")
	assert.Positive(t, s.Workers())

	v, err := s.Pin(ctx)
	require.NoError(t, err)
	assert.Equal(t, want, v, "the links of the tail are joined")
	assert.Zero(t, s.Reads())
	last, err := datomic.New().Last(ctx, s.Get, v)
	require.NoError(t, err)
	assert.EqualValues(t, 1638, last.T)

	before := s.Reads()
	data, err := s.Get(ctx, v.Index)
	require.NoError(t, err)
	assert.Equal(t, datomicdb.Row(t, rows, string(v.Index)).Val, data)
	_, err = s.Get(ctx, missing)
	require.ErrorIs(t, err, graph.ErrNotFound)
	assert.ErrorContains(t, err, missing)
	assert.Equal(t, before+2, s.Reads())

	sizes, err := s.Sizes(ctx, []graph.ID{v.Index, missing})
	require.NoError(t, err)
	assert.Equal(t, map[graph.ID]int64{v.Index: int64(len(data))}, sizes)
}

const missing = "e0000000-0000-4000-8000-000000000000"

func TestSQLFind(t *testing.T) {
	const other = "other-" + datomicdb.Link1
	rows, v := gen2(t)
	gone := "gone-" + datomicdb.Catalog
	names := func(more string) []table.Row {
		return catalog(t, rows, `{"sample" {:db-id "`+v.DatabaseID+`"} `+more+`}`)
	}
	two := `"other" {:db-id "` + other + `"} :datomic/deleted #{"` + gone + `"}`
	for _, tc := range []struct {
		catalog, database string
		name              string // that it is found by
		says              []string
	}{
		{"", "", "sample", nil},
		{"", "sample", "sample", nil},
		{two, "sample", "sample", nil},
		{"", v.DatabaseID, "sample", nil},
		{two, "", "", []string{"several", `"other" "sample"`}},
		{two, "nope", "", []string{"no such Datomic database", `"nope"`, `"other" "sample"`}},
		{two, "Sample", "", []string{"no such Datomic database"}},
		{two, "gone", "", []string{"was deleted", gone}},
		{`:datomic/deleted #{"gone"}`, "gone", "", nil},
	} {
		s, err := open(t, names(tc.catalog), tc.database)
		if tc.says == nil {
			require.NoError(t, err, tc.database)
			assert.Equal(t, tc.name, s.Database())
			continue
		}
		for _, text := range tc.says {
			assert.ErrorContains(t, err, text)
		}
	}

	_, err := open(t, catalog(t, rows, `{:datomic/deleted #{"`+v.DatabaseID+`"}}`), "")
	require.ErrorIs(t, err, storage.ErrNoDatabase)
	assert.ErrorContains(t, err, "all databases were deleted")
	assert.ErrorContains(t, err, v.DatabaseID)
	s, err := open(t, rows, v.DatabaseID)
	require.NoError(t, err)
	got, err := s.Pin(t.Context())
	require.NoError(t, err)
	assert.Equal(t, v, got, "what is left of a deleted database can be read")

	_, err = open(t, catalog(t, rows, `{}`), "")
	require.ErrorIs(t, err, storage.ErrNoDatabase)
	_, err = open(t, nil, "")
	require.ErrorIs(t, err, storage.ErrNoDatabase)
}

// TestSQLManyNames: a message lists names as far as somebody reads them.
func TestSQLManyNames(t *testing.T) {
	rows, _ := gen2(t)
	var text strings.Builder
	for i := range 1000 {
		text.WriteString(`"db` + strings.Repeat("x", i) + `" {:db-id "x"} `)
	}
	_, err := open(t, catalog(t, rows, "{"+text.String()+"}"), "nope")
	require.ErrorIs(t, err, storage.ErrNoDatabase)
	assert.ErrorContains(t, err, "and 980 more")
	assert.Less(t, len(err.Error()), 1000)
}

// TestSQLDamage: rows that are not as they must be.
func TestSQLDamage(t *testing.T) {
	clean, v := gen2(t)
	index, log := datomic.IndexRow(v.DatabaseID), datomic.LogRow(v.DatabaseID)
	for name, tc := range map[string]struct {
		id     string
		damage func(*table.Row) // nil removes the row
		want   error
		says   string
	}{
		"no catalog":             {datomic.CatalogRow, nil, storage.ErrNoDatabase, datomic.CatalogRow},
		"catalog is no map":      {datomic.CatalogRow, text("["), graph.ErrCorrupt, datomic.CatalogRow},
		"catalog points nowhere": {datomicdb.Catalog, nil, storage.ErrNoDatabase, datomicdb.Catalog},
		"catalog is NULL":        {datomicdb.Catalog, null, graph.ErrCorrupt, datomicdb.Catalog},
		"catalog is garbage":     {datomicdb.Catalog, bytes("{:a"), graph.ErrCorrupt, "catalog"},
		"no index row":           {index, nil, graph.ErrNotFound, index},
		"index row is garbage":   {index, text(`{:key 1}`), graph.ErrCorrupt, index},
		"index row has a path":   {index, text(`{:key "../x"}`), graph.ErrCorrupt, index},
		"no log row":             {log, nil, graph.ErrNotFound, log},
		"old log":                {log, text(`{:d/l 1, :tail "` + datomicdb.Link3 + `"}`), graph.ErrUnsupported, log},
		"link is missing":        {datomicdb.Link2, nil, graph.ErrNotFound, datomicdb.Link2},
		"oldest link is missing": {datomicdb.Link1, nil, graph.ErrNotFound, datomicdb.Link1},
		"link is NULL":           {datomicdb.Link2, null, graph.ErrCorrupt, datomicdb.Link2},
		"link is garbage":        {datomicdb.Link1, text(`{:prev}`), graph.ErrCorrupt, datomicdb.Link1},
		"wrong :prev":            {datomicdb.Link3, text(`{:prev "` + missing + `"}`), graph.ErrNotFound, missing},
		":prev in a string":      {datomicdb.Link3, text(`{:note ":prev \"` + datomicdb.Link2 + `"}`), graph.ErrCorrupt, datomicdb.Link2},
	} {
		t.Run(name, func(t *testing.T) {
			rows := append([]table.Row{}, clean...)
			if tc.damage == nil {
				rows = datomicdb.Without(rows, tc.id)
			} else {
				tc.damage(datomicdb.Row(t, rows, tc.id))
			}
			s, err := open(t, rows, "")
			if err == nil {
				_, err = s.Pin(t.Context())
			} else {
				assert.ErrorContains(t, err, "datomic.sqlite", "it says where")
			}
			require.ErrorIs(t, err, tc.want)
			assert.ErrorContains(t, err, tc.says)
		})
	}
}

func text(s string) func(*table.Row)  { return func(r *table.Row) { r.Map = s } }
func bytes(s string) func(*table.Row) { return func(r *table.Row) { r.Val = []byte(s) } }
func null(r *table.Row)               { r.Val = nil }

func TestSQLNullSegment(t *testing.T) {
	rows, v := gen2(t)
	null(datomicdb.Row(t, rows, string(v.Log)))
	s, err := open(t, rows, "")
	require.NoError(t, err)
	_, err = s.Get(t.Context(), v.Log)
	require.ErrorIs(t, err, graph.ErrCorrupt)
	assert.ErrorContains(t, err, string(v.Log))
	sizes, err := s.Sizes(t.Context(), []graph.ID{v.Log})
	require.NoError(t, err)
	assert.Empty(t, sizes)
}

// TestSQLPinsAnew: a value is what the rows say now.
func TestSQLPinsAnew(t *testing.T) {
	dir := fixture.DatomicBackup(t, "gen2")
	file := datomicdb.SQLite(t, datomicdb.Rows(t, dir, 1485))
	tab, err := table.Open(t.Context(), table.Config{Kind: table.SQLite, Path: file})
	require.NoError(t, err)
	s, err := storage.OpenSQL(t.Context(), tab, "")
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	old, err := s.Pin(t.Context())
	require.NoError(t, err)

	datomicdb.Replace(t, file, datomicdb.Rows(t, dir, 1638))
	v, err := s.Pin(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, old, v)
	last, err := datomic.New().Last(t.Context(), s.Get, v)
	require.NoError(t, err)
	assert.EqualValues(t, 1638, last.T)
}
