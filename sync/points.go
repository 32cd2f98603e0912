package dbsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/rclone-datom/rclone-datom/sync/dialect/datahike"
	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// Point is a backup, or what an unfinished run has left of one.
type Point struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`
	Complete bool      `json:"complete"`
	// Running: not a point yet, but a run that is at work.
	Running bool `json:"running,omitempty"`
	// Copy: the point shares nothing with others.
	Copy bool `json:"copy,omitempty"`
	// AbsentValues counts objects to which datoms refer and that were not there.
	AbsentValues int `json:"absentValues,omitempty"`
	// Native: Datomic itself has written it, and no point of ours is for it.
	Native bool `json:"native,omitempty"`
	// Damaged says what is wrong with a manifest that cannot be read.
	Damaged string `json:"damaged,omitempty"`

	// Kind is the database's: "datahike" or "datomic".
	Kind     string `json:"kind,omitempty"`
	Database string `json:"database,omitempty"`
	// Name and T are a Datomic database's name and basis.
	Name     string            `json:"name,omitempty"`
	T        int64             `json:"t,omitempty"`
	Parent   string            `json:"parent,omitempty"`
	Branches map[string]Branch `json:"branches,omitempty"`
	New      snapshot.Count    `json:"new"`
	Total    snapshot.Count    `json:"total"`
}

// Branch is where a branch stands in a point.
type Branch struct {
	Commit string `json:"commit"`
	MaxTx  int64  `json:"maxTx"`
}

// Points returns the points at dst, and what unfinished runs have left, oldest
// first.
func Points(ctx context.Context, dst fs.Fs) ([]Point, error) {
	place, err := snapshot.Find(ctx, dst)
	if err != nil {
		return nil, err
	}
	ids, err := place.IDs(ctx)
	if err != nil {
		return nil, err
	}
	points, err := recordedPoints(ctx, place, ids)
	if err != nil {
		return nil, err
	}
	native, err := nativePoints(ctx, place, ids)
	if err != nil {
		return nil, err
	}
	points = append(points, native...)
	if !slices.ContainsFunc(points, func(p Point) bool { return p.Complete }) {
		if err := checkKey(ctx, dst); err != nil {
			return nil, err
		}
	}
	runs, err := place.Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		t, _ := snapshot.IDTime(r.ID)
		points = append(points, Point{ID: r.ID, Time: t, Running: r.Live})
	}
	slices.SortStableFunc(points, func(a, b Point) int {
		if a.T > 0 && b.T > 0 {
			return cmp.Or(cmp.Compare(a.T, b.T), strings.Compare(a.ID, b.ID))
		}
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.ID, b.ID))
	})
	if len(points) == 0 {
		return nil, fserrors.NoRetryError(fmt.Errorf("there are no backups at %s: %w", place, fs.ErrorObjectNotFound))
	}
	return points, nil
}

// recordedPoints are those of some ids, without those that were pruned.
func recordedPoints(ctx context.Context, place *snapshot.Place, ids []string) ([]Point, error) {
	points := make([]Point, 0, len(ids))
	for _, id := range ids {
		t, _ := snapshot.IDTime(id)
		m, err := place.Manifest(ctx, id)
		switch {
		case err == nil:
			points = append(points, pointOf(m))
		case errors.Is(err, graph.ErrCorrupt), errors.Is(err, graph.ErrUnsupported):
			points = append(points, Point{ID: id, Time: t, Damaged: err.Error()})
		case errors.Is(err, graph.ErrNotFound):
			if _, err := place.Parked(ctx, id); errors.Is(err, graph.ErrNotFound) {
				points = append(points, Point{ID: id, Time: t})
			} else if err != nil && !damaged(err) && !errors.Is(err, graph.ErrUnsupported) {
				return nil, err
			}
		default:
			return nil, err
		}
	}
	return slices.DeleteFunc(points, func(p Point) bool {
		return !p.Complete && p.Damaged == "" && place.Holds(p.ID) // nothing but chunks of other points
	}), nil
}

func pointOf(m *snapshot.Manifest) Point {
	p := Point{
		ID: m.Point, Time: m.Time, Complete: true, Database: m.ID, Parent: m.Parent,
		Branches: map[string]Branch{}, New: m.New, Total: m.Total, Copy: m.Copy, AbsentValues: len(m.Absent),
		Kind: string(m.Kind), Name: m.Name, T: m.T, Native: m.Adopted,
	}
	for name, b := range m.Branches {
		p.Branches[name] = Branch{Commit: b.Commit, MaxTx: b.MaxTx}
	}
	return p
}

// commitPrefix is how many characters of a commit's id name it.
const commitPrefix = 7

// findPoint resolves what a user may say: nothing or "latest", the id of a
// point or the beginning of one, a commit that a branch of a point stands at,
// a Datomic database's t, or a time, which means the newest point that is not
// younger. A point that only Datomic has written has no record here: its
// manifest is made from its root.
func findPoint(ctx context.Context, place *snapshot.Place, at string) (*snapshot.Manifest, error) {
	ids, err := place.IDs(ctx)
	if err != nil {
		return nil, err
	}
	if at == "latest" {
		at = ""
	}
	m, err := findRecorded(ctx, place, ids, at)
	if err != nil || m == nil {
		if kerr := checkKey(ctx, place.F); kerr != nil {
			return nil, kerr
		}
	}
	if err != nil {
		return nil, err
	}
	if !place.Chunked() && (m == nil || m.Kind == snapshot.Datomic) {
		native, err := findNative(ctx, place, ids, m, at)
		if native != nil || err != nil {
			return native, err
		}
	}
	if m == nil {
		return nil, noPoint(ctx, place, at)
	}
	return m, nil
}

// findRecorded is findPoint among the points that have a record.
func findRecorded(ctx context.Context, place *snapshot.Place, ids []string, at string) (*snapshot.Manifest, error) {
	if at != "" {
		var err error
		if ids, err = candidates(ctx, place, ids, at); err != nil {
			return nil, err
		}
	}
	m, _, err := place.Newest(ctx, ids, func(*snapshot.Manifest) bool { return true })
	if errors.Is(err, graph.ErrCorrupt) {
		err = fmt.Errorf("%w; other points may be whole: choose one with --at, as rclone-datom backups lists them", err)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// noPoint says that there is none, and what to do.
func noPoint(ctx context.Context, place *snapshot.Place, at string) error {
	if _, err := place.Heads().Size(ctx, datahike.BranchesID()); err == nil {
		return fserrors.NoRetryError(fmt.Errorf("%s is no backup but a store: name it as :datahike,store='PATH': %w", place, fs.ErrorObjectNotFound))
	}
	what := "no backup"
	if at != "" {
		what = fmt.Sprintf("no point %q", at)
	}
	return fserrors.NoRetryError(fmt.Errorf("there is %s at %s; list what there is with: rclone-datom backups %s: %w", what, place, typed(place), fs.ErrorObjectNotFound))
}

// typed is the destination as a user may name it. Of a connection string rclone
// shows a digest, which no command takes.
func typed(place *snapshot.Place) string {
	if s := place.String(); !strings.Contains(s, "{") {
		return s
	}
	return "DEST"
}

// candidates are the points that at may mean; the newest complete one counts.
func candidates(ctx context.Context, place *snapshot.Place, ids []string, at string) ([]string, error) {
	if slices.Contains(ids, at) {
		return []string{at}, nil
	}
	if t, ok := parseT(at); ok && slices.ContainsFunc(ids, ofDatomic) {
		return idsAt(ids, t), nil // here a number is a t and nothing else
	}
	if found, err := atCommit(ctx, place, ids, at); len(found) > 0 || err != nil {
		return found, err
	}
	begin := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !strings.HasPrefix(id, at) })
	if len(begin) > 1 {
		begin = slices.DeleteFunc(begin, func(id string) bool {
			_, err := place.Manifest(ctx, id)
			return errors.Is(err, graph.ErrNotFound) // not a point yet
		})
	}
	if len(begin) > 1 {
		return nil, fserrors.NoRetryError(fmt.Errorf("%q is the beginning of %d points: say more of it, or give the time of day", at, len(begin)))
	}
	_, number := numberOf(at)
	if t, err := fs.ParseTime(at); err == nil && len(begin) == 0 && at[0] != '-' && !number {
		return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
			made, err := snapshot.IDTime(id)
			return err != nil || made.After(t)
		}), nil
	}
	return begin, nil
}

// atCommit are the points at which a branch stands at the commit. What begins
// several commits' ids names none of them.
func atCommit(ctx context.Context, place *snapshot.Place, ids []string, at string) ([]string, error) {
	if len(at) < commitPrefix {
		return nil, nil
	}
	var found []string
	commits := map[string]bool{}
	for _, id := range ids {
		m, err := place.Manifest(ctx, id)
		if damaged(err) || errors.Is(err, graph.ErrUnsupported) {
			continue // it cannot be meant, and need not stop the others
		}
		if err != nil {
			return nil, err
		}
		for _, b := range m.Branches {
			if strings.HasPrefix(b.Commit, strings.ToLower(at)) {
				commits[b.Commit] = true
				found = append(found, m.Point)
			}
		}
	}
	if len(commits) > 1 {
		return nil, fserrors.NoRetryError(fmt.Errorf("%q is the beginning of %d commits: say more of it", at, len(commits)))
	}
	return slices.Compact(found), nil
}
