package table_test

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// fixtures has dumps of one database that the real Datomic wrote.
const fixtures = "../../fstest/fixture/testdata/datomic/"

// database is the id of the fixtures' database.
const database = "sample-2a0d8a3b-8e48-4023-8f28-a65b96dd31ba"

// servers are an empty database of every kind.
var servers = map[string]func(testing.TB) *dbserver.Server{
	"postgres": func(t testing.TB) *dbserver.Server { return dbserver.Postgres(t).Database(t) },
	"mariadb":  func(t testing.TB) *dbserver.Server { return dbserver.MariaDB(t).Database(t) },
	"sqlite":   dbserver.SQLite,
}

// everywhere runs a test on databases of every kind that hold the third
// generation of the fixture.
func everywhere(t *testing.T, test func(t *testing.T, s *dbserver.Server)) {
	rows := gen3(t)
	for kind, make := range servers {
		t.Run(kind, func(t *testing.T) {
			s := make(t)
			if kind == "mariadb" {
				// The table that Datomic's script makes ignores case.
				s.Exec(t, "CREATE TABLE datomic_kvs (id varchar(255) NOT NULL PRIMARY KEY, rev integer, map text, val longblob)"+
					" ENGINE=InnoDB DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci")
			}
			dbserver.Fill(t, s, rows)
			test(t, s)
		})
	}
}

// gen3 are the rows of the third generation. Callers do not change them.
func gen3(t *testing.T) []table.Row {
	s := dbserver.Postgres(t)
	generation.Do(func() {
		s = s.Database(t)
		s.Load(t, filepath.Join(fixtures, "postgres-gen3.sql.gz"))
		generation.rows = s.Rows(t)
	})
	return slices.Clone(generation.rows)
}

// generation is read once.
var generation struct {
	sync.Once
	rows []table.Row
}

// open opens the table for the test.
func open(t *testing.T, c table.Config) *table.Table {
	t.Helper()
	opened, err := table.Open(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, opened.Close()) })
	return opened
}

func TestDumpOfMySQL(t *testing.T) {
	s := dbserver.MariaDB(t).Database(t)
	s.Load(t, filepath.Join(fixtures, "mysql-gen3.sql.gz"))
	found := open(t, s.Config())
	_, chain, err := found.Named(t.Context(), "pod-log-tail/"+database)
	require.NoError(t, err)
	require.NotEmpty(t, chain)
	assert.Equal(t, byte(0xee), chain[len(chain)-1].Val[0])
}

func TestEveryKindHoldsTheSameRows(t *testing.T) {
	want := gen3(t)
	require.Len(t, want, 477)
	everywhere(t, func(t *testing.T, s *dbserver.Server) {
		assert.ElementsMatch(t, want, s.Rows(t))
	})
}
