// Package prune is the command "prune".
package prune

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rclone/rclone/cmd"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/flags"
	"github.com/spf13/cobra"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// day is how long a pruned point can be brought back, and how old leftovers are
// that are removed, unless the user says otherwise.
const day = fs.Duration(24 * time.Hour)

var (
	opt          dbsync.PruneOptions
	within       fs.Duration
	grace, older = day, day
	maxDead      = mostlyDead
	asJSON       bool
)

func init() {
	cmd.Root.AddCommand(command)
	f := command.Flags()
	p := &opt.Policy
	flags.FVarP(f, &p.Last, "keep-last", "", "Keep the newest N points (\"unlimited\": all)", "")
	flags.FVarP(f, &p.Hourly, "keep-hourly", "", "Keep the newest point of each of the last N hours that have points", "")
	flags.FVarP(f, &p.Daily, "keep-daily", "", "Keep the newest point of each of the last N days that have points", "")
	flags.FVarP(f, &p.Weekly, "keep-weekly", "", "Keep the newest point of each of the last N weeks that have points", "")
	flags.FVarP(f, &p.Monthly, "keep-monthly", "", "Keep the newest point of each of the last N months that have points", "")
	flags.FVarP(f, &p.Yearly, "keep-yearly", "", "Keep the newest point of each of the last N years that have points", "")
	flags.FVarP(f, &within, "keep-within", "", "Keep points that are this much older than the newest, or less", "")
	flags.StringArrayVarP(f, &opt.Keep, "keep", "", nil, "Keep this point: id, commit, t or time (may be repeated)", "")
	flags.BoolVarP(f, &opt.Confirm, "confirm", "", false, "Do it; without this nothing is changed", "")
	flags.FVarP(f, &grace, "grace", "", "How long pruned points can be brought back", "")
	flags.FVarP(f, &maxDead, "max-dead", "", "In chunks: leave a chunk alone of which no more than this is dead", "")
	flags.StringVarP(f, &opt.Undo, "undo", "", "", "Bring this pruned point back", "")
	flags.BoolVarP(f, &opt.Incomplete, "incomplete", "", false, "Remove what interrupted runs have left and nothing needs", "")
	flags.FVarP(f, &older, "older-than", "", "With --incomplete: leave what is younger", "")
	flags.BoolVarP(f, &asJSON, "json", "", false, "Print the report as JSON", "")
}

var command = &cobra.Command{
	Use:   "prune DEST",
	Short: `Remove points of a backup, and what they alone need.`,
	Long: `This removes the points that no rule keeps, and the segments that no other
point needs. It says first what would go: nothing is changed without --confirm.

    rclone-datom prune s3:bucket/mydb --keep-daily 7 --keep-weekly 5 --keep-yearly unlimited
    rclone-datom prune s3:bucket/mydb --keep-within 30d --keep 6b010f56 --confirm
    rclone-datom prune s3:bucket/mydb --keep-last 10 --grace 0 --confirm
    rclone-datom backups s3:bucket/mydb --pruned
    rclone-datom prune s3:bucket/mydb --undo 2026-11-20T030000.123Z-6b010f3e
    rclone-datom prune s3:bucket/mydb --incomplete --older-than 7d --confirm

A point is kept if any rule says so. The rules are those of restic forget:
--keep-daily 7 keeps the newest point of each of the last seven days that have
one, in UTC. If DEST has several databases in the native layout they apply to each; in chunks,
name the directory of one. Whatever the rules
say, the point is kept that lies open at DEST: the one whose heads Datahike finds
in store/, or the newest root of a Datomic database.

Points that Datomic's own backup has made can be removed one by one as well.

Pruned points are not listed any more, but for the time of --grace nothing that
they need is touched, and --undo brings them back. The first prune after that
removes what they alone need; a --grace that is given then is for what that one
prunes. A prune that is interrupted goes on with the next.

In the chunked layout a chunk goes when no point needs anything in it. If more
than --max-dead of it is dead, what is left is packed into new chunks.

--incomplete looks through all that is at DEST for what interrupted runs have
left: records of points that were never finished, and segments that no point
needs. It leaves what is younger than --older-than.

It takes no source, and no key unless somebody has opened the backup of an
encrypted Datahike database and written to it. While it works no backup can be
written to DEST; restores can go on.
`,
	Run: func(command *cobra.Command, args []string) {
		cmd.CheckArgs(1, 1, command, args)
		cli.Run(command, func(ctx context.Context) error { return run(ctx, args[0]) })
	},
}

func prune(ctx context.Context, dest string, opt dbsync.PruneOptions) (*dbsync.PruneReport, error) {
	dst, err := cli.Backups(ctx, dest)
	if err != nil {
		return nil, err
	}
	if opt.Dialect, err = cli.Dialect(); err != nil {
		return nil, err
	}
	return dbsync.Prune(ctx, dst, opt)
}

func run(ctx context.Context, dest string) error {
	opt := opt
	opt.MaxDead = float64(maxDead)
	opt.Policy.Within, opt.Grace, opt.OlderThan = time.Duration(within), time.Duration(grace), time.Duration(older)
	rep, err := prune(ctx, dest, opt)
	if err != nil {
		return err
	}
	if asJSON {
		return cli.PrintJSON(rep)
	}
	return show(rep, opt)
}

// show tells a person what becomes of the points.
func show(rep *dbsync.PruneReport, opt dbsync.PruneOptions) error {
	switch {
	case opt.Undo != "":
		fmt.Printf("Point %s is back\n", rep.Restored)
	case opt.Incomplete:
		fmt.Printf("Leftovers: %d objects, %s\n", rep.Leftovers.Segments, cli.Bytes(rep.Leftovers.Bytes))
	default:
		if err := table(rep); err != nil {
			return err
		}
		fmt.Printf("Freed with the points that are not kept: %d segments, %s\n", rep.Freed.Segments, cli.Bytes(rep.Freed.Bytes))
		fmt.Printf("Deleted now: %d segments, %s\n", rep.Deleted.Segments, cli.Bytes(rep.Deleted.Bytes))
		if c := rep.Chunks; c != nil {
			fmt.Printf("Chunks: %d deleted, %s; %d written anew, %s\n", c.Deleted, cli.Bytes(c.DeletedBytes), c.Written, cli.Bytes(c.WrittenBytes))
		}
	}
	if rep.DryRun {
		fmt.Println("Nothing was changed: --confirm does it")
	}
	return nil
}

func table(rep *dbsync.PruneReport) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "POINT\tTIME\tKEEP\tFREES\tSIZE\tUNTIL OR WHY\n")
	for _, p := range rep.Points {
		at := p.Time.UTC().Format(time.RFC3339)
		if p.Keep {
			_, _ = fmt.Fprintf(w, "%s\t%s\tyes\t\t\t%s\n", p.ID, at, strings.Join(p.Reasons, ", "))
			continue
		}
		keep := "no"
		if p.Pruned {
			keep = "pruned"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", p.ID, at, keep, p.Freed.Segments, cli.Bytes(p.Freed.Bytes), p.Until.UTC().Format(time.RFC3339))
	}
	return w.Flush()
}
