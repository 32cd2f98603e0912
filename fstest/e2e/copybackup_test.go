package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

// copyReport is what copy-backup and convert print with --json.
type copyReport struct {
	Points []struct {
		ID         string `json:"id"`
		New, Total count
	} `json:"points"`
	Reused   int     `json:"reused"`
	Written  count   `json:"written"`
	Repaired int64   `json:"repaired"`
	Healed   int64   `json:"healed"`
	DryRun   bool    `json:"dryRun"`
	Seconds  float64 `json:"seconds"`
}

type count struct {
	Segments int64 `json:"segments"`
	Commits  int64 `json:"commits"`
	Bytes    int64 `json:"bytes"`
}

// TestCopyBackup copies two points of each kind of database over S3 to an encrypted
// place, in the other layout and back to a directory.
func TestCopyBackup(t *testing.T) {
	u := newUser(t)
	u.s3()
	u.vault("secret", "s3:bucket/vault", "correct horse")
	for kind, db := range u.databases() {
		home := u.path("backup-" + kind)
		u.ok("backup", db.old, home)
		u.ok("backup", db.now, home)
		far, back := "secret:"+kind, u.path("back-"+kind)

		var plan, rep, again copyReport
		before := u.tree(u.path("s3"))
		u.report(&plan, "convert", home, far, "--layout", "chunked", "--dry-run")
		assert.True(u, plan.DryRun)
		require.Len(u, plan.Points, 2)
		assert.Equal(u, before, u.tree(u.path("s3")), "--dry-run writes nothing")
		assert.Contains(u, u.ok("convert", home, far, "--layout", "chunked", "--dry-run").out, "Would copy point "+plan.Points[0].ID)

		u.report(&rep, "convert", home, far, "--layout", "chunked")
		assert.Equal(u, plan.Points, rep.Points)
		u.report(&again, "copy-backup", home, far)
		assert.NotNil(u, again.Points)
		assert.Empty(u, again.Points)
		assert.Equal(u, 2, again.Reused)
		assert.Contains(u, u.ok("copy-backup", home, far).out, "Up to date")
		for _, p := range rep.Points {
			assert.Contains(u, u.ok("verify", far, "--deep", "--at", p.ID).out, "0 faults")
		}

		u.ok("convert", far, back, "--layout", "native")
		for _, p := range rep.Points {
			for _, from := range []string{home, far, back} {
				u.ok("restore", from, u.path(filepath.Base(from)+p.ID), "--at", p.ID)
			}
			want := u.tree(u.path(filepath.Base(home) + p.ID))
			assert.Equal(u, want, u.tree(u.path(filepath.Base(far)+p.ID)))
			assert.Equal(u, want, u.tree(u.path(filepath.Base(back)+p.ID)))
		}
		var upToDate backupReport
		u.report(&upToDate, "backup", db.now, back)
		assert.True(u, upToDate.UpToDate, "a backup goes on from the copy")
	}
}

// TestCopyBackupDamaged: what is damaged does not get into a copy, is taken from
// another one, and is put back.
func TestCopyBackupDamaged(t *testing.T) {
	u := newUser(t)
	a, b, c := u.path("a"), u.path("b"), u.path("c")
	u.ok("backup", database(fixture.Unpack(t, "h-gen1")), a)
	u.ok("convert", a, b, "--layout", "chunked", "--chunk-size", "64Ki")
	whole := u.tree(a)
	damaged := u.damage(a+"/store", 1)
	o := u.fails(6, filepath.Base(damaged[0]), "copy-backup", a, c)
	assert.Contains(u, o.stderr, "--from")
	var rep copyReport
	u.report(&rep, "copy-backup", a, c, "--from", b)
	assert.EqualValues(u, 1, rep.Healed)
	assert.Contains(u, u.ok("verify", c, "--deep").out, "0 faults")

	u.report(&rep, "copy-backup", b, a, "--repair")
	assert.EqualValues(u, 1, rep.Repaired)
	now := u.tree(a)
	for name, data := range whole {
		assert.Equal(u, data, now[name], name)
	}
	assert.Contains(u, u.ok("verify", a, "--deep").out, "0 faults")
	u.fails(6, "say which layout is wanted", "convert", a, u.path("d"))
	assert.False(u, strings.Contains(u.ok("backups", c).out, "incomplete"))
}
