package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
)

type drillReport struct {
	Point, Database, Kind                 string
	PointTime                             time.Time
	InPlace, Equal                        bool
	RestoredSegments, RestoredBytes       int64
	Datoms                                map[string]map[string]int64
	Digests                               map[string]digestReport
	RestoreSeconds, CheckSeconds, Seconds float64
	Faults                                []struct{ ID, What string }
}

// drills is where copies are made, which are all gone.
func (u *user) drills() string { return u.path("drills") }

func (u *user) nothingLeft() {
	u.Helper()
	left, err := filepath.Glob(u.drills() + "/*")
	require.NoError(u, err)
	assert.Empty(u, left)
}

// TestDrill proves a backup by what real databases are known to hold, and says
// so to people, programs and Prometheus.
func TestDrill(t *testing.T) {
	u := newUser(t)
	dest, prom := u.path("backup"), u.path("drill.prom")
	u.ok("backup", database(fixture.Unpack(t, "e-branches")), dest)
	before := u.tree(dest)
	o := u.ok("drill", dest, "--scratch", u.drills(), "--textfile", prom)
	assert.Regexp(t, `^Point \S+ is restorable and equal: \d+ segments, \d+ datoms in all indexes, restored in \d+ s\n$`, o.out)
	var rep drillReport
	u.report(&rep, "drill", dest, "--scratch", u.drills())
	assert.True(t, rep.Equal)
	for name, want := range fixture.Expected(t, "e-branches").ByBranch {
		assert.Equal(t, want.DatomsCurrent, rep.Datoms[name]["eavt"], name)
		assert.Equal(t, want.CurrentSHA256, rep.Digests[name].SHA256Current, name)
	}
	rep = drillReport{}
	u.report(&rep, "drill", dest, "--in-place", "--max-age", "1h")
	assert.True(t, rep.InPlace && rep.Equal)
	u.fails(6, "the drill failed", "drill", dest, "--in-place", "--max-age", "1ms")
	u.fails(6, "leave --scratch out", "drill", dest, "--in-place", "--scratch", u.drills())
	u.fails(6, "dry run", "drill", dest, "--scratch", u.drills(), "--dry-run")
	u.nothingLeft()
	assert.Equal(t, before, u.tree(dest))

	text := func() string {
		data, err := os.ReadFile(prom)
		require.NoError(t, err)
		return string(data)
	}
	assert.Contains(t, text(), `rclone_datom_drill_success{destination="`+dest+`",database="`+rep.Database+`"} 1`)
	kept := lineOf(text(), "rclone_datom_drill_last_success_timestamp_seconds{")
	require.NotEmpty(t, kept)
	damaged := u.damage(dest+"/store", 1)
	o = u.fails(6, "the drill failed", "drill", dest, "--scratch", u.drills(), "--textfile", prom)
	assert.Contains(t, o.out, "FAULT ")
	assert.Contains(t, o.out, damaged[0])
	u.nothingLeft()
	assert.Contains(t, text(), `database="`+rep.Database+`"} 0`)
	assert.Equal(t, kept, lineOf(text(), "rclone_datom_drill_last_success_timestamp_seconds{"))
	u.fails(4, "no backup", "drill", u.path("nowhere"), "--textfile", prom)
	assert.NotContains(t, text(), "last_success", "it is of another destination")
}

// lineOf is the line that begins so.
func lineOf(text, begin string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, begin) {
			return line
		}
	}
	return ""
}

// TestDrillDatomic: the backup that Datomic itself has made, at each t.
func TestDrillDatomic(t *testing.T) {
	u := newUser(t)
	dest := fixture.DatomicBackup(t, "gen3")
	for _, gen := range fixture.DatomicGens() {
		var rep drillReport
		u.report(&rep, "drill", dest, "--at", itoa(gen.T), "--scratch", u.drills())
		assert.True(t, rep.Equal)
		assert.Equal(t, "datomic", rep.Kind)
		assert.Equal(t, fixture.DatomicID, rep.Database)
		assert.EqualValues(t, gen.Segments, rep.RestoredSegments)
	}
	u.nothingLeft()
}

