package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/judge"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// servers start what there is of a kind: one for the whole test binary.
var servers = map[string]func(testing.TB) *dbserver.Server{
	table.Postgres: dbserver.Postgres, table.MySQL: dbserver.MariaDB, table.SQLite: dbserver.SQLite,
}

// moment puts the fixtures' database, named "sample", as it was once into an
// empty database of a server.
func moment(t *testing.T, s *dbserver.Server, gen string) *dbserver.Server {
	t.Helper()
	fresh := s.Database(t)
	switch {
	case s.Kind == table.Postgres:
		fresh.Load(t, fixture.DatomicDump(t, "postgres-"+gen+".sql.gz"))
	case s.Kind == table.MySQL && gen == "gen3":
		fresh.Load(t, fixture.DatomicDump(t, "mysql-gen3.sql.gz"))
	default:
		dbserver.Fill(t, fresh, moment(t, dbserver.Postgres(t), gen).Rows(t))
	}
	return fresh
}

// remote configures a remote for the database of a server.
func (u *user) remote(name string, s *dbserver.Server, settings ...string) {
	u.Helper()
	lines := []string{"[" + name + "]", "type = datomic", "storage = " + s.Kind}
	if s.Kind == table.SQLite {
		lines = append(lines, "path = "+s.Path)
	} else {
		lines = append(lines, "host = "+s.Host, "port = "+strconv.Itoa(s.Port), "user = "+s.User,
			"pass = "+obscure.MustObscure(s.Password), "dbname = "+s.DBName)
	}
	u.configure(strings.Join(append(lines, settings...), "\n"))
}

// shop is an empty table on a server for a database that Datomic will make, and
// the remote "shop:" for it.
func (u *user) shop(s *dbserver.Server, settings ...string) judge.Database {
	u.Helper()
	fresh := s.Database(u)
	dbserver.Fill(u, fresh, nil)
	u.remote("shop", fresh, settings...)
	return judge.Database{JDBC: fresh.JDBC(), Name: "shop"}
}

// onRecord are the facts of the fixtures' backups, newest first.
func onRecord(t *testing.T) []judge.Facts {
	t.Helper()
	data, err := os.ReadFile("../fixture/testdata/datomic/backup-gen3.expected.json")
	require.NoError(t, err)
	var all struct{ Results []judge.Facts }
	require.NoError(t, json.Unmarshal(data, &all))
	require.Len(t, all.Results, len(fixture.DatomicGens()))
	return all.Results
}

// native reads a backup as Datomic does: owner and segments by their digests,
// roots by what they mean.
func (u *user) native(dir string) map[string]any {
	u.Helper()
	out := map[string]any{}
	for name, digest := range u.tree(dir) {
		switch {
		case name == "owner" || strings.HasPrefix(name, "values/"):
			out[name] = digest
		case strings.HasPrefix(name, "roots/"):
			data, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(u, err)
			out[name], err = datomic.DecodeRoot(name, data)
			require.NoError(u, err)
		}
	}
	return out
}

// points are the t's of a backup, oldest first.
func (u *user) points(dest string) (ts []int64) {
	u.Helper()
	var points []pointReport
	u.report(&points, "backups", dest)
	for _, p := range points {
		require.True(u, p.Complete)
		require.Equal(u, "datomic", p.Kind)
		ts = append(ts, p.T)
	}
	return ts
}

// sound checks that a backup is whole to the eyes of both: ours, and Datomic's,
// which is given a copy if the backup lies elsewhere. It returns what Datomic
// finds, newest first.
func (u *user) sound(dest string) []judge.Facts {
	u.Helper()
	dir := dest
	if !filepath.IsAbs(dest) {
		dir = filepath.Join(u.TempDir(), "copy")
		u.ok("copy", dest, dir)
	}
	ts := u.points(dest)
	for _, at := range ts {
		assert.Contains(u, u.ok("verify", dest, "--deep", "--at", itoa(at)).out, "0 faults")
	}
	facts := judge.Backup(u, dir)
	require.Len(u, facts, len(ts))
	return facts
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
