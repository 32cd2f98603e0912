package graph

import (
	"fmt"
	"strconv"
	"strings"
)

// Location is where a segment lies in a chunk. The zero value means that it has
// an object of its own.
type Location struct {
	// Chunk names the chunk: the id of the backup that has it, a slash, and its
	// number there.
	Chunk string
	// Offset is where the stored bytes begin in the chunk, Stored is how many
	// they are: the segment's size, unless they are compressed.
	Offset, Stored int64
}

// InChunk tells whether the segment lies in a chunk.
func (l Location) InChunk() bool { return l.Chunk != "" }

// String is the location as lists write it: "chunk:offset:stored".
func (l Location) String() string {
	return l.Chunk + ":" + strconv.FormatInt(l.Offset, 10) + ":" + strconv.FormatInt(l.Stored, 10)
}

// ParseLocation reads what [Location.String] wrote.
func ParseLocation(s string) (Location, error) {
	bad := func() (Location, error) {
		return Location{}, fmt.Errorf("bad place %.60q of a segment: %w", s, ErrCorrupt)
	}
	f := strings.Split(s, ":")
	if len(f) != 3 {
		return bad()
	}
	backup, number, ok := strings.Cut(f[0], "/")
	if n, err := strconv.ParseUint(number, 10, 32); !ok || err != nil || n > MaxChunk || strconv.FormatUint(n, 10) != number || CheckName(backup) != nil {
		return bad()
	}
	l := Location{Chunk: f[0]}
	var err error
	if l.Offset, err = strconv.ParseInt(f[1], 10, 64); err != nil || l.Offset < 0 {
		return bad()
	}
	if l.Stored, err = strconv.ParseInt(f[2], 10, 64); err != nil || l.Stored < 0 || l.Offset+l.Stored < 0 {
		return bad()
	}
	return l, nil
}

// MaxChunk is the highest number that a chunk can have.
const MaxChunk = 999_999
