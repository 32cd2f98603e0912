package dbserver

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/sync/table"
)

// Server is one database of a server, or a file of SQLite.
type Server struct {
	Kind                   string // as of table.Config
	Host                   string
	Port                   int
	User, Password, DBName string
	Path                   string // of SQLite's file
	// RootCert is the file of the certificate that a server with TLS has.
	RootCert string

	process *process
}

// The server's user has every right, and a password that no other text contains.
const (
	owner    = "datomic"
	password = "s3cret-Pass.w0rd"
)

var (
	sharedPostgres = shared{kind: table.Postgres}
	sharedMariaDB  = shared{kind: table.MySQL}
	databases      atomic.Int64
)

// shared is a server that is started when a test asks for it.
type shared struct {
	kind   string
	once   sync.Once
	server *Server
	err    error
}

func (s *shared) get(t testing.TB) *Server {
	t.Helper()
	require.NoError(t, Installed(t, s.kind))
	s.once.Do(func() { s.server, s.err = launch(s.kind, false) })
	require.NoError(t, s.err)
	return s.server
}

// Postgres returns the test binary's PostgreSQL server.
func Postgres(t testing.TB) *Server { t.Helper(); return sharedPostgres.get(t) }

// MariaDB returns the test binary's MariaDB server.
func MariaDB(t testing.TB) *Server { t.Helper(); return sharedMariaDB.get(t) }

// SQLite returns a file that does not exist yet.
func SQLite(t testing.TB) *Server {
	return &Server{Kind: table.SQLite, Path: filepath.Join(t.TempDir(), "datomic.sqlite")}
}

// New starts a server for one test alone, which may kill it.
func New(t testing.TB, kind string, tls bool) *Server {
	t.Helper()
	require.NoError(t, Installed(t, kind))
	s, err := launch(kind, tls)
	require.NoError(t, err)
	t.Cleanup(s.process.remove)
	return s
}

// Installed skips the test where the kind of server is not installed.
func Installed(t testing.TB, kind string) error {
	t.Helper()
	_, err := findPostgres()
	packages := "postgresql"
	if kind == table.MySQL {
		_, err = findMariaDB()
		packages = "mariadb-server"
	}
	if err == nil {
		return nil
	}
	if os.Getenv("DATOM_REQUIRE_SERVERS") == "" {
		t.Skipf("SKIPPED, NOT TESTED: %v; scripts/prepare.sh installs %s", err, packages)
	}
	return err
}

// Config is how a table in this database is opened.
func (s *Server) Config() table.Config {
	return table.Config{
		Kind: s.Kind, Host: s.Host, Port: s.Port, User: s.User, Password: s.Password,
		DBName: s.DBName, Path: s.Path,
	}
}

// JDBC is the database's URL, with user and password.
func (s *Server) JDBC() string {
	if s.Kind == table.SQLite {
		return "jdbc:sqlite:" + s.Path
	}
	scheme := map[string]string{table.Postgres: "postgresql", table.MySQL: "mariadb"}[s.Kind]
	login := url.Values{"user": {s.User}, "password": {s.Password}}
	return fmt.Sprintf("jdbc:%s://%s/%s?%s", scheme, net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), s.DBName, login.Encode())
}

// Database makes an empty database on the same server; for SQLite, a file.
func (s *Server) Database(t testing.TB) *Server {
	t.Helper()
	if s.Kind == table.SQLite {
		return SQLite(t)
	}
	fresh := *s
	fresh.DBName = fmt.Sprintf("d%d", databases.Add(1))
	s.Exec(t, "CREATE DATABASE "+fresh.DBName)
	t.Cleanup(func() {
		if s.process.running() {
			s.Exec(t, "DROP DATABASE "+fresh.DBName+force[s.Kind])
		}
	})
	return &fresh
}

// force drops a database that has sessions left.
var force = map[string]string{table.Postgres: " WITH (FORCE)"}

// Kill ends the server, which does not finish what it does for anyone.
func (s *Server) Kill() { s.process.stop(s.process.signal) }

// Start starts it again, on the same port.
func (s *Server) Start(t testing.TB) { t.Helper(); require.NoError(t, s.process.start()) }
