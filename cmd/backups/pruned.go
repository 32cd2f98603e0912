package backups

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/rclone-datom/rclone-datom/cmd/internal/cli"
	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

// listPruned shows what prune --undo can bring back, and until when.
func parked(ctx context.Context, dest string) ([]dbsync.ParkedPoint, error) {
	dst, err := cli.Backups(ctx, dest)
	if err != nil {
		return nil, err
	}
	return dbsync.ParkedPoints(ctx, dst)
}

func listPruned(ctx context.Context, dest string) error {
	points, err := parked(ctx, dest)
	if err != nil {
		return err
	}
	if asJSON {
		return cli.PrintJSON(points)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "POINT\tTIME\tUNTIL\n")
	for _, p := range points {
		until := p.Until.UTC().Format(time.RFC3339)
		if p.Going {
			until = "(going)"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", p.ID, p.Time.UTC().Format(time.RFC3339), until)
	}
	return w.Flush()
}
