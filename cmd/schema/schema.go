// Package schema is the command "schema".
package schema

import (
	"context"
	"io"

	"github.com/rclone/rclone/cmd"
	"github.com/rclone/rclone/fs/config/flags"
	"github.com/spf13/cobra"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	"github.com/rclone-datom/rclone-datom/sync/render"
)

var (
	at, branch  string
	all, asJSON bool
)

func init() {
	cmd.Root.AddCommand(command)
	f := command.Flags()
	flags.StringVarP(f, &at, "at", "", "", "Point of a backup, transaction or time (default the newest)", "")
	flags.StringVarP(f, &branch, "branch", "", "", "Branch of a Datahike database (default the main one)", "")
	flags.BoolVarP(f, &all, "all", "", false, "The attributes of the database itself too", "")
	flags.BoolVarP(f, &asJSON, "json", "", false, "Print JSON", "")
}

var command = &cobra.Command{
	Use:   "schema SOURCE:|BACKUP",
	Short: `Print the schema of a database or a backup.`,
	Long: `This prints the attributes of a database, of a point of a backup, or of an export
as EDN that can be transacted: a vector of maps, sorted by name.

    rclone-datom schema mydb:
    rclone-datom schema s3:bucket/mydb --at 2026-11-20 > schema.edn

With --at and a transaction or a time, for which a backup has no point of its own,
the schema is the one of the point, in which that transaction lies.

With --json it prints a list of objects with ident, valueType, cardinality,
unique, index, noHistory, isComponent and system.
`,
	Run: func(command *cobra.Command, args []string) {
		cmd.CheckArgs(1, 1, command, args)
		cli.Once(command, func(ctx context.Context) error { return run(ctx, args[0]) })
	},
}

func run(ctx context.Context, remote string) error {
	v, err := cli.View(ctx, remote, at, branch)
	if err != nil {
		return err
	}
	defer func() { _ = v.Close() }()
	if asJSON {
		return cli.PrintJSON(list(v.Schema().Attributes, all))
	}
	return cli.Output("", func(out io.Writer) error { return render.Schema(out, v.Schema(), all) })
}
