package table_test

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

func TestConfigsThatAreRefused(t *testing.T) {
	good := table.Config{Kind: table.Postgres, User: "u", DBName: "d", Password: "s3cret"}
	for text, change := range map[string]func(*table.Config){
		"table name":                 func(c *table.Config) { c.Table = "kvs; DROP TABLE kvs" },
		`table name "a.b.c"`:         func(c *table.Config) { c.Table = "a.b.c" },
		`table name "\"kvs\""`:       func(c *table.Config) { c.Table = `"kvs"` },
		`table name "kvs\n"`:         func(c *table.Config) { c.Table = "kvs\n" },
		`table name "1kvs"`:          func(c *table.Config) { c.Table = "1kvs" },
		`TLS mode "on"`:              func(c *table.Config) { c.TLS = "on" },
		"pace is -1ns":               func(c *table.Config) { c.Pace = -1 },
		"batch is 100000":            func(c *table.Config) { c.Batch = 100_000 },
		"connections":                func(c *table.Config) { c.Connections = -1 },
		`database kind "oracle"`:     func(c *table.Config) { c.Kind = "oracle" },
		"needs a user":               func(c *table.Config) { c.User = "" },
		"needs the path":             func(c *table.Config) { c.Kind = table.SQLite },
		"project:region:instance":    func(c *table.Config) { c.Kind = table.CloudSQL },
		`cloudsql engine "sqlserver`: func(c *table.Config) { c.Kind, c.Instance, c.Engine = table.CloudSQL, "p:r:i", "sqlserver" },
		"certificate":                func(c *table.Config) { c.Kind, c.TLS, c.RootCert = table.MySQL, "verify-full", "config_test.go" },
		"no such file":               func(c *table.Config) { c.TLS, c.RootCert = "verify-full", "absent.pem" },
	} {
		c := good
		change(&c)
		assert.Contains(t, refused(t, c), text)
	}
}

func TestTableInASchema(t *testing.T) {
	s := dbserver.Postgres(t).Database(t)
	s.Exec(t, "CREATE SCHEMA other")
	c := s.Config()
	c.Table, c.Write = "other.kvs", true
	to := open(t, c)
	require.NoError(t, to.Create(t.Context()))
	_, err := to.Insert(t.Context(), []table.Row{{ID: "a", Val: []byte("x")}})
	require.NoError(t, err)
	val, err := to.Get(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, "x", string(val))
	assert.Contains(t, to.String(), "other.kvs")
}

func TestSQLiteFileOfAnyName(t *testing.T) {
	s := &dbserver.Server{Kind: table.SQLite, Path: filepath.Join(t.TempDir(), "a?mode=x#b%20c d'é")}
	dbserver.Fill(t, s, []table.Row{{ID: "a", Val: []byte("x")}})
	require.FileExists(t, s.Path)
	val, err := open(t, s.Config()).Get(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, "x", string(val))
}

func TestReadingSQLiteMakesNoFiles(t *testing.T) {
	dir := t.TempDir()
	c := table.Config{Kind: table.SQLite, Path: filepath.Join(dir, "absent")}
	assert.Contains(t, refused(t, c), "no such file")
	names, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, names)

	s := filled(t)
	want := s.Rows(t)
	_, err = getAll(t.Context(), open(t, s.Config()), values(want))
	require.NoError(t, err)
	names, err = os.ReadDir(filepath.Dir(s.Path))
	require.NoError(t, err)
	assert.Len(t, names, 1)
}

// A writer that has not committed is not waited for in WAL mode, as Datomic's
// own driver may set.
func TestSQLiteInWALMode(t *testing.T) {
	s := filled(t)
	c := s.Config()
	c.Write, c.Connections = true, 1
	to := open(t, c)
	require.NoError(t, to.Exec(t.Context(), "PRAGMA journal_mode = WAL"))
	require.NoError(t, to.Exec(t.Context(), "BEGIN IMMEDIATE"))
	require.NoError(t, to.Exec(t.Context(), "UPDATE datomic_kvs SET map = '{}' WHERE id = 'pod-catalog'"))
	row, chain, err := open(t, s.Config()).Named(t.Context(), "pod-catalog")
	require.NoError(t, err)
	assert.Contains(t, row.Map, ":tail")
	assert.Len(t, chain, 1)
}

func TestCloudSQLGoesOverItsDialer(t *testing.T) {
	for kind, s := range map[string]*dbserver.Server{table.Postgres: dbserver.Postgres(t), table.MySQL: dbserver.MariaDB(t)} {
		t.Run(kind, func(t *testing.T) {
			s := s.Database(t)
			dbserver.Fill(t, s, []table.Row{{ID: "a", Val: []byte("x")}})
			c := s.Config()
			from, err := table.OpenAsCloudSQL(t.Context(), c, net.JoinHostPort(c.Host, strconv.Itoa(c.Port)))
			require.NoError(t, err)
			val, err := from.Get(t.Context(), "a")
			require.NoError(t, err)
			assert.Equal(t, "x", string(val))
			assert.Equal(t, "cloudsql project:region:instance/"+c.DBName+", table datomic_kvs", from.String())
			require.NoError(t, from.Close())
		})
	}
}

// The real Datomic wrote these files over JDBC.
func TestSQLiteOfDatomic(t *testing.T) {
	s := dbserver.SQLite(t)
	s.Load(t, filepath.Join(fixtures, "gc-3-before-gc.sqlite.gz"))
	from := open(t, s.Config())
	logs := slices.DeleteFunc(s.Rows(t), func(r table.Row) bool { return !strings.HasPrefix(r.ID, "pod-log-tail/") })
	require.Len(t, logs, 1)
	_, chain, err := from.Named(t.Context(), logs[0].ID)
	require.NoError(t, err)
	require.NotEmpty(t, chain)
	assert.Equal(t, byte(0xee), chain[len(chain)-1].Val[0])
}
