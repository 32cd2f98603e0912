package table_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// writable opens an empty table for writing.
func writable(t *testing.T, s *dbserver.Server) *table.Table {
	t.Helper()
	c := s.Config()
	c.Write = true
	to := open(t, c)
	require.NoError(t, to.Create(t.Context()))
	return to
}

// onEmpty runs a test on an empty database of every kind.
func onEmpty(t *testing.T, test func(t *testing.T, s *dbserver.Server)) {
	for kind, make := range servers {
		t.Run(kind, func(t *testing.T) { test(t, make(t)) })
	}
}

func TestCreate(t *testing.T) {
	onEmpty(t, func(t *testing.T, s *dbserver.Server) {
		c := s.Config()
		c.Write = true
		to := open(t, c)
		there, err := to.Exists(t.Context())
		require.NoError(t, err)
		assert.False(t, there)
		_, err = to.Get(t.Context(), "x")
		require.ErrorIs(t, err, table.ErrNoTable)
		require.NoError(t, to.Create(t.Context()))
		require.NoError(t, to.Create(t.Context()), "a second time")
		there, err = to.Exists(t.Context())
		require.NoError(t, err)
		assert.True(t, there)
	})
}

func TestInsertLeavesAloneWhatIsThere(t *testing.T) {
	onEmpty(t, func(t *testing.T, s *dbserver.Server) {
		to := writable(t, s)
		n, err := to.Insert(t.Context(), []table.Row{{ID: "a", Map: "{}", Val: []byte("first")}, {ID: "b", Rev: at(3)}})
		require.NoError(t, err)
		assert.Equal(t, 2, n)
		n, err = to.Insert(t.Context(), []table.Row{{ID: "a", Val: []byte("second")}, {ID: "c", Val: []byte{}}})
		require.NoError(t, err)
		assert.Equal(t, 1, n)
		assert.Equal(t, []table.Row{{ID: "a", Map: "{}", Val: []byte("first")}, {ID: "b", Rev: at(3)}}, s.Rows(t)[:2])
		n, err = to.Insert(t.Context(), nil)
		require.NoError(t, err)
		assert.Zero(t, n)
	})
}

func TestInsertOfMuch(t *testing.T) {
	onEmpty(t, func(t *testing.T, s *dbserver.Server) {
		to := writable(t, s)
		var rows []table.Row
		for i := range 1000 {
			// Escaped, a quote takes two bytes.
			rows = append(rows, table.Row{ID: fmt.Sprintf("%04d", i), Val: bytes.Repeat([]byte{'\''}, 20_000)})
		}
		rows = append(rows, table.Row{ID: "vast", Val: bytes.Repeat([]byte{'\''}, 9<<20)})
		n, err := to.Insert(t.Context(), rows)
		require.NoError(t, err)
		assert.Equal(t, 1001, n)
		got, err := getAll(t.Context(), to, values(rows))
		require.NoError(t, err)
		for _, row := range rows {
			require.True(t, bytes.Equal(row.Val, got[row.ID]), row.ID)
		}
	})
}

func TestCommit(t *testing.T) {
	onEmpty(t, func(t *testing.T, s *dbserver.Server) {
		to := writable(t, s)
		made := table.Row{ID: "pod", Rev: at(0), Map: `{:tail "v1"}`}
		first := table.Row{ID: "v1", Map: "{}", Val: []byte("one")}
		require.NoError(t, to.Commit(t.Context(), []table.Row{first}, []table.Change{{Row: made}}))
		assert.Equal(t, []table.Row{made, first}, s.Rows(t))

		changed := table.Row{ID: "pod", Rev: at(1), Map: `{:tail "v2"}`}
		second := table.Row{ID: "v2", Map: "{}", Val: []byte("two")}
		require.NoError(t, to.Commit(t.Context(), []table.Row{first, second}, []table.Change{{Row: changed, Was: at(0)}}))
		assert.Equal(t, []table.Row{changed, first, second}, s.Rows(t))
	})
}

