package run

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/configmap"
	"github.com/stretchr/testify/require"

	_ "github.com/rclone/rclone/backend/crypt"
	_ "github.com/rclone/rclone/backend/local"

	"github.com/rclone-datom/rclone-datom/cmd/run/jobs"
	"github.com/rclone-datom/rclone-datom/fstest/sample"
)

// asHook is the first argument by which this program is a hook.
const asHook = "be-a-hook"

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == asHook {
		os.Exit(beHook(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// beHook is what the hooks of these tests do.
func beHook(args []string) int {
	switch args[0] {
	case "note": // adds the environment to a file
		line, _ := json.Marshal(os.Environ())
		f, err := os.OpenFile(args[1], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return 2
		}
		defer func() { _ = f.Close() }()
		_, _ = fmt.Fprintf(f, "%s\n", line)
	case "fail":
		fmt.Println("a word on stdout")
		fmt.Fprint(os.Stderr, "a word on stderr")
		return 3
	case "hang":
		time.Sleep(time.Hour)
	}
	return 0
}

// program is the argument vector of a hook.
func program(args ...string) []string {
	return append([]string{os.Args[0], asHook}, args...)
}

// lab is a database, a place for its backups, and a file that hooks write.
type lab struct {
	*testing.T
	ctx   context.Context
	ci    *fs.ConfigInfo
	db    *sample.DB
	store string
	dest  string
	notes string
}

func newLab(t *testing.T) *lab {
	t.Helper()
	dir := t.TempDir()
	l := &lab{T: t, store: filepath.Join(dir, "store"), dest: filepath.Join(dir, "backup"), notes: filepath.Join(dir, "notes")}
	l.ctx, l.ci = fs.AddConfig(t.Context())
	l.ci.Retries = 1
	db, err := sample.Create(l.store, sample.Options{Entities: 5})
	require.NoError(t, err)
	l.db = db
	return l
}

// job is a job with a hook of each kind that leaves a note.
func (l *lab) job(name string) jobs.Job {
	note := [][]string{program("note", l.notes)}
	return jobs.Job{
		Name: name, Source: ":datahike,store='" + l.store + "':", Destination: l.dest,
		Hooks: jobs.Hooks{Before: note, After: note, OnFailure: note, Timeout: time.Minute},
	}
}

// noted returns the RCLONE_DATOM_ variables of each hook that left a note, by
// the rest of their names, and everything else that they had.
func (l *lab) noted() (ours []map[string]string, others string) {
	l.Helper()
	data, err := os.ReadFile(l.notes)
	if os.IsNotExist(err) {
		return nil, ""
	}
	require.NoError(l, err)
	require.NoError(l, os.Remove(l.notes))
	for line := range strings.Lines(string(data)) {
		var env []string
		require.NoError(l, json.Unmarshal([]byte(line), &env))
		m := map[string]string{}
		for _, v := range env {
			name, value, _ := strings.Cut(v, "=")
			if rest, ok := strings.CutPrefix(name, prefix); ok {
				m[rest] = value
			} else {
				others += v + "\n"
			}
		}
		ours = append(ours, m)
	}
	return ours, others
}

// settings are what the newest remote of the type "sampled" was made with.
var settings configmap.Simple

// A backend as ours for Datomic in that it has the options pace and
// connections; behind them is a Datahike store.
func init() {
	level := &fs.GetConfig(context.Background()).LogLevel
	before := *level
	*level = fs.LogLevelEmergency // rclone has no overview of it, and would say so
	defer func() { *level = before }()
	fs.Register(&fs.RegInfo{
		Name:    "sampled",
		Options: fs.Options{{Name: "store"}, {Name: "pass"}, {Name: "pace", Default: fs.Duration(0)}, {Name: "connections", Default: 2}},
		NewFs: func(ctx context.Context, _, _ string, m configmap.Mapper) (fs.Fs, error) {
			settings = configmap.Simple{}
			for _, name := range []string{"store", "pass", "pace", "connections"} {
				settings[name], _ = m.Get(name)
			}
			return fs.NewFs(ctx, ":datahike,store='"+settings["store"]+"':")
		},
	})
}
