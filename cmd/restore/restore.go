// Package restore is the command "restore".
package restore

import (
	"cmp"
	"context"
	"fmt"

	"github.com/rclone/rclone/cmd"
	"github.com/rclone/rclone/fs/config/flags"
	"github.com/spf13/cobra"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

var (
	opt    dbsync.RestoreOptions
	asJSON bool
)

func init() {
	cmd.Root.AddCommand(command)
	f := command.Flags()
	flags.StringVarP(f, &opt.At, "at", "", "", "Point, commit or time to restore (default the newest point)", "")
	flags.StringVarP(f, &opt.Branch, "branch", "", "", "Restore this branch alone", "")
	flags.StringVarP(f, &opt.Commit, "commit", "", "", "Restore the database as it was at this commit (id or its beginning)", "")
	flags.StringVarP(f, &opt.ObjectNames, "object-names", "", dbsync.NamesFile, "Name objects as Datahike's store does on: file|s3|gcs", "")
	flags.StringVarP(f, &opt.As, "as", "", "", "Name that a Datomic database gets in SQL storage (default the one it had)", "")
	flags.BoolVarP(f, &opt.CreateTable, "create-table", "", false, "Create Datomic's table in SQL storage if there is none", "")
	flags.BoolVarP(f, &opt.Rewind, "rewind", "", false, "Set a Datomic database that is there back to an older t", "")
	flags.BoolVarP(f, &asJSON, "json", "", false, "Print the report as JSON", "")
	_ = command.RegisterFlagCompletionFunc("object-names", cobra.FixedCompletions(
		[]string{dbsync.NamesFile, dbsync.NamesS3, dbsync.NamesGCS}, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}

// call has the parameters of datom/restore.
type call struct {
	Destination string `json:"destination" rc:"required"`
	Target      string `json:"target" rc:"required"`
	At          string `json:"at"`
	Branch      string `json:"branch"`
	Commit      string `json:"commit"`
	ObjectNames string `json:"objectNames"`
	// As, CreateTable and Rewind are for Datomic's SQL storage.
	As          string   `json:"as"`
	CreateTable cli.Flag `json:"createTable"`
	Rewind      cli.Flag `json:"rewind"`
}

func init() {
	cli.RC("datom/restore", "Restore a point of a backup into an empty place", `This takes the following parameters:

- destination - the backup's remote, e.g. "s3:bucket/mydb"
- target - an empty place, e.g. "/var/lib/datahike/mydb"
- at - point, commit or time (optional)
- branch - restore this branch alone (optional)
- commit - restore the database as it was at this commit (optional)
- objectNames - "file", "s3" or "gcs" (optional, "file" by default)
- as - name that a Datomic database gets in SQL storage (optional)
- createTable - create Datomic's table if there is none (optional)
- rewind - set a Datomic database that is there back to an older t (optional)

It returns what rclone-datom restore --json prints.
`, func(ctx context.Context, in call) (*dbsync.RestoreReport, error) {
		return restore(ctx, in.Destination, in.Target, dbsync.RestoreOptions{
			At: in.At, Branch: in.Branch, Commit: in.Commit, ObjectNames: in.ObjectNames,
			As: in.As, CreateTable: bool(in.CreateTable), Rewind: bool(in.Rewind),
		})
	})
}

var command = &cobra.Command{
	Use:   "restore DEST TARGET",
	Short: `Restore a point of a backup into an empty place.`,
	Long: `This writes a point into TARGET, which may be on any remote and must be empty:
the files that the database had at that point, byte for byte. Every segment is
compared with the SHA-256 that was recorded at backup time. The heads come
last, so nothing half restored can be opened; an interrupted restore resumes.

    rclone-datom restore s3:bucket/mydb /var/lib/datahike/mydb
    rclone-datom restore s3:bucket/mydb /tmp/before --at 2026-11-20T03:00:00Z
    rclone-datom restore s3:bucket/mydb /tmp/feature --branch feature
    rclone-datom restore s3:bucket/mydb /tmp/past --commit 6b010f56-ccdd
    rclone-datom restore /backup/mydb s3:mybucket --object-names s3
    rclone-datom restore /backup/mydb gcs:mybucket/stores/mydb --object-names gcs
    rclone-datom restore gcs:bucket/orders orders: --at 1708 --as orders-before
    rclone-datom restore gcs:bucket/orders :datomic,path=/tmp/orders.db: --create-table

--at takes a point's id or the beginning of one, a commit that a branch of a
point stands at, a Datomic database's t, or a time, which means the newest point
that is not younger.

A Datomic database is restored to SQL storage if TARGET is a datomic remote, and
anywhere else as a backup in Datomic's own layout that holds this point alone. In
SQL storage rows that are there are kept; the database becomes known in one
transaction at the end. A name that another database has is refused (see --as),
and so is a database that is there under another name.

--commit takes a commit that the point reaches (7 digits of its id or more) and
writes the database as it was then, with its history up to there: one branch,
which is --branch, or else the one for which the commit was made.

--object-names says where Datahike is to open the copy: as files, or directly
on S3 or Google Cloud Storage, where objects have other names. On S3 TARGET must
be a bucket's root. Other stores may lie in the same bucket.

A byte-for-byte restore of an encrypted store needs no key; --branch and
--commit do (--datahike-encryption-key, obscured, or
RCLONE_DATAHIKE_ENCRYPTION_KEY).
`,
	Annotations: map[string]string{"groups": "Copy"},
	Run: func(command *cobra.Command, args []string) {
		cmd.CheckArgs(2, 2, command, args)
		cli.Run(command, func(ctx context.Context) error { return run(ctx, args[0], args[1]) })
	},
}

func restore(ctx context.Context, dest, target string, opt dbsync.RestoreOptions) (*dbsync.RestoreReport, error) {
	dst, err := cli.Backups(ctx, dest)
	if err != nil {
		return nil, err
	}
	t, name, err := cli.Table(ctx, target)
	if err != nil {
		return nil, err
	}
	if t != nil {
		defer func() { _ = t.Close() }()
		opt.As = cmp.Or(opt.As, name)
		return dbsync.RestoreTable(ctx, dst, t, opt)
	}
	to, err := cli.Place(ctx, target)
	if err != nil {
		return nil, err
	}
	if opt.Dialect, err = cli.Dialect(); err != nil {
		return nil, err
	}
	return dbsync.Restore(ctx, dst, to, opt)
}

func run(ctx context.Context, dest, target string) error {
	rep, err := restore(ctx, dest, target, opt)
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
func print(rep *dbsync.RestoreReport) {
	done := "Restored"
	if rep.DryRun {
		done = "Would restore"
	}
	fmt.Printf("%s point %s to %s\n", done, rep.Point, rep.Target)
	if rep.Commit != "" {
		fmt.Printf("  commit   %s, as branch %s\n", rep.Commit, rep.Branch)
	}
	fmt.Printf("  written  %d segments, %s\n", rep.Written.Segments, cli.Bytes(rep.Written.Bytes))
	if rep.Resumed > 0 {
		fmt.Printf("  resumed  %d segments were there\n", rep.Resumed)
	}
	if rep.Name != "" {
		fmt.Printf("  database %s, t %d\n", rep.Name, rep.T)
	}
	fmt.Printf("  time     %.2f s\n", rep.Seconds)
	fmt.Print(advice(rep))
}
