package dbsync

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"

	"github.com/rclone-datom/rclone-datom/sync/descent"
	"github.com/rclone-datom/rclone-datom/sync/dialect/datomic"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
	"github.com/rclone-datom/rclone-datom/sync/spill"
	"github.com/rclone-datom/rclone-datom/sync/store"
)

// nativeRoot is a root in Datomic's own layout, of a point of ours or not.
type nativeRoot struct {
	store.Root
	// The rest is there when it was read.
	data  []byte
	value *datomic.Value
	last  datomic.Transaction
}

// parseT reads a t as a user may write it: 1708, or t1708 as points are named.
func parseT(s string) (int64, bool) { return store.ParseT(strings.TrimPrefix(s, "t")) }

// ofDatomic tells of a point's id whether it is named by a t.
func ofDatomic(id string) bool {
	_, ok := strings.CutPrefix(id[strings.LastIndexByte(id, '-')+1:], "t")
	return ok
}

// idsAt are the points for a t, by their names.
func idsAt(ids []string, t int64) (at []string) {
	for _, id := range ids {
		if strings.HasSuffix(id, "-"+moment(t)) {
			at = append(at, id)
		}
	}
	return at
}

// moment is what names a t in a point's id. It is the whole id of a point that
// has no record here.
func moment(t int64) string { return "t" + strconv.FormatInt(t, 10) }

// recorded tells whether a complete point of ours is for the root.
func recorded(ctx context.Context, place *snapshot.Place, ids []string, t int64) (bool, error) {
	for _, id := range idsAt(ids, t) {
		_, err := place.Manifest(ctx, id)
		switch {
		case err == nil, errors.Is(err, graph.ErrUnsupported): // of a newer version
			return true, nil
		case !damaged(err):
			return false, err
		}
	}
	return false, nil
}

// unrecorded are those of some roots that no complete point of ours is for. They
// are still to be read.
func unrecorded(ctx context.Context, place *snapshot.Place, ids []string, roots []store.Root) iter.Seq2[nativeRoot, error] {
	return func(yield func(nativeRoot, error) bool) {
		for _, root := range roots {
			ours, err := recorded(ctx, place, ids, root.T)
			if err == nil && ours {
				continue
			}
			if !yield(nativeRoot{Root: root}, err) || err != nil {
				return
			}
		}
	}
}

// nativePoints are the roots that no point of ours is for.
func nativePoints(ctx context.Context, place *snapshot.Place, ids []string) (points []Point, err error) {
	if place.Chunked() {
		return nil, nil
	}
	roots, err := store.Roots(ctx, place.F)
	if err != nil {
		return nil, err
	}
	for r, err := range unrecorded(ctx, place, ids, roots) {
		if err != nil {
			return nil, err
		}
		p := Point{ID: moment(r.T), Kind: string(snapshot.Datomic), T: r.T, Time: r.Time.UTC(), Complete: true, Native: true}
		if err := r.read(ctx, place); err != nil {
			p.Damaged, p.Complete = err.Error(), false
		} else {
			p.Database, p.Name = r.value.DatabaseID, firstName(r.value.DatabaseID)
		}
		points = append(points, p)
	}
	return points, nil
}

// nativeManifests are what manifests would say of the roots that no point of ours
// is for, with the last transaction.
func nativeManifests(ctx context.Context, place *snapshot.Place, ids []string) (all []*snapshot.Manifest, err error) {
	if place.Chunked() {
		return nil, nil
	}
	roots, err := store.Roots(ctx, place.F)
	if err != nil {
		return nil, err
	}
	d, segments := datomic.New(), store.Native(place.F)
	for r, err := range unrecorded(ctx, place, ids, roots) {
		if err == nil {
			err = r.read(ctx, place)
		}
		if err == nil {
			r.last, err = d.Last(ctx, segments.Get, r.value)
		}
		if err != nil {
			return nil, fmt.Errorf("t %d, which Datomic has written: %w", r.T, err)
		}
		n := &snapshot.Manifest{Point: moment(r.T), FormatVersion: snapshot.FormatVersion, ToolVersion: fs.Version}
		r.describe(n)
		all = append(all, n)
	}
	return all, nil
}

