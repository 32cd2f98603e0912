// Package importdb is the command "import".
package importdb

import (
	"context"
	"fmt"

	"github.com/rclone/rclone/cmd"
	"github.com/rclone/rclone/fs/config/flags"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/spf13/cobra"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

var (
	at, branch string
	opt        dbsync.ImportOptions
	onError    = "fail"
	asJSON     bool
)

func init() {
	cmd.Root.AddCommand(command)
	f := command.Flags()
	flags.StringVarP(f, &at, "at", "", "", "Point of a backup, transaction or time (default the newest)", "")
	flags.StringVarP(f, &branch, "branch", "", "", "Branch of a Datahike database (default the main one)", "")
	flags.BoolVarP(f, &opt.CurrentOnly, "current-only", "", false, "Make a database without history, of what is true now", "")
	flags.BoolVarP(f, &opt.AnyAttribute, "any-attribute", "", false, "Make a database with :schema-flexibility :read, which takes attributes that its schema does not declare", "")
	flags.StringVarP(f, &opt.ObjectNames, "object-names", "", dbsync.NamesFile, "Name objects as Datahike's store does on: file|s3|gcs", "")
	flags.StringVarP(f, &opt.StoreID, "store-id", "", "", "The :store :id of the new database, a uuid (default a new one)", "")
	flags.StringVarP(f, &onError, "on-error", "", onError, "What to do with a datom that Datahike cannot hold: fail, skip", "")
	flags.BoolVarP(f, &asJSON, "json", "", false, "Print the report as JSON", "")
	cli.Choices(command, "object-names", dbsync.NamesFile, dbsync.NamesS3, dbsync.NamesGCS)
	cli.Choices(command, "on-error", "fail", "skip")
}

// call has the parameters of datom/import.
type call struct {
	Source       string   `json:"source" rc:"required"`
	Target       string   `json:"target" rc:"required"`
	At           string   `json:"at"`
	Branch       string   `json:"branch"`
	CurrentOnly  cli.Flag `json:"currentOnly"`
	AnyAttribute cli.Flag `json:"anyAttribute"`
	ObjectNames  string   `json:"objectNames"`
	StoreID      string   `json:"storeId"`
	SkipErrors   cli.Flag `json:"skipErrors"`
}

func init() {
	cli.RC("datom/import", "Make a Datahike database of datoms", `This takes the following parameters:

- source - a database, a backup or an export, e.g. "/srv/dump"
- target - an empty place, e.g. "/var/lib/datahike/mydb"
- at - point of a backup, transaction or time (optional)
- branch - branch of a Datahike database (optional)
- currentOnly - make a database without history (optional)
- anyAttribute - make one with :schema-flexibility :read (optional)
- objectNames - "file", "s3" or "gcs" (optional, "file" by default)
- storeId - the :store :id of the new database (optional)
- skipErrors - leave out what Datahike cannot hold (optional)

It returns what rclone-datom import --json prints.
`, func(ctx context.Context, in call) (*dbsync.ImportReport, error) {
		return importTo(ctx, in.Source, in.Target, in.At, in.Branch, dbsync.ImportOptions{
			CurrentOnly: bool(in.CurrentOnly), AnyAttribute: bool(in.AnyAttribute), ObjectNames: in.ObjectNames,
			StoreID: in.StoreID, SkipErrors: bool(in.SkipErrors),
		})
	})
}

var command = &cobra.Command{
	Use:   "import SOURCE:|BACKUP|EXPORT TARGET",
	Short: `Make a Datahike database of datoms, without Datahike.`,
	Long: `This reads the datoms of a database, of a point of a backup, of a datacamp backup
or of a dump by datahike.migrate, and builds a Datahike database of them in TARGET,
an empty place on any remote. Nothing is transacted: each index is sorted outside
of memory and written once, some ten times as fast as datahike.migrate/import-db.
No JVM is needed.

    rclone-datom import /srv/dump /var/lib/datahike/mydb
    rclone-datom import s3:bucket/datacamp /var/lib/datahike/mydb
    rclone-datom import s3:bucket/mydb /tmp/then --at 2026-11-20T03:00:00Z
    rclone-datom import gcs:bucket/datomic-backup s3:mybucket --object-names s3

Entities and transactions keep their ids, and the database its history if the
source has any. It is a new one all the same, with an id of its own and a single
commit. A Datomic database is migrated: what that means is told in the report,
and in docs/migration.md.

The heads come last, so nothing half imported can be opened. An interrupted
import begins anew when the same command is run again, and removes what the
first has left.

A datom that Datahike could not hold ends the import and is named. With
--on-error skip such datoms are logged, counted, and left out.
`,
	Annotations: map[string]string{"groups": "Copy"},
	Run: func(command *cobra.Command, args []string) {
		cmd.CheckArgs(2, 2, command, args)
		cli.Run(command, func(ctx context.Context) error { return run(ctx, args[0], args[1]) })
	},
}

func importTo(ctx context.Context, source, target, at, branch string, opt dbsync.ImportOptions) (*dbsync.ImportReport, error) {
	to, err := cli.Place(ctx, target)
	if err != nil {
		return nil, err
	}
	v, err := cli.View(ctx, source, at, branch)
	if err != nil {
		return nil, err
	}
	defer func() { _ = v.Close() }() // it was only read
	return dbsync.Import(ctx, v, to, opt)
}

func run(ctx context.Context, source, target string) error {
	if onError != "fail" && onError != "skip" {
		return fserrors.NoRetryError(fmt.Errorf("--on-error %q is not known: choose fail or skip", onError))
	}
	opt.SkipErrors = onError == "skip"
	rep, err := importTo(ctx, source, target, at, branch, opt)
	if err != nil {
		return err
	}
	if asJSON {
		return cli.PrintJSON(rep)
	}
	print(rep)
	return nil
}

// print tells a person what was done, and how to open it.
func print(rep *dbsync.ImportReport) {
	done := "Imported"
	if rep.DryRun {
		done = "Would import"
	}
	fmt.Printf("%s %d datoms of %s to %s\n", done, rep.Datoms, rep.Source, rep.Target)
	if rep.History > 0 {
		fmt.Printf("  history  %d datoms\n", rep.History)
	}
	fmt.Printf("  written  %d segments, %s\n", rep.Segments, cli.Bytes(rep.Bytes))
	if rep.Objects+rep.Absent > 0 {
		fmt.Printf("  objects  %d that datoms refer to, %d more are not in the source\n", rep.Objects, rep.Absent)
	}
	if rep.Skipped > 0 {
		fmt.Printf("  skipped  %d datoms that Datahike cannot hold\n", rep.Skipped)
	}
	fmt.Printf("  time     %.2f s\n", rep.Seconds)
	for _, n := range rep.Notes {
		fmt.Println("note: " + n)
	}
	fmt.Print(cli.Opening{
		Target: rep.Target, Bucket: rep.Bucket, Path: rep.Path, ObjectNames: rep.ObjectNames, StoreID: rep.StoreID, Settings: rep.Settings,
	}.Advice())
}
