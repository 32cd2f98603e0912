package datomicsample

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Row is a row of a storage's table.
type Row struct {
	ID, Map string
	Rev     int64 // -1 for rows that never change
	Val     []byte
}

// Rows are the rows of a storage that holds the value under a name. The tail
// is one link.
func (s *Sample) Rows(name string) []Row {
	catalog := datomic.Catalog{Names: map[string]string{name: s.Value.DatabaseID}}
	text, err := catalog.Encode()
	must(err)
	ids := s.fresh()
	tail, names := ids(), ids()
	log := datomic.LogRef{Root: s.Value.Log, Version: 3, Tail: tail, Build: "7622"}
	rows := []Row{
		{ID: datomic.CatalogRow, Map: datomic.FormatPod(names)},
		{ID: string(names), Map: "{}", Rev: -1, Val: text},
		{ID: datomic.IndexRow(s.Value.DatabaseID), Map: datomic.FormatIndex(s.Value.Index)},
		{ID: datomic.LogRow(s.Value.DatabaseID), Map: datomic.FormatLog(log)},
		{ID: string(tail), Map: "{}", Rev: -1, Val: s.Value.Tail},
	}
	for id, data := range s.Segments {
		rows = append(rows, Row{ID: string(id), Map: "{}", Rev: -1, Val: data})
	}
	return rows
}

// fresh returns new ids, the same for the same value.
func (s *Sample) fresh() func() graph.ID {
	r := Sample{rng: fixed(uint64(s.T))}
	return func() graph.ID { return id(r.uuid()) }
}

// WriteBackup adds the value to a backup as Datomic makes them, in a directory
// that may hold earlier ones of the database.
func (s *Sample) WriteBackup(t testing.TB, dir string) {
	t.Helper()
	write := func(name string, data []byte) {
		name = filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, data, 0o600))
	}
	for id, data := range s.Segments {
		write("values/"+datomic.Folder(id)+"/"+string(id), data)
	}
	root, err := s.Value.EncodeRoot()
	require.NoError(t, err)
	write("owner", []byte(s.Value.DatabaseID))
	write("roots/"+strconv.FormatInt(s.T, 10), root)
}
