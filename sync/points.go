package dbsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/rclone-datom/rclone-datom/sync/graph"
	"github.com/rclone-datom/rclone-datom/sync/snapshot"
)

// Point is a backup, or what an unfinished run has left of one.
type Point struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`
	Complete bool      `json:"complete"`

	Database string            `json:"database,omitempty"`
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

// Points returns the points at dst, oldest first.
func Points(ctx context.Context, dst fs.Fs) ([]Point, error) {
	place := snapshot.Open(dst)
	ids, err := place.IDs(ctx)
	if err != nil {
		return nil, err
	}
	points := make([]Point, 0, len(ids))
	for _, id := range ids {
		m, err := place.Manifest(ctx, id)
		if errors.Is(err, graph.ErrNotFound) {
			t, _ := snapshot.IDTime(id)
			points = append(points, Point{ID: id, Time: t})
			continue
		}
		if err != nil {
			return nil, final(err)
		}
		points = append(points, pointOf(m))
	}
	return points, nil
}

func pointOf(m *snapshot.Manifest) Point {
	p := Point{
		ID: m.Point, Time: m.Time, Complete: true, Database: m.ID, Parent: m.Parent,
		Branches: map[string]Branch{}, New: m.New, Total: m.Total,
	}
	for name, b := range m.Branches {
		p.Branches[":"+string(name)] = Branch{Commit: b.Commit, MaxTx: b.MaxTx}
	}
	return p
}

// commitPrefix is how many characters of a commit's id name it.
const commitPrefix = 7

// findPoint resolves what a user may say: nothing or "latest", the id of a
// point or the beginning of one, a commit that a branch of a point stands at,
// or a time, which means the newest point that is not younger.
func findPoint(ctx context.Context, place *snapshot.Place, at string) (*snapshot.Manifest, error) {
	ids, err := place.IDs(ctx)
	if err != nil {
		return nil, err
	}
	if at != "" && at != "latest" {
		if ids, err = candidates(ctx, place, ids, at); err != nil {
			return nil, err
		}
	}
	m, _, err := place.Newest(ctx, ids, func(*snapshot.Manifest) bool { return true })
	if err != nil {
		return nil, err
	}
	if m == nil {
		what := "no backup"
		if at != "" {
			what = fmt.Sprintf("no point %q", at)
		}
		return nil, fserrors.NoRetryError(fmt.Errorf("there is %s at %s; list what there is with: rclone-datom backups %s: %w", what, place, place, fs.ErrorObjectNotFound))
	}
	return m, nil
}

// candidates are the points that at may mean; the newest complete one counts.
func candidates(ctx context.Context, place *snapshot.Place, ids []string, at string) ([]string, error) {
	if slices.Contains(ids, at) {
		return []string{at}, nil
	}
	if len(at) >= commitPrefix {
		m, _, err := place.Newest(ctx, ids, func(m *snapshot.Manifest) bool { return standsAt(m, at) })
		if err != nil {
			return nil, err
		}
		if m != nil {
			return []string{m.Point}, nil
		}
	}
	if t, err := fs.ParseTime(at); err == nil {
		return slices.DeleteFunc(ids, func(id string) bool {
			made, err := snapshot.IDTime(id)
			return err != nil || made.After(t)
		}), nil
	}
	begin := slices.DeleteFunc(ids, func(id string) bool { return !strings.HasPrefix(id, at) })
	if len(begin) > 1 {
		return nil, fserrors.NoRetryError(fmt.Errorf("%q is the beginning of %d points: say more of it", at, len(begin)))
	}
	return begin, nil
}

// standsAt tells whether a branch of the point stands at the commit.
func standsAt(m *snapshot.Manifest, commit string) bool {
	for _, b := range m.Branches {
		if strings.HasPrefix(b.Commit, commit) {
			return true
		}
	}
	return false
}
