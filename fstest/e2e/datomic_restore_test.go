package e2e

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rclone/rclone/fs/config/obscure"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/judge"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// TestDatomicMovesOverS3 restores a backup that lies in a bucket under a new
// name, and goes on with the copy: Datomic writes to it, and its next backup
// continues where the first one's ended.
func TestDatomicMovesOverS3(t *testing.T) {
	u := newUser(t)
	u.s3()
	ctx, j := t.Context(), judge.Start(t)
	server := dbserver.Postgres(t)
	u.remote("live", moment(t, server, "gen3"))
	u.ok("backup", "live:", "s3:bucket/sample")

	target := server.Database(t)
	u.remote("target", target)
	u.ok("restore", "s3:bucket/sample", "target:", "--as", "moved", "--create-table")
	moved := judge.Database{JDBC: target.JDBC(), Name: "moved"}
	content, err := j.Content(ctx, moved)
	require.NoError(t, err)
	assert.Equal(t, onRecord(t)[0].Restored, content)
	engines := engineRestored(t, fixture.DatomicBackup(t, "gen3"), "moved", server)
	assert.Equal(t, engines, rows(target.Rows(t)))

	more, err := j.More(ctx, moved, 3, true)
	require.NoError(t, err)
	assert.Equal(t, fixture.DatomicID, more.DatabaseID)
	var rep backupReport
	u.report(&rep, "backup", "target:", "s3:bucket/sample")
	assert.Less(t, rep.New.Segments, rep.Total.Segments)
	content, err = j.Content(ctx, moved)
	require.NoError(t, err)
	facts := u.sound("s3:bucket/sample")
	assert.Equal(t, more.T, facts[0].T)
	assert.Equal(t, content, facts[0].Restored)
	assert.Equal(t, onRecord(t)[0], facts[1])
	u.fails(6, "it has gone back", "backup", "live:", "s3:bucket/sample")
}

// engineRestored are the rows that Datomic's own restore leaves.
func engineRestored(t *testing.T, dir, name string, server *dbserver.Server) map[string]string {
	t.Helper()
	fresh := server.Database(t)
	dbserver.Fill(t, fresh, nil)
	_, err := judge.Start(t).EngineRestore(t.Context(), dir, 1708, judge.Database{JDBC: fresh.JDBC(), Name: name})
	require.NoError(t, err)
	return rows(fresh.Rows(t))
}

var newRow = regexp.MustCompile(`"[0-9a-f-]{36}"`)

// rows are what a restore leaves, apart from the ids that it makes up: named
// rows keep theirs, and what they name is known by its content.
func rows(all []table.Row) map[string]string {
	out := map[string]string{}
	named := ""
	for _, row := range all {
		if row.Rev.Valid {
			named += row.Map
		}
	}
	values := map[string]string{}
	for _, row := range all {
		values[row.ID] = row.Map + " " + string(row.Val)
	}
	for _, row := range all {
		switch {
		case row.Rev.Valid:
			out[row.ID] = newRow.ReplaceAllStringFunc(row.Map, func(id string) string { return values[id[1:len(id)-1]] })
		case !strings.Contains(named, row.ID):
			out[row.ID] = values[row.ID]
		}
	}
	return out
}

// TestDatomicCollisions: what Datomic refuses to restore is refused, and what
// would lose transactions; no row is written then.
func TestDatomicCollisions(t *testing.T) {
	u := newUser(t)
	for _, gen := range []string{"gen1", "gen3"} {
		u.remote(gen, moment(t, dbserver.SQLite(t), gen))
		u.ok("backup", gen+":", u.path("backup"))
	}
	target := moment(t, dbserver.SQLite(t), "gen2")
	u.remote("target", target)
	refused := func(message string, args ...string) {
		t.Helper()
		before := target.Rows(t)
		u.fails(6, message, append([]string{"restore", u.path("backup"), "target:"}, args...)...)
		assert.Equal(t, before, target.Rows(t))
	}
	refused(`under the name "sample"`, "--as", "other")
	refused("give --rewind", "--at", "1485")
	u.fails(6, "give --create-table", "restore", u.path("backup"), ":datomic,path='"+u.path("none.db")+"':")
	assert.NoFileExists(t, u.path("none.db"))

	before := target.Rows(t)
	var rep restoreReport
	u.report(&rep, "restore", u.path("backup"), "target:", "--dry-run")
	assert.True(t, rep.DryRun)
	assert.Positive(t, rep.Written.Segments)
	assert.Equal(t, before, target.Rows(t))
	j := judge.Start(t)
	for _, at := range []struct {
		t      int64
		flags  []string
		record int
	}{{1708, nil, 0}, {1485, []string{"--rewind"}, 2}} {
		u.report(&rep, append([]string{"restore", u.path("backup"), "target:", "--at", itoa(at.t)}, at.flags...)...)
		assert.Equal(t, []any{"datomic", "sample", at.t}, []any{rep.Kind, rep.Name, rep.T})
		content, err := j.Content(t.Context(), judge.Database{JDBC: target.JDBC(), Name: "sample"})
		require.NoError(t, err)
		assert.Equal(t, onRecord(t)[at.record].Restored, content)
	}

	_, err := j.Make(t.Context(), u.shop(dbserver.SQLite(t)), 20)
	require.NoError(t, err)
	u.fails(6, `another database named "shop"`, "restore", u.path("backup"), "shop:", "--as", "shop")
	u.ok("restore", u.path("backup"), "shop:", "--as", "second")
	u.fails(6, `set database to one of "second" "shop"`, "backup", "shop:", u.path("none"))
	assert.NoDirExists(t, u.path("none"))
	u.ok("backup", "shop,database=second:", u.path("backup"))
}

// TestDatomicRestoresToABackup: a point by itself, which Datomic accepts.
func TestDatomicRestoresToABackup(t *testing.T) {
	u := newUser(t)
	u.remote("live", moment(t, dbserver.SQLite(t), "gen2"))
	u.ok("backup", "live:", u.path("backup"))
	o := u.ok("restore", u.path("backup"), u.path("restored"))
	assert.Contains(t, o.out, "datomic:backup:file://"+u.path("restored")+"?t=1638")
	assert.Equal(t, onRecord(t)[1:2], judge.Backup(t, u.path("restored")))
	for name := range u.tree(u.path("restored")) {
		assert.Regexp(t, `^(owner|roots|values)`, filepath.ToSlash(name))
	}
}

// TestDatomicEncrypted: a backup on a crypt remote, read through it, is no other.
func TestDatomicEncrypted(t *testing.T) {
	u := newUser(t)
	u.configure("[safe]\ntype = crypt\nremote = " + u.path("vault") + "\npassword = " + obscure.MustObscure("correct horse battery"))
	for _, g := range fixture.DatomicGens()[1:] {
		u.remote(g.Name, moment(t, dbserver.SQLite(t), g.Name))
		u.ok("backup", g.Name+":", "safe:sample")
	}
	assert.Equal(t, onRecord(t)[:2], u.sound("safe:sample"))
	for name := range u.tree(u.path("vault")) {
		assert.NotRegexp(t, `owner|roots|values|1708`, name)
	}
	u.remote("target", dbserver.SQLite(t))
	u.ok("restore", "safe:sample", "target:", "--create-table")
	u.ok("check", "--download", "gen3:", "target:")
}
