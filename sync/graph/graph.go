// Package graph has the nouns that every part of the engine shares: segments
// named by ids, the levels at which they stand in a tree, and the errors that
// tell what is wrong with them. It imports the standard library alone.
package graph

import (
	"errors"
	"fmt"
	"strconv"
)

// Sentinel errors; match them with errors.Is.
var (
	// ErrNotFound: the segment is not in the store (or is too short to be one).
	ErrNotFound = errors.New("segment not found")
	// ErrCorrupt: the bytes are not what they must be.
	ErrCorrupt = errors.New("segment is corrupt")
	// ErrUnsupported: the bytes are sound, but of a kind that is not known here.
	ErrUnsupported = errors.New("not supported")
	// ErrTooLarge: a segment is larger than any that a database writes.
	ErrTooLarge = errors.New("segment is too large")
)

// ID names a segment's object below the root of its store. It is opaque: it
// need not be a hash of anything.
type ID string

// Level tells where a segment stands. Nodes of index trees have their height
// above the leaves, from 0; what is not a node of a tree has a negative level.
type Level int8

// The levels that are not heights.
const (
	// Root is a tree's topmost node, of a height that only its bytes tell.
	Root Level = -1
	// Schema is a blob that belongs to a record and refers to nothing.
	Schema Level = -2
	// Commit is a record that points to the roots of trees.
	Commit Level = -3
	// Value is an object that datoms refer to: bytes of any length, which are
	// never read as a segment.
	Value Level = -4
)

// Leaf is the level of nodes without children.
const Leaf Level = 0

// MaxLevel bounds heights: a tree of branching factor 2 and this height is
// larger than any store.
const MaxLevel Level = 63

// String is the level as lists write it: "c", "s", "v", or the height in
// decimal.
func (l Level) String() string {
	switch l {
	case Value:
		return "v"
	case Root:
		return "r"
	case Schema:
		return "s"
	case Commit:
		return "c"
	}
	return strconv.Itoa(int(l))
}

// ParseLevel reads what [Level.String] wrote.
func ParseLevel(s string) (Level, error) {
	switch s {
	case "c":
		return Commit, nil
	case "s":
		return Schema, nil
	case "v":
		return Value, nil
	}
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil || n > uint64(MaxLevel) {
		return 0, fmt.Errorf("bad segment kind %q: %w", s, ErrCorrupt)
	}
	return Level(n), nil
}

// Ref points to a segment and says at which level it is expected.
type Ref struct {
	ID    ID
	Level Level
}

// Node is what a segment's bytes say of the graph.
type Node struct {
	Level    Level
	Children []Ref
	// Count is how many datoms lie beneath, or -1 where the node does not say.
	Count int64
}

// Tree is the root of an index as a record names it. A record may hold the
// root node itself ("fused"): then Inline is set, and no object need exist
// under the reference's id.
type Tree struct {
	Ref    Ref
	Inline *Node
	// Name is the index's, for reports: "eavt", "temporal-eavt", "schema".
	Name string
	// Count is the number of datoms that the record states, or -1.
	Count int64
}

// Record is a commit or a head: what makes a set of trees one database value.
type Record struct {
	// ID is the commit's own object; empty for a head.
	ID ID
	// Trees are its indexes and the blobs that belong to it.
	Trees []Tree
	// Parents are the commits it was made from.
	Parents []ID
	// Generation never falls from a parent to its child in a history without
	// forced branches. It is a hint for the order of walking, no more.
	Generation int64
}

// Entry is a segment together with what is known of its bytes: of one that
// somebody else has written perhaps nothing but the size, or not even that.
type Entry struct {
	Ref
	// Size is in bytes, or -1 if it is not known.
	Size int64
	// SHA256 is zero if it is not known.
	SHA256 [32]byte
	// At is where it lies in a chunk, if it is in one.
	At Location
}

// Digested tells whether the bytes were read and digested.
func (e Entry) Digested() bool { return e.SHA256 != [32]byte{} }

// Held is a mutable object with the bytes that it had when it was read.
type Held struct {
	ID   ID
	Data []byte
}
