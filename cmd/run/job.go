package run

import (
	"context"
	"fmt"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/accounting"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	"github.com/rclone-datom/rclone-datom/cmd/run/jobs"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// Status is how a job ended.
type Status string

// A failed job may have made a point, if a hook after it failed.
const (
	NewPoint Status = "new-point"
	UpToDate Status = "up-to-date"
	DryRun   Status = "dry-run"
	Failed   Status = "failed"
)

// Result says what became of a job. Remotes are without their settings.
type Result struct {
	Job         string               `json:"job"`
	Source      string               `json:"source"`
	Destination string               `json:"destination"`
	Status      Status               `json:"status"`
	Error       string               `json:"error,omitempty"`
	Seconds     float64              `json:"seconds"` // with hooks and retries
	Report      *dbsync.BackupReport `json:"report,omitempty"`
}

// runAll runs jobs one after another, whatever becomes of them. The error is
// that of the first one that failed.
func runAll(ctx context.Context, all []jobs.Job) ([]Result, error) {
	var results []Result
	var first error
	failed := 0
	for _, job := range all {
		r, err := runJob(ctx, job)
		results = append(results, r)
		if err != nil {
			failed++
			if first == nil {
				first = fmt.Errorf("%s: %w", job.Name, err)
			}
		}
	}
	if failed > 1 {
		first = fmt.Errorf("%d of %d jobs failed, the first was %w", failed, len(all), first)
	}
	return results, first
}

// runJob runs one job with its hooks.
func runJob(ctx context.Context, job jobs.Job) (Result, error) {
	r := Result{Job: job.Name, Source: cli.Shown(job.Source), Destination: cli.Shown(job.Destination)}
	started := time.Now()
	err := r.do(ctx, job)
	if err != nil {
		r.Status, r.Error = Failed, err.Error()
		fs.Errorf(job.Name, "Failed: %v", err)
		if err := runHook(ctx, job, onFailure, job.Hooks.OnFailure, &r); err != nil {
			fs.Errorf(job.Name, "%v", err)
		}
	}
	r.Seconds = time.Since(started).Seconds()
	return r, err
}

func (r *Result) do(ctx context.Context, job jobs.Job) error {
	source, dest, err := ends(job)
	if err != nil {
		return fserrors.NoRetryError(err)
	}
	if err := runHook(ctx, job, before, job.Hooks.Before, r); err != nil {
		return err
	}
	fs.Infof(job.Name, "Backing up %s to %s", r.Source, r.Destination)
	opt := dbsync.BackupOptions{Accept: job.Accept, Repair: job.Repair, OnlineGCCopy: job.OnlineGCCopy}
	err = attempt(ctx, job.Name, func() (err error) {
		r.Report, err = cli.Backup(ctx, source, dest, cli.Layout{Layout: job.Layout}, opt)
		return err
	})
	if err != nil {
		return err
	}
	switch {
	case r.Report.UpToDate:
		r.Status = UpToDate
	case r.Report.DryRun:
		r.Status = DryRun
	default:
		r.Status = NewPoint
	}
	return runHook(ctx, job, after, job.Hooks.After, r)
}

// attempt is rclone's loop of retries, for one job: rclone's own would run all
// of them again.
func attempt(ctx context.Context, name string, do func() error) error {
	ci, stats := fs.GetConfig(ctx), accounting.Stats(ctx)
	for try := 1; ; try++ {
		stats.ResetErrors() // which may be those of an earlier job
		err := do()
		if err == nil || try >= ci.Retries || ctx.Err() != nil ||
			fserrors.IsFatalError(err) || fserrors.IsNoRetryError(err) {
			return err
		}
		fs.Errorf(name, "Attempt %d/%d failed: %v", try, ci.Retries, err)
		wait := time.Duration(ci.RetriesInterval)
		if fserrors.IsRetryAfterError(err) {
			wait = max(wait, time.Until(fserrors.RetryAfterErrorTime(err)))
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}
