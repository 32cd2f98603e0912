package dbserver

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // a file needs no server

	"github.com/rclone-datom/rclone-datom/sync/table"
)

// Load runs a gzipped dump in the database; for SQLite the file is the
// database, gzipped.
func (s *Server) Load(t testing.TB, path string) {
	t.Helper()
	packed, err := os.ReadFile(path)
	require.NoError(t, err)
	dump, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	if s.Kind == table.SQLite {
		data, err := io.ReadAll(dump)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(s.Path, data, 0o600))
		return
	}
	cmd := s.client(t)
	cmd.Stdin = dump
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// client is the server's own client, which reads statements.
func (s *Server) client(t testing.TB) *exec.Cmd {
	t.Helper()
	if s.Kind == table.Postgres {
		cmd := exec.Command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", s.Host, "-p", strconv.Itoa(s.Port), "-U", s.User, "-d", s.DBName)
		cmd.Env = append(os.Environ(), "PGPASSWORD="+s.Password)
		return cmd
	}
	bin, err := findMariaDB()
	require.NoError(t, err)
	cmd := exec.Command(bin.client, "--no-defaults", "-h", s.Host, "-P", strconv.Itoa(s.Port), "-u", s.User, s.DBName)
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+s.Password)
	return cmd
}

// Exec runs statements without parameters.
func (s *Server) Exec(t testing.TB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		require.NoError(t, s.exec(context.WithoutCancel(t.Context()), s.DBName, statement), statement)
	}
}

// exec runs one statement over a connection of its own.
func (s *Server) exec(ctx context.Context, database, statement string) error {
	if s.Kind == table.Postgres {
		conn, err := s.pgx(ctx, database)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, statement)
		return errors.Join(err, conn.Close(ctx))
	}
	db, err := s.open(database)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, statement)
	return errors.Join(err, db.Close())
}

// pgx connects to PostgreSQL.
func (s *Server) pgx(ctx context.Context, database string) (*pgx.Conn, error) {
	where := url.URL{
		Scheme: "postgres", User: url.UserPassword(s.User, s.Password), Path: database,
		Host: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), RawQuery: "sslmode=prefer",
	}
	return pgx.Connect(ctx, where.String())
}

// open opens what database/sql speaks to.
func (s *Server) open(database string) (*sql.DB, error) {
	if s.Kind == table.SQLite {
		return sql.Open("sqlite", s.Path)
	}
	config := mysql.NewConfig()
	config.User, config.Passwd, config.DBName = s.User, s.Password, database
	config.Net, config.Addr = "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// Rows reads the whole of datomic_kvs, in the order of the ids.
func (s *Server) Rows(t testing.TB) []table.Row {
	t.Helper()
	const query = "SELECT id, rev, COALESCE(map, ''), val FROM datomic_kvs ORDER BY id"
	ctx := t.Context()
	if s.Kind == table.Postgres {
		conn, err := s.pgx(ctx, s.DBName)
		require.NoError(t, err)
		rows, err := conn.Query(ctx, query)
		require.NoError(t, err)
		all := readRows(t, rows)
		require.NoError(t, conn.Close(ctx))
		return all
	}
	db, err := s.open(s.DBName)
	require.NoError(t, err)
	rows, err := db.QueryContext(ctx, query)
	require.NoError(t, err)
	all := readRows(t, rows)
	require.NoError(t, db.Close())
	return all
}

// readRows reads a result to its end.
func readRows(t testing.TB, rows interface {
	Next() bool
	Scan(into ...any) error
	Err() error
}) (all []table.Row) {
	t.Helper()
	for rows.Next() {
		var row table.Row
		require.NoError(t, rows.Scan(&row.ID, &row.Rev, &row.Map, &row.Val))
		all = append(all, row)
	}
	require.NoError(t, rows.Err())
	return all
}

// Fill makes the table, if there is none, and adds rows to it.
func Fill(t testing.TB, s *Server, rows []table.Row) {
	t.Helper()
	c := s.Config()
	c.Write = true
	to, err := table.Open(t.Context(), c)
	require.NoError(t, err)
	require.NoError(t, to.Create(t.Context()))
	n, err := to.Insert(t.Context(), rows)
	require.NoError(t, err)
	require.Equal(t, len(rows), n)
	require.NoError(t, to.Close())
}

// isDuplicate reports whether PostgreSQL has such a database already.
func isDuplicate(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "42P04"
}
