package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

// The reports as programs see them. They are spelled out here, apart from the
// product's types, because these names are a promise.
type (
	countReport struct{ Segments, Commits, Bytes int64 }

	backupReport struct {
		Point, Parent        string
		UpToDate, DryRun     bool
		New, Total, Released countReport
		Reused, Repaired     int64
		AbsentValues         int64
		Requests             struct{ SourceReads, DestinationReads, DestinationWrites int64 }
		Seconds              float64
	}

	pointReport struct {
		ID, Database, Parent string
		Kind, Name           string
		T                    int64
		Time                 time.Time
		Complete, Native     bool
		Branches             map[string]struct {
			Commit string
			MaxTx  int64
		}
		New, Total countReport
	}

	verifyReport struct {
		Point            string
		Deep             bool
		Segments         countReport
		Reads, ReadBytes int64
		Datoms           map[string]map[string]int64
		Digests          map[string]digestReport
		Faults           []struct{ ID, What string }
	}

	digestReport struct {
		SHA256Current, SHA256History, None string
		DatomsCurrent, DatomsHistory       int64
	}

	restoreReport struct {
		Bucket, Path, ObjectNames, Branch, Commit string
		Point, Target, StoreID                    string
		Kind, Name                                string
		T                                         int64
		DryRun                                    bool
		Written                                   countReport
		Resumed                                   int64
		Settings                                  map[string]any
		Seconds                                   float64
	}
)

func TestReports(t *testing.T) {
	u := newUser(t)
	facts := fixture.Expected(t, "e-branches")
	dest := u.path("backup")
	u.fails(4, "no backups", "backups", dest, "--json")
	var points []pointReport

	var backup backupReport
	u.report(&backup, "backup", database(fixture.Unpack(t, "e-branches")), dest)
	assert.NotZero(t, backup.New.Segments)
	assert.Equal(t, backup.New, backup.Total)
	assert.NotZero(t, backup.Requests.SourceReads)
	assert.NotZero(t, backup.Seconds)

	u.report(&points, "backups", dest)
	require.Len(t, points, 1)
	assert.Equal(t, backup.Point, points[0].ID)
	assert.Equal(t, backup.Total, points[0].Total)
	require.Len(t, points[0].Branches, len(facts.Branches))
	for name, want := range facts.ByBranch {
		assert.Equal(t, want.CommitID, points[0].Branches[name].Commit)
		assert.Equal(t, want.MaxTx, points[0].Branches[name].MaxTx)
	}

	var verify verifyReport
	u.report(&verify, "verify", dest, "--deep")
	assert.True(t, verify.Deep)
	assert.Equal(t, backup.Total, verify.Segments)
	assert.GreaterOrEqual(t, verify.Reads, backup.Total.Segments, "what two commits share may be read twice")
	assert.Empty(t, verify.Faults)
	for name, want := range facts.ByBranch {
		assert.Equal(t, want.DatomsCurrent, verify.Datoms[name]["eavt"], name)
	}

	var restore restoreReport
	u.report(&restore, "restore", dest, u.path("restored"))
	assert.Equal(t, backup.Point, restore.Point)
	assert.Equal(t, u.path("restored"), restore.Target)
	assert.Equal(t, backup.Total, restore.Written)
	assert.Equal(t, facts.StoreID, restore.StoreID)
	assert.Equal(t, true, restore.Settings["keep-history?"])
	assert.Equal(t, ":datahike.index/persistent-set", restore.Settings["index"])
}

// TestFaultsAreReported: with faults there is a whole report, and exit code 6.
func TestFaultsAreReported(t *testing.T) {
	u := newUser(t)
	dest := u.path("backup")
	u.ok("backup", database(fixture.Unpack(t, "a-default")), dest)
	damaged := u.damage(dest+"/store", 2)
	o := u.fails(6, "the backup is damaged", "verify", dest, "--deep", "--json")
	var verify verifyReport
	require.NoError(t, json.Unmarshal([]byte(o.out), &verify))
	var ids []string
	for _, f := range verify.Faults {
		ids = append(ids, f.ID)
	}
	assert.Subset(t, ids, damaged)
	o = u.fails(6, "the backup is damaged", "verify", dest, "--deep")
	for _, id := range damaged {
		assert.Contains(t, o.out, "FAULT "+id)
	}
	u.fails(6, "is damaged", "restore", dest, u.path("restored"))
}

// TestLogLines: --use-json-log means that every line is JSON, statistics too.
func TestLogLines(t *testing.T) {
	u := newUser(t)
	for _, args := range [][]string{
		{"backup", database(fixture.Unpack(t, "a-default")), u.path("backup")},
		{"verify", u.path("backup"), "--deep"},
		{"restore", u.path("backup"), u.path("restored")},
		{"backups", u.path("backup")},
	} {
		o := u.ok(append(args, "--use-json-log", "-v", "--stats", "1s")...)
		copied := 0
		for line := range strings.Lines(o.stderr) {
			var entry struct{ Level, Msg, Object string }
			require.NoError(t, json.Unmarshal([]byte(line), &entry), line)
			assert.NotEqual(t, "error", entry.Level, line)
			if strings.HasPrefix(entry.Msg, "Copied (new)") {
				copied++
			}
		}
		if args[0] == "backup" || args[0] == "restore" {
			assert.Greater(t, copied, 170, "%q", args)
		}
	}
}

func TestProgress(t *testing.T) {
	u := newUser(t)
	store := database(fixture.Unpack(t, "a-default"))
	o := u.ok("backup", store, u.path("one"), "-P")
	assert.Contains(t, o.out, "100%")
	assert.Contains(t, o.out, "Point 20")
	o = u.ok("backup", store, u.path("two"), "--stats", "1s", "--stats-one-line", "--stats-log-level", "NOTICE")
	assert.Contains(t, o.stderr, "100%")
	assert.NotContains(t, o.stderr, "ERROR")
}
