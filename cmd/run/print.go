package run

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	"github.com/rclone-datom/rclone-datom/cmd/run/jobs"
)

// Listed is a job as --list shows it. Remotes are without their settings.
type Listed struct {
	Job         string `json:"job"`
	Source      string `json:"source"`
	Destination string `json:"destination"`
	EncryptWith string `json:"encryptWith,omitempty"`
}

func listed(all []jobs.Job) (out []Listed) {
	for _, j := range all {
		l := Listed{Job: j.Name, Source: cli.Shown(j.Source), Destination: cli.Shown(j.Destination)}
		if j.EncryptWith != "" {
			l.EncryptWith = cli.Shown(j.EncryptWith)
		}
		out = append(out, l)
	}
	return out
}

func printList(out io.Writer, all []Listed) error {
	return table(out, func(line func(...any)) {
		line("JOB", "SOURCE", "DESTINATION", "ENCRYPTED WITH")
		for _, l := range all {
			line(l.Job, l.Source, l.Destination, l.EncryptWith)
		}
	})
}

func printResults(out io.Writer, results []Result) error {
	return table(out, func(line func(...any)) {
		line("JOB", "STATUS", "TIME", "NEW", "SIZE", "POINT")
		for _, r := range results {
			seconds := fmt.Sprintf("%.2f s", r.Seconds)
			if r.Report == nil {
				line(r.Job, r.Status, seconds)
				continue
			}
			line(r.Job, r.Status, seconds, r.Report.New.Segments, cli.Bytes(r.Report.New.Bytes), r.Report.Point)
		}
	})
}

// table prints lines of fields in columns.
func table(out io.Writer, fill func(line func(...any))) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fill(func(fields ...any) {
		for i, f := range fields {
			if i > 0 {
				_, _ = fmt.Fprint(w, "\t")
			}
			_, _ = fmt.Fprint(w, f)
		}
		_, _ = fmt.Fprintln(w)
	})
	return w.Flush()
}
