package cli

import (
	"context"
	"fmt"

	"github.com/rclone/rclone/fs"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// CopyBackup opens the ends, which are remotes as on a command line, and copies
// the points of a backup.
func CopyBackup(ctx context.Context, source, dest string, from []string, layout Layout, opt dbsync.CopyOptions) (*dbsync.CopyReport, error) {
	var err error
	if opt.Packing, err = layout.Packing(); err != nil {
		return nil, err
	}
	opt.Layout, opt.From = layout.Layout, nil
	src, err := Backups(ctx, source)
	if err != nil {
		return nil, err
	}
	dst, err := Backups(ctx, dest)
	if err != nil {
		return nil, err
	}
	for _, remote := range from {
		var f fs.Fs
		if f, err = Backups(ctx, remote); err != nil {
			return nil, err
		}
		opt.From = append(opt.From, f)
	}
	return dbsync.CopyBackup(ctx, src, dst, opt)
}

// PrintCopy tells a person what was copied.
func PrintCopy(rep *dbsync.CopyReport) {
	done := "Copied"
	if rep.DryRun {
		done = "Would copy"
	}
	for _, p := range rep.Points {
		fmt.Printf("%s point %s: %s\n", done, p.ID, Count(p.New))
	}
	if len(rep.Points) == 0 {
		fmt.Println("Up to date: the copy has every point")
	}
	fmt.Printf("  points    %d copied, %d were there\n", len(rep.Points), rep.Reused)
	fmt.Printf("  written   %s\n", Count(rep.Written))
	if rep.Repaired > 0 {
		fmt.Printf("  repaired  %d segments\n", rep.Repaired)
	}
	if rep.Healed > 0 {
		fmt.Printf("  healed    %d segments, taken from another copy\n", rep.Healed)
	}
	fmt.Printf("  time      %.2f s\n", rep.Seconds)
}
