// Package jobs reads job files: EDN maps from the names of jobs to what each
// of them does.
//
//	{:orders {:source      "orders:"
//	          :destination "gcs:bucket/orders"
//	          :pace        10                        ; ms of rest per segment
//	          :hooks       {:after ["/usr/local/bin/tell" "done"]
//	                        :timeout "1m"}}}
//
// A file that is not exactly understood is refused, with the line and the key
// in question: a job that was set up by a misspelt key would be found out when
// its backup is needed. EDN says that maps have no order; jobs are run in the
// file's nevertheless, which is what people expect.
package jobs

import (
	"fmt"
	"regexp"
	"time"

	"olympos.io/encoding/edn"
)

// DefaultTimeout is how long a hook may take if the file does not say.
const DefaultTimeout = 5 * time.Minute

// maxPace is what a datomic remote takes at most, in milliseconds.
const maxPace = 1000

// Job is one backup: what the file says, not looked up anywhere.
type Job struct {
	Name        string
	Source      string // a database remote, maybe with settings in it
	Destination string // a remote or path, maybe with settings in it
	EncryptWith string // a crypt remote by which the destination is encrypted; "" is none
	// Pace is the source's rest per segment and Connections how many it opens;
	// nil leaves that to the remote.
	Pace        *time.Duration
	Connections *int

	// Layout is that of the destination; "" is the one that it has.
	Layout       string
	Accept       []string
	Repair       bool
	OnlineGCCopy bool
	Hooks        Hooks
}

// Hooks are programs around a job: argument vectors, run in this order.
type Hooks struct {
	Before    [][]string
	After     [][]string
	OnFailure [][]string
	Timeout   time.Duration // of each program
}

// jobName is what does well on a command line, in the environment and in logs.
var jobName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// Parse reads a job file. It has at least one job.
func Parse(data []byte) ([]Job, error) {
	file, err := read(data)
	if err != nil {
		return nil, err
	}
	entries, err := entries("the file", file)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, at(file.line, "there are no jobs")
	}
	var all []Job
	for _, e := range entries {
		job, err := parse(e)
		if err != nil {
			return nil, err
		}
		all = append(all, job)
	}
	return all, nil
}

func parse(e entry) (Job, error) {
	j := Job{Name: e.key.String()[1:], Hooks: Hooks{Timeout: DefaultTimeout}}
	if !jobName.MatchString(j.Name) {
		return j, at(e.line, "%s is no name for a job: take letters, digits, dots, dashes and underscores", e.key)
	}
	err := fields(e.key.String(), e.value, map[edn.Keyword]field{
		"source":         text(&j.Source),
		"destination":    text(&j.Destination),
		"encrypt-with":   text(&j.EncryptWith),
		"pace":           milliseconds(&j.Pace),
		"connections":    count(&j.Connections),
		"layout":         choice(&j.Layout, "native", "chunked"),
		"accept":         words(&j.Accept),
		"repair":         flag(&j.Repair),
		"online-gc-copy": flag(&j.OnlineGCCopy),
		"hooks":          j.Hooks.parse,
	})
	switch {
	case err != nil:
		return j, err
	case j.Source == "":
		return j, at(e.line, "%s has no :source", e.key)
	case j.Destination == "":
		return j, at(e.line, "%s has no :destination", e.key)
	}
	return j, nil
}

func (h *Hooks) parse(path string, n node) error {
	return fields(path, n, map[edn.Keyword]field{
		"before":     programs(&h.Before),
		"after":      programs(&h.After),
		"on-failure": programs(&h.OnFailure),
		"timeout":    duration(&h.Timeout),
	})
}

// at is an error about a line of the file.
func at(line int, format string, args ...any) error {
	return fmt.Errorf("line %d: %s", line, fmt.Sprintf(format, args...))
}
