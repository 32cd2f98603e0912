// Package registry registers backends that do not live in rclone's tree.
package registry

import (
	"context"

	"github.com/rclone/rclone/fs"
)

// Register is fs.Register without a complaint: rclone 1.75 looks for every
// backend's overview among files of its own and logs an error where there is
// none, at each start. Releases that keep RegInfo.Overview make this
// superfluous.
func Register(info *fs.RegInfo) {
	ci := fs.GetConfig(context.Background())
	level := ci.LogLevel
	ci.LogLevel = fs.LogLevelEmergency
	fs.Register(info)
	ci.LogLevel = level
}
