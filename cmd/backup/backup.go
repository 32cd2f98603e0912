// Package backup is the command "backup".
package backup

import (
	"context"
	"fmt"

	"github.com/rclone/rclone/cmd"
	"github.com/rclone/rclone/fs/config/flags"
	"github.com/spf13/cobra"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

var (
	opt    dbsync.BackupOptions
	layout cli.Layout
	asJSON bool
)

func init() {
	cmd.Root.AddCommand(command)
	f := command.Flags()
	flags.StringArrayVarP(f, &opt.Accept, "accept", "", nil, "Go on in spite of: other-database, diverged, moved-heads", "")
	flags.BoolVarP(f, &opt.Repair, "repair", "", false, "First read every segment at DEST and put back what is missing or damaged", "")
	flags.BoolVarP(f, &opt.OnlineGCCopy, "online-gc-copy", "", false, "Back up a database with :online-gc, as a whole copy each time", "")
	flags.BoolVarP(f, &opt.VerifyBase, "verify-base", "", false, "Read all of a backup that Datomic has made before going on from it", "")
	flags.BoolVarP(f, &asJSON, "json", "", false, "Print the report as JSON", "")
	layout.Flags(command, "default what DEST has, or native")
	_ = command.RegisterFlagCompletionFunc("accept", cobra.FixedCompletions(
		[]string{dbsync.AcceptOtherDatabase, dbsync.AcceptDiverged, dbsync.AcceptMovedHeads}, cobra.ShellCompDirectiveNoFileComp))
}

// call has the parameters of datom/backup.
type call struct {
	Source      string   `json:"source" rc:"required"`
	Destination string   `json:"destination" rc:"required"`
	Accept      cli.List `json:"accept"`
	Repair      cli.Flag `json:"repair"`
	// OnlineGCCopy allows whole copies of a database with :online-gc.
	OnlineGCCopy cli.Flag `json:"onlineGcCopy"`
	// VerifyBase reads all of a backup that Datomic has made.
	VerifyBase cli.Flag `json:"verifyBase"`
	cli.Layout
}

func init() {
	cli.RC("datom/backup", "Back up a live database", `This takes the following parameters:

- source - a database remote, e.g. "mydb:"
- destination - a remote, e.g. "s3:bucket/mydb"
- accept - list of other-database, diverged, moved-heads (optional)
- repair - put back what is missing or damaged first (optional)
- onlineGcCopy - back up a database with :online-gc, as a whole copy (optional)
- verifyBase - read all of a backup that Datomic has made before going on from it (optional)
`+cli.LayoutHelp+`
It returns what rclone-datom backup --json prints.
`, func(ctx context.Context, in call) (*dbsync.BackupReport, error) {
		return cli.Backup(ctx, in.Source, in.Destination, in.Layout, dbsync.BackupOptions{
			Accept: in.Accept, Repair: bool(in.Repair), OnlineGCCopy: bool(in.OnlineGCCopy), VerifyBase: bool(in.VerifyBase),
		})
	})
}

var command = &cobra.Command{
	Use:   "backup SOURCE: DEST",
	Short: `Back up a live database, at the cost of what has changed.`,
	Long: `This copies a database to any remote: everything the first time, what has
changed since the newest point from then on. Each run that finds a change makes
a point, which restore gives back byte for byte; a run that finds none makes
none.

The database may be written to meanwhile. Whatever happens to this command, at
every moment the points that were there can be restored; the next run resumes.

    rclone-datom backup :datahike,store=/var/lib/datahike/mydb: s3:bucket/mydb
    rclone-datom backup mydb: gcs:bucket/mydb --transfers 32 --progress
    rclone-datom backup mydb: /backup/mydb --dry-run
    rclone-datom backup mydb: /backup/mydb --repair
    rclone-datom backup mydb: /backup/mydb --online-gc-copy
    rclone-datom backup orders: gcs:bucket/orders
    rclone-datom backup :datomic,path=/var/lib/datomic.db,database=orders: /backup/orders

DEST/store is a store that Datahike opens as it stands, at the newest point.
Open a copy of it, not the mirror itself: a backup refuses to go on where
somebody else has moved the heads.

A database with :online-gc writes other nodes under old addresses, which no
check of references can see, and is refused. --online-gc-copy makes each point
a whole copy in DEST/stores, without the commits before the heads; it is tried
again while the heads move, and given up after five times.

A Datomic database is backed up in Datomic's own layout, from SQL storage or from
another backup: Datomic's restore-db, list-backups and verify-backup read it. A
backup that Datomic has made is gone on from at its newest t; that everything is
there is trusted, as Datomic does, unless --verify-base is given. A destination
that is another database's, or ahead of the source, is refused.

Datahike stores its whole connect configuration in every head and commit,
passwords included. Use a crypt remote as DEST if there are any.

Exit codes are rclone's: 0 done or nothing to do, 3 or 4 not found, 5 worth
retrying, 6 not worth it (refused, damaged, a wrong option or key), 7 fatal, 8 and 10 a limit of --max-transfer or
--max-duration was reached.
`,
	Annotations: map[string]string{"groups": "Copy,Important"},
	Run: func(command *cobra.Command, args []string) {
		cmd.CheckArgs(2, 2, command, args)
		cli.Run(command, func(ctx context.Context) error { return run(ctx, args[0], args[1]) })
	},
}

func run(ctx context.Context, source, dest string) error {
	rep, err := cli.Backup(ctx, source, dest, layout, opt)
	if err != nil {
		return err
	}
	if asJSON {
		return cli.PrintJSON(rep)
	}
	print(rep)
	return nil
}

// print tells a person what was done.
func print(rep *dbsync.BackupReport) {
	switch {
	case rep.UpToDate:
		fmt.Printf("Up to date: nothing has changed since point %s\n", rep.Point)
	case rep.DryRun:
		fmt.Printf("Would make point %s\n", rep.Point)
	default:
		fmt.Printf("Point %s\n", rep.Point)
	}
	if rep.Repaired > 0 {
		fmt.Printf("  repaired  %d segments\n", rep.Repaired)
	}
	fmt.Printf("  new       %s\n", cli.Count(rep.New))
	fmt.Printf("  reused    %d segments\n", rep.Reused)
	if rep.Released.Segments > 0 {
		fmt.Printf("  released  %d segments, %s (earlier points keep them)\n", rep.Released.Segments, cli.Bytes(rep.Released.Bytes))
	}
	fmt.Printf("  total     %d segments, %s\n", rep.Total.Segments, cli.Bytes(rep.Total.Bytes))
	if rep.AbsentValues > 0 {
		fmt.Printf("  absent    %d objects to which datoms refer are not in the store\n", rep.AbsentValues)
	}
	fmt.Printf("  requests  %d reads of the source, %d reads and %d writes of the destination\n",
		rep.Requests.SourceReads, rep.Requests.DestinationReads, rep.Requests.DestinationWrites)
	fmt.Printf("  time      %.2f s\n", rep.Seconds)
}
