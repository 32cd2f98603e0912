// Package restore is the command "restore".
package restore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	flags.BoolVarP(f, &asJSON, "json", "", false, "Print the report as JSON", "")
}

// call has the parameters of datom/restore.
type call struct {
	Destination string `json:"destination"`
	Target      string `json:"target"`
	At          string `json:"at"`
	Branch      string `json:"branch"`
}

func init() {
	cli.RC("datom/restore", "Restore a point of a backup into an empty place", `This takes the following parameters:

- destination - the backup's remote, e.g. "s3:bucket/mydb"
- target - an empty place, e.g. "/var/lib/datahike/mydb"
- at - point, commit or time (optional)
- branch - restore this branch alone (optional)

It returns what rclone-datom restore --json prints.
`, func(ctx context.Context, in call) (*dbsync.RestoreReport, error) {
		return restore(ctx, in.Destination, in.Target, dbsync.RestoreOptions{At: in.At, Branch: in.Branch})
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

--at takes a point's id or the beginning of one, a commit that a branch of a
point stands at, or a time, which means the newest point that is not younger.

A byte-for-byte restore of an encrypted store needs no key; --branch does
(--datahike-encryption-key, obscured, or RCLONE_DATAHIKE_ENCRYPTION_KEY).
`,
	Annotations: map[string]string{"groups": "Copy"},
	Run: func(command *cobra.Command, args []string) {
		cmd.CheckArgs(2, 2, command, args)
		cli.Run(command, func(ctx context.Context) error { return run(ctx, args[0], args[1]) })
	},
}

func restore(ctx context.Context, dest, target string, opt dbsync.RestoreOptions) (*dbsync.RestoreReport, error) {
	dst, err := cli.Place(ctx, dest)
	if err != nil {
		return nil, err
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
	fmt.Printf("  written  %d segments, %s\n", rep.Written.Segments, cli.Bytes(rep.Written.Bytes))
	if rep.Resumed > 0 {
		fmt.Printf("  resumed  %d segments were there\n", rep.Resumed)
	}
	fmt.Printf("  time     %.2f s\n", rep.Seconds)
	fmt.Printf("Connect with:\n%s\n", connect(rep))
}

// connect is the configuration that opens the copy. Datahike compares these
// settings with the stored ones, and refuses what differs.
func connect(rep *dbsync.RestoreReport) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{:store {:backend :file :path %q", rep.Target)
	if rep.StoreID != "" {
		fmt.Fprintf(&b, "\n         :id #uuid %q", rep.StoreID)
	}
	b.WriteString("}")
	for _, name := range slices.Sorted(maps.Keys(rep.Settings)) {
		if v, ok := plain(rep.Settings[name]); ok && slices.Contains(compared, name) {
			fmt.Fprintf(&b, "\n :%s %s", name, v)
		}
	}
	b.WriteString("}")
	return b.String()
}

// compared are the settings that connecting compares; the rest are adopted
// from the store.
var compared = []string{"keep-history?", "schema-flexibility", "attribute-refs?", "crypto-hash?", "index"}

// plain prints a setting as EDN.
func plain(v any) (string, bool) {
	switch v := v.(type) {
	case bool, int64:
		return fmt.Sprint(v), true
	case fmt.Stringer:
		return v.String(), true
	case string:
		return v, true
	}
	return "", false
}
