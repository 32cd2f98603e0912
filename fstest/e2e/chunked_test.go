package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/judge"
)

// unzip unpacks all chunks of a destination, one backup after the other, as
// somebody does who has lost this program. It returns the directory.
func (u *user) unzip(dest string) (dir string) {
	u.Helper()
	program, err := exec.LookPath("unzip")
	if errors.Is(err, exec.ErrNotFound) && os.Getenv("DATOM_REQUIRE_SERVERS") == "" {
		u.Skip("there is no unzip")
	}
	require.NoError(u, err)
	dir = u.TempDir()
	chunks, err := filepath.Glob(filepath.Join(dest, "*", "*", "chunks", "segments-*.zip"))
	require.NoError(u, err)
	require.NotEmpty(u, chunks)
	slices.Sort(chunks)
	for _, chunk := range chunks {
		out, err := exec.Command(program, "-o", "-q", chunk, "-d", dir).CombinedOutput()
		require.NoError(u, err, "%s", out)
		assert.Empty(u, string(out))
	}
	return dir
}

// TestUnzip: what an unzip makes of the chunks of a store is the store, of which
// the digests are those that the real Datahike reports.
func TestUnzip(t *testing.T) {
	for _, name := range fixture.Names() {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			if key := fixture.Key(name); key != "" {
				u.env = append(u.env, "RCLONE_DATAHIKE_ENCRYPTION_KEY="+strings.TrimSpace(u.ok("obscure", key).out))
			}
			u.ok("backup", database(fixture.Unpack(t, name)), u.path("backup"), "--layout", "chunked", "--chunk-size", "20Ki")
			u.ok("restore", u.path("backup"), u.path("restored"))
			store := filepath.Join(u.unzip(u.path("backup")), "store")
			assert.Equal(t, u.tree(u.path("restored")), u.tree(store))
			u.asDatahikeReports(store, name)
		})
	}
}

// asDatahikeReports compares the digests of a store with what Datahike reports of
// a fixture.
func (u *user) asDatahikeReports(store, name string) {
	u.Helper()
	again := u.TempDir()
	u.ok("backup", database(store), again)
	var verify verifyReport
	u.report(&verify, "verify", again, "--deep", "--datoms")
	branches := fixture.Expected(u, name).ByBranch
	require.Len(u, verify.Digests, len(branches))
	for branch, want := range branches {
		got := verify.Digests[branch]
		assert.Equal(u, [2]string{want.CurrentSHA256, want.HistorySHA256}, [2]string{got.SHA256Current, got.SHA256History}, branch)
	}
}

// TestUnzipChain does so with a chain of points.
func TestUnzipChain(t *testing.T) {
	u := newUser(t)
	for _, name := range []string{"h-gen1", "h-gen2", "h-gen3"} {
		dir := fixture.Unpack(t, name)
		u.ok("backup", database(dir), u.path("backup"), "--layout", "chunked", "--chunk-size", "20Ki")
		store := filepath.Join(u.unzip(u.path("backup")), "store")
		u.ok("check", "--download", "--one-way", database(dir), store) // what was released is there still
		u.asDatahikeReports(store, name)
	}
}

// TestUnzipDatomic: what an unzip makes of the chunks of a chain is a backup that
// the real Datomic restores, to every t.
func TestUnzipDatomic(t *testing.T) {
	u := newUser(t)
	server, dest := dbserver.Postgres(t), u.path("backup")
	for i, g := range fixture.DatomicGens() {
		u.remote(g.Name, moment(t, server, g.Name), "database = sample")
		u.ok("backup", g.Name+":", dest, "--layout", "chunked", "--chunk-size", "20Ki")
		assert.Len(t, u.points(dest), i+1)
		assert.Equal(t, u.native(fixture.DatomicBackup(t, g.Name)), u.native(u.unzip(dest)))
	}
	assert.Equal(t, onRecord(t), judge.Backup(t, u.unzip(dest)))
}

// TestChunkedKilled kills a backup that is slow, as soon as it has noted chunks
// that it has finished. The next run goes on from there.
func TestChunkedKilled(t *testing.T) {
	u := newUser(t)
	store, dest := fixture.Unpack(t, "a-default"), u.path("backup")
	args := []string{"backup", database(store), dest, "--layout", "chunked", "--chunk-size", "8Ki"}
	c := u.command(append(slices.Clone(args), "--bwlimit", "12k", "--chunk-parallel", "1")...)
	require.NoError(t, c.Start())
	noted := func() bool {
		notes, err := filepath.Glob(filepath.Join(dest, "*", "*", "checkpoint.edn"))
		require.NoError(t, err)
		return len(notes) > 0
	}
	assert.Eventually(t, noted, patience, 5*time.Millisecond)
	require.NoError(t, c.Process.Kill())
	require.ErrorContains(t, c.Wait(), "killed")

	assert.Contains(t, u.ok("backups", dest).out, "(incomplete)")
	u.fails(4, "no backup", "restore", dest, u.path("restored"))
	o := u.ok(append(args, "--json")...)
	resumed := regexp.MustCompile(`Resuming: the chunks of an unfinished run have (\d+) segments`).FindStringSubmatch(o.stderr)
	require.NotNil(t, resumed, o.stderr)
	n, err := strconv.ParseInt(resumed[1], 10, 64)
	require.NoError(t, err)
	assert.Greater(t, n, int64(10))
	var report backupReport
	require.NoError(t, json.Unmarshal([]byte(o.out), &report))
	sent := 0
	chunks, err := filepath.Glob(filepath.Join(dest, "*", report.Point, "chunks", "*.zip"))
	require.NoError(t, err)
	for _, chunk := range chunks {
		list, err := exec.Command("unzip", "-Z1", chunk).Output()
		require.NoError(t, err)
		sent += len(strings.Fields(string(list)))
	}
	assert.LessOrEqual(t, int64(sent), report.New.Segments-n+2, "what is finished is not sent again; two are the heads")

	assert.Contains(t, u.ok("verify", dest, "--deep").out, "0 faults")
	u.ok("restore", dest, u.path("restored"))
	assert.Equal(t, u.tree(store), u.tree(u.path("restored")))
}
