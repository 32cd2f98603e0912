package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// asking has what --status was given with.
type asking struct {
	Status bool
	MaxAge fs.Duration
}

// check refuses what makes no sense together.
func (a asking) check(opt dbsync.VerifyOptions) error {
	switch {
	case a.Status && (opt.Deep || opt.Datoms || opt.Subset != "" || opt.Since != ""):
		return fserrors.NoRetryError(errors.New("--status reads no segments: ask for it without --deep, --datoms, --subset and --since"))
	case !a.Status && a.MaxAge != 0:
		return fserrors.NoRetryError(errors.New("--max-age needs --status"))
	case a.MaxAge < 0:
		return fserrors.NoRetryError(errors.New("--max-age must be more than nothing"))
	}
	return nil
}

func status(ctx context.Context, dest, at string, maxAge fs.Duration) (*dbsync.StatusReport, error) {
	dst, err := cli.Backups(ctx, dest)
	if err != nil {
		return nil, err
	}
	return dbsync.VerifyStatus(ctx, dst, dbsync.StatusOptions{At: at, MaxAge: time.Duration(maxAge)})
}

func runStatus(ctx context.Context, dest string) error {
	rep, err := status(ctx, dest, opt.At, ask.MaxAge)
	if rep == nil {
		return err
	}
	if asJSON {
		return errors.Join(cli.PrintJSON(rep), err)
	}
	printStatus(rep)
	return err
}

// printStatus tells a person what was read when.
func printStatus(rep *dbsync.StatusReport) {
	if rep.NeverSegments > 0 {
		fmt.Printf("%d segments, %s of point %s were never read: read them with verify --deep, or part by part with --subset\n",
			rep.NeverSegments, cli.Bytes(rep.NeverBytes), rep.Point)
	} else if rep.Oldest != nil {
		fmt.Printf("Every byte of point %s was read within the last %s (oldest read %s)\n",
			rep.Point, passed(rep.Time.Sub(*rep.Oldest)), rep.Oldest.Format(time.RFC3339))
	}
	for _, a := range rep.Ages {
		when := "longer ago"
		if a.Days > 0 {
			when = fmt.Sprintf("within %dd", a.Days)
		}
		if a.Segments > 0 {
			fmt.Printf("  %-12s %d segments, %s\n", when, a.Segments, cli.Bytes(a.Bytes))
		}
	}
	if rep.NeverSegments > 0 {
		fmt.Printf("  %-12s %d segments, %s\n", "never", rep.NeverSegments, cli.Bytes(rep.NeverBytes))
	}
	fmt.Printf("  %-12s %d segments, %s; %d records of verifications\n", "all", rep.Segments, cli.Bytes(rep.Bytes), rep.Records)
}

// passed is a time span for people, in its two largest units: "6d 3h".
func passed(d time.Duration) string {
	var words []string
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if n := d / unit.size; n > 0 || len(words) > 0 {
			words = append(words, fmt.Sprintf("%d%s", n, unit.name))
			d -= n * unit.size
		}
	}
	if len(words) == 0 {
		return "second"
	}
	return strings.Join(words[:min(len(words), 2)], " ")
}
