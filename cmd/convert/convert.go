// Package convert is the command "convert".
package convert

import (
	"context"
	"errors"

	"github.com/rclone/rclone/cmd"
	"github.com/rclone/rclone/fs/config/flags"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/spf13/cobra"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

var (
	layout cli.Layout
	asJSON bool
)

func init() {
	cmd.Root.AddCommand(command)
	layout.Flags(command, "required")
	flags.BoolVarP(command.Flags(), &asJSON, "json", "", false, "Print the report as JSON", "")
}

// call has the parameters of datom/convert.
type call struct {
	Source      string `json:"source" rc:"required"`
	Destination string `json:"destination" rc:"required"`
	cli.Layout
}

func init() {
	cli.RC("datom/convert", "Write a backup with its history in another layout", `This takes the following parameters:

- source - a backup's remote, e.g. "s3:bucket/mydb"
- destination - another remote, e.g. "gcs:bucket/mydb"
`+cli.LayoutHelp+`
It returns what rclone-datom convert --json prints.
`, func(ctx context.Context, in call) (*dbsync.CopyReport, error) {
		return convert(ctx, in.Source, in.Destination, in.Layout)
	})
}

var command = &cobra.Command{
	Use:   "convert SRC DEST --layout native|chunked",
	Short: `Write a backup with its history in another layout.`,
	Long: `This writes all points of a backup to another place, in the layout that is asked
for. The database is not needed: a backup that Datomic itself has made can be
converted as well. SRC stays as it is.

    rclone-datom convert s3:bucket/mydb s3:bucket/mydb-chunks --layout chunked
    rclone-datom convert s3:bucket/mydb-chunks /backup/mydb --layout native
    rclone-datom convert /backup/from-datomic gcs:bucket/mydb --layout chunked --chunk-size 256Mi

Every segment is compared with the SHA-256 that was recorded when it was backed
up. Run it again to go on with a conversion that was interrupted, or to add the
points that SRC has got since. It is copy-backup with a layout that must be said.
`,
	Annotations: map[string]string{"groups": "Copy"},
	Run: func(command *cobra.Command, args []string) {
		cmd.CheckArgs(2, 2, command, args)
		cli.Run(command, func(ctx context.Context) error {
			rep, err := convert(ctx, args[0], args[1], layout)
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

func convert(ctx context.Context, source, dest string, layout cli.Layout) (*dbsync.CopyReport, error) {
	if layout.Layout == "" {
		return nil, fserrors.NoRetryError(errors.New("say which layout is wanted: --layout native or --layout chunked"))
	}
	return cli.CopyBackup(ctx, source, dest, nil, layout, dbsync.CopyOptions{})
}
