package dbsync

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
	"github.com/rclone-datom/rclone-datom/sync/transfer"
)

// markerSuffix ends the name of the object that says which point is being
// restored; konserve skips names that end so.
const markerSuffix = ".restoring.new"

// name decides what the objects of the copy are called, and refuses places
// where Datahike would not find them.
func (r *restore) name() (err error) {
	if r.m.Kind == snapshot.Datomic {
		r.opt.ObjectNames = ""
		r.files = store.Native(r.target)
		return nil
	}
	if r.opt.ObjectNames == "" {
		r.opt.ObjectNames = NamesFile
	}
	if r.names, err = namesAt(r.target, r.opt.ObjectNames, r.m.StoreID, r.m.Time); err != nil {
		if r.opt.ObjectNames == NamesS3 && !errors.Is(err, ErrRefused) {
			err = refuse("point %s has no :store :id with which names on S3 could begin (restore it with --object-names file): %w", r.m.Point, err)
		}
		return err
	}
	r.files = store.Named(r.target, "", r.names)
	r.root = r.files
	return nil
}

// headName is where the database looks for a mutable object.
func (r *restore) headName(id graph.ID) string {
	if r.m.Kind == snapshot.Datomic {
		return snapshot.DatomicName(id)
	}
	return r.files.Remote(id)
}

// marker names what is being restored, so that nothing else is mixed with it.
func (r *restore) marker() graph.ID {
	if r.branch == "" {
		return graph.ID(r.m.Point + markerSuffix)
	}
	return graph.ID(fmt.Sprintf("%s.%x%s", r.m.Point, sha256.Sum256([]byte(r.branch+"\n"+r.commit)), markerSuffix))
}

// lying is what is at the target.
type lying struct {
	lines *spill.Sorter // name and size of each entry that is not torn
	torn  []fs.Object   // cut off by an interrupted restore
	// foreign is one of the entries, other the marker of another restore.
	foreign, other string
	n              int
}

// look lists the target.
func (r *restore) look(ctx context.Context, l *lying, marked bool) error {
	err := r.root.Entries(ctx, func(name string, e fs.DirEntry) error {
		o, isObject := e.(fs.Object)
		switch {
		case name == string(r.marker()):
			return nil
		case isObject && r.cutOff(name, marked):
			l.torn = append(l.torn, o)
			return nil
		case isObject && strings.HasSuffix(name, markerSuffix):
			l.other = name
		case !isObject || l.foreign == "":
			l.foreign = e.Remote()
		}
		l.n++
		l.lines.Add(fmt.Sprintf("%s\t%d", name, e.Size()))
		return nil
	})
	if err == nil && marked && r.root != r.files {
		err = r.files.List(ctx, func(id graph.ID, o fs.Object) error {
			l.lines.Add(fmt.Sprintf("%s\t%d", id, o.Size()))
			return nil
		})
	}
	if errors.Is(err, fs.ErrorDirNotFound) {
		err = nil
	}
	return err
}

// prepare looks at the target: it is empty, or a restore of the same point
// was interrupted there. It returns what lies there, by id, with sizes.
func (r *restore) prepare(ctx context.Context) (*spill.Table, error) {
	_, err := r.root.Size(ctx, r.marker())
	if err != nil && !errors.Is(err, graph.ErrNotFound) {
		return nil, err
	}
	marked := err == nil
	l := &lying{lines: spill.NewSorter()}
	defer l.lines.Close()
	if err := r.look(ctx, l, marked); err != nil {
		return nil, err
	}
	switch {
	case l.other != "" && !marked:
		return nil, refuse("%s holds an interrupted restore of point %s: go on with --at and the --branch and --commit it was begun with, or restore into an empty place",
			r.to(), pointOfMarker(l.other))
	case l.n > 0 && !marked:
		return nil, refuse("%s is not empty (it holds %s and %d more): restore into an empty place", r.to(), l.foreign, l.n-1)
	}
	if l.n == 0 {
		if err := checkKey(ctx, r.target); err != nil {
			return nil, err
		}
	}
	if err := r.discard(ctx, l.torn); err != nil {
		return nil, err
	}
	if marked {
		fs.Logf(r.target, "Resuming the restore of point %s", r.m.Point)
	} else if err := r.copier.Replace(ctx, r.root.Remote(r.marker()), []byte("being restored by rclone-datom\n")); err != nil {
		return nil, err
	}
	return spill.NewTable(l.lines.Sorted())
}

// pointOfMarker is the point in a marker's name, which may have a digest after it.
func pointOfMarker(name string) string {
	point := strings.TrimSuffix(name, markerSuffix)
	if i := strings.LastIndexByte(point, '.'); len(point)-i > sha256.Size*2 {
		point = point[:i]
	}
	return point
}

// cutOff tells whether a name is that of an upload which an interrupted
// restore has left half done.
func (r *restore) cutOff(name string, marked bool) bool {
	return strings.HasPrefix(name, string(r.marker())+".") || marked && strings.HasSuffix(name, ".new")
}

func (r *restore) discard(ctx context.Context, torn []fs.Object) error {
	if fs.GetConfig(ctx).DryRun {
		return nil
	}
	for _, o := range torn {
		if err := o.Remove(ctx); err != nil {
			return err
		}
	}
	return nil
}

// untouched refuses to take up a restore that has got as far as its heads and
// whose heads are others now: the copy is in use.
func (r *restore) untouched(ctx context.Context, held []graph.Held, present *spill.Table) error {
	for _, h := range held {
		data, err := r.head(ctx, h.ID, present)
		if errors.Is(err, graph.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if string(data) != string(h.Data) {
			return refuse("%s holds a database whose heads have moved since it was restored: restore into an empty place, or if it is complete delete %s there",
				r.to(), r.root.Remote(r.marker()))
		}
	}
	return nil
}

// head reads a mutable object at the target.
func (r *restore) head(ctx context.Context, id graph.ID, present *spill.Table) ([]byte, error) {
	if r.m.Kind == snapshot.Datomic {
		return r.root.Get(ctx, graph.ID(r.headName(id)))
	}
	_, ok, err := present.Get(string(id))
	if err == nil && !ok {
		err = graph.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return r.files.Get(ctx, id)
}

// finish makes the copy openable: heads, then the set of branches, then what
// konserve asks for before it connects.
func (r *restore) finish(ctx context.Context, held []graph.Held) error {
	if err := transfer.SyncToDisk(r.target); err != nil {
		return err
	}
	if r.names.Marker != "" {
		held = append(held[:len(held):len(held)], graph.Held{ID: r.names.Marker, Data: []byte(r.names.Text)})
	}
	for _, h := range held {
		if err := r.copier.Replace(ctx, r.headName(h.ID), h.Data); err != nil {
			return err
		}
	}
	if fs.GetConfig(ctx).DryRun {
		return nil
	}
	o, err := r.target.NewObject(ctx, r.root.Remote(r.marker()))
	if err != nil {
		return err
	}
	if err := o.Remove(ctx); err != nil {
		return err
	}
	return transfer.SyncToDisk(r.target)
}
