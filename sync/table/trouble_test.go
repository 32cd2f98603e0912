package table_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// refused opens what cannot be opened and returns the error's text, which must
// not have the password in any form.
func refused(t *testing.T, c table.Config) string {
	t.Helper()
	opened, err := table.Open(t.Context(), c)
	if !assert.Error(t, err) {
		_ = opened.Close()
		return ""
	}
	for _, secret := range []string{c.Password, "password=", "://"} {
		if secret != "" {
			assert.NotContains(t, err.Error(), secret)
		}
	}
	assert.NotContains(t, err.Error(), "\n")
	return err.Error()
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for kind, s := range map[string]*dbserver.Server{table.Postgres: dbserver.Postgres(t), table.MySQL: dbserver.MariaDB(t)} {
		t.Run(kind, func(t *testing.T) {
			s := s.Database(t)
			wrong := map[string]string{table.Postgres: "password authentication failed for user", table.MySQL: "Access denied for user"}
			for _, password := range []string{"wr0ng", `wr0ng '"\ @:/?&=%40`} {
				c := s.Config()
				c.Password = password
				assert.Contains(t, refused(t, c), wrong[kind])
			}

			unknown := map[string]string{table.Postgres: `database "nowhere" does not exist`, table.MySQL: "Unknown database 'nowhere'"}
			c := s.Config()
			c.DBName = "nowhere"
			assert.Contains(t, refused(t, c), unknown[kind])

			noTLS := map[string]string{table.Postgres: "server refused TLS connection", table.MySQL: "the server does not offer TLS"}
			for _, mode := range []string{"require", "verify-ca", "verify-full"} {
				c := s.Config()
				c.TLS = mode
				assert.Contains(t, refused(t, c), noTLS[kind])
			}

			free, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			c = s.Config()
			c.Port = free.Addr().(*net.TCPAddr).Port
			require.NoError(t, free.Close())
			assert.Contains(t, refused(t, c), "connection refused")

			c = s.Config()
			c.Table = "nothing_here"
			_, err = table.Open(t.Context(), c)
			require.ErrorIs(t, err, table.ErrNoTable)
			assert.ErrorContains(t, err, "nothing_here")
		})
	}
}

func TestATableOfOtherColumnsIsNone(t *testing.T) {
	onEmpty(t, func(t *testing.T, s *dbserver.Server) {
		s.Exec(t, "CREATE TABLE datomic_kvs (id varchar(10), value varchar(10))")
		_, err := table.Open(t.Context(), s.Config())
		require.ErrorIs(t, err, table.ErrNoTable)
	})
}

func TestPasswordsOfAnyForm(t *testing.T) {
	const password = `a'b"c\d e%40@:/?&=#é`
	for kind, s := range map[string]*dbserver.Server{table.Postgres: dbserver.Postgres(t), table.MySQL: dbserver.MariaDB(t)} {
		t.Run(kind, func(t *testing.T) {
			s := s.Database(t)
			dbserver.Fill(t, s, []table.Row{{ID: "a", Val: []byte("x")}})
			if kind == table.Postgres {
				s.Exec(t, `CREATE USER "o'dd \u" PASSWORD 'a''b"c\d e%40@:/?&=#é'`, `GRANT SELECT ON datomic_kvs TO "o'dd \u"`)
				t.Cleanup(func() { s.Exec(t, `DROP OWNED BY "o'dd \u"`, `DROP USER "o'dd \u"`) })
			} else {
				s.Exec(t, `CREATE USER 'o''dd \\u'@'%' IDENTIFIED BY 'a''b"c\\d e%40@:/?&=#é'`, `GRANT SELECT ON *.* TO 'o''dd \\u'@'%'`)
				t.Cleanup(func() { s.Exec(t, `DROP USER 'o''dd \\u'@'%'`) })
			}
			c := s.Config()
			c.User, c.Password = `o'dd \u`, password
			val, err := open(t, c).Get(t.Context(), "a")
			require.NoError(t, err)
			assert.Equal(t, "x", string(val))
			assert.NotContains(t, open(t, c).String(), "dd")
		})
	}
}

