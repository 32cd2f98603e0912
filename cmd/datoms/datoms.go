// Package datoms is the command "datoms".
package datoms

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/rclone/rclone/cmd"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/flags"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/spf13/cobra"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
	"github.com/rclone-datom/rclone-datom/sync/datom"
	"github.com/rclone-datom/rclone-datom/sync/render"
)

// options are the flags.
type options struct {
	dbsync.DatomsOptions
	at, branch, format, index, onError, output string
	entity                                     int64
	json                                       bool
}

var (
	opt     = options{format: string(render.EDN), onError: "fail"}
	indexes = []string{string(datom.EAVT), string(datom.AEVT), string(datom.AVET), string(datom.VAET)}
)

func init() {
	cmd.Root.AddCommand(command)
	f := command.Flags()
	flags.StringVarP(f, &opt.at, "at", "", "", "Point of a backup, transaction or time (default the newest)", "")
	flags.StringVarP(f, &opt.branch, "branch", "", "", "Branch of a Datahike database (default the main one)", "")
	flags.StringVarP(f, &opt.index, "index", "", "", "Order of an index: eavt, aevt, avet, vaet (default aevt with --attr, else eavt)", "")
	flags.StringVarP(f, &opt.Attr, "attr", "", "", "Only this attribute, e.g. :user/email", "")
	flags.Int64VarP(f, &opt.entity, "entity", "", 0, "Only this entity", "")
	flags.StringVarP(f, &opt.From, "tx-from", "", "", "Only from this transaction or time on", "")
	flags.StringVarP(f, &opt.To, "tx-to", "", "", "Only up to this transaction or time", "")
	flags.BoolVarP(f, &opt.History, "history", "", false, "What was retracted too, and the retractions", "")
	flags.Int64VarP(f, &opt.Limit, "limit", "", 0, "Print so many at most (default all)", "")
	flags.StringVarP(f, &opt.format, "format", "", opt.format, "Format: edn, json, csv, parquet", "")
	flags.BoolVarP(f, &opt.json, "json", "", false, "The same as --format json", "")
	flags.StringVarP(f, &opt.onError, "on-error", "", opt.onError, "What to do with a datom that the format cannot hold: fail, skip", "")
	flags.StringVarP(f, &opt.output, "output", "", "", "File to write to (default standard output)", "")
	formats := make([]string, 0, 4)
	for _, f := range render.Formats() {
		formats = append(formats, string(f))
	}
	cli.Choices(command, "index", indexes...)
	cli.Choices(command, "format", formats...)
	cli.Choices(command, "on-error", "fail", "skip")
}

var command = &cobra.Command{
	Use:   "datoms SOURCE:|BACKUP",
	Short: `Print the datoms of a database or a backup.`,
	Long: `This prints the datoms of a database, of a point of a backup, or of an export, in
the order of an index. It starts no database, and reads only the segments that
may have what is asked for.

    rclone-datom datoms mydb: --limit 10
    rclone-datom datoms s3:bucket/mydb --at 2026-11-20 --attr :user/email --json
    rclone-datom datoms s3:bucket/mydb --entity 17 --history
    rclone-datom datoms s3:bucket/mydb --tx-from 1000 --tx-to 1005 --history
    rclone-datom datoms s3:bucket/mydb --format parquet --output users.parquet

--at names a point of a backup as restore does, or a transaction or a time of
which the history tells. --tx-from and --tx-to take a transaction's entity id, its
t, or a time. In Datahike numbers below 536870912 are counted from the first
transaction, in Datomic those below 4398046511104 are a t.

--index vaet is Datomic's; avet has the attributes that are indexed or unique.

Formats:

    edn      [e a v tx added] a line, as Clojure prints it
    json     {"e":1,"a":":user/name","v":"Ann","type":"string","tx":7,"added":true} a line
    csv      e,a,type,v,tx,added with a header
    parquet  a column for each type of value; not to a terminal

The type tells a reference from a number, an instant from a text, and so on. In
JSON integers beyond 2^53 are strings, and so are NaN and infinite numbers. A
datom that the format cannot hold ends the command and is named; --on-error skip
logs it and goes on. See docs/datoms.md.
`,
	Run: func(command *cobra.Command, args []string) {
		cmd.CheckArgs(1, 1, command, args)
		if command.Flags().Changed("entity") {
			opt.Entity = &opt.entity
		}
		cli.Once(command, func(ctx context.Context) error { return run(ctx, args[0], opt) })
	},
}

// check turns flags into options.
func (o *options) check() (err error) {
	if o.json {
		o.format = string(render.JSON)
	}
	if o.Format, err = render.ParseFormat(o.format); err != nil {
		return err
	}
	if o.onError != "fail" && o.onError != "skip" {
		return fmt.Errorf("--on-error %q is not known: choose fail or skip", o.onError)
	}
	o.SkipErrors = o.onError == "skip"
	if o.Limit < 0 {
		return errors.New("--limit is negative")
	}
	for _, name := range indexes {
		if o.index == name {
			o.Index = datom.Index(name)
		}
	}
	if o.index != string(o.Index) {
		return fmt.Errorf("--index %q is not known: choose eavt, aevt, avet or vaet", o.index)
	}
	return nil
}

func run(ctx context.Context, remote string, o options) error {
	if err := o.check(); err != nil {
		return fserrors.NoRetryError(err)
	}
	if o.Format == render.Parquet && o.output == "" && cli.Terminal() {
		return fserrors.NoRetryError(errors.New("parquet is not for a terminal: give --output FILE, or redirect it"))
	}
	v, err := cli.View(ctx, remote, o.at, o.branch)
	if err != nil {
		return err
	}
	defer func() { _ = v.Close() }()
	return cli.Output(o.output, func(out io.Writer) error {
		p, err := dbsync.WriteDatoms(ctx, v, out, o.DatomsOptions)
		if p.Skipped > 0 {
			fs.Logf(nil, "%d datoms were left out: the format cannot hold them", p.Skipped)
		}
		return err
	})
}
