package run

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	"github.com/rclone-datom/rclone-datom/cmd/run/jobs"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

func TestHooksAreTold(t *testing.T) {
	l := newLab(t)
	t.Setenv("RCLONE_CONFIG_PASS", "hush-hush")
	t.Setenv("RCLONE_DATOM_ERROR", "hush-hush")
	t.Setenv("RCLONE_CONFIG", "/some/rclone.conf")
	t.Setenv("MY_OWN", "kept")
	job := l.job("orders")
	job.Destination = ":local,description=hush-hush:" + l.dest

	r, err := runJob(l.ctx, job)
	require.NoError(t, err)
	assert.Equal(t, NewPoint, r.Status)
	assert.Positive(t, r.Seconds)
	common := map[string]string{"JOB": "orders", "SOURCE": ":datahike,…:", "DESTINATION": ":local,…:" + l.dest}
	with := func(more map[string]string) map[string]string {
		for k, v := range common {
			more[k] = v
		}
		return more
	}
	ours, others := l.noted()
	assert.Equal(t, []map[string]string{
		with(map[string]string{"HOOK": "before"}),
		with(map[string]string{"HOOK": "after", "STATUS": "new-point", "POINT": r.Report.Point}),
	}, ours)
	assert.NotContains(t, others, "hush-hush")
	assert.Contains(t, others, "\nRCLONE_CONFIG=/some/rclone.conf\n")
	assert.Contains(t, others, "MY_OWN=kept\n")

	r, err = runJob(l.ctx, job)
	require.NoError(t, err)
	assert.Equal(t, UpToDate, r.Status)
	ours, _ = l.noted()
	assert.Equal(t, with(map[string]string{"HOOK": "after", "STATUS": "up-to-date", "POINT": r.Report.Point}), ours[1])
}

func TestDryRun(t *testing.T) {
	l := newLab(t)
	l.ci.DryRun = true
	r, err := runJob(l.ctx, l.job("orders"))
	require.NoError(t, err)
	assert.Equal(t, DryRun, r.Status)
	broken := l.job("broken")
	broken.Source = l.store
	r, err = runJob(l.ctx, broken)
	require.ErrorContains(t, err, "is not a database remote")
	assert.Equal(t, Failed, r.Status)
	ours, _ := l.noted()
	assert.Empty(t, ours, "no hook runs")
	assert.NoDirExists(t, l.dest)
}

