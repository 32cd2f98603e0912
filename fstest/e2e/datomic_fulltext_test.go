package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/judge"
)

// TestDatomicFullText: a database with a file of full text in more than ten
// chunks goes from Datomic's backup to a table and to a backup of ours, and
// Datomic finds the same in all of them.
func TestDatomicFullText(t *testing.T) {
	u := newUser(t)
	ctx, j := t.Context(), judge.Start(t)
	theirs := fixture.DatomicBackup(t, fixture.DatomicFullText)
	want, err := j.Backup(ctx, theirs)
	require.NoError(t, err)
	require.Len(t, want, 1)

	target := dbserver.Postgres(t).Database(t)
	u.remote("target", target)
	u.ok("restore", theirs, "target:", "--create-table", "--as", "texts")
	content, err := j.Content(ctx, judge.Database{JDBC: target.JDBC(), Name: "texts"})
	require.NoError(t, err)
	assert.Equal(t, want[0].Restored, content)

	ours := u.path("ours")
	u.ok("backup", "target:", ours)
	u.ok("verify", ours, "--deep")
	assert.Equal(t, want, u.sound(ours))
	u.ok("copy", "target:", u.path("files"))
	u.ok("check", "target:", u.path("files"), "--download")
}
