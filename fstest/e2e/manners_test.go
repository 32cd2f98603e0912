package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

// damage cuts off the ends of some files of a folder, the largest ones, which
// are segments, and returns their names.
func (u *user) damage(dir string, n int) []string {
	u.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(u, err)
	size := func(e os.DirEntry) int64 {
		info, err := e.Info()
		require.NoError(u, err)
		return info.Size()
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return int(size(b) - size(a)) })
	var names []string
	for _, e := range entries[:n] {
		require.NoError(u, os.Truncate(filepath.Join(dir, e.Name()), size(e)-1))
		names = append(names, e.Name())
	}
	return names
}

func TestUsage(t *testing.T) {
	u := newUser(t)
	u.fails(2, "unknown command", "backpu")
	u.fails(2, "unknown flag", "backup", "--nonsense")
	for command, n := range map[string]int{"backup": 2, "restore": 2, "verify": 1, "backups": 1, "stat": 1, "prune": 1, "drill": 1, "convert": 2, "copy-backup": 2,
		"datoms": 1, "schema": 1, "log": 1, "export": 2, "import": 2} {
		u.fails(2, "needs", append([]string{command}, []string{"a", "b"}[:n-1]...)...)
		u.fails(2, "needs", append([]string{command}, []string{"a", "b", "c"}[:n+1]...)...)
	}
}

func TestNotFound(t *testing.T) {
	u := newUser(t)
	empty := u.path("empty")
	require.NoError(t, os.Mkdir(empty, 0o700))
	store := fixture.Unpack(t, "a-default")
	dest := u.path("backup")
	u.fails(4, "no Datahike database", "backup", database(u.path("nowhere")), dest)
	u.fails(4, "no Datahike database", "backup", database(empty), dest)
	u.fails(4, "no branch", "backup", ":datahike,branch=x,store='"+store+"':", dest)
	u.fails(6, "not a database remote", "backup", store, dest)
	u.fails(6, "nosuch", "backup", "nosuch:", dest)
	u.fails(6, "nosuch", "backup", database(store), "nosuch:x")
	assert.NoDirExists(t, dest)
	u.fails(4, "no backup", "verify", dest)
	u.fails(4, "no backup", "restore", dest, u.path("restored"))
	u.ok("backup", database(store), dest)
	u.fails(4, "no point", "restore", dest, u.path("restored"), "--at", "2001-01-01")
	u.fails(4, "no branch", "restore", dest, u.path("restored"), "--branch", "nope")
	assert.NoDirExists(t, u.path("restored"))
	u.fails(4, "no backups", "backups", empty)
}

func TestRefused(t *testing.T) {
	u := newUser(t)
	store, other := fixture.Unpack(t, "a-default"), fixture.Unpack(t, "c-crypto")
	dest := u.path("backup")
	u.ok("backup", database(store), dest)
	before := u.tree(dest)

	u.fails(6, "--accept other-database", "backup", database(other), dest)
	u.fails(6, "not empty", "restore", dest, other)
	for _, flags := range [][]string{
		{"--include", "*.ksv"}, {"--exclude", "x"}, {"--max-size", "1k"}, {"--min-age", "1d"}, {"--filter", "+ *"},
		{"--name-transform", "all,uppercase"},
	} {
		u.fails(6, "cannot be used with backup", append(flags, "backup", database(store), dest)...)
		u.fails(6, "cannot be used with restore", append(flags, "restore", dest, u.path("restored"))...)
	}
	assert.Equal(t, before, u.tree(dest))
	assert.NoDirExists(t, u.path("restored"))

	u.ok("backup", database(other), dest, "--accept", "other-database")
	u.ok("verify", dest, "--deep")
}

func TestDryRun(t *testing.T) {
	u := newUser(t)
	dest := u.path("backup")
	o := u.ok("backup", database(fixture.Unpack(t, "h-gen1")), dest, "--dry-run")
	assert.Contains(t, o.out, "Would make point")
	assert.Contains(t, o.stderr, "Skipped copy as --dry-run is set")
	assert.NoDirExists(t, dest)

	u.ok("backup", database(fixture.Unpack(t, "h-gen1")), dest)
	before := u.tree(dest)
	var would, did backupReport
	next := database(fixture.Unpack(t, "h-gen2"))
	u.report(&would, "backup", next, dest, "--dry-run")
	assert.True(t, would.DryRun)
	u.ok("restore", dest, u.path("restored"), "--dry-run")
	assert.NoDirExists(t, u.path("restored"))
	assert.Equal(t, before, u.tree(dest))

	u.report(&did, "backup", next, dest)
	assert.Equal(t, did.New, would.New)
	assert.Equal(t, did.Total, would.Total)
	written := slices.Collect(maps.Keys(u.tree(dest)))
	for name := range before {
		assert.Contains(t, written, name)
	}
}

// TestInteractive: there is one question for the whole, not one for each file.
func TestInteractive(t *testing.T) {
	u := newUser(t)
	store, dest := database(fixture.Unpack(t, "a-default")), u.path("backup")
	o := u.answer("n\n", "backup", store, dest, "-i")
	assert.Equal(t, 6, o.code)
	assert.Contains(t, o.stderr, "not done")
	assert.NoDirExists(t, dest)
	o = u.answer("y\n", "backup", store, dest, "-i")
	assert.Zero(t, o.code, o.stderr)
	assert.Equal(t, 1, strings.Count(o.out, "Yes, this is OK"))
	o = u.answer("y\n", "restore", dest, u.path("restored"), "-i")
	assert.Zero(t, o.code, o.stderr)
	assert.Equal(t, 1, strings.Count(o.out, "Yes, this is OK"))
}

func TestLimits(t *testing.T) {
	u := newUser(t)
	store, dest := database(fixture.Unpack(t, "a-default")), u.path("backup")
	u.fails(8, "max transfer limit", "backup", store, dest, "--max-transfer", "100k")
	u.fails(10, "max transfer duration", "backup", store, dest, "--max-duration", "1ms")
	u.fails(10, "max transfer duration", "backup", store, u.path("slow"), "--max-duration", "1s", "--bwlimit", "100k")
	for _, mode := range []string{"hard", "soft", "cautious"} {
		u.fails(8, "max transfer limit", "backup", store, u.path(mode), "--max-transfer", "100k", "--cutoff-mode", mode)
		assert.Contains(t, u.ok("backups", u.path(mode)).out, "(incomplete)")
	}
	o := u.ok("backup", store, u.path("slow"))
	assert.Contains(t, o.stderr, "Resuming")
	for _, dest := range []string{dest, u.path("slow")} {
		u.ok("backup", store, dest)
		u.ok("verify", dest, "--deep")
		assert.NoDirExists(t, dest+"/inflight")
	}
}

func TestImmutable(t *testing.T) {
	u := newUser(t)
	dest := u.path("backup")
	for _, generation := range []string{"h-gen1", "h-gen2", "h-gen4"} {
		u.ok("backup", database(fixture.Unpack(t, generation)), dest, "--immutable")
	}
	u.ok("verify", dest, "--deep")
}

// TestRepair brings back what was damaged.
func TestRepair(t *testing.T) {
	u := newUser(t)
	store, dest := database(fixture.Unpack(t, "a-default")), u.path("backup")
	u.ok("backup", store, dest)
	before := u.tree(dest + "/store")
	u.damage(dest+"/store", 3)
	o := u.ok("backup", store, dest, "--repair")
	assert.Contains(t, o.out, "repaired  3 segments")
	assert.Equal(t, before, u.tree(dest+"/store"))
	u.ok("verify", dest, "--deep")
}