func TestTLS(t *testing.T) {
	for _, kind := range []string{table.Postgres, table.MySQL} {
		t.Run(kind, func(t *testing.T) {
			s := dbserver.New(t, kind, true)
			dbserver.Fill(t, s, []table.Row{{ID: "a", Val: []byte("x")}})
			insist := map[string]string{
				table.MySQL: "CREATE USER tls@'%' IDENTIFIED BY 'x' REQUIRE SSL", table.Postgres: "CREATE USER tls PASSWORD 'x'",
			}
			s.Exec(t, insist[kind])
			pem, err := os.ReadFile(s.RootCert)
			require.NoError(t, err)
			cert := filepath.Join(t.TempDir(), "root.pem")
			require.NoError(t, os.WriteFile(cert, pem, 0o600))
			for _, ok := range []struct{ mode, cert string }{
				{"", ""}, {"disable", ""}, {"prefer", ""}, {"require", ""}, {"require", cert}, {"verify-ca", cert}, {"verify-full", cert},
			} {
				c := s.Config()
				c.TLS, c.RootCert = ok.mode, ok.cert
				open(t, c)
			}
			for _, mode := range []string{"verify-ca", "verify-full"} {
				c := s.Config()
				c.TLS = mode
				assert.Contains(t, refused(t, c), "certificate signed by unknown authority")
			}
			// The certificate is for the address alone.
			c := s.Config()
			c.Host, c.TLS, c.RootCert = "localhost", "verify-full", cert
			assert.Contains(t, refused(t, c), "certificate")
			c.TLS = "verify-ca"
			open(t, c)
			if kind == table.MySQL {
				c := s.Config()
				c.User, c.Password, c.TLS = "tls", "x", "disable"
				assert.Contains(t, refused(t, c), "Access denied")
			}
		})
	}
}

func TestServerThatIsRestarted(t *testing.T) {
	for _, kind := range []string{table.Postgres, table.MySQL} {
		t.Run(kind, func(t *testing.T) {
			s := dbserver.New(t, kind, false)
			rows := gen3(t)
			dbserver.Fill(t, s, rows)
			c := s.Config()
			c.Batch, c.Write = 50, true
			from := open(t, c)
			want := values(rows)
			_, err := getAll(t.Context(), from, want)
			require.NoError(t, err)

			s.Kill()
			var got map[string][]byte
			var gotErr, pinErr, commitErr error
			var working sync.WaitGroup
			working.Go(func() { got, gotErr = getAll(t.Context(), from, want) })
			working.Go(func() { _, _, pinErr = from.Named(t.Context(), "pod-catalog") })
			working.Go(func() {
				commitErr = from.Commit(t.Context(), nil, []table.Change{{Row: table.Row{ID: "new", Rev: at(0), Map: "{}"}}})
			})
			s.Start(t)
			working.Wait()
			require.NoError(t, gotErr)
			require.NoError(t, pinErr)
			require.NoError(t, commitErr)
			assert.Equal(t, want, got)

			from.Impatient()
			s.Kill()
			_, err = from.Get(t.Context(), "pod-catalog")
			require.Error(t, err)
			assert.ErrorContains(t, err, "cannot connect")
			assert.ErrorContains(t, err, strconv.Itoa(s.Port))
			assert.NotContains(t, err.Error(), c.Password)
		})
	}
}

// hold takes a lock that nobody can read over, until the test ends.
func hold(t *testing.T, s *dbserver.Server) {
	t.Helper()
	c := s.Config()
	c.Write, c.Connections = true, 1
	other := open(t, c)
	switch s.Kind {
	case table.Postgres:
		require.NoError(t, other.Exec(t.Context(), "BEGIN"))
		require.NoError(t, other.Exec(t.Context(), "LOCK TABLE datomic_kvs"))
	default:
		require.NoError(t, other.Exec(t.Context(), "LOCK TABLES datomic_kvs WRITE"))
	}
}

func TestStatementThatTakesTooLong(t *testing.T) {
	for kind, s := range map[string]*dbserver.Server{table.Postgres: dbserver.Postgres(t), table.MySQL: dbserver.MariaDB(t)} {
		t.Run(kind, func(t *testing.T) {
			s := s.Database(t)
			dbserver.Fill(t, s, []table.Row{{ID: "a", Val: []byte("x")}})
			c := s.Config()
			c.Timeout = 100 * time.Millisecond
			from := open(t, c)
			hold(t, s)
			start := time.Now()
			_, err := from.Get(t.Context(), "a")
			text := map[string]string{table.Postgres: "statement timeout", table.MySQL: "max_statement_time exceeded"}
			require.ErrorContains(t, err, text[kind])
			assert.Less(t, time.Since(start), 10*time.Second, "it is not tried again")
		})
	}
}

func TestCallThatIsCancelled(t *testing.T) {
	for kind, s := range map[string]*dbserver.Server{table.Postgres: dbserver.Postgres(t), table.MySQL: dbserver.MariaDB(t)} {
		t.Run(kind, func(t *testing.T) {
			s := s.Database(t)
			dbserver.Fill(t, s, []table.Row{{ID: "a", Val: []byte("x")}})
			from := open(t, s.Config())
			hold(t, s)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, _, err := from.Named(ctx, "a")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			_, err = from.Get(ctx, "a")
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}
