package datomic

import (
	"fmt"

	"github.com/rclone-datom/rclone-datom/sync/codec/edn"
	"github.com/rclone-datom/rclone-datom/sync/codec/fressian"
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
var (
	rowKey        = fressian.Keyword{Name: "key"}
	rowLogRoot    = fressian.Keyword{NS: "d", Name: "r"}
	rowBuild      = fressian.Keyword{NS: "d", Name: "v"}
	rowLogVersion = fressian.Keyword{NS: "d", Name: "l"}
	rowTail       = fressian.Keyword{Name: "tail"}
	rowPrev       = fressian.Keyword{Name: "prev"}
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

// parseMap reads text that is one map and nothing else.
func parseMap(text string) (fressian.Map, error) {
	v, err := edn.Parse([]byte(text))
	if err != nil {
		return nil, corrupt("%v", err)
	}
	m, ok := v.(fressian.Map)
	if !ok {
		return nil, corrupt("%T where a map should be", v)
	}
	return m, nil
}

// row is the map of a row.
type row struct{ fressian.Map }

// parseRow reads a row's map. Keys may come in any order; those that are not
// asked for are ignored.
func parseRow(text string) (row, error) {
	if len(text) > maxRow {
		return row{}, corrupt("a row's map of %d bytes", len(text))
	}
	m, err := parseMap(text)
	return row{m}, err
}

// value returns the value of a key, if it is a T.
func value[T any](m row, key fressian.Keyword) (t T, ok bool) {
	v, _ := m.Get(key.NS, key.Name)
	t, ok = v.(T)
	return t, ok
}

// id returns the value of a key, which must be an id.
func (m row) id(key fressian.Keyword) (graph.ID, error) {
	s, ok := value[string](m, key)
	if !ok {
		name, _ := edn.AppendLine(nil, key) // our own keys have a text
		return "", corrupt("a row has no string for %s", name)
	}
	return graph.ID(s), CheckID(graph.ID(s))
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
	version, ok := m.Get(rowLogVersion.NS, rowLogVersion.Name)
	if !ok {
		return ref, unsupported("version 1 of the log, not %d", logVersion)
	}
	if ref.Version, ok = version.(int64); !ok {
		return ref, corrupt("the version of the log is %v", version)
	}
	if ref.Version != logVersion {
		return ref, unsupported("version %d of the log, not %d", ref.Version, logVersion)
	}
	if ref.Root, err = m.id(rowLogRoot); err != nil {
		return ref, err
	}
	ref.Build, _ = value[string](m, rowBuild)
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
	if _, ok := m.Get("", rowPrev.Name); !ok {
		return "", nil
	}
	return m.id(rowPrev)
}

// FormatIndex is the map of an index row, or of a gc row, as Datomic writes it.
func FormatIndex(root graph.ID) string { return fmt.Sprintf("{:key %q}", root) }

// FormatLog is the map of a log row.
func FormatLog(r LogRef) string {
	build, _ := edn.AppendLine(nil, r.Build) // strings always have a text
	return fmt.Sprintf("{:d/r %q, :d/v %s, :d/l %d, :tail %q}", r.Root, build, r.Version, r.Tail)
}

// FormatPod is the map of the catalog's row.
func FormatPod(tail graph.ID) string { return fmt.Sprintf("{:tail %q}", tail) }

// FormatPrev is the map of a link of a chain; prev is "" for the oldest.
func FormatPrev(prev graph.ID) string {
	if prev == "" {
		return "{}"
	}
	return fmt.Sprintf("{:prev %q}", prev)
}
