// Package verify is the command "verify".
package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rclone/rclone/cmd"
	"github.com/rclone/rclone/fs/config/flags"
	"github.com/spf13/cobra"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

var (
	opt    dbsync.VerifyOptions
	ask    asking
	asJSON bool
)

func init() {
	cmd.Root.AddCommand(command)
	f := command.Flags()
	flags.StringVarP(f, &opt.At, "at", "", "", "Point, commit or time to look at (default the newest point)", "")
	flags.BoolVarP(f, &opt.Deep, "deep", "", false, "Read every byte, compare digests, decode leaves and count datoms", "")
	flags.BoolVarP(f, &opt.Datoms, "datoms", "", false, "With --deep: digest the datoms of each branch and of its history", "")
	flags.StringVarP(f, &opt.Subset, "subset", "", "", "Read every byte of part n of t, given as n/t, and nothing else", "")
	flags.StringVarP(f, &opt.Since, "since", "", "", "Read every byte of what this point does not reach, and nothing else", "")
	flags.BoolVarP(f, &ask.Status, "status", "", false, "Tell when the bytes of the point were read last", "")
	flags.FVarP(f, &ask.MaxAge, "max-age", "", "With --status: fail if anything was not read within this time", "")
	flags.BoolVarP(f, &asJSON, "json", "", false, "Print the report as JSON", "")
}

// call has the parameters of datom/verify.
type call struct {
	Destination string   `json:"destination" rc:"required"`
	At          string   `json:"at"`
	Deep        cli.Flag `json:"deep"`
	Datoms      cli.Flag `json:"datoms"`
	Subset      string   `json:"subset"`
	Since       string   `json:"since"`
	Status      cli.Flag `json:"status"`
	MaxAge      string   `json:"maxAge"`
}

func init() {
	cli.RC("datom/verify", "Check that a point of a backup can be restored", `This takes the following parameters:

- destination - a remote, e.g. "s3:bucket/mydb"
- at - point, commit or time (optional)
- deep - read every byte (optional)
- datoms - digest the datoms as well (optional, with deep)
- subset - read part n of t, "n/t", and nothing else (optional)
- since - read what this point does not reach, and nothing else (optional)
- status - tell when the bytes were read last (optional)
- maxAge - what was not read within this time is overdue, e.g. "30d" (optional, with status)

It returns what rclone-datom verify --json prints. Faults are in "faults", and
what is overdue in "overdueSegments"; they are no error of the call.
`, func(ctx context.Context, in call) (any, error) {
		opt := dbsync.VerifyOptions{At: in.At, Deep: bool(in.Deep), Datoms: bool(in.Datoms), Subset: in.Subset, Since: in.Since}
		ask := asking{Status: bool(in.Status)}
		if in.MaxAge != "" {
			if err := ask.MaxAge.Set(in.MaxAge); err != nil {
				return nil, err
			}
		}
		return answer(ctx, in.Destination, opt, ask)
	})
}

// answer is the result of a call.
func answer(ctx context.Context, dest string, opt dbsync.VerifyOptions, ask asking) (any, error) {
	if err := ask.check(opt); err != nil {
		return nil, err
	}
	if ask.Status {
		rep, err := status(ctx, dest, opt.At, ask.MaxAge)
		if errors.Is(err, dbsync.ErrOverdue) {
			err = nil
		}
		return rep, err
	}
	if rep, err := foreign(ctx, dest, opt.At); !errors.Is(err, dbsync.ErrNotForeign) {
		if errors.Is(err, dbsync.ErrFaults) {
			err = nil
		}
		return rep, err
	}
	rep, err := verify(ctx, dest, opt)
	if errors.Is(err, dbsync.ErrFaults) {
		err = nil
	}
	return rep, err
}

