package e2e

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

// jobReport is what run --json promises for each job.
type jobReport struct {
	Job, Source, Destination, Status, Error string
	Seconds                                 float64
	Report                                  *backupReport
}

// jobs writes a job file, with paths for $DIR, the binary for $BIN and the
// store of a database for $STORE.
func (u *user) jobs(text string) string {
	u.Helper()
	store := fixture.Unpack(u.T, "a-default")
	text = strings.NewReplacer("$DIR", u.dir, "$BIN", binary, "$STORE", store).Replace(text)
	path := u.path("jobs.edn")
	require.NoError(u, os.WriteFile(path, []byte(text), 0o600))
	return path
}

const threeJobs = `
{:second {:source ":datahike,store='$STORE':" :destination "$DIR/second"
          :hooks {:after ["$BIN" "touch" "$DIR/after"]}}
 :absent {:source ":datahike,store='$DIR/absent':" :destination "$DIR/x"
          :hooks {:before ["$BIN" "touch" "$DIR/before"]
                  :on-failure ["$BIN" "touch" "$DIR/on failure"]}}
 :failed {:source ":datahike,store='$STORE':" :destination "$DIR/x"
          :hooks {:before ["$BIN" "cat" "$DIR/absent"]}}
 :first  {:source ":datahike,store='$STORE':" :destination "$DIR/first"}}`

func TestJobs(t *testing.T) {
	u := newUser(t)
	file := u.jobs(threeJobs)
	u.ok("run", file, "second", "first", "--dry-run")
	for _, name := range []string{"first", "second", "after"} {
		assert.NoFileExists(t, u.path(name), "--dry-run")
	}

	// absent is the first that fails: its exit code counts.
	o := u.fails(4, "2 of 4 jobs failed, the first was absent: ", "run", file, "--json")
	d := json.NewDecoder(strings.NewReader(o.out))
	d.DisallowUnknownFields()
	var reports []jobReport
	require.NoError(t, d.Decode(&reports))
	var statuses []string
	for _, r := range reports {
		statuses = append(statuses, r.Job+" "+r.Status)
		assert.Equal(t, r.Status == "failed", r.Error != "" && r.Report == nil, r.Job)
	}
	assert.Equal(t, []string{"second new-point", "absent failed", "failed failed", "first new-point"}, statuses)
	assert.Equal(t, ":datahike,…:", reports[0].Source)
	for _, name := range []string{"before", "on failure", "after"} {
		assert.FileExists(t, u.path(name))
	}
	assert.NoDirExists(t, u.path("x"))
	assert.Equal(t, 1, strings.Count(o.stderr, "ERROR : absent: "), "an error that will not pass is not tried again")
	assert.Contains(t, o.stderr, "failed: "+binary+": ", "a hook's output is logged")

	assert.Contains(t, u.ok("run", file, "first").out, "first  up-to-date  ")
	u.fails(1, "failed: :before "+binary+": exit status", "run", file, "failed")
	assert.Regexp(t, `(?s)^JOB .*\nsecond +:datahike,…: +`+u.path("second")+` *\n.*\nfirst `, u.ok("run", file, "--list").out)
	u.fails(6, "there is no job third; there are: second absent failed first", "run", file, "third")
	require.NoError(t, os.Chmod(file, 0o620))
	u.fails(6, "chmod go-w "+file, "run", file)
}

func TestJobsAreCompleted(t *testing.T) {
	u := newUser(t)
	file := u.jobs(threeJobs)
	assert.Equal(t, []string{"edn", ":8"}, strings.Fields(u.ok("__complete", "run", "").out))
	assert.Equal(t, []string{"second", "failed", "first", ":4"}, strings.Fields(u.ok("__complete", "run", file, "absent", "").out))
	assert.Contains(t, u.ok("run", "--help").out, "rclone-datom run jobs.edn orders --progress")
}

// TestJobsKeepSecrets runs jobs that have secrets wherever they can be. (With
// -vv rclone itself logs the connection strings of all commands.)
func TestJobsKeepSecrets(t *testing.T) {
	const secret = "gopher-tango"
	u := newUser(t)
	obscured := strings.TrimSpace(u.ok("obscure", secret).out)
	file := u.jobs(`
{:good {:source ":datahike,store='$STORE':" :destination ":local,description=` + secret + `:$DIR/good"
        :encrypt-with ":crypt,password='` + obscured + `':"
        :hooks {:after ["$BIN" "touch" "$DIR/` + secret + `"]}}
 :bad1 {:source ":datahike,description=` + secret + `,store=/nowhere:" :destination "$DIR/bad"}
 :bad2 {:source ":datahike,store='$STORE':" :destination ":no-such,pass=` + secret + `:"}
 :bad3 {:source ":datahike,store='$STORE':" :destination "$DIR/bad"
        :hooks {:before ["$BIN" "` + secret + `"]}}
 :bad4 {:source ":datahike,pass=` + secret + `,store='$STORE':" :destination "$DIR/bad" :pace 3}}`)
	for _, args := range [][]string{{"good"}, {"bad1"}, {"bad2"}, {"bad4"}, {"--list"}, {"--list", "--json"}, {"good", "--json"}} {
		o := u.run(append([]string{"run", file, "-v"}, args...)...)
		assert.Equal(t, strings.HasPrefix(args[0], "bad"), o.code != 0, "%q %s", args, o.stderr)
		assert.False(t, strings.Contains(o.out+o.stderr, secret), "%q", args)
		assert.False(t, strings.Contains(o.out+o.stderr, obscured), "%q", args)
	}
	assert.FileExists(t, u.path(secret), "the hook did run")
	// What a program says of its arguments is its own business; we say nothing.
	o := u.fails(1, "exit status", "run", file, "bad3", "--json")
	assert.NotContains(t, o.out, secret)
}
