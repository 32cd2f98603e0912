package datomchunks

import (
	"context"

	"github.com/rclone/rclone/fs"

	dbsync "github.com/rclone-datom/rclone-datom/sync"
)

var commandHelp = []fs.CommandHelp{{
	Name:  "points",
	Short: "Show the points of the backup.",
	Long: `This shows all points, and what unfinished runs have left, oldest first, as
JSON: what rclone-datom backups --json prints.

    rclone-datom backend points :datomchunks,remote='s3:bucket/mydb':
`,
}}

// Command runs a backend command.
func (f *Fs) Command(ctx context.Context, name string, _ []string, _ map[string]string) (any, error) {
	if name == "points" {
		return dbsync.Points(ctx, f.base)
	}
	return nil, fs.ErrorCommandNotFound
}
