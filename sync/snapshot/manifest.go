package snapshot

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/graph"
)

// FormatVersion is the newest layout that this code writes and reads.
const FormatVersion = 1

// Manifest describes a point. It is written last: a point exists when its
// manifest does. It holds no setting that could be a secret.
type Manifest struct {
	FormatVersion int `edn:"format/version"`
	// Layout is Chunked where segments lie in chunks, and Compression what is
	// done to them there.
	Layout      edn.Keyword `edn:"format/layout,omitempty"`
	Compression edn.Keyword `edn:"format/compression,omitempty"`
	ToolVersion string      `edn:"tool/version"`

	// Kind is the database's: ":datahike". ID is what tells it from another
	// one; StoreID is what connecting to a copy needs, where there is one.
	Kind    edn.Keyword `edn:"database/kind"`
	ID      string      `edn:"database/id"`
	StoreID string      `edn:"database/store-id,omitempty"`

	// Name, T and Tx are those of a Datomic database: what the catalog calls it,
	// its basis, and the id of its last transaction.
	Name string `edn:"datomic/name,omitempty"`
	T    int64  `edn:"datomic/t,omitempty"`
	Tx   string `edn:"datomic/tx,omitempty"`

	Point  string `edn:"snapshot/id"`
	Parent string `edn:"snapshot/parent,omitempty"`
	// Copy: the point has a store of its own, StoresDir/<Point>, and shares
	// nothing with others.
	Copy bool `edn:"snapshot/copy,omitempty"`
	// Adopted: Datomic itself has written what the point lists. Without a
	// digest a segment was not read when it was listed.
	Adopted bool      `edn:"snapshot/adopted,omitempty"`
	Time    time.Time `edn:"snapshot/time"`
	// Duration is the run's, in milliseconds.
	Duration int64 `edn:"snapshot/duration-ms"`

	// Branches are by name, with the colon. A name may have any characters,
	// so it is a string here and no keyword.
	Branches map[string]Branch `edn:"branches"`
	// Tails are the oldest commits: those none of whose parents are there.
	// A garbage collection removes them first, so they tell of one.
	Tails []string `edn:"tails"`

	// Absent are objects to which datoms refer and that were not there: they
	// may be kept elsewhere, or come later.
	Absent []string `edn:"values/absent,omitempty"`

	New      Count `edn:"segments/new"`
	Released Count `edn:"segments/released"`
	Total    Count `edn:"segments/total"`

	// Newest is when the youngest head of any point here was written, in
	// milliseconds by the databases' own clocks: what is not younger may have
	// been written for one of them.
	Newest int64 `edn:"snapshot/newest-write"`

	// Held are the mutable objects in the order of writing.
	Held         []Object `edn:"heads"`
	AddedList    []List   `edn:"lists/added"`
	ReleasedList []List   `edn:"lists/released"`

	// Settings is an allow-list of what opening a copy needs.
	Settings map[edn.Keyword]any `edn:"settings"`

	// Chunks are those in which the segments of AddedList lie.
	Chunks []Chunk `edn:"chunks,omitempty"`
}

// MaxAbsent bounds the absent values that one manifest can list.
const MaxAbsent = 20_000

// HeadName is the path within the destination of one of the mutable objects
// that the point holds, where the database finds it.
func (m *Manifest) HeadName(id graph.ID) string {
	switch {
	case m.Copy && m.Layout != Chunked:
		return path.Join(CopyDir(m.Point), string(id))
	case m.Kind == Datomic:
		return DatomicName(id)
	}
	return path.Join(StoreDir, string(id))
}

// Branch is where a branch stood.
type Branch struct {
	Commit string `edn:"commit"`
	MaxTx  int64  `edn:"max-tx"`
	// Absent: the commit's own record was not there.
	Absent bool `edn:"commit-absent,omitempty"`
}

// Count is a number of segments and of commits among them, and their bytes.
type Count struct {
	Segments int64 `edn:"segments" json:"segments"`
	Commits  int64 `edn:"commits" json:"commits"`
	Bytes    int64 `edn:"bytes" json:"bytes"`
}

// Plus returns c + d.
func (c Count) Plus(d Count) Count {
	return Count{c.Segments + d.Segments, c.Commits + d.Commits, c.Bytes + d.Bytes}
}

// Minus returns c - d.
func (c Count) Minus(d Count) Count {
	return Count{c.Segments - d.Segments, c.Commits - d.Commits, c.Bytes - d.Bytes}
}

// Add counts one segment.
func (c *Count) Add(e graph.Entry) {
	c.Segments++
	c.Bytes += max(e.Size, 0)
	if e.Level == graph.Commit {
		c.Commits++
	}
}