// findNative looks for a root that is newer than the point m, which may be nil,
// or is what at names, and that no point of ours is for.
func findNative(ctx context.Context, place *snapshot.Place, ids []string, m *snapshot.Manifest, at string) (*snapshot.Manifest, error) {
	suits := meant(at)
	if suits == nil || m != nil && at != "" && !isTime(at) {
		return nil, nil // no root can be meant, or a point was named exactly
	}
	roots, err := store.Roots(ctx, place.F)
	if err != nil {
		return nil, err
	}
	roots = slices.DeleteFunc(roots, func(r store.Root) bool { return !suits(r) || m != nil && r.T <= m.T })
	slices.Reverse(roots)
	for r, err := range unrecorded(ctx, place, ids, roots) {
		if err != nil {
			return nil, err
		}
		if err := r.read(ctx, place); err != nil {
			return nil, fmt.Errorf("%w; other points may be whole: choose one with --at, as rclone-datom backups lists them", err)
		}
		n := &snapshot.Manifest{Point: moment(r.T), FormatVersion: snapshot.FormatVersion}
		r.describe(n)
		return n, nil
	}
	return nil, nil
}

// isTime tells whether what a user has said is a time and no t.
func isTime(at string) bool {
	_, isT := parseT(at)
	_, err := fs.ParseTime(at)
	return !isT && err == nil
}

// meant tells of a root whether it may be what a user has said; it is nil if
// none can be.
func meant(at string) func(store.Root) bool {
	t, isT := parseT(at)
	made, err := fs.ParseTime(at)
	switch {
	case strings.HasPrefix(at, "-"): // as many seconds ahead
		return nil
	case at == "":
		return func(store.Root) bool { return true }
	case isT:
		return func(r store.Root) bool { return r.T == t }
	case err != nil:
		return nil
	}
	return func(r store.Root) bool { return !r.Time.After(made) }
}

// isNative tells whether a manifest was made from a root that Datomic has
// written: there are no lists, and no held bytes but the root itself.
func isNative(m *snapshot.Manifest) bool { return m.Point == moment(m.T) }

// heldOf reads the exact bytes of a point's mutable objects. Those of a Datomic
// database lie where Datomic finds them as well.
func heldOf(ctx context.Context, place *snapshot.Place, m *snapshot.Manifest) ([]graph.Held, error) {
	if !isNative(m) {
		held, err := place.Held(ctx, m)
		if m.Kind == snapshot.Datomic && !place.Chunked() && (damaged(err)) {
			if again, ok := heldNative(ctx, place, m); ok {
				return again, nil
			}
		}
		return held, err
	}
	r := nativeRoot{Root: store.Root{T: m.T}}
	if err := r.read(ctx, place); err != nil {
		return nil, err
	}
	return r.held(), nil
}

// heldNative reads them there, if they are what the point says.
func heldNative(ctx context.Context, place *snapshot.Place, m *snapshot.Manifest) (held []graph.Held, ok bool) {
	for _, o := range m.Held {
		data, err := place.Heads().Get(ctx, graph.ID(snapshot.DatomicName(graph.ID(o.Name))))
		if err != nil || !o.Matches(data) {
			return nil, false
		}
		held = append(held, graph.Held{ID: graph.ID(o.Name), Data: data})
	}
	return held, true
}

// closureOf returns everything that a point reaches; of one that Datomic has
// written, or whose lists are lost, by walking it, without its leaves.
func closureOf(ctx context.Context, place *snapshot.Place, m *snapshot.Manifest) (*spill.Table, error) {
	if !isNative(m) {
		closure, err := place.Closure(ctx, m)
		if m.Kind != snapshot.Datomic || place.Chunked() || !damaged(err) {
			return closure, err
		}
		fs.Logf(place.F, "%v: taking what the root reaches, which has no digests", err)
	}
	v, err := pointValue(ctx, place, m)
	if err != nil {
		return nil, err
	}
	lines := spill.NewSorter()
	defer lines.Close()
	files := place.StoreOf(m)
	read := func(ctx context.Context, ref graph.Ref) ([]byte, error) { return files.Get(ctx, ref.ID) }
	if err := reachNative(ctx, v, datomic.New(), read, false, lines, nil); err != nil {
		return nil, fmt.Errorf("t %d of %s: %w", m.T, place, err)
	}
	return spill.NewTable(lines.Sorted())
}

