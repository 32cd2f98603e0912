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

// layouts are the flags of backup for each layout of a destination.
var layouts = map[string][]string{"native": nil, "chunked": {"--layout", "chunked"}}

// vault configures a crypt remote over a directory, or over another remote.
func (u *user) vault(name, remote, password string, settings ...string) {
	u.Helper()
	obscured := strings.TrimSpace(u.ok("obscure", password).out)
	u.configure(strings.Join(append([]string{"[" + name + "]", "type = crypt", "remote = " + remote, "password = " + obscured}, settings...), "\n"))
}

// moments are sources with two moments of one database.
type moments struct {
	old, now string
	// plain is what no object may have in its name or among its bytes.
	plain []string
}

// databases are one of each kind; no server is needed for them.
func (u *user) databases() map[string]moments {
	u.Helper()
	sqlite := func(name string) string {
		return ":datomic,storage=sqlite,path='" + fixture.DatomicSQLite(u, name) + "':"
	}
	return map[string]moments{
		"datahike": {
			database(fixture.Unpack(u, "h-gen1")), database(fixture.Unpack(u, "h-gen2")),
			[]string{".ksv", "manifest", "datahike"},
		},
		"datomic": {
			sqlite(fixture.DatomicRootA), sqlite(fixture.DatomicBeforeGC),
			[]string{"roots", "owner", "manifest"},
		},
	}
}

// TestCryptDestination makes two points through a crypt remote, of each kind of
// database and in each layout, and restores both.
func TestCryptDestination(t *testing.T) {
	for layout, flags := range layouts {
		t.Run(layout, func(t *testing.T) {
			for _, under := range []string{"disk", "s3"} {
				t.Run(under, func(t *testing.T) {
					u := newUser(t)
					lies, remote := u.path("vault"), u.path("vault")
					if under == "s3" {
						u.s3()
						lies, remote = u.path("s3/bucket/vault"), "s3:bucket/vault"
					}
					u.vault("secret", remote, "correct horse", "filename_encryption = standard")
					for kind, db := range u.databases() {
						u.throughCrypt(db, "secret:"+kind, lies, flags)
					}
				})
			}
		})
	}
}

// throughCrypt makes the points at dest, which lies encrypted in a directory.
func (u *user) throughCrypt(db moments, dest, lies string, flags []string) {
	u.Helper()
	var first, second backupReport
	u.report(&first, append([]string{"backup", db.old, dest}, flags...)...)
	before := u.tree(lies)
	u.report(&second, append([]string{"backup", db.now, dest}, flags...)...)
	after := u.tree(lies)
	assert.Equal(u, first.Point, second.Parent)
	assert.Less(u, second.New.Segments, second.Total.Segments/2+1)
	assert.Less(u, second.Requests.DestinationWrites, second.New.Segments+20, "the cost follows the change")
	assert.Less(u, second.Requests.DestinationReads, second.New.Segments+20)
	assert.LessOrEqual(u, int64(len(after)-len(before)), second.New.Segments+20)
	u.enciphered(lies, after, db.plain)

	var again backupReport
	u.report(&again, append([]string{"backup", db.now, dest}, flags...)...)
	assert.True(u, again.UpToDate)
	assert.Equal(u, after, u.tree(lies))

	var listed []pointReport
	u.report(&listed, "backups", dest)
	require.Len(u, listed, 2)
	u.ok("stat", dest)
	for point, source := range map[string]string{first.Point: db.old, second.Point: db.now} {
		assert.Contains(u, u.ok("verify", dest, "--deep", "--at", point).out, "0 faults")
		to := u.path("restored-" + point)
		u.ok("restore", dest, to, "--at", point)
		u.ok("check", "--download", source, to, "--one-way")
	}
	now := u.tree(lies) // verify has noted what it has found
	for name, data := range after {
		assert.Equal(u, data, now[name], "%s has changed", name)
	}
}

// enciphered checks that nothing in a directory shows what it is.
func (u *user) enciphered(dir string, names map[string]string, plain []string) {
	u.Helper()
	for name := range maps.Keys(names) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(u, err)
		require.True(u, strings.HasPrefix(string(data), "RCLONE\x00\x00"), name)
		for _, p := range plain {
			assert.NotContains(u, name, p)
			assert.NotContains(u, string(data), p, name)
		}
	}
}

