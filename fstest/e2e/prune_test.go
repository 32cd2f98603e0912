package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/dbserver"
	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/judge"
)

type pruneReport struct {
	DryRun bool
	Points []struct {
		ID, Database string
		Time         time.Time
		Keep, Pruned bool
		Reasons      []string
		Freed        countReport
		ParkedUntil  *time.Time
	}
	Freed, Deleted, Leftovers countReport
	Chunks                    *struct{ Deleted, DeletedBytes, Written, WrittenBytes int64 }
	Restored                  string
	Requests                  map[string]int64
	Seconds                   float64
}

// fourMoments backs up one database at four moments. It returns the ids.
func (u *user) fourMoments(dest string, flags ...string) (ids []string) {
	u.Helper()
	for _, name := range []string{"h-gen1", "h-gen2", "h-gen3", "h-gen4"} {
		var rep backupReport
		u.report(&rep, append([]string{"backup", database(fixture.Unpack(u, name)), dest}, flags...)...)
		ids = append(ids, rep.Point)
	}
	return ids
}

// listed are the ids of the points.
func (u *user) listed(dest string, flags ...string) (ids []string) {
	u.Helper()
	for _, line := range strings.Split(u.ok(append([]string{"backups", dest}, flags...)...).out, "\n")[1:] {
		if id, _, ok := strings.Cut(line, " "); ok && id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// reasons are why points are kept, by their numbers.
func (r *pruneReport) reasons() (all []string) {
	for _, p := range r.Points {
		all = append(all, strings.Join(p.Reasons, ", "))
	}
	return all
}

// TestPruneRules: what the rules keep, in both layouts, and that nothing is done
// unless it is confirmed.
func TestPruneRules(t *testing.T) {
	for layout, flags := range layouts {
		t.Run(layout, func(t *testing.T) {
			u := newUser(t)
			dest, own := u.path("backup"), ", the store's own heads"
			ids := u.fourMoments(dest, flags...)
			if layout == "chunked" {
				own = ""
			}
			was := u.tree(dest)
			for rule, why := range map[string][4]string{
				"--keep-last=2":           {"", "", "last 1", "last 2"},
				"--keep-daily=7":          {"", "", "", "daily 1"},
				"--keep-hourly=unlimited": {"", "", "", "hourly 1"},
				"--keep-yearly=1":         {"", "", "", "yearly 1"},
				"--keep-within=1d":        {"within 1d", "within 1d", "within 1d", "within 1d"},
				"--keep=" + ids[1]:        {"", "named", "", ""},
				"--keep=" + ids[2][:23]:   {"", "", "named", ""},
			} {
				var rep pruneReport
				u.report(&rep, "prune", dest, rule)
				why[3] = strings.TrimPrefix(why[3]+own, ", ")
				if rule == "--keep-last=2" { // the newest is the first of the last
					why[2], why[3] = "last 2", "last 1"+own
				}
				assert.Equal(t, why[:], rep.reasons(), rule)
				assert.True(t, rep.DryRun)
				assert.Zero(t, rep.Deleted)
				assert.Equal(t, was, u.tree(dest))
			}
			o := u.ok("prune", dest, "--keep-last", "1", "--confirm", "--dry-run", "--grace", "0")
			assert.Contains(t, o.out, "Nothing was changed: --confirm does it")
			assert.Equal(t, was, u.tree(dest))
			u.fails(6, "nothing says what to keep", "prune", dest, "--confirm")
			u.fails(6, "are different things: give one of them", "prune", dest, "--undo", ids[0], "--keep-last", "1")
			u.fails(2, "from 0% to 100%", "prune", dest, "--keep-last", "1", "--max-dead", "101%")
			u.fails(4, "--keep t77", "prune", dest, "--keep", "t77", "--confirm")
			assert.Equal(t, was, u.tree(dest))
		})
	}
}

// TestPruneAndBack: pruned points are listed apart and come back with --undo, until
// a prune has begun to remove them.
func TestPruneAndBack(t *testing.T) {
	for layout, flags := range layouts {
		t.Run(layout, func(t *testing.T) {
			u := newUser(t)
			dest := u.path("backup")
			ids := u.fourMoments(dest, flags...)
			var rep pruneReport
			u.report(&rep, "prune", dest, "--keep-last", "1", "--confirm")
			assert.Equal(t, ids[3:], u.listed(dest))
			assert.Equal(t, ids[:3], u.listed(dest, "--pruned"))
			assert.Zero(t, rep.Deleted)
			assert.WithinDuration(t, time.Now().Add(24*time.Hour), *rep.Points[0].ParkedUntil, time.Hour)
			assert.Contains(t, u.ok("prune", dest, "--undo", ids[1]).out, "Point "+ids[1]+" is back")
			assert.Contains(t, u.ok("verify", dest, "--deep", "--at", ids[1]).out, "0 faults")
			u.fails(6, "there is no pruned point", "prune", dest, "--undo", ids[1])
			assert.Equal(t, []string{ids[1], ids[3]}, u.listed(dest))

			freed := rep.Freed
			u.report(&rep, "prune", dest, "--keep-last", "1", "--confirm", "--grace", "0", "--max-dead", "0%")
			assert.Less(t, rep.Deleted.Segments, freed.Segments, "the others still have their day")
			assert.Equal(t, ids[3:], u.listed(dest))
			assert.Equal(t, []string{ids[0], ids[2]}, u.listed(dest, "--pruned"))
			u.ok("restore", dest, u.path("restored"))
			u.ok("check", "--download", "--one-way", u.path("restored"), database(fixture.Unpack(t, "h-gen4")))
		})
	}
}

// TestPruneMaxDead: the less may be dead, the smaller the backup becomes; what is
// left is the store, with nothing but unzip.
func TestPruneMaxDead(t *testing.T) {
	sizes := map[string]int64{}
	u := newUser(t)
	for _, most := range []string{"0%", "50%", "100%"} {
		dest := u.path(most)
		u.fourMoments(dest, "--layout", "chunked", "--chunk-size", "64Ki")
		var rep pruneReport
		u.report(&rep, "prune", dest, "--keep-last", "1", "--confirm", "--grace", "0", "--max-dead", most)
		require.NotNil(t, rep.Chunks)
		assert.Equal(t, rep.Freed, rep.Deleted)
		assert.Equal(t, most == "100%", rep.Chunks.Written == 0)
		assert.Len(t, u.listed(dest), 1)
		u.asDatahikeReports(filepath.Join(u.unzip(dest), "store"), "h-gen4")
		for name := range u.tree(dest) {
			if filepath.Ext(name) == ".zip" {
				info, err := os.Stat(filepath.Join(dest, name))
				require.NoError(t, err)
				sizes[most] += info.Size()
			}
		}
	}
	assert.Less(t, sizes["0%"], sizes["50%"])
	assert.Less(t, sizes["50%"], sizes["100%"])
}

// TestPruneWrongPassword: where nothing can be decrypted nothing is removed.
func TestPruneWrongPassword(t *testing.T) {
	for layout, flags := range layouts {
		for _, names := range []string{"true", "false"} {
			t.Run(layout+"/"+names, func(t *testing.T) {
				u := newUser(t)
				u.vault("right", u.path("vault"), "correct horse", "directory_name_encryption = "+names)
				u.vault("wrong", u.path("vault"), "battery staple", "directory_name_encryption = "+names)
				ids := u.fourMoments("right:mydb", flags...)
				was := u.tree(u.path("vault"))
				for _, args := range [][]string{
					{"--keep-last", "1"}, {"--incomplete", "--older-than", "0"}, {"--undo", ids[0]}, {"--keep", ids[0]},
				} {
					u.fails(6, "password or password2 of the crypt remote is not the one", append([]string{"prune", "wrong:mydb", "--confirm", "--grace", "0"}, args...)...)
					assert.Equal(t, was, u.tree(u.path("vault")), "%q", args)
				}
				u.ok("prune", "right:mydb", "--keep-last", "1", "--confirm", "--grace", "0")
				assert.Contains(t, u.ok("verify", "right:mydb", "--deep").out, "0 faults")
				assert.Equal(t, ids[3:], u.listed("right:mydb"))
			})
		}
	}
}

// TestPruneDatomic drops the root in the middle of a backup that Datomic has made.
// The real Datomic finds nothing wrong with the rest, and everything that there was.
func TestPruneDatomic(t *testing.T) {
	u := newUser(t)
	dest, facts := fixture.DatomicBackup(t, "gen3"), onRecord(t)
	require.Equal(t, []int64{1485, 1638, 1708}, u.points(dest))
	var rep pruneReport
	u.report(&rep, "prune", dest, "--keep", "1485", "--keep", "t1708", "--confirm")
	assert.Equal(t, []int64{1485, 1708}, u.points(dest))
	assert.Len(t, u.listed(dest, "--pruned"), 1)
	u.ok("prune", dest, "--undo", "t1638")
	assert.Equal(t, facts, judge.Backup(t, dest))
	u.report(&rep, "prune", dest, "--keep", "t1485", "--confirm", "--grace", "0")
	assert.Equal(t, rep.Freed, rep.Deleted)
	assert.Positive(t, rep.Deleted.Segments)
	assert.Equal(t, []string{"named", "", "the newest root"}, rep.reasons())
	assert.Equal(t, []judge.Facts{facts[0], facts[2]}, judge.Backup(t, dest))
	// And it goes on with the rest.
	u.remote("source", moment(t, dbserver.SQLite(t), "gen3"))
	u.ok("backup", "source:", dest)
	assert.Contains(t, u.ok("verify", dest, "--deep").out, "0 faults")
}

// TestPruneDatomicChunks: what an unzip makes of the chunks that a prune has left
// is what the real Datomic restores.
func TestPruneDatomicChunks(t *testing.T) {
	u := newUser(t)
	dest, facts := u.path("backup"), onRecord(t)
	for _, g := range fixture.DatomicGens() {
		u.remote(g.Name, moment(t, dbserver.SQLite(t), g.Name))
		u.ok("backup", g.Name+":", dest, "--layout", "chunked", "--chunk-size", "20Ki")
	}
	u.ok("prune", dest, "--keep", "t1485", "--keep", "1708", "--confirm", "--grace", "0", "--max-dead", "0")
	assert.Equal(t, []judge.Facts{facts[0], facts[2]}, judge.Backup(t, u.unzip(dest)))
	u.ok("prune", dest, "--keep-last", "1", "--confirm", "--grace", "0", "--max-dead", "0")
	assert.Equal(t, facts[:1], judge.Backup(t, u.unzip(dest)))
}

// TestPruneIncomplete: a backup was killed, and nobody goes on with it.
func TestPruneIncomplete(t *testing.T) {
	u := newUser(t)
	dest := u.path("backup")
	u.ok("backup", database(fixture.Unpack(t, "h-gen1")), dest, "--layout", "chunked", "--chunk-size", "8Ki")
	was := u.tree(dest)
	u.fails(8, "max transfer limit", "backup", database(fixture.Unpack(t, "h-gen2")), dest, "--max-transfer", "30Ki", "--chunk-size", "8Ki", "--layout", "chunked")
	require.Contains(t, u.ok("backups", dest).out, "(incomplete)")
	assert.Contains(t, u.ok("prune", dest, "--incomplete", "--confirm").out, "Leftovers: 0 objects", "it is young")
	assert.NotEqual(t, was, u.tree(dest))
	assert.Contains(t, u.ok("prune", dest, "--incomplete", "--older-than", "0", "--confirm").out, "Leftovers:")
	assert.Equal(t, was, u.tree(dest))
	assert.Len(t, u.listed(dest), 1)
}

// TestPruneByHook: a job prunes its destination when it has made a point.
func TestPruneByHook(t *testing.T) {
	u := newUser(t)
	dest := u.path("backup")
	ids := u.fourMoments(dest)
	jobs := `{:a {:source "` + database(fixture.Unpack(t, "h-gen4")) + `" :destination "` + dest + `"
	              :hooks {:after ["` + binary + `" "prune" "` + dest + `" "--keep-last" "1" "--confirm" "--grace" "0"]}}}`
	require.NoError(t, os.WriteFile(u.path("jobs.edn"), []byte(jobs), 0o600))
	u.ok("run", u.path("jobs.edn"))
	assert.Equal(t, ids[3:], u.listed(dest))
}
