package verify

import (
	"context"
	"fmt"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// foreign verifies an export of datoms. The error matches
// dbsync.ErrNotForeign if there is none.
func foreign(ctx context.Context, dest, at string) (*dbsync.ForeignReport, error) {
	f, err := cli.Backups(ctx, dest)
	if err != nil {
		return nil, err
	}
	return dbsync.VerifyForeign(ctx, f, dbsync.ForeignOptions{At: at})
}

func runForeign(rep *dbsync.ForeignReport, err error) error {
	if rep == nil {
		return err
	}
	if asJSON {
		if jerr := cli.PrintJSON(rep); jerr != nil {
			return jerr
		}
		return err
	}
	for _, f := range rep.Faults {
		fmt.Printf("FAULT %s: %s\n", f.ID, f.What)
	}
	fmt.Printf("Export in the format %s: %d faults\n", rep.Format, len(rep.Faults))
	if rep.Database != "" {
		fmt.Printf("  of      %s\n", rep.Database)
	}
	fmt.Printf("  sound   %d chunks, %d datoms, %s\n", rep.Chunks, rep.Datoms, cli.Bytes(rep.Bytes))
	if rep.Skipped > 0 {
		fmt.Printf("  left out by the export, as it says: %d datoms\n", rep.Skipped)
	}
	return err
}