// TestWrongPassword: one clear error, whatever is tried, and nothing is written.
func TestWrongPassword(t *testing.T) {
	for layout, flags := range layouts {
		t.Run(layout, func(t *testing.T) {
			for name, settings := range map[string][]string{
				"names":     {"filename_encryption = standard"},
				"files":     {"filename_encryption = standard", "directory_name_encryption = false"},
				"off":       {"filename_encryption = off", "directory_name_encryption = false"},
				"obfuscate": {"filename_encryption = obfuscate"},
			} {
				t.Run(name, func(t *testing.T) {
					u := newUser(t)
					u.vault("right", u.path("vault"), "correct horse", settings...)
					u.vault("wrong", u.path("vault"), "battery staple", settings...)
					for kind, db := range u.databases() {
						if kind == "datomic" && name != "names" {
							continue // nothing is read by then that tells kinds apart
						}
						u.ok(append([]string{"backup", db.old, "right:" + kind}, flags...)...)
						u.wrongPassword(db, "wrong:"+kind, flags)
						assert.Contains(u, u.ok("verify", "right:"+kind, "--deep").out, "0 faults")
					}
				})
			}
		})
	}
}

// wrongPassword tries everything at a place that cannot be decrypted.
func (u *user) wrongPassword(db moments, dest string, flags []string) {
	u.Helper()
	was := u.tree(u.path("vault"))
	for _, args := range [][]string{
		append([]string{"backup", db.now, dest}, flags...),
		append([]string{"backup", db.now, dest, "--repair"}, flags...),
		{"backups", dest}, {"verify", dest}, {"stat", dest}, {"restore", dest, u.path("none")},
	} {
		o := u.fails(6, "password or password2 of the crypt remote is not the one", args...)
		said := slices.DeleteFunc(slices.Collect(strings.Lines(o.stderr)), func(line string) bool {
			return strings.Contains(line, "Skipping undecryptable") // of rclone's, for each name in a directory
		})
		assert.LessOrEqual(u, len(said), 3, o.stderr)
		assert.Empty(u, o.out)
		assert.Equal(u, was, u.tree(u.path("vault")), "%q", args)
	}
	assert.NoDirExists(u, u.path("none"))
}

// TestWrongPasswordOfTarget: a copy is not put beside what another password wrote.
func TestWrongPasswordOfTarget(t *testing.T) {
	u := newUser(t)
	u.vault("right", u.path("vault"), "correct horse")
	u.vault("wrong", u.path("vault"), "battery staple")
	u.ok("backup", database(fixture.Unpack(t, "a-default")), "right:mydb")
	was := u.tree(u.path("vault"))
	u.fails(6, "nothing in "+u.path("vault")+" can be decrypted", "restore", "right:mydb", "wrong:copy")
	assert.Equal(t, was, u.tree(u.path("vault")))
	u.ok("restore", "right:mydb", "right:copy")
}

// TestNewPassword copies a backup to another password and goes on there.
func TestNewPassword(t *testing.T) {
	u := newUser(t)
	u.vault("old", u.path("old"), "correct horse")
	u.vault("new", u.path("new"), "battery staple")
	db := u.databases()["datahike"]
	u.ok("backup", db.old, "old:mydb")
	u.ok("copy", "old:mydb", "new:mydb")
	assert.Contains(t, u.ok("verify", "new:mydb", "--deep").out, "0 faults")
	var next backupReport
	u.report(&next, "backup", db.now, "new:mydb")
	assert.NotEmpty(t, next.Parent)
	assert.Contains(t, u.ok("verify", "new:mydb", "--deep").out, "0 faults")
}

// TestDamageBelowCrypt: what crypt notices is a fault as any other, and healed.
func TestDamageBelowCrypt(t *testing.T) {
	u := newUser(t)
	u.vault("secret", u.path("vault"), "correct horse")
	source, dest := database(fixture.Unpack(t, "h-gen1")), "secret:mydb"
	u.ok("backup", source, dest)
	names := strings.Fields(u.ok("lsf", dest+"/snapshots", "-R", "--files-only", "--include", "manifest.edn").out)
	segments := strings.Fields(u.ok("lsf", dest+"/store", "--files-only").out)
	require.Len(t, names, 1)
	spoil := func(name string, change func(b []byte) []byte) {
		t.Helper()
		fields := strings.Fields(u.ok("cryptdecode", "--reverse", "secret:", name).out)
		file := filepath.Join(u.path("vault"), filepath.FromSlash(fields[len(fields)-1]))
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, change(data), 0o600))
	}
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { b[at] ^= 1; return b }
	}
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }
	for i, change := range []func([]byte) []byte{flip(2), flip(40), flip(60), cut(0), cut(20), cut(50)} {
		spoil("mydb/store/"+segments[i], change)
	}
	o := u.fails(6, "segment is corrupt", "verify", dest, "--deep")
	assert.Contains(t, o.out, "bad password?")
	assert.Contains(t, o.out, "6 faults")
	u.ok("backup", source, dest, "--repair")
	assert.Contains(t, u.ok("verify", dest, "--deep").out, "0 faults")

	spoil("mydb/snapshots/"+names[0], flip(60))
	assert.Contains(t, u.run("backups", dest).out, "damaged")
	u.fails(6, "--repair", "backup", source, dest)
	u.ok("backup", source, dest, "--repair")
	assert.Contains(t, u.ok("verify", dest, "--deep").out, "0 faults")
}
