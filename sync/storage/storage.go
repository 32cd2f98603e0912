// Package storage finds a Datomic database where it lies: in a table of an SQL
// server, or in a backup in Datomic's own layout on any rclone remote. It reads
// the newest value and the segments, and never writes.
//
// A value is what two named rows of the table say at one moment: the root of
// the index, and the root of the log together with its tail. Both are read, and
// the links of the tail, in one transaction. (Read one after the other, the
// index first would do as well: a log that is younger has all that the index
// lacks. The other way round an index may be newer than the tail.) All else is
// immutable and needs no transaction. In a backup the file roots/<t> says it.
package storage

import (
	"context"
	"errors"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Sentinel errors; match them with errors.Is.
var (
	// ErrNoDatabase: there is no database of that name, or none at all.
	ErrNoDatabase = errors.New("no such Datomic database")
	// ErrSeveral: none was named, and there are several.
	ErrSeveral = errors.New("there are several databases")
)

// Storage is a Datomic database where it lies. It may be used from many
// goroutines. Errors name rows, files and segments; String is the place.
type Storage interface {
	// Pin reads the newest value, anew at each call.
	Pin(ctx context.Context) (*datomic.Value, error)
	// Get reads a segment, as stored. It returns graph.ErrNotFound where there
	// is none and graph.ErrCorrupt where there is one without bytes.
	Get(ctx context.Context, id graph.ID) ([]byte, error)
	// Sizes are the segments' lengths in bytes. What is not there is left out.
	Sizes(ctx context.Context, ids []graph.ID) (map[graph.ID]int64, error)
	// Reads is the number of segments that Get was asked for.
	Reads() int64
	// Workers is how many Gets at a time make sense.
	Workers() int
	// Database is the database's name in the catalog; empty in a backup, and
	// where the database was deleted.
	Database() string
	// Catalog reads which databases the storage has; nil in a backup.
	Catalog(ctx context.Context) (*datomic.Catalog, error)
	// String names the place, for messages. It has no password.
	String() string
	// Close ends the connections.
	Close() error
}

var (
	_ Storage = (*SQL)(nil)
	_ Storage = (*Backup)(nil)
)
