// Package datom has what both databases have: datoms, the orders that indexes
// keep them in, the schema that gives them their meaning, and their text.
package datom

import "github.com/rclone-datom/rclone-datom/sync/codec/fressian"

// Datom is one fact: an entity has, or had no more, a value of an attribute
// since a transaction.
type Datom struct {
	E int64
	// A is a fressian.Keyword; where Datahike has :attribute-refs? and nobody
	// resolved it, the attribute's entity id as int64; or a string, which
	// Datahike accepts under :schema-flexibility :read.
	A any
	// V is a value as the fressian package decodes it. A reference is the
	// entity's id as int64.
	V any
	// Tx is the transaction's entity: 536870912 + n in Datahike, in Datomic
	// its t in the partition of transactions.
	Tx    int64
	Added bool
}

// Index is an order of datoms.
type Index string

// The indexes. Datahike has no VAET; AVET has the datoms only of attributes
// that are indexed or unique.
const (
	EAVT Index = "eavt"
	AEVT Index = "aevt"
	AVET Index = "avet"
	VAET Index = "vaet"
)

// Query tells which datoms of a database are wanted, and in which order. Its
// parts are joined by "and"; the zero value wants all current datoms in the
// order of EAVT.
type Query struct {
	// Index is the order; empty means EAVT.
	Index Index
	// Attr wants one attribute's datoms.
	Attr *fressian.Keyword
	// Entity wants one entity's datoms.
	Entity *int64
	// TxFrom and TxTo want the datoms of transactions (see Datom.Tx) from one
	// to another, both included; 0 is no bound.
	TxFrom, TxTo int64
	// History wants what was retracted too, and the retractions.
	History bool
	// AsOf wants the database as it was after a transaction; 0 is the newest.
	AsOf int64
}