// read gets and decodes the root itself.
func (r *nativeRoot) read(ctx context.Context, place *snapshot.Place) (err error) {
	name := store.RootName(r.T)
	if r.data, err = place.Heads().Get(ctx, graph.ID(name)); err != nil {
		return err
	}
	r.value, err = datomic.DecodeRoot(name, r.data)
	return err
}

// held are the mutable objects of the root.
func (r *nativeRoot) held() []graph.Held { return heldAt(r.value.DatabaseID, r.T, r.data) }

// heldAt are the mutable objects of a Datomic database at t, in the order of
// writing: the owner's id, and the root.
func heldAt(id string, t int64, root []byte) []graph.Held {
	return []graph.Held{
		{ID: store.OwnerName, Data: []byte(id)},
		{ID: graph.ID(strconv.FormatInt(t, 10)), Data: root},
	}
}

// describe makes a manifest of a root that no point of ours is for.
func (r *nativeRoot) describe(m *snapshot.Manifest) {
	m.Kind, m.ID, m.Adopted = snapshot.Datomic, r.value.DatabaseID, true
	m.T, m.Tx, m.Time = r.T, r.last.ID, r.Time.UTC().Truncate(time.Millisecond)
	m.Name = firstName(m.ID)
	for _, h := range r.held() {
		m.Held = append(m.Held, snapshot.Describe(string(h.ID), h.Data))
	}
}

// pointValue is the value of a point of a Datomic database.
func pointValue(ctx context.Context, place *snapshot.Place, m *snapshot.Manifest) (*datomic.Value, error) {
	held, err := heldOf(ctx, place, m)
	if err != nil {
		return nil, err
	}
	return heldValue(m, held)
}

func heldValue(m *snapshot.Manifest, held []graph.Held) (*datomic.Value, error) {
	for _, h := range held {
		if h.ID != store.OwnerName {
			return datomic.DecodeRoot(string(h.ID), h.Data)
		}
	}
	return nil, fmt.Errorf("point %s holds no root: %w", m.Point, graph.ErrCorrupt)
}

// reachNative lists what a value reaches at a place: a line as in a point's
// list for each segment, with what was learned of it. Leaves are read if deep
// says so; tolerate may be nil.
func reachNative(ctx context.Context, v *datomic.Value, d descent.Decoder, read descent.Reader, deep bool, lines *spill.Sorter, tolerate func(graph.Ref, error)) error {
	w := descent.Walker{
		Decoder: d, Read: read, Tolerate: tolerate, Workers: fs.GetConfig(ctx).Checkers,
		Known: func(graph.ID) (bool, error) { return !deep, nil },
		Visit: func(_ context.Context, ref graph.Ref, data []byte) error {
			e := graph.Entry{Ref: ref, Size: -1}
			if data != nil {
				e.Size, e.SHA256 = int64(len(data)), sha256.Sum256(data)
			}
			lines.Add(graph.FormatEntry(e))
			return nil
		},
	}
	return w.Diff(ctx, v.Trees(), nil)
}

// checkRoot judges a file roots/<t> that is not what the point has put there. A
// later point of the same t may have replaced it, or Datomic itself: after an
// index job the same transactions hang under other roots.
func checkRoot(ctx context.Context, place *snapshot.Place, m *snapshot.Manifest, d *datomic.Dialect, held, data []byte) error {
	name := store.RootName(m.T)
	was, err := datomic.DecodeRoot(name, held)
	if err != nil {
		return err
	}
	now, err := datomic.DecodeRoot(name, data)
	if err != nil {
		return err
	}
	if reflect.DeepEqual(was, now) {
		return nil
	}
	if now.DatabaseID != was.DatabaseID || now.Index == was.Index && now.Log == was.Log {
		return fmt.Errorf("%s is not what was backed up: %w", name, graph.ErrCorrupt)
	}
	files := place.StoreOf(m)
	last, err := d.Last(ctx, files.Get, now)
	if err == nil && (last.T != m.T || last.ID != m.Tx) {
		err = fmt.Errorf("%s ends with transaction %s at t %d, the point with %s: %w", name, last.ID, last.T, m.Tx, graph.ErrCorrupt)
	}
	if err != nil {
		return err
	}
	lines := spill.NewSorter()
	defer lines.Close()
	return reachNative(ctx, now, d, func(ctx context.Context, ref graph.Ref) ([]byte, error) { return files.Get(ctx, ref.ID) }, false, lines, nil)
}
