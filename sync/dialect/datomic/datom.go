package datomic

import (
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
)

// An entity's id is its partition and its number in it.
const (
	partitionBits = 42
	maxPartition  = 1<<(63-partitionBits) - 1
	maxNumber     = 1<<partitionBits - 1
	// txPartition is the partition of transactions, whose number is their t.
	txPartition = 3
)

// MinUserEntity is above the entities of the partition that has the schema:
// all attributes, types, partitions and functions of the database itself.
const MinUserEntity = 1 << partitionBits

// Attributes that have the same id in every database.
const (
	Ident     int32 = 10 // :db/ident
	TxInstant int32 = 50 // :db/txInstant
)

// Datom is a datom as the trees and the log have it.
type Datom struct {
	E int64
	// A is the attribute's entity.
	A int32
	// Added is false in a retraction.
	Added bool
	// T is the transaction's number in the database's time.
	T int64
	// V is a bool, int64 (a reference too), float32, float64, string, []byte,
	// fressian.UUID, Inst, URI, Keyword, Symbol or Decimal, *big.Int, a tuple of
	// such values and nils as []any, or fressian.Tagged with the tag
	// "datomic/fn", which is a function of the database. In keydata it may be nil.
	V any
}

// TxEntity is the entity of a transaction.
func TxEntity(t int64) int64 { return txPartition<<partitionBits | t }

// T is the number of a transaction, given its entity or the number itself.
func T(tx int64) int64 { return tx & maxNumber }

// tagFunction is the tag of a function of the database: a map of :lang,
// :imports, :requires, :params and :code.
const tagFunction = "datomic/fn"

// checkValue refuses what is not known to be the value of a datom.
func checkValue(v any) error {
	items, ok := v.([]any)
	if !ok {
		return checkScalar(v)
	}
	for _, item := range items {
		if item == nil {
			continue
		}
		if err := checkScalar(item); err != nil {
			return err
		}
	}
	return nil
}

func checkScalar(v any) error {
	if kindOf(v) > kindNil {
		return nil
	}
	switch v := v.(type) {
	case nil:
		return corrupt("a value is nil")
	case fressian.Tagged:
		return unsupported("a value with the unknown tag %q", v.Tag)
	}
	return unsupported("a value of type %T", v)
}
