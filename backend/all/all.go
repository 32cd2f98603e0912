// Package all registers the backends that rclone-datom adds to rclone's.
package all

import (
	_ "github.com/rclone-datom/rclone-datom/backend/datahike"    // registers itself
	_ "github.com/rclone-datom/rclone-datom/backend/datomchunks" // registers itself
	_ "github.com/rclone-datom/rclone-datom/backend/datomic"     // registers itself
)
