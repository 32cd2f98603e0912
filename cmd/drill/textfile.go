package drill

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// metrics are what Prometheus is told of a drill, in its text format 0.0.4:
// https://prometheus.io/docs/instrumenting/exposition_formats/
type metrics struct {
	destination string // without secrets
	report      *dbsync.DrillReport
	ok          bool
	now         time.Time
}

const (
	namespace   = "rclone_datom_drill_"
	lastSuccess = "last_success_timestamp_seconds"
	// maxFile bounds, in bytes, what is read of the file that is there. One has
	// some two thousand.
	maxFile = 1 << 20
)

// write replaces the file at once, so that no collector sees half of it.
func (m metrics) write(name string) error {
	old, err := readOld(name)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.tmp") // no collector reads *.tmp
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // there is none after the renaming
	_, err = f.WriteString(m.text(old))
	if err == nil {
		err = f.Chmod(0o644) // the collector is another user
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func readOld(name string) (string, error) {
	st, err := os.Stat(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", nil
	case err != nil:
		return "", err
	case !st.Mode().IsRegular() || st.Size() > maxFile:
		return "", fmt.Errorf("%s is no file of metrics", name)
	}
	b, err := os.ReadFile(name)
	return string(b), err
}

// text is the new content. What is not known after a failure is left out.
func (m metrics) text(old string) string {
	database, success := m.last(old)
	if m.report != nil {
		if m.report.Database != database {
			success = "" // it was another's
		}
		database = m.report.Database
	}
	if m.ok {
		success = seconds(m.now)
	}
	var b strings.Builder
	labels := fmt.Sprintf(`{destination="%s",database="%s"}`, escape(m.destination), escape(database))
	gauge := func(name, help, value string) {
		if value != "" {
			fmt.Fprintf(&b, "# HELP %s%s %s\n# TYPE %[1]s%[2]s gauge\n%[1]s%[2]s%[4]s %[5]s\n", namespace, name, help, labels, value)
		}
	}
	state := "0"
	if m.ok {
		state = "1"
	}
	gauge("success", "Whether the last drill found the point restorable and equal.", state)
	gauge("last_run_timestamp_seconds", "When the last drill ended.", seconds(m.now))
	gauge(lastSuccess, "When the last drill ended that found no fault.", success)
	if r := m.report; r != nil {
		count := func(n int64) string { return strconv.FormatInt(n, 10) }
		took := func(s float64) string { return strconv.FormatFloat(s, 'f', 3, 64) }
		gauge("point_timestamp_seconds", "When the point was made that was restored.", seconds(r.PointTime))
		gauge("segments", "Segments restored; of a drill in place, segments listed.", count(r.RestoredSegments))
		gauge("bytes", "Their size.", count(r.RestoredBytes))
		gauge("datoms", "Datoms counted in all indexes of all branches.", count(datoms(r)))
		gauge("restore_seconds", "How long restoring took; 0 of a drill in place.", took(r.RestoreSeconds))
		gauge("check_seconds", "How long reading and comparing took.", took(r.CheckSeconds))
		gauge("faults", "Faults found.", count(int64(len(r.Faults))))
	}
	return b.String()
}

// last finds which database the file that is there is about, and when its drill
// succeeded last, if that was of the same destination.
func (m metrics) last(old string) (database, success string) {
	begin := fmt.Sprintf(`{destination="%s",database="`, escape(m.destination))
	for line := range strings.Lines(old) {
		line, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), namespace)
		name, rest, found := strings.Cut(line, begin)
		if !ok || !found {
			continue
		}
		label, value, ok := strings.Cut(rest, `"} `)
		if !ok {
			continue
		}
		switch _, err := strconv.ParseFloat(value, 64); {
		case err != nil:
		case name == "success":
			database = unescape(label)
		case name == lastSuccess:
			success = value
		}
	}
	return database, success
}

// seconds since 1970, as precise as points are.
func seconds(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

var (
	escaper   = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	unescaper = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\"`, `"`)
)

// escape writes the value of a label.
func escape(s string) string { return escaper.Replace(strings.ToValidUTF8(s, "\uFFFD")) }

func unescape(s string) string { return unescaper.Replace(s) }