var command = &cobra.Command{
	Use:   "verify DEST",
	Short: `Check that a point of a backup can be restored.`,
	Long: `This checks that every segment of a point is there with its size, and that the
commits and inner nodes are what was written and reach exactly what the point
lists. With --deep every byte is read and compared with the SHA-256 that was
recorded at backup time, leaves are decoded, and the datoms of each index are
counted and compared with the number that its root states.

With --datoms as well, the datoms of each branch, or of a Datomic database, and of
the history get a digest. It names the content whatever the segments. Datahike can
be made to compute it on the live database: docs/datahike.md has the few lines of
Clojure.

A backup by datacamp and a dump of Datahike's are verified too: that each chunk is
there, has its checksum, and holds the datoms that the manifest states.

With --subset n/t exactly the part n of t of the point's segments is read and
compared, so that t runs read every byte once; with --since POINT, what that
point does not reach. Neither walks the trees.

A run with --deep, --subset or --since that finds no fault is recorded beside the
points, in verified.edn. With --status nothing is read but lists: it tells when
the bytes of the point were read last, and with --max-age it fails if anything
was not read within that time.

Every fault is reported, not the first alone. With faults, or with anything
overdue, the exit code is 6.

    rclone-datom verify s3:bucket/mydb
    rclone-datom verify s3:bucket/mydb --deep
    rclone-datom verify s3:bucket/mydb --deep --datoms
    rclone-datom verify s3:bucket/mydb --deep --at 2026-11-20T03:00:00Z --json
    rclone-datom verify s3:bucket/mydb --subset 3/30
    rclone-datom verify s3:bucket/mydb --status --max-age 30d

The backup of an encrypted store needs --datahike-encryption-key (obscured) or
RCLONE_DATAHIKE_ENCRYPTION_KEY.
`,
	Run: func(command *cobra.Command, args []string) {
		cmd.CheckArgs(1, 1, command, args)
		cli.Run(command, func(ctx context.Context) error { return run(ctx, args[0]) })
	},
}

func verify(ctx context.Context, dest string, opt dbsync.VerifyOptions) (*dbsync.VerifyReport, error) {
	dst, err := cli.Backups(ctx, dest)
	if err != nil {
		return nil, err
	}
	if opt.Dialect, err = cli.Dialect(); err != nil {
		return nil, err
	}
	opt.Record = true
	return dbsync.Verify(ctx, dst, opt)
}

func run(ctx context.Context, dest string) error {
	if err := ask.check(opt); err != nil {
		return err
	}
	if ask.Status {
		return runStatus(ctx, dest)
	}
	if rep, err := foreign(ctx, dest, opt.At); !errors.Is(err, dbsync.ErrNotForeign) {
		return runForeign(rep, err)
	}
	rep, err := verify(ctx, dest, opt)
	if rep == nil {
		return err
	}
	if asJSON {
		if jerr := cli.PrintJSON(rep); jerr != nil {
			return jerr
		}
		return err
	}
	print(rep)
	return err
}

// print tells a person what was found.
func print(rep *dbsync.VerifyReport) {
	for _, f := range rep.Faults {
		fmt.Printf("FAULT %s: %s\n", f.ID, f.What)
	}
	fmt.Printf("Point %s: %d faults%s\n", rep.Point, len(rep.Faults), where(rep))
	fmt.Printf("  listed  %s\n", cli.Count(rep.Segments))
	fmt.Printf("  read    %d times, %s\n", rep.Reads, cli.Bytes(rep.ReadBytes))
	for _, branch := range slices.Sorted(maps.Keys(rep.Datoms)) {
		fmt.Printf("  datoms  %s", branch)
		for _, index := range slices.Sorted(maps.Keys(rep.Datoms[branch])) {
			fmt.Printf("  %s %d", index, rep.Datoms[branch][index])
		}
		fmt.Println()
	}
	for _, branch := range slices.Sorted(maps.Keys(rep.Digests)) {
		printDigests(branch, rep.Digests[branch])
	}
}

// where says of what part of the point that is true.
func where(rep *dbsync.VerifyReport) string {
	s := ""
	if rep.Subset != "" {
		s += " in part " + rep.Subset
	}
	if rep.Since != "" {
		s += " in what " + rep.Since + " does not reach"
	}
	return s
}

func printDigests(branch string, d dbsync.Digests) {
	if d.None != "" {
		fmt.Printf("  digest  %s  none: %s\n", branch, d.None)
		return
	}
	fmt.Printf("  digest  %s  current  %s  %d datoms\n", branch, d.Current, d.CurrentDatoms)
	if d.History != "" {
		fmt.Printf("  digest  %s  history  %s  %d datoms\n", branch, d.History, d.HistoryDatoms)
	}
}
