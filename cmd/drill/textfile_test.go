package drill

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

var (
	monday  = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	tuesday = monday.AddDate(0, 0, 1)
)

func success() metrics {
	return metrics{destination: `s3:bu"ck\et/mydb`, ok: true, now: monday, report: &dbsync.DrillReport{
		Point: "2026-11-21T013727.410Z-6b010f3e", PointTime: time.Date(2026, 11, 21, 1, 37, 27, 410_000_000, time.UTC),
		Database: "db-1", RestoredSegments: 310, RestoredBytes: 271_828, Equal: true, RestoreSeconds: 1.25, CheckSeconds: 0.5,
		Datoms: map[string]map[string]int64{":db": {"eavt": 100, "avet": 20}, ":x": {"eavt": 3}},
	}}
}

// written writes metrics and returns the file's content.
func written(t *testing.T, name string, m metrics) string {
	t.Helper()
	require.NoError(t, m.write(name))
	st, err := os.Stat(name)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o644), st.Mode())
	entries, err := os.ReadDir(filepath.Dir(name))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing is left beside it")
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}

// value finds a metric's samples.
func value(text, name string) (found []string) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, namespace+name+"{"); ok {
			found = append(found, strings.TrimSpace(rest[strings.LastIndex(rest, "}")+1:]))
		}
	}
	return found
}

func TestTextfile(t *testing.T) {
	want, err := os.ReadFile("testdata/success.prom")
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "drill.prom")
	assert.Equal(t, string(want), written(t, name, success()))
}

// TestTextfileKeepsSuccess: after failures the file still says when the last
// success was, and which database it is about.
func TestTextfileKeepsSuccess(t *testing.T) {
	name := filepath.Join(t.TempDir(), "drill.prom")
	good := success()
	before := value(written(t, name, good), lastSuccess)
	bad := good
	bad.ok, bad.now = false, tuesday
	bad.report.Faults = []dbsync.Fault{{ID: "x", What: "y"}}
	unreachable := bad
	unreachable.report = nil
	for _, m := range []metrics{bad, unreachable, bad} {
		text := written(t, name, m)
		assert.Equal(t, []string{"0"}, value(text, "success"))
		assert.Equal(t, before, value(text, lastSuccess))
		assert.Equal(t, []string{seconds(tuesday)}, value(text, "last_run_timestamp_seconds"))
		assert.Contains(t, text, `,database="db-1"}`)
	}
	assert.Empty(t, value(written(t, name, unreachable), "segments"))
	good.now = tuesday
	assert.Equal(t, []string{seconds(tuesday)}, value(written(t, name, good), lastSuccess))
}

// TestTextfileOfAnother: what is said of another destination or database, or
// makes no sense, is not carried over.
func TestTextfileOfAnother(t *testing.T) {
	name := filepath.Join(t.TempDir(), "drill.prom")
	for what, change := range map[string]func(m *metrics, old string) string{
		"destination": func(m *metrics, old string) string { m.destination = "s3:other"; return old },
		"database":    func(m *metrics, old string) string { m.report.Database = "db-2"; return old },
		"no number": func(_ *metrics, old string) string {
			return strings.ReplaceAll(old, seconds(monday), "x")
		},
		"garbage": func(*metrics, string) string { return "\x00\xff{\"} \n" + namespace + "\n" },
	} {
		old := written(t, name, success())
		next := success()
		next.ok = false
		require.NoError(t, os.WriteFile(name, []byte(change(&next, old)), 0o644))
		assert.Empty(t, value(written(t, name, next), lastSuccess), what)
		require.NoError(t, os.Remove(name))
	}
}

// TestTextfileNotReplaced: what is no file of metrics stays.
func TestTextfileNotReplaced(t *testing.T) {
	dir := t.TempDir()
	require.Error(t, success().write(dir))
	require.Error(t, success().write(filepath.Join(dir, "nowhere", "x.prom")))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func TestLabels(t *testing.T) {
	for _, s := range []string{"", `a"b`, `\`, `\n`, "\n", `\\"`, "ä,…:x"} {
		assert.Equal(t, s, unescape(escape(s)))
		assert.NotContains(t, escape(s), "\n")
	}
	assert.Equal(t, "\uFFFD", escape("\xff"))
}
