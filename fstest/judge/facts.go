package judge

import (
	"time"

	"github.com/rclone-datom/rclone-datom/fstest/fixture"
)

// Facts are what Datomic finds in one value of a backup.
type Facts struct {
	T        int64    `json:"t"`
	Verify   Verified `json:"verify"`
	Restored Content  `json:"restored"`
}

// Content is what a database holds, all of it read. Two databases with equal
// Content have the same datoms, now and ever, in the same transactions.
type Content struct {
	fixture.DatomicFacts
	NextT             int64  `json:"next-t"`
	AEVTCurrent       int64  `json:"aevt-current"`
	AVETCurrent       int64  `json:"avet-current"`
	VAETCurrent       int64  `json:"vaet-current"`
	CurrentSHA256     string `json:"sha256-current"`
	HistoryAEVTSHA256 string `json:"sha256-history-aevt"`
}

// Verified is the answer of Datomic's verify-backup that reads every segment.
type Verified struct {
	Total      int      `json:"total"`
	Missing    []string `json:"missing"`    // ids
	Unreadable []string `json:"unreadable"` // ids
}

// Backups says whose backup a directory is, and of which values, newest first.
type Backups struct {
	DatabaseID string  `json:"db-id"`
	Ts         []int64 `json:"ts"`
}

// Catalog says which databases a storage has.
type Catalog struct {
	Names   map[string]string `json:"names"`   // their ids
	Deleted []string          `json:"deleted"` // ids of those whose rows remain
}

// Written says which database was written to, and the t of its newest transaction.
type Written struct {
	DatabaseID string `json:"db-id"`
	T          int64  `json:"t"`
}

// Work is what Datomic's own backup or restore did.
type Work struct {
	Milliseconds int64 `json:"milliseconds"` // without the start of the JVM
	Copied       int   `json:"copied"`       // segments
	Skipped      int   `json:"skipped"`      // segments, or whole trees that were there
}

// Duration is how long it took.
func (w Work) Duration() time.Duration { return time.Duration(w.Milliseconds) * time.Millisecond }
