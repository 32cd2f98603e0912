package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// unknown stands in a line for a size or a digest that is not known.
const unknown = "-"

// FormatEntry is a segment as a line of a list, without the line's end: id,
// kind, size and SHA-256, and where it lies in a chunk if it does, with tabs
// between.
func FormatEntry(e Entry) string {
	b := make([]byte, 0, 160)
	b = append(b, e.ID...)
	b = append(b, '\t')
	b = append(b, e.Level.String()...)
	b = append(b, '\t')
	if e.Size < 0 {
		b = append(b, unknown...)
	} else {
		b = strconv.AppendInt(b, e.Size, 10)
	}
	b = append(b, '\t')
	if e.Digested() {
		b = hex.AppendEncode(b, e.SHA256[:])
	} else {
		b = append(b, unknown...)
	}
	if e.At.InChunk() {
		b = append(b, '\t')
		b = append(b, e.At.String()...)
	}
	return string(b)
}

// ParseEntry reads a line of a list.
func ParseEntry(line string) (Entry, error) {
	var e Entry
	bad := func() (Entry, error) {
		return Entry{}, fmt.Errorf("bad line %.60q in a list of segments: %w", line, ErrCorrupt)
	}
	f := strings.Split(line, "\t")
	if len(f) != 4 && len(f) != 5 || CheckName(f[0]) != nil {
		return bad()
	}
	e.ID = ID(f[0])
	var err error
	if e.Level, err = ParseLevel(f[1]); err != nil {
		return bad()
	}
	if len(f) == 5 {
		if e.At, err = ParseLocation(f[4]); err != nil {
			return bad()
		}
	}
	if f[2] == unknown && f[3] == unknown {
		e.Size = -1
		return e, nil
	}
	if e.Size, err = strconv.ParseInt(f[2], 10, 64); err != nil || e.Size < 0 {
		return bad()
	}
	if f[3] == unknown {
		return e, nil
	}
	if len(f[3]) != hex.EncodedLen(sha256.Size) {
		return bad()
	}
	if _, err := hex.Decode(e.SHA256[:], []byte(f[3])); err != nil || !e.Digested() {
		return bad()
	}
	return e, nil
}

// CheckName refuses an object's name that comes from data and is not a plain
// file name: it must not lead out of its directory.
func CheckName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\:\x00\n\t") || len(name) > 255 {
		return fmt.Errorf("%q cannot be an object's name: %w", name, ErrCorrupt)
	}
	return nil
}
