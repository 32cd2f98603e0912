package chunk

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// The compression methods of ZIP that are used.
const (
	methodStored = 0
	methodZstd   = 93
)

// flagDescriptor is the flag of entries that are followed by a descriptor.
const flagDescriptor = 8

// The versions of ZIP that a reader needs for what an entry has.
const (
	versionPlain = 20
	versionZip64 = 45
	versionZstd  = 63
)

// The sizes in bytes of what a ZIP file has besides names and data.
const (
	localSize        = 30
	descriptorSize   = 16
	descriptor64Size = 24
	centralSize      = 46
	extra64Size      = 28
	endSize          = 22
	locator64Size    = 20
	end64Size        = 56
)

// maxComment is the length of the longest comment: a kind, a digest, an offset.
const maxComment = 2 + 1 + 64 + 1 + 19

// maxDirectory bounds a directory, in bytes: it is held in memory as a whole,
// when it is written and when it is read. It has room for more than a million
// entries.
const maxDirectory = 256 << 20

// tailSize is the size of the descriptor of an entry of so many bytes.
func tailSize(flags uint16, size uint64) int64 {
	switch {
	case flags&flagDescriptor == 0:
		return 0
	case size >= math.MaxUint32:
		return descriptor64Size
	}
	return descriptorSize
}

// checkName refuses names that an unzip could not be trusted with: they must be
// relative, clean, and of ASCII that is printed.
func checkName(name string) error {
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' || r == ':' }
	if len(name) > math.MaxUint16 || name == "." || !fs.ValidPath(name) || strings.ContainsFunc(name, odd) {
		return fmt.Errorf("%.60q cannot be a name in a chunk: %w", name, graph.ErrCorrupt)
	}
	return nil
}

// comment is what a directory says of an entry besides name and sizes.
func comment(e graph.Entry) string {
	return e.Level.String() + " " + hex.EncodeToString(e.SHA256[:]) + " " + strconv.FormatInt(e.At.Offset, 10)
}

// parseComment reads what comment wrote. What is no segment has the kind "r",
// which lists do not have.
func parseComment(s string) (e graph.Entry, err error) {
	kind, rest, _ := strings.Cut(s, " ")
	sum, offset, _ := strings.Cut(rest, " ")
	e.Level = graph.Root
	if kind != graph.Root.String() {
		if e.Level, err = graph.ParseLevel(kind); err != nil {
			return e, err
		}
	}
	if len(sum) == hex.EncodedLen(len(e.SHA256)) {
		_, err = hex.Decode(e.SHA256[:], []byte(sum))
	}
	if err == nil {
		e.At.Offset, err = strconv.ParseInt(offset, 10, 64)
	}
	if err != nil || !e.Digested() || comment(e) != s {
		return e, fmt.Errorf("bad comment %.120q: %w", s, graph.ErrCorrupt)
	}
	return e, nil
}
