// Package copybackup is the command "copy-backup".
package copybackup

import (
	"context"

	"github.com/rclone/rclone/cmd"
	"github.com/rclone/rclone/fs/config/flags"
	"github.com/spf13/cobra"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

var (
	from   []string
	opt    dbsync.CopyOptions
	layout cli.Layout
	asJSON bool
)

func init() {
	cmd.Root.AddCommand(command)
	f := command.Flags()
	flags.StringArrayVarP(f, &from, "from", "", nil, "Another copy of the same backups, for what is damaged in the first", "")
	flags.BoolVarP(f, &opt.Repair, "repair", "", false, "First read everything at DEST and put back what is missing or damaged", "")
	flags.BoolVarP(f, &asJSON, "json", "", false, "Print the report as JSON", "")
	layout.Flags(command, "default what DEST has, or SRC")
}

// call has the parameters of datom/copy-backup.
type call struct {
	Source      string   `json:"source" rc:"required"`
	Destination string   `json:"destination" rc:"required"`
	From        cli.List `json:"from"`
	Repair      cli.Flag `json:"repair"`
	cli.Layout
}

func init() {
	cli.RC("datom/copy-backup", "Give another place the points of a backup that it lacks", `This takes the following parameters:

- source - a backup's remote, e.g. "s3:bucket/mydb"
- destination - another remote, e.g. "gcs:bucket/mydb"
- from - list of other copies of the same backups (optional)
- repair - put back what is missing or damaged at the destination (optional)
`+cli.LayoutHelp+`
It returns what rclone-datom copy-backup --json prints.
`, func(ctx context.Context, in call) (*dbsync.CopyReport, error) {
		return cli.CopyBackup(ctx, in.Source, in.Destination, in.From, in.Layout, dbsync.CopyOptions{Repair: bool(in.Repair)})
	})
}

var command = &cobra.Command{
	Use:   "copy-backup SRC DEST",
	Short: `Give another place the points of a backup that it lacks.`,
	Long: `This copies points from one backup to another, on any remote: those that DEST
lacks, oldest first, and of each the segments alone that are new in it. Nothing
is listed but the points; every segment is compared with the SHA-256 that was
recorded when it was backed up. A point appears when all of it is there, so a
copy that was interrupted goes on where it was.

    rclone-datom copy-backup s3:bucket/mydb gcs:bucket/mydb
    rclone-datom copy-backup s3:bucket/mydb gcs:bucket/mydb --dry-run
    rclone-datom copy-backup s3:bucket/mydb b2:bucket/mydb --from gcs:bucket/mydb
    rclone-datom copy-backup s3:bucket/mydb gcs:bucket/mydb --repair

DEST keeps the layout that it has, and gets that of SRC if it has none yet; the
two may differ. With --from, which can be given several times, a segment, list or
manifest that is damaged in SRC is taken from another copy.

--repair first reads everything at DEST and puts back what is missing or damaged.
`,
	Annotations: map[string]string{"groups": "Copy,Important"},
	Run: func(command *cobra.Command, args []string) {
		cmd.CheckArgs(2, 2, command, args)
		cli.Run(command, func(ctx context.Context) error {
			rep, err := cli.CopyBackup(ctx, args[0], args[1], from, layout, opt)
			if err != nil {
				return err
			}
			if asJSON {
				return cli.PrintJSON(rep)
			}
			cli.PrintCopy(rep)
			return nil
		})
	},
}
