package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	"github.com/rclone-datom/rclone-datom/cmd/run/jobs"
)

const (
	// prefix begins the names of the variables that hooks get.
	prefix = "RCLONE_DATOM_"
	// maxError is how much of an error a variable holds, in bytes: systems
	// refuse to start programs with very large ones.
	maxError = 8192
	// maxLine is where a line of output is cut for the log, in bytes.
	maxLine = 8192
	// linger is how long a hook's children may hold on to its output.
	linger = 5 * time.Second
)

// hook is when programs are run, as the job file's keys have it.
type hook string

const (
	before    hook = "before"
	after     hook = "after"
	onFailure hook = "on-failure"
)

// runHook runs the programs of a hook until one fails. Their arguments may hold
// secrets and are not shown.
func runHook(ctx context.Context, job jobs.Job, when hook, programs [][]string, r *Result) error {
	for _, argv := range programs {
		if fs.GetConfig(ctx).DryRun {
			fs.Logf(job.Name, "Not running :%s %s, as --dry-run is set", when, argv[0])
			continue
		}
		fs.Infof(job.Name, "Running :%s %s", when, argv[0])
		if err := start(ctx, job, when, argv, r); err != nil {
			return fmt.Errorf(":%s %s: %w", when, argv[0], err)
		}
	}
	return nil
}

func start(ctx context.Context, job jobs.Job, when hook, argv []string, r *Result) error {
	timeout := fmt.Errorf("did not end within %v", job.Hooks.Timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, job.Hooks.Timeout, timeout)
	defer cancel()
	out := &lineLog{name: job.Name + ": " + argv[0]}
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Env = append(ownEnvironment(os.Environ()), variables(job, when, r)...)
	c.Stdout, c.Stderr, c.WaitDelay = out, out, linger
	err := c.Run()
	out.flush()
	switch {
	case errors.Is(err, exec.ErrWaitDelay) && c.ProcessState.Success(): // it ended well, and left something running
		return nil
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

// ownEnvironment leaves out rclone's settings, which may be passwords, but for
// the place of its configuration.
func ownEnvironment(all []string) (env []string) {
	for _, v := range all {
		name, _, _ := strings.Cut(strings.ToUpper(v), "=")
		if name == "RCLONE_CONFIG" || !strings.HasPrefix(name, "RCLONE_") {
			env = append(env, v)
		}
	}
	return env
}

// variables tell a hook what happens. Remotes are without their settings.
func variables(job jobs.Job, when hook, r *Result) []string {
	env := []string{
		prefix + "JOB=" + job.Name,
		prefix + "HOOK=" + string(when),
		prefix + "SOURCE=" + cli.Shown(job.Source),
		prefix + "DESTINATION=" + cli.Shown(job.Destination),
	}
	if when == before {
		return env
	}
	env = append(env, prefix+"STATUS="+string(r.Status))
	if r.Report != nil {
		env = append(env, prefix+"POINT="+r.Report.Point)
	}
	if r.Error != "" {
		text := strings.ReplaceAll(r.Error, "\x00", " ")
		env = append(env, prefix+"ERROR="+strings.ToValidUTF8(text[:min(len(text), maxError)], ""))
	}
	return env
}

// lineLog writes each line to the log.
type lineLog struct {
	name string
	line []byte
}

// Write implements io.Writer. It is called by one goroutine at a time.
func (l *lineLog) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == '\n' || len(l.line) == maxLine {
			l.flush()
		}
		if b != '\n' {
			l.line = append(l.line, b)
		}
	}
	return len(p), nil
}

// flush logs what is there of a line.
func (l *lineLog) flush() {
	if text := bytes.TrimRight(l.line, "\r"); len(text) > 0 {
		fs.Logf(l.name, "%s", text)
	}
	l.line = l.line[:0]
}
