package datomic

import (
	"strings"

	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
	"github.com/rclone-datom/rclone-datom/sync/codec/hasch"
	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// Lengths of ids, in characters.
const (
	uuidLen  = 36
	chunkLen = 15 // the number of a full-text chunk, hexadecimal in upper case
)

// CheckID tells whether an id is one that Datomic gives: a uuid in lower case,
// or that, "_" and the 15 hexadecimal digits, in upper case, of a full-text
// chunk's number. It matches graph.ErrCorrupt if not. Such an id is safe as a
// file's name.
func CheckID(id graph.ID) error {
	s := string(id)
	if len(s) == uuidLen+1+chunkLen && s[uuidLen] == '_' && strings.Trim(s[uuidLen+1:], "0123456789ABCDEF") == "" {
		s = s[:uuidLen]
	}
	if _, err := hasch.Parse(s); err != nil {
		return corrupt("%q is no id of a segment", string(id))
	}
	return nil
}

// Folder is the folder of a backup in which a segment lies: the last two
// characters of its id, which must be one that CheckID accepts.
func Folder(id graph.ID) string { return string(id[len(id)-2:]) }

func uuidID(u fressian.UUID) graph.ID { return graph.ID(hasch.String(u)) }
