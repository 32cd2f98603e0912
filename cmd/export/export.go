// Package export is the command "export".
package export

import (
	"context"
	"fmt"
	"strings"

	"github.com/rclone/rclone/cmd"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/flags"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/spf13/cobra"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

var (
	at, branch string
	opt        dbsync.ExportOptions
	chunkSize  fs.SizeSuffix
	onError    = "fail"
	asJSON     bool
)

func init() {
	cmd.Root.AddCommand(command)
	f := command.Flags()
	flags.StringVarP(f, &opt.Format, "format", "", "", "Format: "+strings.Join(dbsync.Formats(), ", "), "")
	flags.StringVarP(f, &at, "at", "", "", "Point of a backup, transaction or time (default the newest)", "")
	flags.StringVarP(f, &branch, "branch", "", "", "Branch of a Datahike database (default the main one)", "")
	flags.BoolVarP(f, &opt.History, "history", "", false, "Export what was retracted too, and the retractions", "")
	flags.FVarP(f, &chunkSize, "chunk-size", "", "Bytes of datoms in a file, before compression (default what the format's own tool does)", "")
	flags.IntVarP(f, &opt.Parallel, "parallel", "", 4, "Files to upload at a time", "")
	flags.StringVarP(f, &onError, "on-error", "", onError, "What to do with a datom that the format cannot hold: fail, skip", "")
	flags.BoolVarP(f, &asJSON, "json", "", false, "Print the report as JSON", "")
	for name, values := range map[string][]string{"format": dbsync.Formats(), "on-error": {"fail", "skip"}} {
		cli.Choices(command, name, values...)
	}
}

// call has the parameters of datom/export.
type call struct {
	Source     string        `json:"source" rc:"required"`
	Dest       string        `json:"destination" rc:"required"`
	Format     string        `json:"format" rc:"required"`
	At         string        `json:"at"`
	Branch     string        `json:"branch"`
	History    cli.Flag      `json:"history"`
	SkipErrors cli.Flag      `json:"skipErrors"`
	ChunkSize  fs.SizeSuffix `json:"chunkSize"`
	Parallel   cli.Number    `json:"parallel"`
}

func init() {
	cli.RC("datom/export", "Write datoms in a format of other tools", `This takes the following parameters:

- source - a database, a backup or an export, e.g. "mydb:"
- destination - a new directory, e.g. "s3:bucket/export"
- format - one of `+strings.Join(dbsync.Formats(), ", ")+`
- at - point of a backup, transaction or time (optional)
- branch - branch of a Datahike database (optional)
- history - export what was retracted too (optional)
- skipErrors - leave out what the format cannot hold (optional)
- chunkSize - bytes of datoms in a file, before compression (optional)
- parallel - files to upload at a time (optional)

It returns what rclone-datom export --json prints.
`, func(ctx context.Context, in call) (*dbsync.ExportReport, error) {
		return export(ctx, in.Source, in.Dest, in.At, in.Branch, dbsync.ExportOptions{
			Format: in.Format, History: bool(in.History), SkipErrors: bool(in.SkipErrors),
			ChunkSize: int64(in.ChunkSize), Parallel: int(in.Parallel),
		})
	})
}

var command = &cobra.Command{
	Use:   "export SOURCE:|BACKUP DEST",
	Short: `Write the datoms of a database or a backup in a format of other tools.`,
	Long: `This reads a database, a point of a backup, or another export, and writes its
datoms to a new directory DEST on any remote:

    datacamp   the chunks of datacamp, the Datahike backup library
    datahike   the dump that datahike.migrate/import-db reads, with --history all of it
    edn        lines of [e a v tx added], and the schema
    parquet    a column for each type of value, for DuckDB, Spark or pandas

    rclone-datom export mydb: s3:bucket/export --format parquet
    rclone-datom export s3:bucket/mydb /srv/dump --format datahike --history --at 2026-11-20
    rclone-datom export s3:bucket/mydb gcs:bucket/datacamp --format datacamp

A Datomic database that is exported as a Datahike dump is migrated: its schema is
translated and its ids become Datahike's; what cannot be taken over is listed.

Memory does not grow with the database. The file that says that the export is
whole is written last. An interrupted export to datacamp's format goes on where
it was when the same command is run again; others begin anew.

A datom that the format cannot hold ends the export and is named. With
--on-error skip it is logged, counted, and left out, as the manifest says then.
`,
	Run: func(command *cobra.Command, args []string) {
		cmd.CheckArgs(2, 2, command, args)
		cli.Run(command, func(ctx context.Context) error { return run(ctx, args[0], args[1]) })
	},
}

func run(ctx context.Context, from, to string) error {
	if onError != "fail" && onError != "skip" {
		return fserrors.NoRetryError(fmt.Errorf("--on-error %q is not known: choose fail or skip", onError))
	}
	opt.SkipErrors, opt.ChunkSize = onError == "skip", int64(chunkSize)
	rep, err := export(ctx, from, to, at, branch, opt)
	if err != nil {
		return err
	}
	if asJSON {
		return cli.PrintJSON(rep)
	}
	print(rep, to)
	return nil
}

func export(ctx context.Context, from, to, at, branch string, opt dbsync.ExportOptions) (*dbsync.ExportReport, error) {
	dst, err := cli.Backups(ctx, to)
	if err != nil {
		return nil, err
	}
	v, err := cli.View(ctx, from, at, branch)
	if err != nil {
		return nil, err
	}
	defer func() { _ = v.Close() }()
	return dbsync.Export(ctx, v, dst, opt)
}

func print(rep *dbsync.ExportReport, to string) {
	what, datoms := "Exported", fmt.Sprint(rep.Datoms)
	if rep.DryRun {
		what = "Would export"
		if rep.Datoms == 0 { // who has not counted them does not know
			datoms = "the"
		}
	}
	fmt.Printf("%s %s datoms of %s to %s\n", what, datoms, rep.Database, cli.Shown(to))
	if !rep.DryRun {
		fmt.Printf("%d files, %s, in %.1f s\n", rep.Chunks, cli.Bytes(rep.Bytes), rep.Seconds)
	}
	if rep.Resumed > 0 {
		fmt.Printf("%d of the files were there already\n", rep.Resumed)
	}
	if rep.Skipped > 0 {
		fmt.Printf("%d datoms were left out: the format cannot hold them\n", rep.Skipped)
	}
	for _, n := range rep.Notes {
		fmt.Println("note: " + n)
	}
}
