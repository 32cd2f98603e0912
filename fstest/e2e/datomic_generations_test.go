package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/judge"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// TestDatomicGenerations backs up three moments of a database from each kind of
// server: after each the backup is Datomic's own, segment for segment. Then it
// is restored to another kind of server, where Datomic finds what it had.
func TestDatomicGenerations(t *testing.T) {
	for kind, other := range map[string]string{table.Postgres: table.MySQL, table.MySQL: table.SQLite, table.SQLite: table.Postgres} {
		t.Run(kind, func(t *testing.T) {
			u := newUser(t)
			server, dest := servers[kind](t), u.path("backup")
			added := map[string]int64{"gen1": 106, "gen2": 121, "gen3": 117}
			for i, g := range fixture.DatomicGens() {
				source := g.Name + ":"
				u.remote(g.Name, moment(t, server, g.Name), "database = sample")
				var rep backupReport
				u.report(&rep, "backup", source, dest)
				assert.Equal(t, added[g.Name], rep.New.Segments)
				assert.Equal(t, int64(g.Segments), rep.Total.Segments)
				assert.Equal(t, u.native(fixture.DatomicBackup(t, g.Name)), u.native(dest))
				u.report(&rep, "backup", source, dest)
				assert.True(t, rep.UpToDate)
				assert.Len(t, u.points(dest), i+1)
			}
			assert.Equal(t, onRecord(t), u.sound(dest))

			target := servers[other](t).Database(t)
			u.remote("target", target)
			u.ok("restore", dest, "target:", "--create-table", "--dry-run")
			u.fails(6, "give --create-table", "restore", dest, "target:") // it was not created
			o := u.ok("restore", dest, "target:", "--create-table", "--at", "1638")
			assert.Contains(t, o.out, "database sample, t 1638")
			assert.Contains(t, o.out, "datomic:sql://sample?jdbc:…")
			content, err := judge.Start(t).Content(t.Context(), judge.Database{JDBC: target.JDBC(), Name: "sample"})
			require.NoError(t, err)
			assert.Equal(t, onRecord(t)[1].Restored, content)
			var rep backupReport
			u.report(&rep, "backup", "target:", u.path("again"))
			assert.Equal(t, int64(163), rep.Total.Segments)
			u.fails(6, "it has gone back", "backup", "target:", dest)
		})
	}
}
