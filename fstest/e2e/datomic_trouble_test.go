package e2e

import (
	"bytes"
	"net"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/fstest/judge"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// TestDatomicSaysWhatIsWrong: each mistake in a configuration is named, and
// nothing is written.
func TestDatomicSaysWhatIsWrong(t *testing.T) {
	for kind, says := range map[string]struct{ password, dbname, tls string }{
		table.Postgres: {"password authentication failed", `database "nowhere" does not exist`, "server refused TLS connection"},
		table.MySQL:    {"Access denied for user", "Unknown database 'nowhere'", "the server does not offer TLS"},
	} {
		t.Run(kind, func(t *testing.T) {
			u := newUser(t)
			s := moment(t, servers[kind](t), "gen3")
			u.remote("live", s)
			for settings, want := range map[string]struct {
				code    int
				message string
			}{
				"pass=" + obscure.MustObscure("wr0ng"): {6, says.password},
				"pass=wr0ng":                           {6, "obscure"},
				"dbname=nowhere":                       {6, says.dbname},
				"sslmode=require":                      {6, says.tls},
				"sslmode=verify-full":                  {6, says.tls},
				"table=nothing_here":                   {6, "nothing_here"},
				"database=orders":                      {4, `there is no database "orders", but "sample"`},
				"port=" + freePort(t):                  {5, "connection refused"},
				"storage=oracle":                       {6, "oracle"},
			} {
				o := u.fails(want.code, want.message, "backup", "live,"+settings+":", u.path("backup"))
				assert.NotContains(t, o.stderr, "wr0ng", settings)
				assert.NotContains(t, o.stderr, s.Password, settings)
				assert.NoDirExists(t, u.path("backup"), settings)
			}
			u.fails(6, says.password, "restore", u.path("backup"), "live,pass="+obscure.MustObscure("wr0ng")+":")
		})
	}
}

// freePort is a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	_, port, err := net.SplitHostPort(freeAddress(t))
	require.NoError(t, err)
	return port
}

// running is a command at work.
type running struct {
	*exec.Cmd
	stderr bytes.Buffer
}

// slowly starts a backup that takes a while, and returns when it has written
// segments.
func (u *user) slowly(source, dest string, flags ...string) *running {
	u.Helper()
	r := &running{Cmd: u.command(append([]string{"backup", source, dest}, flags...)...)}
	r.Stderr = &r.stderr
	require.NoError(u, r.Start())
	u.Cleanup(func() { _ = r.Process.Kill() })
	require.Eventually(u, func() bool {
		files, err := filepath.Glob(filepath.Join(dest, "values", "*", "*"))
		require.NoError(u, err)
		return len(files) > 10
	}, patience, 5*time.Millisecond, "it writes nothing")
	return r
}

// uncommitted checks that neither we nor Datomic take what is there for a
// backup.
func (u *user) uncommitted(dest string) {
	u.Helper()
	u.fails(4, "no backup", "restore", dest, u.path("none"))
	found, err := judge.Start(u).Backups(u.Context(), dest)
	require.NoError(u, err)
	assert.Empty(u, found.Ts)
}

// TestDatomicServerIsAway kills the server under a backup. If it comes back
// soon the run goes on, if it does not the run fails, and the next one resumes.
func TestDatomicServerIsAway(t *testing.T) {
	for _, kind := range []string{table.Postgres, table.MySQL} {
		t.Run(kind, func(t *testing.T) {
			u := newUser(t)
			server := dbserver.New(t, kind, false)
			u.remote("live", moment(t, server, "gen3"), "pace = 20ms", "connections = 1", "batch = 8")

			r := u.slowly("live:", u.path("short"))
			server.Kill()
			server.Start(t)
			assert.NoDirExists(t, u.path("short/roots"), "it was not done before")
			require.NoError(t, r.Wait(), r.stderr.String())

			r = u.slowly("live:", u.path("long"), "--retries", "1")
			server.Kill()
			require.Error(t, r.Wait())
			assert.Contains(t, r.stderr.String(), "connection refused")
			assert.NotContains(t, r.stderr.String(), server.Password)
			u.uncommitted(u.path("long"))
			server.Start(t)
			o := u.ok("backup", "live,pace=0s:", u.path("long"))
			assert.Contains(t, o.stderr, "Resuming: an unfinished run has written")

			for _, dest := range []string{"short", "long"} {
				assert.Equal(t, onRecord(t)[:1], u.sound(u.path(dest)))
				assert.NoDirExists(t, filepath.Join(u.path(dest), "inflight"))
			}
		})
	}
}

// TestDatomicKilled kills a backup, and lets another one in while it runs.
func TestDatomicKilled(t *testing.T) {
	u := newUser(t)
	dest := u.path("backup")
	u.remote("live", moment(t, dbserver.Postgres(t), "gen3"), "pace = 20ms", "connections = 1", "batch = 8")
	r := u.slowly("live:", dest)
	u.fails(6, "another run is writing to this destination", "backup", "live:", dest)
	require.NoError(t, r.Process.Kill())
	require.ErrorContains(t, r.Wait(), "killed")
	u.uncommitted(dest)
	assert.Contains(t, u.ok("backups", dest).out, "(incomplete)")

	u.ok("backup", "live,pace=0s:", dest)
	assert.Equal(t, onRecord(t)[:1], u.sound(dest))
	assert.NoDirExists(t, filepath.Join(dest, "inflight"))
}
