// Package view reads a database value as datoms, whichever database it is of
// and wherever its segments lie.
package view

import (
	"context"
	"io"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/datom"
)

// View is one value of a database. It may be used from many goroutines until
// Close.
type View interface {
	// Info describes the value.
	Info() Info
	// Schema has the attributes as they are in the value.
	Schema() *datom.Schema
	// Scan calls fn with the datoms that q wants, in the order of its index,
	// until fn returns an error, which Scan returns as it is. It reads the
	// leaves that may have such datoms and no others, a few ahead. A is a
	// keyword wherever the schema knows one. An index that the database has
	// not matches graph.ErrUnsupported.
	Scan(ctx context.Context, q datom.Query, fn func(datom.Datom) error) error
	// Log calls fn with the transactions from one to another, both included (0
	// is no bound), oldest first, as Scan does.
	Log(ctx context.Context, from, to int64, fn func(Transaction) error) error
	// Close frees what the view holds, such as temporary files.
	Close() error
}

// Kind is the sort of database.
type Kind string

// The kinds.
const (
	Datahike Kind = "datahike"
	Datomic  Kind = "datomic"
)

// Info describes a value.
type Info struct {
	Kind Kind
	// Database names the database: Datahike's :datahike/id or the store's id,
	// Datomic's db-id.
	Database string
	// Branch is Datahike's, with its colon.
	Branch string
	// Point is the point of a backup that the value is, if it is one.
	Point string
	// MaxTx is the newest transaction (see datom.Datom.Tx), and T its number
	// in the database's time.
	MaxTx, T int64
	// MaxE is the largest entity id in use but for transactions'; -1 if that is
	// not known.
	MaxE int64
	// History: what was retracted is kept.
	History bool
	// Datoms is how many current ones there are; -1 if that is not known.
	Datoms int64
}

// Transaction is one transaction of a log.
type Transaction struct {
	// Tx is its entity, T its number in the database's time.
	Tx, T int64
	// ID is Datomic's uuid of it; empty in Datahike.
	ID string
	// Datoms are those that it added and retracted, its :db/txInstant first,
	// then by e, a, v, retractions before assertions.
	Datoms []datom.Datom
	// More: there are so many of them that the same transaction comes again,
	// with the next ones.
	More bool
}

// Objects are what the datoms of a Datahike view may refer to with values of
// the type :db.type/store-ref.
type Objects interface {
	// Object opens an object's bytes. It returns graph.ErrNotFound where there
	// is none: its bytes may be kept elsewhere.
	Object(ctx context.Context, ref fressian.UUID) (io.ReadCloser, error)
}
