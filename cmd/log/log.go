// Package log is the command "log".
package log

import (
	"bufio"
	"context"
	"errors"
	"io"

	"github.com/rclone/rclone/cmd"
	"github.com/rclone/rclone/fs/config/flags"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/spf13/cobra"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

var (
	at, branch, output string
	opt                dbsync.LogOptions
)

func init() {
	cmd.Root.AddCommand(command)
	f := command.Flags()
	flags.StringVarP(f, &at, "at", "", "", "Point of a backup, transaction or time (default the newest)", "")
	flags.StringVarP(f, &branch, "branch", "", "", "Branch of a Datahike database (default the main one)", "")
	flags.StringVarP(f, &opt.From, "from", "", "", "First transaction, or time (default the first of all)", "")
	flags.StringVarP(f, &opt.To, "to", "", "", "Last transaction, or time (default the newest)", "")
	flags.Int64VarP(f, &opt.Limit, "limit", "", 0, "Print so many transactions at most (default all)", "")
	flags.BoolVarP(f, &opt.JSON, "json", "", false, "Print JSON", "")
	flags.StringVarP(f, &output, "output", "", "", "File to write to (default standard output)", "")
}

var command = &cobra.Command{
	Use:   "log SOURCE:|BACKUP",
	Short: `Print the transactions of a database or a backup.`,
	Long: `This prints the transactions of a database, of a point of a backup, or of an
export, oldest first, one a line:

    {:t 5 :tx 536870917 :inst #inst "2026-11-21T01:37:27.410-00:00" :datoms [[536870917 :db/txInstant …] [17 :user/name "Ann" 536870917 true]]}

or with --json the same as an object, whose datoms are as datoms --json prints them.

    rclone-datom log mydb: --from 1000
    rclone-datom log s3:bucket/mydb --from 2026-11-20 --to 2026-11-21 --json
    rclone-datom log s3:bucket/mydb --limit 1

--from and --to take a transaction's entity id, its t, or a time. In Datahike
numbers below 536870912 are counted from the first transaction, in Datomic those
below 4398046511104 are a t.

A Datomic database has a log, of which only the segments within the range are
read. Datahike has none: its history is read and sorted. Where it keeps no
history, a transaction has what is left of it.
`,
	Run: func(command *cobra.Command, args []string) {
		cmd.CheckArgs(1, 1, command, args)
		cli.Once(command, func(ctx context.Context) error { return run(ctx, args[0]) })
	},
}

func run(ctx context.Context, remote string) error {
	if opt.Limit < 0 {
		return fserrors.NoRetryError(errors.New("--limit is negative"))
	}
	v, err := cli.View(ctx, remote, at, branch)
	if err != nil {
		return err
	}
	defer func() { _ = v.Close() }()
	return cli.Output(output, func(out io.Writer) error {
		w := bufio.NewWriter(out)
		_, err := dbsync.WriteLog(ctx, v, w, opt)
		return errors.Join(err, w.Flush())
	})
}
