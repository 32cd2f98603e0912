package datomic

import (
	"fmt"
	"strconv"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// CatalogRow is the row of the catalog: the names of a storage's databases.
const CatalogRow = "pod-catalog"

// IndexRow is the row that names the root of a database's indexes.
func IndexRow(db string) string { return "ref-index-root/" + db }

// LogRow is the row that names the root and the tail of a database's log.
func LogRow(db string) string { return "pod-log-tail/" + db }

// GCRow is the row that names what a database's garbage collector may delete.
func GCRow(db string) string { return "ref-gc-root/" + db }

// maxRow bounds the text of a row other than the catalog, in bytes.
const maxRow = 64 << 10

// Keys of rows.
const (
	rowKey        = ":key"
	rowLogRoot    = ":d/r"
	rowBuild      = ":d/v"
	rowLogVersion = ":d/l"
	rowTail       = ":tail"
	rowPrev       = ":prev"
)

// LogRef is what the row of a log says.
type LogRef struct {
	// Root is the root of the log's tree.
	Root graph.ID
	// Version is that of the log; 3.
	Version int64
	// Tail is the newest link of the tail.
	Tail graph.ID
	// Build is that of the Datomic which wrote the row, such as "7622"; may be
	// empty.
	Build string
}

// row is the map of a row, by key.
type row map[string]form

// parseRow reads a row's map. Keys may come in any order; those that are not
// asked for are ignored.
func parseRow(text string) (row, error) {
	if len(text) > maxRow {
		return nil, corrupt("a row's map of %d bytes", len(text))
	}
	f, err := parseMap(text)
	if err != nil {
		return nil, err
	}
	m := row{}
	for i := 0; i < len(f.items); i += 2 {
		m[f.items[i].source] = f.items[i+1]
	}
	return m, nil
}

// id returns the value of a key, which must be an id.
func (m row) id(key string) (graph.ID, error) {
	f := m[key]
	if f.kind != '"' {
		return "", corrupt("a row has no string for %s", key)
	}
	return graph.ID(f.text), CheckID(graph.ID(f.text))
}

// ParseIndex reads the map of an index row, or of a gc row.
func ParseIndex(text string) (graph.ID, error) {
	m, err := parseRow(text)
	if err != nil {
		return "", err
	}
	return m.id(rowKey)
}

// ParseLog reads the map of a log row. A log of another version than 3
// matches graph.ErrUnsupported.
func ParseLog(text string) (ref LogRef, err error) {
	m, err := parseRow(text)
	if err != nil {
		return ref, err
	}
	version, ok := m[rowLogVersion]
	if !ok {
		return ref, unsupported("version 1 of the log, not %d", logVersion)
	}
	if ref.Version, err = strconv.ParseInt(version.text, 10, 64); err != nil || version.kind != 'a' {
		return ref, corrupt("%s is %s", rowLogVersion, version.source)
	}
	if ref.Version != logVersion {
		return ref, unsupported("version %d of the log, not %d", ref.Version, logVersion)
	}
	if ref.Root, err = m.id(rowLogRoot); err != nil {
		return ref, err
	}
	ref.Build = m[rowBuild].text
	ref.Tail, err = m.id(rowTail)
	return ref, err
}

// ParsePod reads the map of the catalog's row: the newest link of its chain.
func ParsePod(text string) (tail graph.ID, err error) {
	m, err := parseRow(text)
	if err != nil {
		return "", err
	}
	return m.id(rowTail)
}

// ParsePrev reads the map of a link of a chain: the link before it, or "" for
// the oldest.
func ParsePrev(text string) (prev graph.ID, err error) {
	m, err := parseRow(text)
	if err != nil {
		return "", err
	}
	if _, ok := m[rowPrev]; !ok {
		return "", nil
	}
	return m.id(rowPrev)
}

// FormatIndex is the map of an index row, or of a gc row, as Datomic writes it.
func FormatIndex(root graph.ID) string { return fmt.Sprintf("{%s %q}", rowKey, root) }

// FormatLog is the map of a log row.
func FormatLog(r LogRef) string {
	return fmt.Sprintf("{%s %q, %s %s, %s %d, %s %q}", rowLogRoot, r.Root, rowBuild, quote(r.Build), rowLogVersion, r.Version, rowTail, r.Tail)
}

// FormatPod is the map of the catalog's row.
func FormatPod(tail graph.ID) string { return fmt.Sprintf("{%s %q}", rowTail, tail) }

// FormatPrev is the map of a link of a chain; prev is "" for the oldest.
func FormatPrev(prev graph.ID) string {
	if prev == "" {
		return "{}"
	}
	return fmt.Sprintf("{%s %q}", rowPrev, prev)
}