func TestHookFails(t *testing.T) {
	l := newLab(t)
	failing := [][]string{program("fail"), program("note", l.notes)}

	job := l.job("before")
	job.Hooks.Before = failing
	r, err := runJob(l.ctx, job)
	require.ErrorContains(t, err, ":before "+os.Args[0]+": exit status 3")
	assert.NotContains(t, err.Error(), asHook, "arguments may be secrets")
	assert.Equal(t, Failed, r.Status)
	assert.Equal(t, err.Error(), r.Error)
	assert.Nil(t, r.Report)
	assert.NoDirExists(t, l.dest, "no backup was made")
	ours, _ := l.noted()
	require.Len(t, ours, 1)
	assert.Equal(t, map[string]string{
		"JOB": "before", "HOOK": "on-failure", "SOURCE": ":datahike,…:", "DESTINATION": l.dest,
		"STATUS": "failed", "ERROR": err.Error(),
	}, ours[0])

	job = l.job("after")
	job.Hooks.After, job.Hooks.Before = failing, nil
	r, err = runJob(l.ctx, job)
	require.ErrorContains(t, err, ":after ")
	assert.Equal(t, Failed, r.Status)
	require.NotNil(t, r.Report, "the point was made")
	ours, _ = l.noted()
	require.Len(t, ours, 1)
	assert.Equal(t, "on-failure", ours[0]["HOOK"])
	assert.Equal(t, r.Report.Point, ours[0]["POINT"])

	job = l.job("both")
	job.Hooks.Before, job.Hooks.OnFailure = failing, failing
	_, err = runJob(l.ctx, job)
	require.ErrorContains(t, err, ":before ", "the first failure counts")

	job = l.job("absent")
	job.Hooks.Before = [][]string{{filepath.Join(t.TempDir(), "absent"), "x"}}
	_, err = runJob(l.ctx, job)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestHookHangs(t *testing.T) {
	l := newLab(t)
	job := l.job("slow")
	job.Hooks = jobs.Hooks{Before: [][]string{program("hang")}, Timeout: 50 * time.Millisecond}
	_, err := runJob(l.ctx, job)
	require.ErrorContains(t, err, "did not end within 50ms")
}

// TestLongError: systems refuse to start programs with a very large
// environment, or with a zero in it.
func TestLongError(t *testing.T) {
	l := newLab(t)
	r := &Result{Status: Failed, Error: "a\x00b" + strings.Repeat("é", 1<<20)}
	require.NoError(t, runHook(l.ctx, l.job("x"), onFailure, [][]string{program("note", l.notes)}, r))
	ours, _ := l.noted()
	assert.Equal(t, "a b"+strings.Repeat("é", (maxError-3)/2), ours[0]["ERROR"])
}

// TestOthersStillRun: a job that fails does not keep others from running, and
// its error is the one that is returned.
func TestOthersStillRun(t *testing.T) {
	l := newLab(t)
	absent, refused := l.job("absent"), l.job("refused")
	absent.Source = ":datahike,store=/nowhere/at/all:"
	refused.Accept = []string{"nonsense"}
	results, err := runAll(l.ctx, []jobs.Job{absent, l.job("fine"), refused})
	require.ErrorContains(t, err, "2 of 3 jobs failed, the first was absent: ")
	require.ErrorIs(t, err, fs.ErrorObjectNotFound, "by which the exit code is chosen")
	require.Len(t, results, 3)
	assert.Equal(t, []Status{Failed, NewPoint, Failed}, []Status{results[0].Status, results[1].Status, results[2].Status})
	assert.Contains(t, results[2].Error, "--accept nonsense is not known")

	var out strings.Builder
	require.NoError(t, printResults(&out, results))
	assert.Regexp(t, `^JOB +STATUS +TIME +NEW +SIZE +POINT
absent +failed +[\d.]+ s
fine +new-point +[\d.]+ s +\d+ +[\d.]+ \w+ +20\S+
refused +failed +[\d.]+ s
$`, out.String())
}

func TestAttempts(t *testing.T) {
	l := newLab(t)
	l.ci.Retries = 3
	passing := errors.New("may pass")
	for _, tt := range []struct {
		errs  []error
		tries int
	}{
		{[]error{nil}, 1},
		{[]error{passing, nil}, 2},
		{[]error{passing, passing, passing, nil}, 3},
		{[]error{fserrors.NoRetryError(passing)}, 1},
		{[]error{passing, fserrors.FatalError(passing)}, 2},
		{[]error{fserrors.NewErrorRetryAfter(time.Microsecond), nil}, 2},
	} {
		tries := 0
		err := attempt(l.ctx, "job", func() error {
			assert.False(t, accounting.Stats(l.ctx).Errored(), "errors of the past")
			err := tt.errs[tries]
			tries++
			return accounting.Stats(l.ctx).Error(err)
		})
		assert.Equal(t, tt.tries, tries, "%v", tt.errs)
		assert.ErrorIs(t, err, tt.errs[tries-1])
	}
}

// TestEncrypted: the crypt remote's passwords, at the job's destination.
func TestEncrypted(t *testing.T) {
	l := newLab(t)
	job := l.job("orders")
	// As obscured by rclone; the crypt remote itself is elsewhere.
	job.EncryptWith = ":crypt,remote=/somewhere/else,filename_encryption=off,password='" + obscured + "':"
	job.Destination = l.dest + "/with 'quotes', and: more"
	r, err := runJob(l.ctx, job)
	require.NoError(t, err)
	assert.Equal(t, job.Destination, r.Destination)
	assert.DirExists(t, job.Destination+"/snapshots")
	assert.FileExists(t, job.Destination+"/snapshots/"+r.Report.Point+"/manifest.edn.bin")

	dest, err := encrypted(job.EncryptWith, job.Destination)
	require.NoError(t, err)
	place, err := cli.Place(l.ctx, dest)
	require.NoError(t, err)
	points, err := dbsync.Points(l.ctx, place)
	require.NoError(t, err)
	require.Len(t, points, 1)

	for with, want := range map[string]string{
		":local:":                          "must be one of type crypt",
		"no-such-remote:":                  "didn't find section",
		":crypt,password='hush-hush':path": "the path belongs to :destination",
		":crypt,password='hush-hush'":      ":encrypt-with :crypt,…",
	} {
		job.EncryptWith = with
		_, err := runJob(l.ctx, job)
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "hush-hush")
		assert.True(t, fserrors.IsNoRetryError(err))
	}
}

// obscured is a password as rclone's configuration has it.
const obscured = "RvM4H0gPnlzm_PUNbwdcQOUdgGTZg-SF"

// TestOverrides: pace and connections reach the backend beside its settings.
func TestOverrides(t *testing.T) {
	l := newLab(t)
	job := l.job("orders")
	job.Source = ":sampled,store='" + l.store + "',pass='a'':,b',pace=7ms:"
	_, err := runJob(l.ctx, job)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"store": l.store, "pass": "a':,b", "pace": "7ms", "connections": "2"}, map[string]string(settings))

	job.Pace, job.Connections = new(1500*time.Millisecond), new(5)
	r, err := runJob(l.ctx, job)
	require.NoError(t, err)
	assert.Equal(t, ":sampled,…:", r.Source)
	assert.Equal(t, map[string]string{"store": l.store, "pass": "a':,b", "pace": "1.5s", "connections": "5"}, map[string]string(settings))

	job.Source = ":datahike,store='" + l.store + "':"
	_, err = runJob(l.ctx, job)
	require.ErrorContains(t, err, ":pace is of no use with :datahike,…:: the backend datahike has no such option")
	job.Source, job.Pace = l.store, nil
	_, err = runJob(l.ctx, job)
	require.ErrorContains(t, err, "the backend local has no such option")
}
