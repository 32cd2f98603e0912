// Package chunk packs many segments into one object, and reads them back. It
// knows nothing of backups but how their chunks are named.
//
// A chunk is a ZIP file that any unzip opens. Its entries lie one after the
// other from the first byte to the directory, with nothing between them, in the
// order in which they were added:
//
//	local header   30 bytes, the name; no extra field, no date
//	data           as it is (method 0), or one zstd frame (method 93)
//	descriptor     16 bytes, or 24 from 4 GiB on; of entries alone whose size
//	               was not known when they were begun
//
// In the directory an entry's comment is "kind sha256 offset": the kind as lists
// have it, the SHA-256 of the data before it was compressed in hex, and where
// the stored bytes begin. So a chunk says all that a list says of its segments.
// An entry is compressed exactly if fewer bytes are stored than it has.
//
// Reading never needs a local header: a list or the directory has the offset.
// Checked against PKWARE's APPNOTE.TXT 6.3.10 and Go's archive/zip.
package chunk

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Dir is the directory of a backup in which its chunks lie.
const Dir = "chunks"

const (
	prefix = "segments-"
	suffix = ".zip"
	digits = 6
)

// Info is what a manifest says of a chunk.
type Info struct {
	// Chunk is its name in lists: "<backup>/<number>".
	Chunk string
	// Size is the whole file's, in bytes, and SHA256 its digest.
	Size   int64
	SHA256 [sha256.Size]byte
	// Entries is how many the directory has.
	Entries int64
	// Directory is the offset of the directory, which reaches to the end.
	Directory int64
}

// Name is the file name of a backup's nth chunk: "segments-000003.zip".
func Name(n int) string { return fmt.Sprintf("%s%0*d%s", prefix, digits, n, suffix) }

// ParseName reads what [Name] wrote.
func ParseName(name string) (int, error) {
	number, ok := strings.CutSuffix(name, suffix)
	number, begins := strings.CutPrefix(number, prefix)
	n, err := strconv.ParseUint(number, 10, 32)
	if !ok || !begins || err != nil || len(number) != digits {
		return 0, fmt.Errorf("%.60q is no chunk's name: %w", name, graph.ErrCorrupt)
	}
	return int(n), nil
}

// Path is where a chunk "<backup>/<number>" lies below a database's directory:
// "<backup>/chunks/segments-000003.zip".
func Path(chunk string) (string, error) {
	if _, err := graph.ParseLocation(chunk + ":0:0"); err != nil {
		return "", fmt.Errorf("%.60q names no chunk: %w", chunk, graph.ErrCorrupt)
	}
	backup, number, _ := strings.Cut(chunk, "/")
	n, err := strconv.Atoi(number)
	return backup + "/" + Dir + "/" + Name(n), err
}
