package datomic_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// source is where segments of a test lie.
type source map[graph.ID][]byte

func (s source) get(_ context.Context, id graph.ID) ([]byte, error) {
	data, ok := s[id]
	if !ok {
		return nil, fmt.Errorf("%s: %w", id, graph.ErrNotFound)
	}
	return data, nil
}

// counted counts reads.
type counted struct {
	source
	reads int
}

func (c *counted) get(ctx context.Context, id graph.ID) ([]byte, error) {
	c.reads++
	return c.source.get(ctx, id)
}

// backup reads a backup and the root of each of its moments.
func backup(t testing.TB, gen string) (source, map[int64]*datomic.Value) {
	t.Helper()
	dir := fixture.DatomicBackup(t, gen)
	s := source{}
	files, err := filepath.Glob(filepath.Join(dir, "values", "*", "*"))
	require.NoError(t, err)
	for _, f := range files {
		id := graph.ID(filepath.Base(f))
		require.Equal(t, filepath.Base(filepath.Dir(f)), datomic.Folder(id))
		s[id], err = os.ReadFile(f)
		require.NoError(t, err)
	}
	roots, err := filepath.Glob(filepath.Join(dir, "roots", "*"))
	require.NoError(t, err)
	values := map[int64]*datomic.Value{}
	for _, f := range roots {
		at, err := strconv.ParseInt(filepath.Base(f), 10, 64)
		require.NoError(t, err)
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		values[at], err = datomic.DecodeRoot(filepath.Base(f), data)
		require.NoError(t, err)
	}
	return s, values
}

// storage reads a SQLite storage and its newest value.
func storage(t testing.TB, name, db string) (source, *datomic.Value) {
	t.Helper()
	c, err := sql.Open("sqlite", fixture.DatomicSQLite(t, name))
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	rows, err := c.Query("SELECT id, map, val FROM datomic_kvs")
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	s, maps := source{}, map[string]string{}
	for rows.Next() {
		var id, text string
		var val []byte
		require.NoError(t, rows.Scan(&id, &text, &val))
		s[graph.ID(id)], maps[id] = val, text
	}
	require.NoError(t, rows.Err())

	v := &datomic.Value{DatabaseID: db, IndexVersion: 2}
	v.Index, err = datomic.ParseIndex(maps[datomic.IndexRow(db)])
	require.NoError(t, err)
	log, err := datomic.ParseLog(maps[datomic.LogRow(db)])
	require.NoError(t, err)
	v.Log, v.LogVersion = log.Root, log.Version
	for id := log.Tail; id != ""; {
		v.Tail = append(append([]byte{}, s[id]...), v.Tail...)
		id, err = datomic.ParsePrev(maps[string(id)])
		require.NoError(t, err)
	}
	require.NoError(t, v.Check())
	return s, v
}

// walked is what a walk has found.
type walked struct {
	nodes   map[graph.ID]graph.Node
	missing []graph.ID
	shared  []graph.ID // met more than once
}

// walk reads all that a value reaches.
func walk(t testing.TB, d *datomic.Dialect, s source, v *datomic.Value) walked {
	t.Helper()
	w := walked{nodes: map[graph.ID]graph.Node{}}
	var visit func(ref graph.Ref)
	visit = func(ref graph.Ref) {
		if n, ok := w.nodes[ref.ID]; ok {
			require.Equal(t, n.Level, ref.Level)
			w.shared = append(w.shared, ref.ID)
			return
		}
		require.NoError(t, datomic.CheckID(ref.ID))
		data, ok := s[ref.ID]
		if !ok {
			w.missing = append(w.missing, ref.ID)
			w.nodes[ref.ID] = graph.Node{Level: ref.Level}
			return
		}
		n, err := d.Decode(ref, data)
		require.NoError(t, err)
		require.NoError(t, d.Check(ref, data))
		w.nodes[ref.ID] = n
		for _, c := range n.Children {
			visit(c)
		}
	}
	for _, tree := range v.Trees() {
		visit(tree.Ref)
	}
	return w
}
