// Command rclone-datom is rclone with backups of Datomic and Datahike
// databases: every backend and command of rclone, and ours beside them.
//
// Build it with the Makefile: the linker sets fs.Version, without which rclone
// sends the bare user agent "rclone/", and the tag noselfupdate leaves out the
// command that would replace this binary by the stock one.
package main

import (
	"os"
	"path/filepath"
	"strings"

	_ "github.com/rclone/rclone/backend/all" // every storage of rclone
	"github.com/rclone/rclone/cmd"
	_ "github.com/rclone/rclone/cmd/all"    // every command of rclone
	_ "github.com/rclone/rclone/lib/plugin" // Go plugins, as in stock rclone

	_ "github.com/rclone-datom/rclone-datom/backend/all"
	_ "github.com/rclone-datom/rclone-datom/cmd/backup"
	_ "github.com/rclone-datom/rclone-datom/cmd/backups"
	_ "github.com/rclone-datom/rclone-datom/cmd/convert"
	_ "github.com/rclone-datom/rclone-datom/cmd/copybackup"
	_ "github.com/rclone-datom/rclone-datom/cmd/datoms"
	_ "github.com/rclone-datom/rclone-datom/cmd/diff"
	_ "github.com/rclone-datom/rclone-datom/cmd/drill"
	_ "github.com/rclone-datom/rclone-datom/cmd/export"
	_ "github.com/rclone-datom/rclone-datom/cmd/importdb"
	_ "github.com/rclone-datom/rclone-datom/cmd/log"
	_ "github.com/rclone-datom/rclone-datom/cmd/prune"
	_ "github.com/rclone-datom/rclone-datom/cmd/restore"
	_ "github.com/rclone-datom/rclone-datom/cmd/run"
	_ "github.com/rclone-datom/rclone-datom/cmd/schema"
	_ "github.com/rclone-datom/rclone-datom/cmd/stat"
	_ "github.com/rclone-datom/rclone-datom/cmd/verify"
)

func main() {
	cmd.Root.Use = name(os.Args[0])
	cmd.Main()
}

// name returns what the program was called as, without its directory and any
// ".exe". Usage lines and shell completions follow it, so that both hold for
// this binary and for one installed as rclone.
func name(arg0 string) string {
	return strings.TrimSuffix(filepath.Base(arg0), ".exe")
}