// TestDrillSecrets: no setting of a connection string is in the metrics.
func TestDrillSecrets(t *testing.T) {
	u := newUser(t)
	prom := u.path("drill.prom")
	u.fails(4, "no backup", "drill", ":alias,remote='"+u.path("hush-hush")+"':", "--textfile", prom)
	data, err := os.ReadFile(prom)
	require.NoError(t, err)
	assert.Contains(t, string(data), `{destination=":alias,…:",database=""} 0`)
	assert.NotContains(t, string(data), "hush")
}

// TestDrillInterrupted: what is stopped by ctrl-C or by a service manager takes
// its copy away first.
func TestDrillInterrupted(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			u := newUser(t)
			store, dest := u.path("store"), u.path("backup")
			_, err := sample.Create(store, sample.Options{Entities: 500, BranchingFactor: 16})
			require.NoError(t, err)
			u.ok("backup", database(store), dest)
			c := u.command("drill", dest, "--scratch", u.drills(), "--bwlimit", "50k")
			require.NoError(t, c.Start())
			defer func() { _ = c.Process.Kill() }()
			begun := func() bool {
				copied, err := filepath.Glob(u.drills() + "/drill-*/*.ksv")
				require.NoError(t, err)
				return len(copied) > 5
			}
			require.Eventually(t, begun, patience, 5*time.Millisecond)
			dirs, err := filepath.Glob(u.drills() + "/drill-*")
			require.NoError(t, err)
			st, err := os.Stat(dirs[0])
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o700), st.Mode().Perm(), "nobody else reads it")
			require.NoError(t, c.Process.Signal(signal))
			require.Error(t, c.Wait())
			u.nothingLeft()
		})
	}
}

// TestDrillOverRemoteControl: faults are no error of the call.
func TestDrillOverRemoteControl(t *testing.T) {
	u := newUser(t)
	dest := u.path("backup")
	u.ok("backup", database(fixture.Unpack(t, "h-gen1")), dest)
	address := u.serve("rcd", "--rc-no-auth", "--rc-addr", "127.0.0.1:0")
	call := func(parameters ...string) (rep drillReport) {
		o := u.ok(append([]string{"rc", "--url", "http://" + address, "datom/drill", "destination=" + dest, "scratch=" + u.drills()}, parameters...)...)
		require.NoError(t, json.Unmarshal([]byte(o.out), &rep))
		return rep
	}
	assert.True(t, call().Equal)
	u.damage(dest+"/store", 1)
	assert.NotEmpty(t, call("maxAge=1d").Faults)
	u.nothingLeft()
}

// TestExampleDrill: the units' command line is understood, and what it writes to
// is writable.
func TestExampleDrill(t *testing.T) {
	u := newUser(t)
	run := sections(example(t, "rclone-datom-drill.service"))["Service"]
	assert.Equal(t, "oneshot", run["Type"])
	assert.NotEmpty(t, sections(example(t, "rclone-datom-drill.timer"))["Timer"]["OnCalendar"])
	args := strings.Fields(run["ExecStart"])
	require.Equal(t, installed, args[0])
	value := map[string]*string{}
	for i := range args[:len(args)-1] {
		value[args[i]] = &args[i+1]
	}
	assert.Equal(t, "/var/cache/"+run["CacheDirectory"], *value["--scratch"])
	assert.Equal(t, run["ReadWritePaths"], filepath.Dir(*value["--textfile"]))
	u.ok("backup", database(fixture.Unpack(t, "h-gen1")), u.path("backup"))
	*value["drill"], *value["--scratch"], *value["--textfile"] = u.path("backup"), u.drills(), u.path("mydb.prom")
	u.ok(args[1:]...)
	assert.FileExists(t, u.path("mydb.prom"))
}
