package datomic

import "github.com/rclone-datom/rclone-datom/sync/graph"

// Levels at which the trees' roots stand.
const (
	IndexLevel graph.Level = 3
	LogLevel   graph.Level = 2
)

// Value is one value of a database: what a backup's root and the two named
// rows of a storage say.
type Value struct {
	// DatabaseID is "<first name>-<uuid>"; it never changes.
	DatabaseID string
	// Index and Log are the roots of the trees.
	Index, Log graph.ID
	// IndexVersion and LogVersion are 2 and 3.
	IndexVersion, LogVersion int64
	// Tail is the tail's content, all links joined; it begins with ee.
	Tail []byte
}

// Trees are the roots of all that the value reaches.
func (v *Value) Trees() []graph.Tree {
	return []graph.Tree{
		{Name: "index", Ref: graph.Ref{ID: v.Index, Level: IndexLevel}, Count: -1},
		{Name: "log", Ref: graph.Ref{ID: v.Log, Level: LogLevel}, Count: -1},
	}
}

// Check refuses a value with something that is not as it must be.
func (v *Value) Check() error {
	if v.DatabaseID == "" {
		return corrupt("the database's id is missing")
	}
	if v.IndexVersion != indexVersion {
		return unsupported("version %d of indexes, not %d", v.IndexVersion, indexVersion)
	}
	if v.LogVersion != logVersion {
		return unsupported("version %d of the log, not %d", v.LogVersion, logVersion)
	}
	for _, id := range []graph.ID{v.Index, v.Log} {
		if err := CheckID(id); err != nil {
			return err
		}
	}
	return checkTail(v.Tail)
}

// CountTail returns how many transactions the tail has, and how many datoms
// these have.
func (v *Value) CountTail() (transactions, datoms int64, err error) {
	err = readTail(v.Tail, func(tx txn) error {
		transactions++
		datoms += tx.datoms
		return nil
	})
	return transactions, datoms, describe("tail of the log", err)
}
