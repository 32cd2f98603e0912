// Package backups is the command "backups".
package backups

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/rclone/rclone/cmd"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/flags"
	"github.com/spf13/cobra"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

var asJSON, pruned bool

func init() {
	cmd.Root.AddCommand(command)
	flags.BoolVarP(command.Flags(), &asJSON, "json", "", false, "Print the points as JSON", "")
	flags.BoolVarP(command.Flags(), &pruned, "pruned", "", false, "List the points that were pruned and can be brought back", "")
}

// call has the parameters of datom/backups, and result what it returns.
type (
	call struct {
		Destination string   `json:"destination" rc:"required"`
		Pruned      cli.Flag `json:"pruned"`
	}
	result struct {
		Points any `json:"points"`
	}
)

func init() {
	cli.RC("datom/backups", "List the points of a backup", `This takes the following parameters:

- destination - a remote, e.g. "s3:bucket/mydb"
- pruned - list the points that were pruned and can be brought back (optional)

It returns "points": what rclone-datom backups --json prints.
`, func(ctx context.Context, in call) (result, error) {
		if in.Pruned {
			points, err := parked(ctx, in.Destination)
			return result{points}, err
		}
		points, err := list(ctx, in.Destination)
		return result{points}, err
	})
}

var command = &cobra.Command{
	Use:   "backups DEST",
	Short: `List the points of a backup.`,
	Long: `This lists the points that can be restored, oldest first, with what each of
them added and reaches. What an interrupted run has left is shown as incomplete,
what is at work now as running; the next backup resumes and tidies up.

    rclone-datom backups s3:bucket/mydb
    rclone-datom backups s3:bucket/mydb --json
    rclone-datom backups s3:bucket/mydb --pruned
`,
	Run: func(command *cobra.Command, args []string) {
		cmd.CheckArgs(1, 1, command, args)
		cli.Run(command, func(ctx context.Context) error { return run(ctx, args[0]) })
	},
}

func list(ctx context.Context, dest string) ([]dbsync.Point, error) {
	dst, err := cli.Backups(ctx, dest)
	if err != nil {
		return nil, err
	}
	return dbsync.Points(ctx, dst)
}

func run(ctx context.Context, dest string) error {
	if pruned {
		return listPruned(ctx, dest)
	}
	points, err := list(ctx, dest)
	if err != nil {
		return err
	}
	if asJSON {
		return cli.PrintJSON(points)
	}
	return print(points, time.Now())
}

// print shows the points as a table, a line for each branch; a Datomic
// database has a name and a t instead.
func print(points []dbsync.Point, now time.Time) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	branch, commit := "BRANCH", "COMMIT"
	if slices.ContainsFunc(points, func(p dbsync.Point) bool { return p.Kind == "datomic" }) {
		branch, commit = "DATABASE", "T"
	}
	_, _ = fmt.Fprintf(w, "POINT\tAGE\t%s\t%s\tNEW\tSIZE\tTOTAL\tSIZE\n", branch, commit)
	for _, p := range points {
		age := fs.Duration(now.Sub(p.Time).Round(time.Second)).ReadableString()
		if p.Damaged != "" {
			_, _ = fmt.Fprintf(w, "%s\t%s\t(damaged: %s)\n", p.ID, age, p.Damaged)
			continue
		}
		if p.Running {
			_, _ = fmt.Fprintf(w, "%s\t%s\t(running)\n", p.ID, age)
			continue
		}
		if !p.Complete {
			_, _ = fmt.Fprintf(w, "%s\t%s\t(incomplete)\n", p.ID, age)
			continue
		}
		if p.Kind == "datomic" {
			printDatomic(w, p, age)
			continue
		}
		names := make([]string, 0, len(p.Branches))
		for name := range p.Branches {
			names = append(names, name)
		}
		slices.Sort(names)
		for i, name := range names {
			b := p.Branches[name]
			if i == 0 {
				_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%d\t%s\n", p.ID, age, name, b.Commit,
					p.New.Segments, cli.Bytes(p.New.Bytes), p.Total.Segments, cli.Bytes(p.Total.Bytes))
				continue
			}
			_, _ = fmt.Fprintf(w, "\t\t%s\t%s\n", name, b.Commit)
		}
	}
	return w.Flush()
}

// printDatomic shows a point of a Datomic database. What Datomic itself has
// written was not counted, unless a later point builds on it.
func printDatomic(w io.Writer, p dbsync.Point, age string) {
	_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%d\t", p.ID, age, p.Name, p.T)
	if p.Native && p.Total.Segments == 0 {
		_, _ = fmt.Fprintln(w, "(written by Datomic)")
		return
	}
	_, _ = fmt.Fprintf(w, "%d\t%s\t%d\t%s\n", p.New.Segments, cli.Bytes(p.New.Bytes), p.Total.Segments, cli.Bytes(p.Total.Bytes))
}
