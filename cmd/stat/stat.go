// Package stat is the command "stat".
package stat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/rclone/rclone/cmd"
	"github.com/rclone/rclone/fs/config/flags"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/spf13/cobra"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

var (
	at, branch       string
	asJSON, ofDatoms bool
)

func init() {
	cmd.Root.AddCommand(command)
	f := command.Flags()
	flags.StringVarP(f, &at, "at", "", "", "Point, commit or time of a backup to look at (default the newest point)", "")
	flags.StringVarP(f, &branch, "branch", "", "", "With --datoms: branch of a Datahike database (default the main one)", "")
	flags.BoolVarP(f, &ofDatoms, "datoms", "", false, "Show what the datoms are: by attribute, by time, the largest values", "")
	flags.BoolVarP(f, &asJSON, "json", "", false, "Print the report as JSON", "")
}

// call has the parameters of datom/stat.
type call struct {
	Remote string `json:"remote" rc:"required"`
	At     string `json:"at"`
}

func init() {
	cli.RC("datom/stat", "Show what a database or a backup consists of", `This takes the following parameters:

- remote - a database, e.g. "mydb:", or a backup, e.g. "s3:bucket/mydb"
- at - point, commit or time of a backup (optional)

It returns what rclone-datom stat --json prints.
`, func(ctx context.Context, in call) (*dbsync.StatReport, error) {
		return stat(ctx, in.Remote, in.At)
	})
}

var command = &cobra.Command{
	Use:   "stat SOURCE:|DEST",
	Short: `Show what a database or a backup consists of.`,
	Long: `This shows, for each branch of a database or of a point of a backup, its segments
by kind, and the shape of its indexes: their datoms as the roots state them, how
deep they are, and how well their nodes are filled. For a backup it also shows
how it has grown from point to point.

It costs one listing (for a backup, reading the lists of its points), and reading
the commits and inner nodes. Leaves are not read, unless the schema has attributes
of type :db.type/store-ref.

    rclone-datom stat mydb:
    rclone-datom stat s3:bucket/mydb
    rclone-datom stat s3:bucket/mydb --at 2026-11-20T03:00:00Z --json

With --datoms it reads all current datoms in place of that, and shows how many
each attribute has and of what size, when they came to be by the :db/txInstant of
their transactions, the largest values, and how large the indexes are. That works
for exports too, and --at may be a transaction or a time of which the history tells.

    rclone-datom stat mydb: --datoms
    rclone-datom stat s3:bucket/mydb --datoms --json

The backup of an encrypted store needs --datahike-encryption-key (obscured) or
RCLONE_DATAHIKE_ENCRYPTION_KEY.
`,
	Run: func(command *cobra.Command, args []string) {
		cmd.CheckArgs(1, 1, command, args)
		cli.Run(command, func(ctx context.Context) error { return run(ctx, args[0]) })
	},
}

func stat(ctx context.Context, remote, at string) (*dbsync.StatReport, error) {
	f, err := cli.Place(ctx, remote)
	if err != nil {
		return nil, err
	}
	if src, ok := cli.Database(f); ok {
		defer cli.Close(ctx, f)
		if at != "" {
			return nil, fserrors.NoRetryError(errors.New("--at names a point of a backup: a database is looked at as it is now"))
		}
		return dbsync.Stat(ctx, src)
	}
	d, err := cli.Dialect()
	if err != nil {
		return nil, err
	}
	return dbsync.StatPoint(ctx, f, dbsync.StatOptions{At: at, Dialect: d})
}

func run(ctx context.Context, remote string) error {
	if ofDatoms {
		return datoms(ctx, remote)
	}
	if branch != "" {
		return fserrors.NoRetryError(errors.New("--branch needs --datoms: all branches are shown otherwise"))
	}
	rep, err := stat(ctx, remote, at)
	if err != nil {
		return err
	}
	if asJSON {
		return cli.PrintJSON(rep)
	}
	return print(os.Stdout, rep)
}

// print shows the report as tables.
func print(out io.Writer, rep *dbsync.StatReport) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	if rep.Point != "" {
		line("Point %s", rep.Point)
	}
	for _, b := range rep.Branches {
		line("Branch %s at %s, transaction %d", b.Branch, b.Commit, b.MaxTx)
		printKinds(line, b.Kinds)
		line("  all\t%d\t%s", b.Segments.Segments, cli.Bytes(b.Segments.Bytes))
		line("")
		printTrees(line, b.Trees)
		line("")
	}
	if len(rep.Branches) > 1 {
		line("All branches")
		printKinds(line, rep.Kinds)
		line("  all\t%d\t%s", rep.Segments.Segments, cli.Bytes(rep.Segments.Bytes))
		line("")
	}
	line("Total\t%d segments, %s; %d heads, %s", rep.Segments.Segments, cli.Bytes(rep.Segments.Bytes), rep.Heads.Objects, cli.Bytes(rep.Heads.Bytes))
	printGrowth(line, rep.Growth)
	return w.Flush()
}

func printKinds(line func(string, ...any), kinds []dbsync.KindStat) {
	line("  KIND\tSEGMENTS\tSIZE")
	for _, k := range kinds {
		kind := k.Kind
		if k.Level > 0 {
			kind += " " + strconv.Itoa(k.Level)
		}
		line("  %s\t%d\t%s", kind, k.Segments, cli.Bytes(k.Bytes))
	}
}

// printTrees shows each index, and a line for each of its levels.
func printTrees(line func(string, ...any), trees []dbsync.TreeStat) {
	line("  INDEX\tDATOMS\tDEPTH\tLEVEL\tNODES\tFILLED\tSIZE")
	for _, t := range trees {
		name, datoms, depth := t.Tree, number(t.Datoms), strconv.Itoa(t.Depth)
		if t.Inline {
			name += " (fused)"
		}
		for _, l := range t.Levels {
			filled := "?"
			if l.Fill > 0 {
				filled = fmt.Sprintf("%.0f%%", 100*l.Fill)
			}
			line("  %s\t%s\t%s\t%d\t%d\t%s\t%s", name, datoms, depth, l.Level, l.Nodes, filled, cli.Bytes(l.Bytes))
			name, datoms, depth = "", "", ""
		}
	}
}

func number(n int64) string {
	if n < 0 {
		return "?"
	}
	return strconv.FormatInt(n, 10)
}

func printGrowth(line func(string, ...any), points []dbsync.GrowthStat) {
	if len(points) == 0 {
		return
	}
	line("")
	line("POINT\tTIME\tNEW\tSIZE\tRELEASED\tSIZE\tTOTAL\tSIZE")
	for _, p := range points {
		line("%s\t%s\t%d\t%s\t%d\t%s\t%d\t%s", p.Point, p.Time.Local().Format(time.DateTime),
			p.New.Segments, cli.Bytes(p.New.Bytes), p.Released.Segments, cli.Bytes(p.Released.Bytes), p.Total.Segments, cli.Bytes(p.Total.Bytes))
	}
}
