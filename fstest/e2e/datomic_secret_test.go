package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// TestDatomicPasswordIsNotShown does everything, with everything logged: the
// password is nowhere but where the user has put it, and no URL or connection
// string is shown that might have it.
func TestDatomicPasswordIsNotShown(t *testing.T) {
	for _, kind := range []string{table.Postgres, table.MySQL} {
		t.Run(kind, func(t *testing.T) {
			u := newUser(t)
			source, target := moment(t, servers[kind](t), "gen3"), servers[kind](t).Database(t)
			plain := dbserver.Server{Kind: kind, Host: source.Host, Port: source.Port, User: source.User, DBName: source.DBName}
			u.remote("live", source)
			u.remote("target", target)
			plain.Password = "wr0ng-word"
			u.remote("wrong", &plain)
			u.remote("away", &dbserver.Server{Kind: kind, Host: source.Host, Port: 1, User: source.User, Password: source.Password, DBName: "x"})
			require.NoError(t, os.WriteFile(u.path("jobs.edn"), []byte(`{:good {:source "live:" :destination "by-job" :pace 0}
				:bad {:source "wrong:" :destination "by-job" :hooks {:on-failure ["`+binary+`" "version"]}}}`), 0o600))
			config, err := os.ReadFile(u.path("rclone.conf"))
			require.NoError(t, err)
			secrets := []string{source.Password, plain.Password, "://" + source.User, "password=", "Passwd"}
			for line := range strings.Lines(string(config)) {
				if obscured, ok := strings.CutPrefix(strings.TrimSpace(line), "pass = "); ok {
					secrets = append(secrets, obscured)
				}
			}
			require.Len(t, secrets, 9)

			for _, command := range []struct {
				code int
				args string
			}{
				{0, "backup live: backup"}, {0, "backup live: backup --repair"}, {0, "backup live: dry --dry-run"},
				{0, "backups backup --json"}, {0, "verify backup --deep"}, {0, "stat live: --json"}, {0, "stat backup"},
				{0, "restore backup target: --create-table --as moved"}, {6, "restore backup target: --as other"},
				{0, "restore backup restored"}, {0, "lsf -R live:"}, {0, "copy live: copied"}, {0, "check target: copied"},
				{0, "backend databases live:"}, {0, "backend roots live:"}, {0, "backend stat live:"}, {0, "backend features live:"},
				{0, "run jobs.edn good --json"}, {6, "run jobs.edn bad"}, {0, "config redacted live"},
				{6, "backup wrong: backup"}, {5, "backup away: backup"}, {6, "restore backup wrong:"},
				{4, "backup live,database=orders: backup"}, {6, "backup live,sslmode=require: backup"}, {6, "backup live,table=none: backup"},
			} {
				o := u.run(append(strings.Fields(command.args), "-vv", "--dump", "headers,bodies,auth")...)
				assert.Equal(t, command.code, o.code, "%s: %s", command.args, o.stderr[max(0, len(o.stderr)-500):])
				for _, secret := range secrets {
					assert.False(t, strings.Contains(o.out+o.stderr, secret), "%q in the output of %s", secret, command.args)
				}
			}
			u.nowhere(secrets...)
		})
	}
}

// nowhere checks that no file has one of the secrets, but for the user's own
// configuration.
func (u *user) nowhere(secrets ...string) {
	u.Helper()
	files := u.tree(u.dir)
	assert.Greater(u, len(files), 500)
	for name := range files {
		if name == "rclone.conf" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(u.dir, name))
		require.NoError(u, err)
		for _, secret := range secrets {
			assert.False(u, strings.Contains(string(data), secret), "%q in %s", secret, name)
		}
	}
}

// TestDatomicPasswordFromEnvironment: a remote can be all in the environment.
// Where the password is a flag's variable rclone shows it with -vv, obscured.
func TestDatomicPasswordFromEnvironment(t *testing.T) {
	u := newUser(t)
	s := moment(t, dbserver.Postgres(t), "gen1")
	obscured := obscure.MustObscure(s.Password)
	u.env = append(u.env, "RCLONE_CONFIG_LIVE_TYPE=datomic", "RCLONE_CONFIG_LIVE_STORAGE=postgres", "RCLONE_CONFIG_LIVE_HOST="+s.Host,
		"RCLONE_CONFIG_LIVE_PORT="+itoa(int64(s.Port)), "RCLONE_CONFIG_LIVE_USER="+s.User, "RCLONE_CONFIG_LIVE_DBNAME="+s.DBName)
	for variable, level := range map[string]string{"RCLONE_CONFIG_LIVE_PASS": "-vv", "RCLONE_DATOMIC_PASS": "-v"} {
		with := &user{t, u.dir, append(u.env, variable+"="+obscured)}
		o := with.ok("backup", "live:", u.path(variable), level)
		assert.Contains(t, o.out, "Point 20")
		for _, secret := range []string{s.Password, obscured} {
			assert.NotContains(t, o.out+o.stderr, secret, variable)
		}
	}
}
