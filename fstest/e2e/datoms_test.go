package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

// datoms are the lines of all datoms, sorted.
func (u *user) datoms(args ...string) []string {
	u.Helper()
	lines := strings.Split(strings.TrimSpace(u.ok(append([]string{"datoms"}, args...)...).out), "\n")
	slices.Sort(lines)
	return lines
}

// TestDatomsGoRound: from a backup into the formats of other tools, and from
// these into a store of its own, nothing is lost or changed.
func TestDatomsGoRound(t *testing.T) {
	for _, name := range []string{"a-default", "b-nohist", "g2-storeref", "k-diffbuf"} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			src := u.path("backup")
			u.ok("backup", database(fixture.Unpack(t, name)), src, "--layout", "chunked")
			history := []string{"--history"}
			if name == "b-nohist" {
				u.fails(6, "without --history", "export", src, u.path("none"), "--format", "datahike", "--history")
				history = nil
			}
			for _, format := range []string{"datahike", "datacamp"} {
				out, store := u.path(format), u.path(format+"-store")
				u.ok(append([]string{"export", src, out, "--format", format, "--dry-run"}, history...)...)
				assert.NoDirExists(t, out)
				u.ok(append([]string{"export", src, out, "--format", format}, history...)...)
				assert.Contains(t, u.ok("verify", out).out, "0 faults")
				u.ok("import", out, store)
				for _, flags := range [][]string{nil, history} {
					want := u.datoms(append([]string{src}, flags...)...)
					assert.Equal(t, want, u.datoms(append([]string{out}, flags...)...), "%s %v", format, flags)
					assert.Equal(t, want, u.datoms(append([]string{database(store)}, flags...)...), "%s %v", format, flags)
				}
				u.fails(6, "not empty", "import", out, store)
			}
		})
	}
}

// TestDamagedExports: whatever is done to an export's files, it is told, and
// nothing is imported of it that could be opened.
func TestDamagedExports(t *testing.T) {
	u := newUser(t)
	src := database(fixture.Unpack(t, "a-default"))
	for _, format := range []string{"datahike", "datacamp"} {
		u.ok("export", src, u.path(format), "--format", format, "--history")
		for name := range u.tree(u.path(format)) {
			if base := filepath.Base(name); base == "checkpoint.edn" || base == "config.edn" || base == "schema.edn" {
				continue
			}
			whole, err := os.ReadFile(u.path(format + "/" + name))
			require.NoError(t, err)
			flipped := slices.Clone(whole)
			flipped[len(flipped)/2] ^= 0x40
			for how, data := range map[string][]byte{"cut": whole[:len(whole)-2], "empty": {}, "flipped": flipped} {
				if how == "flipped" && filepath.Base(name) == "manifest.edn" {
					continue // the formats have no checksum of it
				}
				require.NoError(t, os.WriteFile(u.path(format+"/"+name), data, 0o600))
				out := u.run("verify", u.path(format))
				assert.NotZero(t, out.code, "%s %s", name, how)
				assert.NotContains(t, out.stderr, "panic", "%s %s", name, how)
				out = u.run("import", u.path(format), u.path("store"))
				assert.NotZero(t, out.code, "%s %s", name, how)
				u.fails(4, "no Datahike database", "datoms", database(u.path("store")))
				require.NoError(t, os.RemoveAll(u.path("store")))
			}
			require.NoError(t, os.WriteFile(u.path(format+"/"+name), whole, 0o600))
		}
		assert.Contains(t, u.ok("verify", u.path(format)).out, "0 faults")
	}
}

// TestDatomicMoves: a backup of Datomic's becomes a Datahike store, with as many
// datoms as the dump on the way says.
func TestDatomicMoves(t *testing.T) {
	u := newUser(t)
	src := ":datomic,remote='" + fixture.DatomicBackup(t, "gen3") + "':"
	assert.Contains(t, u.ok("export", src, u.path("dump"), "--format", "datahike", "--history").out, "note: :v/uri has strings")
	assert.Contains(t, u.ok("verify", u.path("dump")).out, "0 faults")
	u.ok("import", u.path("dump"), u.path("store"))
	store := database(u.path("store"))
	assert.Equal(t, u.datoms(u.path("dump"), "--history"), u.datoms(store, "--history"))
	assert.Equal(t, u.datoms(u.path("dump")), u.datoms(store))
	assert.Len(t, u.datoms(store, "--attr", ":v/string"), len(u.datoms(src, "--attr", ":v/string")))
	assert.Contains(t, u.ok("schema", store).out, ":v/bigdec")
}

// TestDifferences between the points of a backup are those that the datoms show.
func TestDifferences(t *testing.T) {
	u := newUser(t)
	backup := u.path("backup")
	var points []string
	for _, gen := range []string{"h-gen1", "h-gen2", "h-gen3"} {
		u.ok("backup", database(fixture.Unpack(t, gen)), backup)
	}
	var listed []pointReport
	u.report(&listed, "backups", backup)
	for _, p := range listed {
		points = append(points, p.ID)
	}
	for _, pair := range [][2]string{{points[0], points[1]}, {points[2], points[0]}} {
		out := u.ok("diff", backup, "--from", pair[0], "--to", pair[1]).out
		var added, gone []string
		for line := range strings.Lines(out) {
			if d, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "+ "); ok {
				added = append(added, d)
			} else if d, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "- "); ok {
				gone = append(gone, d)
			}
		}
		slices.Sort(added)
		slices.Sort(gone)
		from, to := facts(u.datoms(backup, "--at", pair[0])), facts(u.datoms(backup, "--at", pair[1]))
		assert.Equal(t, without(to, from), added)
		assert.Equal(t, without(from, to), gone)
	}
	assert.Contains(t, u.ok("diff", backup, "--from", points[0], "--to", points[2], "--summary").out, ":p/")
}

// facts are datoms by what they say, without when.
func facts(datoms []string) map[string]string {
	m := map[string]string{}
	for _, d := range datoms {
		said := strings.TrimSuffix(d, " true]")
		m[said[:strings.LastIndexByte(said, ' ')]] = d
	}
	return m
}

func without(some, others map[string]string) (rest []string) {
	for fact, d := range some {
		if _, ok := others[fact]; !ok {
			rest = append(rest, d)
		}
	}
	slices.Sort(rest)
	return rest
}

// TestDatomsForPrograms: every line of JSON is an object, a file of Parquet is
// one, and a reader that has enough ends the command quietly.
func TestDatomsForPrograms(t *testing.T) {
	u := newUser(t)
	src := database(fixture.Unpack(t, "a-default"))
	n := 0
	for line := range strings.Lines(u.ok("datoms", src, "--json").out) {
		var d struct {
			E *int64 `json:"e"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &d))
		require.NotNil(t, d.E)
		n++
	}
	assert.Equal(t, 2079, n)
	u.ok("datoms", src, "--format", "parquet", "--output", u.path("d.parquet"))
	data, err := os.ReadFile(u.path("d.parquet"))
	require.NoError(t, err)
	assert.Equal(t, "PAR1", string(data[:4])+string(data[len(data):]))
	assert.Len(t, u.datoms(src, "--limit", "7"), 7)
	assert.Len(t, u.datoms(src, "--entity", "17", "--attr", ":p/name"), 1)
	u.fails(6, "VAET", "datoms", src, "--index", "vaet")
	u.ok("export", src, u.path("tables"), "--format", "parquet")
	u.ok("stat", src, "--datoms", "--json")
	assert.Contains(t, u.ok("stat", src, "--datoms").out, ":p/name")
	assert.Contains(t, u.ok("log", src, "--limit", "1").out, ":db/txInstant")
}
