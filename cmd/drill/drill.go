// Package drill is the command "drill".
package drill

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rclone/rclone/cmd"
	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/config/flags"
	"github.com/rclone/rclone/fs/fserrors"
	"github.com/rclone/rclone/fs/fspath"
	"github.com/rclone/rclone/lib/atexit"
	"github.com/spf13/cobra"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// options are a drill's choices, as the command line has them.
type options struct {
	at, scratch, textfile string
	inPlace, json         bool
	maxAge                fs.Duration
}

var opt options

func init() {
	cmd.Root.AddCommand(command)
	f := command.Flags()
	flags.StringVarP(f, &opt.at, "at", "", "", "Point, commit or time to restore (default the newest point)", "")
	flags.StringVarP(f, &opt.scratch, "scratch", "", "", "Place for the copy, below which a directory is made and removed (default that of temporary files)", "")
	flags.BoolVarP(f, &opt.inPlace, "in-place", "", false, "Make no copy: read the point where it lies", "")
	flags.StringVarP(f, &opt.textfile, "textfile", "", "", "Write metrics to this file, for the textfile collector of Prometheus' node_exporter", "")
	flags.FVarP(f, &opt.maxAge, "max-age", "", "Fail if the point is older, for then backups have stopped", "")
	flags.BoolVarP(f, &opt.json, "json", "", false, "Print the report as JSON", "")
}

// call has the parameters of datom/drill.
type call struct {
	Destination string      `json:"destination" rc:"required"`
	At          string      `json:"at"`
	Scratch     string      `json:"scratch"`
	InPlace     cli.Flag    `json:"inPlace"`
	MaxAge      fs.Duration `json:"maxAge"`
}

func init() {
	cli.RC("datom/drill", "Restore a point of a backup to a scratch place and compare the copy", `This takes the following parameters:

- destination - a remote, e.g. "s3:bucket/mydb"
- at - point, commit or time (optional)
- scratch - remote below which the copy is made (optional)
- inPlace - make no copy (optional)
- maxAge - how old the point may be, e.g. "2d" (optional)

It returns what rclone-datom drill --json prints. Faults are in "faults"; they
are no error of the call.
`, func(ctx context.Context, in call) (*dbsync.DrillReport, error) {
		rep, err := drill(ctx, in.Destination, options{
			at: in.At, scratch: in.Scratch, inPlace: bool(in.InPlace), maxAge: in.MaxAge,
		})
		if errors.Is(err, dbsync.ErrDrill) {
			err = nil
		}
		return rep, err
	})
}

var command = &cobra.Command{
	Use:   "drill DEST",
	Short: `Restore a point of a backup to a scratch place and compare the copy.`,
	Long: `This proves that a point can be restored by restoring it. The copy is made in a
new directory, opened by its own heads, and everything that these reach is read
and decoded. What was found there is compared with what the point recorded when
the database was read: every segment by its size and SHA-256, the heads byte for
byte, and the number of datoms of each index with what its root states. Of a
Datahike database the datoms of the copy and of the backup are digested as well.
Then the copy is removed, also if something failed, and on ctrl-C.

    rclone-datom drill s3:bucket/mydb
    rclone-datom drill s3:bucket/mydb --scratch /var/tmp --max-age 2d
    rclone-datom drill gcs:bucket/orders --at 1708 --scratch scratch:drills
    rclone-datom drill s3:bucket/mydb --textfile /var/lib/node_exporter/drill.prom
    rclone-datom drill s3:bucket/mydb --in-place --json

The copy needs as much space as the database, and holds its data unencrypted
unless --scratch is a crypt remote. On local disks nobody else can read it. If
the machine fails meanwhile a directory "drill-…" is left; delete it.

--in-place makes no copy, and reads as verify --deep does.

--max-age fails the drill if the point is older. A database that did not change
gets no new point: allow for the longest time that yours is quiet.

--textfile replaces the file as a whole, after failures too; the time of the last
success is kept from the file that is there. Each destination needs its own.

Every fault is reported, not the first alone. With faults the exit code is 6.
The backup of an encrypted store needs --datahike-encryption-key (obscured) or
RCLONE_DATAHIKE_ENCRYPTION_KEY.
`,
	Run: func(command *cobra.Command, args []string) {
		cmd.CheckArgs(1, 1, command, args)
		cli.Run(command, func(ctx context.Context) error { return run(ctx, args[0], opt) })
	},
}

// drill opens the ends and drills.
func drill(ctx context.Context, dest string, opt options) (*dbsync.DrillReport, error) {
	if opt.inPlace && opt.scratch != "" {
		return nil, fserrors.NoRetryError(errors.New("--in-place makes no copy: leave --scratch out"))
	}
	dst, err := cli.Backups(ctx, dest)
	if err != nil {
		return nil, err
	}
	o := dbsync.DrillOptions{At: opt.at, MaxAge: time.Duration(opt.maxAge)}
	if o.Dialect, err = cli.Dialect(); err != nil {
		return nil, err
	}
	if !opt.inPlace {
		below := cmp.Or(opt.scratch, os.TempDir())
		if o.Scratch, err = cli.Place(ctx, fspath.JoinRootPath(below, "drill-"+rand.Text())); err != nil {
			return nil, err
		}
	}
	return dbsync.Drill(ctx, dst, o)
}

func run(ctx context.Context, dest string, opt options) error {
	rep, err := drill(ctx, dest, opt)
	if opt.textfile != "" && !fs.GetConfig(ctx).DryRun && !atexit.Signalled() {
		m := metrics{destination: cli.Shown(dest), report: rep, ok: err == nil, now: time.Now()}
		if werr := m.write(opt.textfile); werr != nil {
			err = fserrors.NoRetryError(errors.Join(err, fmt.Errorf("the metrics could not be written: %w", werr)))
		}
	}
	if rep == nil || err != nil && !errors.Is(err, dbsync.ErrDrill) {
		return err
	}
	if opt.json {
		if jerr := cli.PrintJSON(rep); jerr != nil {
			return jerr
		}
		return err
	}
	print(rep)
	return err
}

// print tells a person what was found.
func print(rep *dbsync.DrillReport) {
	for _, f := range rep.Faults {
		fmt.Printf("FAULT %s: %s\n", f.ID, f.What)
	}
	if len(rep.Faults) > 0 {
		fmt.Printf("Point %s: %d faults\n", rep.Point, len(rep.Faults))
		return
	}
	what := fmt.Sprintf("%d segments, %d datoms in all indexes", rep.RestoredSegments, datoms(rep))
	if rep.InPlace {
		fmt.Printf("Point %s is whole where it lies: %s, read in %.0f s\n", rep.Point, what, rep.CheckSeconds)
		return
	}
	fmt.Printf("Point %s is restorable and equal: %s, restored in %.0f s\n", rep.Point, what, rep.RestoreSeconds)
}

// datoms counts those of all indexes of all branches.
func datoms(rep *dbsync.DrillReport) (sum int64) {
	for _, branch := range rep.Datoms {
		for _, n := range branch {
			sum += n
		}
	}
	return sum
}