func TestCommitConflicts(t *testing.T) {
	onEmpty(t, func(t *testing.T, s *dbserver.Server) {
		to := writable(t, s)
		there := []table.Row{{ID: "index", Rev: at(4), Map: "{}"}, {ID: "null", Map: "{}"}, {ID: "pod", Rev: at(5), Map: "{}"}}
		dbserver.Fill(t, s, there)
		good := table.Change{Row: table.Row{ID: "index", Rev: at(5), Map: "{:new 1}"}, Was: at(4)}
		value := table.Row{ID: "value", Val: []byte("x")}
		for text, bad := range map[string]table.Change{
			"row pod is at revision 5 and should be at revision 4":   {Row: table.Row{ID: "pod", Rev: at(5), Map: "{}"}, Was: at(4)},
			"row pod is at revision 5 and should be absent":          {Row: table.Row{ID: "pod", Rev: at(0)}},
			"row other is absent and should be at revision 1":        {Row: table.Row{ID: "other", Rev: at(2)}, Was: at(1)},
			"row null is without revision and should be at revision": {Row: table.Row{ID: "null", Rev: at(2)}, Was: at(1)},
		} {
			err := to.Commit(t.Context(), []table.Row{value}, []table.Change{good, bad})
			require.ErrorIs(t, err, table.ErrConflict)
			assert.ErrorContains(t, err, text)
			assert.Equal(t, there, s.Rows(t), "all or nothing")
		}
	})
}

// The server has committed but its answer is lost: the second attempt must not
// take the first for somebody else.
func TestCommitWhoseAnswerIsLost(t *testing.T) {
	onEmpty(t, func(t *testing.T, s *dbserver.Server) {
		c := s.Config()
		c.Write, c.Connections = true, 1
		to := open(t, c)
		require.NoError(t, to.Create(t.Context()))
		dbserver.Fill(t, s, []table.Row{{ID: "index", Rev: at(4), Map: "{}"}})
		index := table.Row{ID: "index", Rev: at(5), Map: "{:new 1}"}
		pod := table.Row{ID: "pod", Rev: at(0), Val: []byte("x")}
		value := table.Row{ID: "value", Val: []byte("y")}
		changes := []table.Change{{Row: index, Was: at(4)}, {Row: pod}}
		require.NoError(t, to.Break(-1, "COMMIT"))
		require.NoError(t, to.Commit(t.Context(), []table.Row{value}, changes))
		assert.Equal(t, []table.Row{index, pod, value}, s.Rows(t))
		// Where no answer was lost the same commit is a conflict.
		require.ErrorIs(t, to.Commit(t.Context(), []table.Row{value}, changes), table.ErrConflict)
	})
}

func TestReadersCannotWrite(t *testing.T) {
	everywhere(t, func(t *testing.T, s *dbserver.Server) {
		want := s.Rows(t)
		from := open(t, s.Config())
		from.Impatient()
		_, err := from.Insert(t.Context(), []table.Row{{ID: "a"}})
		assert.ErrorContains(t, err, "reading only")
		assert.ErrorContains(t, from.Commit(t.Context(), nil, nil), "reading only")
		assert.ErrorContains(t, from.Create(t.Context()), "reading only")
		// The session itself refuses, too.
		require.Error(t, from.Exec(t.Context(), "DELETE FROM datomic_kvs"))
		assert.Equal(t, want, s.Rows(t))
	})
}

func TestMySQLDoesNotShortenSilently(t *testing.T) {
	s := dbserver.MariaDB(t).Database(t)
	s.Exec(t, "SET GLOBAL sql_mode = ''")
	t.Cleanup(func() { s.Exec(t, "SET GLOBAL sql_mode = DEFAULT") })
	s.Exec(t, "CREATE TABLE datomic_kvs (id varchar(40) PRIMARY KEY, rev integer, map varchar(10), val longblob)")
	_, err := writable(t, s).Insert(t.Context(), []table.Row{{ID: "a", Map: "{:much \"too long\"}"}})
	require.Error(t, err)
	assert.Empty(t, s.Rows(t))
}