// Object is an object beside the manifest and the digest of its bytes.
type Object struct {
	Name   string `edn:"object"`
	Size   int64  `edn:"size"`
	SHA256 string `edn:"sha256"`
	// Bytes are the object's own, where it lies in the manifest and nowhere else.
	Bytes []byte `edn:"bytes,omitempty"`
}

// List is an object that lists segments.
type List struct {
	Object
	Segments int64 `edn:"segments"`
}

// Encode returns the manifest as EDN that a person can read.
func (m *Manifest) Encode() ([]byte, error) {
	var v any = m
	if m.Layout == Chunked {
		v = (*chunkedManifest)(m)
	}
	b, err := edn.MarshalPPrint(v, nil)
	if err != nil {
		return nil, fmt.Errorf("failed to encode the manifest: %w", err)
	}
	return append(b, '\n'), nil
}

// readable makes sure that an encoded manifest will be read as it was meant:
// without its manifest a point is lost.
func (m *Manifest) readable(b []byte) error {
	back, err := DecodeManifest(m.Point, b)
	if err != nil {
		return fmt.Errorf("the manifest could not be read again: %w", err)
	}
	again, err := back.Encode()
	if err != nil || len(again) != len(b) || !maps.Equal(back.Branches, m.Branches) {
		return fmt.Errorf("the manifest would not be read as it was written: %w", graph.ErrUnsupported)
	}
	return nil
}

// maxManifest bounds a manifest in bytes: the root of a Datomic database, which
// that of a point in chunks holds, may have some megabytes.
const maxManifest = 32 << 20

// DecodeManifest reads a manifest and refuses what a newer version wrote.
func DecodeManifest(point string, b []byte) (*Manifest, error) {
	if len(b) > maxManifest || nests(b) {
		return nil, fmt.Errorf("manifest of point %s has %d bytes, or nests too deeply: %w", point, len(b), graph.ErrCorrupt)
	}
	var version struct {
		FormatVersion int         `edn:"format/version"`
		Layout        edn.Keyword `edn:"format/layout"`
	}
	if err := edn.Unmarshal(b, &version); err != nil {
		return nil, fmt.Errorf("manifest of point %s: %w: %w", point, graph.ErrCorrupt, err)
	}
	if version.FormatVersion > FormatVersion {
		return nil, fmt.Errorf("point %s has format version %d, this program reads up to %d; use a newer rclone-datom: %w",
			point, version.FormatVersion, FormatVersion, graph.ErrUnsupported)
	}
	m := new(Manifest)
	var v any = m
	switch version.Layout {
	case "":
	case Chunked:
		v = (*chunkedManifest)(m)
	default:
		return nil, fmt.Errorf("point %s has the layout %q; use a newer rclone-datom: %w", point, string(version.Layout), graph.ErrUnsupported)
	}
	if err := edn.Unmarshal(b, v); err != nil {
		return nil, fmt.Errorf("manifest of point %s: %w: %w", point, graph.ErrCorrupt, err)
	}
	return m, m.validate(point)
}

// validate checks what is used as a name before it is used as one.
func (m *Manifest) validate(point string) error {
	bad := func(what string) error {
		return fmt.Errorf("manifest of point %s: bad %s: %w", point, what, graph.ErrCorrupt)
	}
	switch {
	case m.FormatVersion < 1:
		return bad(":format/version")
	case m.Kind != Datahike && m.Kind != Datomic:
		return fmt.Errorf("point %s is of a %q database; use a newer rclone-datom: %w", point, string(m.Kind), graph.ErrUnsupported)
	case m.Point != point:
		return bad(":snapshot/id")
	case m.ID == "":
		return bad(":database/id")
	case len(m.Held) == 0:
		return bad(":heads")
	}
	if m.Parent != "" {
		if m.Copy {
			return bad(":snapshot/copy")
		}
		if _, err := IDTime(m.Parent); err != nil || graph.CheckName(m.Parent) != nil || m.Parent >= m.Point {
			return bad(":snapshot/parent")
		}
	}
	return m.validateNames(bad)
}

// validateNames checks the names of objects.
func (m *Manifest) validateNames(bad func(string) error) error {
	for what, names := range map[string][]string{":tails": m.Tails, ":values/absent": m.Absent} {
		if slices.ContainsFunc(names, func(n string) bool { return graph.CheckName(n) != nil }) {
			return bad(what)
		}
	}
	objects := slices.Clone(m.Held)
	for _, l := range slices.Concat(m.AddedList, m.ReleasedList) {
		objects = append(objects, l.Object)
	}
	if slices.ContainsFunc(objects, func(o Object) bool { return graph.CheckName(o.Name) != nil }) {
		return bad("object name")
	}
	return nil
}
