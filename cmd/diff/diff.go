// Package diff is the command "diff".
package diff

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/rclone/rclone/cmd"
	"github.com/rclone/rclone/fs/config/flags"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/spf13/cobra"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/diff"
	"github.com/rclone-datom/rclone-datom/sync/render"
	"github.com/rclone-datom/rclone-datom/sync/view"
)

var (
	from, to, branch, toBranch, output string
	summary, asJSON                    bool
)

func init() {
	cmd.Root.AddCommand(command)
	f := command.Flags()
	flags.StringVarP(f, &from, "from", "", "", "Point of the first backup, transaction or time (default the newest)", "")
	flags.StringVarP(f, &to, "to", "", "", "Point of the second backup, transaction or time (default the newest)", "")
	flags.StringVarP(f, &branch, "branch", "", "", "Branch of a Datahike database (default the main one)", "")
	flags.StringVarP(f, &toBranch, "to-branch", "", "", "Branch to compare with (default that of --branch)", "")
	flags.BoolVarP(f, &summary, "summary", "", false, "Print only how many changes there are, by attribute", "")
	flags.BoolVarP(f, &asJSON, "json", "", false, "Print JSON", "")
	flags.StringVarP(f, &output, "output", "", "", "File to write to (default standard output)", "")
}

var command = &cobra.Command{
	Use:   "diff FIRST [SECOND]",
	Short: `Print how two databases or backups differ in their datoms.`,
	Long: `This compares two values of databases: of a database, of points of a backup, or of
exports. It prints a line for each fact (entity, attribute, value) that only one
has, by entity, attribute and value:

    + [17 :user/name "Ann" 536870917 true]       only the second has it
    - [17 :user/name "Anne" 536870914 true]      only the first has it

    rclone-datom diff s3:bucket/mydb --from 2026-11-20 --to 2026-11-21
    rclone-datom diff s3:bucket/mydb mydb:
    rclone-datom diff s3:bucket/mydb --from 1000 --summary
    rclone-datom diff mydb: --branch db --to-branch test

Without SECOND both are values of FIRST. --from and --to name points as restore
does, or a transaction or a time of which the history tells.

Of two points of one Datahike database only the segments are read that only one of
them has; of a Datomic database the log between them. So the cost is that of the
change. Others are read and sorted as a whole: other databases, a past that has
no point of its own, and databases with :online-gc.

A fact that both have by other transactions is no difference; the summary counts
these as renewed. A datom that ends in false is the retraction which took the fact,
as the log of a Datomic database has it.

With --json each line is an object with "op" and the fields of datoms --json;
with --summary --json there is one report. The exit code is 0, whether there are
differences or not.
`,
	Run: func(command *cobra.Command, args []string) {
		cmd.CheckArgs(1, 2, command, args)
		cli.Once(command, func(ctx context.Context) error { return run(ctx, args) })
	},
}

func run(ctx context.Context, remotes []string) error {
	second, other := remotes[len(remotes)-1], toBranch
	if other == "" {
		other = branch
	}
	if len(remotes) == 1 && from == to && branch == other {
		return fserrors.NoRetryError(errors.New("both are the same: name SECOND, or give --from, --to or --to-branch"))
	}
	a, err := cli.View(ctx, remotes[0], from, branch)
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	b, err := cli.View(ctx, second, to, other)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	return cli.Output(output, func(out io.Writer) error { return compare(ctx, out, a, b) })
}

func compare(ctx context.Context, out io.Writer, a, b view.View) error {
	if summary {
		rep, err := dbsync.Diff(ctx, a, b, nil)
		if err != nil {
			return err
		}
		if asJSON {
			return cli.WriteJSON(out, rep)
		}
		return print(out, rep)
	}
	form := render.EDN
	if asJSON {
		form = render.JSON
	}
	w := render.NewChanges(out, form, b.Schema())
	_, err := dbsync.Diff(ctx, a, b, func(c diff.Change) error { return w.Change(c.Added, c.Datom) })
	return errors.Join(err, w.Close())
}

// print shows the summary as a table.
func print(out io.Writer, rep *diff.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(rep.Attributes) > 0 {
		_, _ = fmt.Fprintln(w, "ATTRIBUTE\tADDED\tRETRACTED")
	}
	for _, a := range rep.Attributes {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\n", a.Attr, a.Added, a.Retracted)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "From t %d to t %d: %d added, %d retracted, %d renewed\n", rep.From.T, rep.To.T, rep.Added, rep.Retracted, rep.Renewed)
	return err
}
