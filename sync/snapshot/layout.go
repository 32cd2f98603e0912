// Package snapshot is the durable record of backups at a destination: which
// points exist, what each of them reaches, and what an unfinished run has
// already written. DESIGN.md §3 draws the layout.
package snapshot

import (
	"fmt"
	"path"
	"time"

	"github.com/rclone/rclone/fs"
	"olympos.io/encoding/edn"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// Names within a destination.
const (
	StoreDir     = "store"
	storesDir    = "stores"
	snapshotsDir = "snapshots"
	inflightDir  = "inflight"
	headsDir     = "heads"
	manifestName = "manifest.edn"
	parkedName   = "pruned.edn"
	leaseName    = "lease.edn"
	listSuffix   = ".zst"
)

// timeLayout is ISO 8601 without colons, which not every remote can store.
const timeLayout = "2006-01-02T150405.000Z"

// NewID names a point: its time, and what the database calls that moment.
func NewID(t time.Time, moment string) string {
	return t.UTC().Format(timeLayout) + "-" + moment
}

// IDTime is the time in a point's or a run's id.
func IDTime(id string) (time.Time, error) {
	if len(id) < len(timeLayout) {
		return time.Time{}, fmt.Errorf("%q is not the id of a point: %w", id, graph.ErrCorrupt)
	}
	t, err := time.Parse(timeLayout, id[:len(timeLayout)])
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not the id of a point: %w", id, graph.ErrCorrupt)
	}
	return t, nil
}

// The kinds of databases, as manifests name them. A place has one kind.
const (
	Datahike edn.Keyword = "datahike"
	Datomic  edn.Keyword = "datomic"
)

// DatomicName is the path of a mutable object in Datomic's own layout: that of
// the owner, or of the root whose t it names.
func DatomicName(id graph.ID) string {
	if id == store.OwnerName {
		return store.OwnerName
	}
	return path.Join(store.RootsDir, string(id))
}

// segments are those of a kind of database below f.
func segments(f fs.Fs, kind edn.Keyword) *store.Files {
	if kind == Datomic {
		return store.Native(f)
	}
	return store.New(f, StoreDir)
}

// CopyDir is where a point lies that has a store of its own.
func CopyDir(point string) string { return path.Join(storesDir, point) }

// pointName is the path of what belongs to a point.
func (p *Place) pointName(id string, rest ...string) string {
	return path.Join(append([]string{p.pointsDir(), id}, rest...)...)
}

// runName is the path of what belongs to a run.
func (p *Place) runName(id string, rest ...string) string {
	return path.Join(append([]string{p.runsDir(), id}, rest...)...)
}

func (p *Place) runsDir() string { return path.Join(p.dir, inflightDir) }
